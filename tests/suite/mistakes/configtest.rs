//! Mistakes that `apachectl configtest` finds.

use oxd_tests::{Browser, Builder, Httpd};

use super::said;

/// A mistake, and its line.
struct Mistake {
    what: &'static str,
    /// `HANDLER`, `PROTECTED` and `SITE` stand for the right configuration.
    config: &'static str,
    /// Whether httpd starts nevertheless.
    starts: bool,
    line: &'static str,
}

const SITE: &str =
    "OxdServer https://127.0.0.1:8443\nOxdSite ${ROOT}/oxd-site.json\nOxdCryptoKey file:${ROOT}/oxd-key\n";
const HANDLER: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n";
const PROTECTED: &str = "<Location /private>\nAuthType oxd\nRequire valid-user\n</Location>\n";

const MISTAKES: &[Mistake] = &[
    Mistake {
        what: "no handler",
        config: "SITE PROTECTED",
        starts: true,
        line: "ROOT/httpd.conf:N: <Location /private> is protected, but this server has no SetHandler oxd, \
               where a login comes back; add <Location /oxd> SetHandler oxd </Location>, or name another \
               host's with OxdRedirectUri",
    },
    Mistake {
        what: "AuthType oxd without Require",
        config: "SITE HANDLER <Location /private>\nAuthType oxd\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: <Location /private> has AuthType oxd, but no Require: the pages are open \
               to everybody; add Require valid-user",
    },
    Mistake {
        what: "Require oxd-claim without AuthType oxd",
        config: "SITE HANDLER <Location /private>\nRequire oxd-claim role admin\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: Require oxd-claim role admin in <Location /private>, but no AuthType: \
               nobody can sign in there; add AuthType oxd",
    },
    Mistake {
        what: "a word of SetHandler is misspelt",
        config: "SITE HANDLER PROTECTED <Location /oxd-status>\nSetHandler oxd-statu\nRequire ip 10.0.0.0/8\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: SetHandler oxd-statu: there is no such handler, and httpd would look for \
               a file; write oxd, oxd-status, oxd-metrics or oxd-health",
    },
    Mistake {
        what: "a directive is misspelt",
        config: "SITE HANDLER PROTECTED OxdSesionLifetime 8h",
        starts: false,
        line: "Invalid command 'OxdSesionLifetime', perhaps misspelled or defined by a module not included \
               in the server configuration",
    },
    Mistake {
        what: "no OxdServer",
        config: "OxdSite ${ROOT}/oxd-site.json\nHANDLER PROTECTED",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: <Location /private> has AuthType oxd, but no OxdServer: \
               name the address of oxd, such as https://127.0.0.1:PORT",
    },
    Mistake {
        what: "no OxdSite",
        config: "OxdServer https://127.0.0.1:8443\nHANDLER PROTECTED",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: <Location /private> has AuthType oxd, but no OxdSite (or \
               OxdId, OxdClientId, OxdClientSecret and OxdOpHost): name the file that oxdctl register has \
               written with OxdSite",
    },
    Mistake {
        what: "the site file is missing",
        config: "SITE OxdSite ${ROOT}/oxd-sit.json\nHANDLER PROTECTED",
        starts: false,
        line: "OxdSite: 'ROOT/oxd-sit.json' is not allowed; allowed: a JSON file as register-site answers \
               it (No such file or directory (os error 2)); oxdctl register writes one",
    },
    Mistake {
        what: "the site file is not JSON",
        config: "SITE OxdSite ${ROOT}/broken.json\nHANDLER PROTECTED",
        starts: false,
        line: "OxdSite: 'ROOT/broken.json' is not allowed; allowed: a JSON file as register-site answers it \
               (not JSON: line N, column 1); oxdctl register writes one",
    },
    Mistake {
        what: "another file than oxd's answer",
        config: "SITE OxdSite ${ROOT}/other.json\nHANDLER PROTECTED",
        starts: false,
        line: "OxdSite: 'ROOT/other.json' is not allowed; allowed: a JSON file as register-site answers it \
               (it has neither oxd_id nor client_id); oxdctl register writes one",
    },
    Mistake {
        what: "a site file without a secret",
        config: "SITE OxdSite ${ROOT}/public.json\nHANDLER PROTECTED",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: OxdSite ROOT/public.json has no client_secret, so oxd \
               would give no client token; add OxdClientSecret, OxdClientAuth private_key_jwt where oxd \
               signs for the client, or OxdProtectedCommands Off where oxd asks for no token",
    },
    Mistake {
        what: "everybody can read the site file",
        config: "SITE OxdSite ${ROOT}/docroot/open.json\nHANDLER PROTECTED",
        starts: true,
        line: "OxdSite ROOT/docroot/open.json: every user of this machine can read the client secret in \
               this file: chmod 640 ROOT/docroot/open.json",
    },
    Mistake {
        what: "the key file is missing",
        config: "SITE OxdCryptoKey file:${ROOT}/oxd-kay\nHANDLER PROTECTED",
        starts: false,
        line: "OxdCryptoKey: 'file:ROOT/oxd-kay' is not allowed; allowed: text, file:/path, env:NAME or \
               exec:/path arguments, and what it names must not be empty (No such file or directory (os \
               error 2)); oxdctl key --out FILE makes a key",
    },
    Mistake {
        what: "the key is too short",
        config: "SITE OxdCryptoKey file:${ROOT}/short-key\nHANDLER PROTECTED",
        starts: false,
        line: "OxdCryptoKey: the value (not shown, as it is a secret) is not allowed; allowed: keys of at \
               least 16 bytes; oxdctl key --out FILE makes one",
    },
    Mistake {
        what: "the key's path without file:",
        config: "SITE OxdCryptoKey /etc/apache2/oxd/oxd-key\nHANDLER PROTECTED",
        starts: false,
        line: "OxdCryptoKey: the value (not shown, as it is a secret) is not allowed; allowed: text, file:/path, \
               env:NAME or exec:/path arguments, and what it names must not be empty (what looks like a path needs \
               file: before it: file:/path); oxdctl key --out FILE makes a key",
    },
    Mistake {
        what: "everybody can read the key file",
        config: "SITE OxdCryptoKey file:${ROOT}/docroot/open.txt\nHANDLER PROTECTED",
        starts: false,
        line: "OxdCryptoKey: 'file:ROOT/docroot/open.txt' is not allowed; allowed: a file that only root \
               and its group can read: chmod 640 ROOT/docroot/open.txt",
    },
    Mistake {
        what: "OxdServer without https://",
        config: "SITE OxdServer 127.0.0.1:8443\nHANDLER PROTECTED",
        starts: false,
        line: "OxdServer: '127.0.0.1:PORT' is not allowed; allowed: an absolute http:// or https:// URL \
               without user name, password or fragment",
    },
    Mistake {
        what: "the CA file is missing",
        config: "SITE OxdServerCAFile ${ROOT}/oxd-sever.pem\nHANDLER PROTECTED",
        starts: false,
        line: "OxdServerCAFile: 'ROOT/oxd-sever.pem' is not allowed; allowed: a PEM file with certificates \
               (No such file or directory (os error 2)); openssl s_client -connect shows oxd's",
    },
    Mistake {
        what: "the CA file is no PEM file",
        config: "SITE OxdServerCAFile ${ROOT}/empty.pem\nHANDLER PROTECTED",
        starts: false,
        line: "OxdServerCAFile: 'ROOT/empty.pem' is not allowed; allowed: a PEM file with certificates (it \
               holds no certificate); openssl s_client -connect shows oxd's",
    },
    Mistake {
        what: "the handler lies elsewhere than registered",
        config: "SITE ServerName www.example.org\n<Location /sign-in>\nSetHandler oxd\n</Location>\nPROTECTED",
        starts: true,
        line: "ROOT/httpd.conf:N: OxdSite: the provider sends the browser to \
               https://www.example.org/oxd/callback, which is not below a SetHandler oxd of this server; \
               register that address of the handler, or move the handler there",
    },
    Mistake {
        what: "OxdRedirectUri is no address of the handler",
        config: "SITE HANDLER PROTECTED ServerName www.example.org\nOxdRedirectUri https://www.example.org/callback",
        starts: true,
        line: "ROOT/httpd.conf:N: OxdRedirectUri: the provider sends the browser to \
               https://www.example.org/callback, which is not below a SetHandler oxd of this server; \
               register that address of the handler, or move the handler there",
    },
    Mistake {
        what: "the cookie's path does not cover the handler",
        config: "SITE HANDLER PROTECTED OxdCookiePath /private",
        starts: true,
        line: "ROOT/httpd.conf:N: OxdCookiePath /private does not cover the handler at /oxd (line N): the \
               browser would bring no cookie there, and no login could end; use a path that covers both",
    },
    Mistake {
        what: "the cookie's domain is another",
        config: "SITE HANDLER PROTECTED ServerName www.example.org\nOxdCookieDomain example.com",
        starts: true,
        line: "ROOT/httpd.conf:N: OxdCookieDomain example.com does not cover 127.0.0.1:PORT, \
               www.example.org: the browser would refuse all cookies; use the host's own domain, or leave \
               the directive out",
    },
    Mistake {
        what: "__Host- cookie without Secure",
        config: "SITE HANDLER PROTECTED OxdCookieName __Host-session\nOxdCookieSecure Off",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: browsers refuse the cookie __Host-session with \
               OxdCookieSecure Off (line N); take that line out, or use a name without the prefix",
    },
    Mistake {
        what: "Secure cookies over http",
        config: "SITE OxdSite ${ROOT}/plain.json\nHANDLER PROTECTED OxdCookieSecure On",
        starts: true,
        line: "ROOT/httpd.conf:N: OxdCookieSecure On, but the site is registered with \
               http://www.example.org/oxd/callback: browsers keep no such cookie over http, and no login \
               could end; leave the directive out, or register the site with https",
    },
    Mistake {
        what: "SameSite=None without Secure",
        config: "SITE HANDLER PROTECTED OxdCookieSameSite None\nOxdCookieSecure Off",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: browsers refuse cookies with OxdCookieSameSite None and \
               OxdCookieSecure Off (line N); take the latter out",
    },
    Mistake {
        what: "two handlers",
        config: "SITE HANDLER PROTECTED <Location /auth>\nSetHandler oxd\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: a second SetHandler oxd for the site of line N: sign-in links lead to \
               /auth; keep one of them, or give each an OxdSite of its own",
    },
    Mistake {
        what: "a page below the handler",
        config: "SITE HANDLER <Location /oxd/private>\nAuthType oxd\nRequire valid-user\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: <Location /oxd/private> is protected, but lies within the SetHandler oxd \
               of line N, which answers all addresses there; move it out of the handler's path",
    },
    Mistake {
        what: "a store for the pages alone",
        config: "SITE HANDLER <Location /private>\nAuthType oxd\nRequire valid-user\nOxdSessionStore shmcb:${ROOT}/run/s(512000)\n</Location>",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: OxdSessionStore applies to the protected location at line \
               N, but to no SetHandler oxd: logins would store their sessions elsewhere, and the browser \
               would redirect in an endless loop; move it out of the location",
    },
    Mistake {
        what: "the store's module is not loaded",
        config: "SITE HANDLER PROTECTED OxdSessionStore redis:127.0.0.1:6379",
        starts: false,
        line: "OxdSessionStore: 'redis:127.0.0.1:PORT' is not allowed; allowed: redis:127.0.0.1:PORT once \
               mod_socache_redis is loaded: LoadModule socache_redis_module modules/mod_socache_redis.so \
               (Debian: a2enmod socache_redis)",
    },
    Mistake {
        what: "a limit of sessions in cookies",
        config: "SITE HANDLER PROTECTED OxdSessionMax 3",
        starts: false,
        line: "not_configured: ROOT/httpd.conf:N: OxdSessionMax needs an OxdSessionStore other than cookie: \
               sessions in cookies cannot be counted",
    },
    Mistake {
        what: "OxdScope without openid",
        config: "SITE HANDLER PROTECTED OxdScope email",
        starts: false,
        line: "OxdScope: 'email' is not allowed; allowed: scope names (letters, digits and signs without \
               quotes), openid among them",
    },
    Mistake {
        what: "a time with another unit",
        config: "SITE HANDLER PROTECTED OxdSessionLifetime 8hours",
        starts: false,
        line: "OxdSessionLifetime: '8hours' is not allowed; allowed: a time from 1s to 8760h, such as 30s, \
               5min or 8h",
    },
    Mistake {
        what: "the handler behind another sign-in",
        config: "SITE HANDLER PROTECTED <Location />\nAuthType Basic\nAuthName x\nRequire valid-user\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: the SetHandler oxd at /oxd lies behind AuthType Basic (line N), where no \
               login can come back; add AuthType None and Require all granted to <Location /oxd>, and put \
               it after that line",
    },
    Mistake {
        what: "the status page open to all",
        config: "SITE HANDLER PROTECTED <Location /oxd-status>\nSetHandler oxd-status\n</Location>",
        starts: true,
        line: "ROOT/httpd.conf:N: SetHandler oxd-status without a Require of its own: anybody can end \
               sessions there; add one, such as Require ip 10.0.0.0/8",
    },
];

pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    MISTAKES.iter().map(|mistake| mistake.line)
}

fn httpd(config: &str) -> Builder {
    let handler = format!("\n{HANDLER}");
    let config = config
        .replace("SITE ", SITE)
        .replace("PROTECTED", &format!("\n{PROTECTED}"))
        .replace("HANDLER ", &handler)
        .replace("HANDLER\n", &handler);
    let httpd = Httpd::builder().load("socache_shmcb").config(&config);
    let site = r#"{"oxd_id": "an-id", "client_id": "a", "client_secret": "b", "op_host": "https://op.example.org",
        "redirect_uris": ["https://www.example.org/oxd/callback"]}"#;
    for (name, text) in [
        ("oxd-site.json", site),
        ("docroot/open.json", site),
        ("docroot/open.txt", "a key that all can read, of many bytes"),
        ("broken.json", "oxd_id = an-id"),
        ("other.json", "{\"name\": \"composer\"}"),
        (
            "public.json",
            r#"{"oxd_id": "an-id", "client_id": "a", "op_host": "https://op.example.org"}"#,
        ),
        ("plain.json", &site.replace("https://www", "http://www")),
        ("oxd-key", "0123456789abcdef0123456789abcdef"),
        ("short-key", "secret"),
        ("empty.pem", "no certificate"),
    ] {
        httpd.file(name, text);
    }
    httpd
}

