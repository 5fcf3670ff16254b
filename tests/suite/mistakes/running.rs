//! Mistakes that show at the first request: the line in httpd's error log.

use oxd_dev::{Fault, Tls};
use oxd_tests::{Browser, SiteBuilder, TestSite, approve, begin, sign_in, wait_until};
use serde_json::json;

use super::said;

/// A mistake, what a user does then, and the line.
struct Mistake {
    what: &'static str,
    site: fn(SiteBuilder) -> SiteBuilder,
    visit: fn(&TestSite),
    line: &'static str,
}

/// A user opens a protected page.
fn open(site: &TestSite) {
    Browser::new().get(site.url("/app/"));
}

/// The same, and signs in.
fn come_back(site: &TestSite) {
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    approve(&browser, &start.location()).deliver(&browser);
}

fn opens_after_a_login(site: &TestSite) {
    sign_in(&Browser::new(), site.url("/app/"));
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        what: "oxd does not run, or OxdServer names another port",
        site: |site| site.directives("OxdServer http://127.0.0.1:1"),
        visit: open,
        line: "oxd_unreachable: http://127.0.0.1:1/get-client-token: 127.0.0.1:1 refuses the connection: \
               nothing listens there; start oxd, or correct host and port in OxdServer",
    },
    Mistake {
        what: "OxdServer has a path that oxd has not",
        site: |site| site.directives("OxdServer ${OXD}/rest"),
        visit: open,
        line: "oxd_answer: http://127.0.0.1:PORT/rest/get-client-token answered 404 (HTTP 404 Not Found); \
               OxdServer must be the address of oxd itself, without a path unless a gateway in front of it \
               needs one",
    },
    Mistake {
        what: "oxd's certificate is its own, and not named",
        site: SiteBuilder::oxd_over_tls,
        visit: open,
        line: "oxd_unreachable: https://127.0.0.1:PORT/get-client-token: the certificate of 127.0.0.1:PORT \
               is signed by no authority that is known here (SHA-256 FINGERPRINT); name the file of oxd's \
               own certificate, or of its authority's, with OxdServerCAFile",
    },
    Mistake {
        what: "oxd's certificate has expired",
        site: |site| {
            site.oxd(|oxd| oxd.tls = Tls::Expired)
                .directives("OxdServerCAFile ${ROOT}/oxd-ca.pem")
        },
        visit: open,
        line: "oxd_unreachable: https://127.0.0.1:PORT/get-client-token: the certificate of 127.0.0.1:PORT \
               ran out on DATE; give oxd a new certificate, and name its file with OxdServerCAFile",
    },
    Mistake {
        what: "oxd's certificate is for another name",
        site: |site| {
            site.oxd_over_tls()
                .oxd(|oxd| oxd.tls_names = vec!["oxd.example.org".to_owned()])
                .directives("OxdServerCAFile ${ROOT}/oxd-ca.pem")
        },
        visit: open,
        line: "oxd_unreachable: https://127.0.0.1:PORT/get-client-token: the certificate of 127.0.0.1:PORT \
               is for another name: it has DnsName('oxd.example.org'); use a name of the certificate in \
               OxdServer, or give oxd a certificate for the name there",
    },
    Mistake {
        what: "oxd does not answer this machine",
        site: |site| site.oxd(|oxd| oxd.bind_ip_addresses = vec!["192.0.2.1".to_owned()]),
        visit: open,
        line: "client_token_refused: http://127.0.0.1:PORT/get-client-token answered 403 with \
               'oxd_access_denied' (The caller's address is not among the bind_ip_addresses of \
               oxd-server.yml.); oxd answers only the addresses in bind_ip_addresses of its oxd-server.yml \
               (127.0.0.1 without it): add 127.0.0.1",
    },
    Mistake {
        what: "a wrong OxdId",
        site: |site| site.directives("OxdId 00000000-0000-0000-0000-000000000000"),
        visit: open,
        line: "oxd_answer: http://127.0.0.1:PORT/get-authorization-url answered 400 with 'invalid_oxd_id' \
               (Invalid oxd_id. Unable to find the site for oxd_id. It does not exist or has been removed \
               from the server. Please use the register_site command to register a site.); oxd knows no \
               such site: OxdSite, OxdId or OxdAuthorizationSite names another oxd's, or the site was \
               removed there; oxdctl register --force registers it again",
    },
    Mistake {
        what: "a wrong client secret",
        site: |site| site.directives("OxdClientSecret wrong"),
        visit: open,
        line: "client_token_refused: http://127.0.0.1:PORT/get-client-token answered 500 with \
               'internal_error' (Unknown internal server error occurs.); check OxdClientId, OxdClientSecret \
               and OxdId: the token must belong to the site's own client and have the scope oxd",
    },
    Mistake {
        what: "a redirect address that is not registered",
        site: |site| site.directives("OxdRedirectUri http://127.0.0.1:${PORT}/oxd/other"),
        visit: open,
        line: "oxd_answer: http://127.0.0.1:PORT/get-authorization-url answered 400 with \
               'redirect_uri_is_not_registered' (The authorization redirect uri is not registered.); \
               OxdRedirectUri must be one of the addresses that the site is registered with; oxdctl check \
               compares them, oxdctl update --base changes them",
    },
    Mistake {
        what: "Secure cookies over http",
        site: |site| site.directives("OxdCookieSecure On"),
        visit: |site| {
            Browser::new().get(site.url("/app/").replace("127.0.0.1", "one.test"));
        },
        line: "OxdCookieSecure On, but this request came over http: browsers keep no such cookie, and no \
               login can end; if a proxy ends TLS before httpd, name its header with OxdTrustForwarded \
               (X-Forwarded-Proto), otherwise take OxdCookieSecure out",
    },
    Mistake {
        what: "a proxy ends TLS, and nothing says so",
        site: |site| {
            site.redirect_uris(&["https://127.0.0.1/oxd/callback"])
                .directives("OxdRedirectUri https://127.0.0.1/oxd/callback")
        },
        visit: open,
        line: "the site is registered with https://127.0.0.1/oxd/callback, but this request came over http: \
               if a proxy ends TLS before httpd, name its header with OxdTrustForwarded \
               (X-Forwarded-Proto), or cookies lack Secure",
    },
    Mistake {
        what: "the clocks differ",
        site: |site| site,
        visit: |site| {
            site.oxd.fault(
                "get-tokens-by-code",
                Fault::Patch(json!({ "id_token_claims": { "exp": 1_700_000_000 } })),
            );
            come_back(site);
        },
        line: "id_token_invalid: the id token ran out SECONDS s ago; compare the clocks of this machine and \
               of the provider",
    },
    Mistake {
        what: "LimitRequestFieldSize is too small",
        site: |site| site.config("LimitRequestFieldSize 1000"),
        visit: come_back,
        line: "session_too_large: a session of SIZE bytes does not fit into the 1000 bytes that httpd takes \
               for the Cookie header; have the provider release fewer claims, request a smaller OxdScope, \
               raise LimitRequestFieldSize, or use another OxdSessionStore",
    },
    Mistake {
        what: "the store's server does not run",
        site: |site| {
            site.directives("OxdSessionStore redis:127.0.0.1:1")
                .httpd(|httpd| httpd.load("socache_redis").allow_log("socache_redis"))
        },
        visit: |site| come_back(site),
        line: "store_unavailable: OxdSessionStore redis:127.0.0.1:1: no server is left; check the store \
               that OxdSessionStore names: its server must run and be reachable from here, its file be \
               writable",
    },
    Mistake {
        what: "the Redis server of redis:// does not run",
        site: |site| site.directives("OxdSessionStore redis://127.0.0.1:1"),
        visit: |site| come_back(site),
        line: "store_unavailable: OxdSessionStore redis://127.0.0.1:1: Connection refused (os error 111); \
               check the store that OxdSessionStore names: its server must run and be reachable from here, \
               its file be writable",
    },
    Mistake {
        what: "OxdRemoteUser names a claim that the provider does not release",
        site: |site| site.directives("OxdRemoteUser employee_number"),
        visit: opens_after_a_login,
        line: "user_name_missing: user '7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11' has no claim \
               'employee_number' that OxdRemoteUser could make a user name of; check OxdRemoteUser, OxdScope and which claims the provider releases",
    },
    Mistake {
        what: "a rule about a claim that the user does not have",
        site: |site| {
            site.config("<Location /app/other.html>\nRequire oxd-claim department sales\n</Location>")
        },
        visit: |site| {
            site.signed_in().get(site.url("/app/other.html")).expect(403);
        },
        line: "forbidden: /app/other.html does not let user '7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11' in: \
               Require oxd-claim department sales: the session has no claim department",
    },
    Mistake {
        what: "an acr value that the provider does not have",
        site: |site| site.config("<Location /app/other.html>\nRequire oxd-acr passkey\n</Location>"),
        visit: |site| {
            let browser = site.signed_in();
            let start = begin(&browser, site.url("/app/other.html"));
            approve(&browser, &start.location()).deliver(&browser).expect(303);
            browser.get(site.url("/app/other.html"));
        },
        line: "acr_not_met: /app/other.html does not let user '7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11' in: \
               Require oxd-acr passkey: the user has signed in with 'basic'; check that the provider \
               supports the acr values of Require oxd-acr",
    },
    Mistake {
        what: "AuthType is misspelt",
        site: |site| site.config("<Location /public>\nAuthType odx\nRequire valid-user\n</Location>"),
        visit: |site| {
            Browser::new().get(site.url("/public/")).expect(500);
        },
        line: "AH01796: AuthType odx configured without corresponding module",
    },
    Mistake {
        what: "AllowOverride does not allow AuthConfig",
        site: |site| {
            site.httpd(|httpd| {
                httpd.file("docroot/files/.htaccess", "AuthType oxd\nRequire valid-user\n");
                httpd.file("docroot/files/index.html", "seen");
                httpd.config("<Directory \"${DOCROOT}/files\">\nAllowOverride FileInfo\n</Directory>")
            })
        },
        visit: |site| {
            Browser::new().get(site.url("/files/")).expect(500);
        },
        line: "ROOT/docroot/files/.htaccess: AuthType not allowed here",
    },
    Mistake {
        what: "a directive that .htaccess may not hold",
        site: |site| {
            site.httpd(|httpd| {
                httpd.file("docroot/files/.htaccess", "OxdServer https://127.0.0.1:8443\n");
                httpd
            })
        },
        visit: |site| {
            Browser::new().get(site.url("/files/")).expect(500);
        },
        line: "ROOT/docroot/files/.htaccess: OxdServer not allowed here",
    },
    Mistake {
        what: "http:// for an oxd that speaks https",
        site: |site| site.oxd_over_tls(),
        visit: |site| other_scheme(site, "https", "http"),
        line: "oxd_answer: http://127.0.0.1:PORT/get-client-token: what listens at 127.0.0.1:PORT does not \
               speak HTTP; where oxd speaks https, the address (OxdServer) begins with https://; correct \
               OxdServer",
    },
    Mistake {
        what: "https:// for an oxd that speaks http",
        site: |site| site,
        visit: |site| other_scheme(site, "http", "https"),
        line: "oxd_unreachable: https://127.0.0.1:PORT/get-client-token: what listens at 127.0.0.1:PORT \
               does not speak TLS; where oxd speaks http, the address (OxdServer) begins with http://; \
               correct OxdServer",
    },
];

pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    MISTAKES.iter().map(|mistake| mistake.line)
}

/// Restarts httpd with the other scheme in the address of oxd.
fn other_scheme(site: &TestSite, from: &str, to: &str) {
    let config = std::fs::read_to_string(site.httpd.file("httpd.conf")).expect("a configuration");
    let line = config
        .lines()
        .find(|line| line.starts_with("Define OXD "))
        .expect("the address of oxd");
    site.httpd
        .edit_config(line, &line.replace(&format!("{from}://"), &format!("{to}://")));
    site.httpd.graceful();
    // Old children may take a request or two.
    wait_until("a request to fail", || {
        Browser::new().get(site.url("/app/")).status >= 500
    });
}

#[test]
fn the_log_names_cause_and_cure_in_one_line() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let site = (mistake.site)(TestSite::builder()).start();
        site.httpd
            .allow_log(r"\[(oxd|core|auth[nz]_core|socache_redis):(warn|error|alert)\]");
        (mistake.visit)(&site);
        let said = said::lines(&site.httpd.error_log(), site.httpd.root());
        wrong.extend(said::missing(mistake.what, &said, mistake.line));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