#[test]
fn configtest_names_cause_and_cure_in_one_line() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let httpd = httpd(mistake.config);
        let file = httpd.path("httpd.conf");
        let test = httpd.configtest();
        let said = said::lines(&test.output, file.parent().unwrap_or(&file));
        if test.ok != mistake.starts {
            wrong.push(format!("{}: httpd starts: {}", mistake.what, test.ok));
        }
        wrong.extend(said::missing(mistake.what, &said, mistake.line));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is right gets no line.
#[test]
fn configtest_says_nothing_of_a_right_configuration() {
    let httpd = httpd(
        "SITE HANDLER PROTECTED <Location /oxd-status>\nSetHandler oxd-status\nRequire ip 10.0.0.0/8\n\
                       </Location>\n<Location />\nAuthType oxd\nRequire valid-user\n</Location>",
    );
    let test = httpd.configtest();
    assert_eq!(test.output.trim(), "Syntax OK");
}

/// The handler behind another module's sign-in is out of reach, as its line says, and within it after the cure.
#[test]
fn the_cure_for_a_handler_behind_another_sign_in_works() {
    for (cure, status) in [
        ("", 401),
        (
            "<Location /oxd>\nAuthType None\nRequire all granted\n</Location>",
            200,
        ),
    ] {
        let basic = "<Location />\nAuthType Basic\nAuthName x\nAuthBasicProvider file\nAuthUserFile ${ROOT}/users\n\
                     Require valid-user\n</Location>";
        let httpd = httpd(&format!("SITE HANDLER {basic}\n{cure}"));
        httpd.file("users", "");
        let httpd = httpd
            .load("auth_basic")
            .load("authn_file")
            .allow_log("lies behind AuthType Basic")
            .start();
        Browser::new().get(httpd.url("/oxd")).expect(status);
        assert_eq!(
            httpd.error_log().contains("lies behind AuthType Basic"),
            cure.is_empty()
        );
    }
}
