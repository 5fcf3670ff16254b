//! What an administrator gets wrong: one line at `configtest` and in the log, with file and line, cause and cure.

use oxd_tests::{Browser, Builder, Httpd, Store, StoreServer, TestSite, sign_in, wait_until};
use regex::Regex;

const SITE: &str = "OxdServer http://127.0.0.1:1\nOxdId an-id\nOxdClientId a\nOxdClientSecret b\n\
                    OxdOpHost https://op.example.org\n";
const HANDLER: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n";
const PROTECTED: &str = "<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>\n";

fn httpd(more: &str) -> Builder {
    Httpd::builder().config(&format!("{SITE}{more}"))
}

/// Configurations that httpd takes, with what is said about them at `configtest`.
const DOUBTFUL: [(&str, &str); 10] = [
    (
        "<Location /app>\nAuthType oxd\n</Location>\nHANDLER",
        r"httpd\.conf:\d+: <Location /app> has AuthType oxd, but no Require.*add Require valid-user",
    ),
    (
        "PROTECTED",
        r"httpd\.conf:\d+: <Location /app> is protected, but this server has no SetHandler oxd",
    ),
    (
        "PROTECTEDHANDLEROxdRedirectUri http://127.0.0.1/old/callback",
        r"httpd\.conf:\d+: OxdRedirectUri: the provider sends the browser to http://127\.0\.0\.1/old/callback",
    ),
    (
        "PROTECTEDHANDLER<VirtualHost *:1>\nOxdCookieDomain example.org\nOxdCryptoKey first-key-of-enough-bytes\n\
         </VirtualHost>\n<VirtualHost *:2>\nOxdCookieDomain example.org\n</VirtualHost>",
        r"httpd\.conf:\d+: shares the cookie of OxdCookieDomain example\.org with line \d+",
    ),
    (
        "HANDLER<Location /oxd/private>\nAuthType oxd\nRequire valid-user\n</Location>",
        r"httpd\.conf:\d+: <Location /oxd/private> is protected, but lies within the SetHandler oxd",
    ),
    (
        "HANDLER<Location /app>\nRequire oxd-claim role admin\n</Location>",
        r"httpd\.conf:\d+: Require oxd-claim role admin in <Location /app>, but no AuthType",
    ),
    (
        "HANDLERPROTECTEDOxdCookiePath /app",
        r"httpd\.conf:\d+: OxdCookiePath /app does not cover the handler at /oxd",
    ),
    (
        "HANDLERPROTECTEDOxdCookieDomain example.com",
        r"httpd\.conf:\d+: OxdCookieDomain example\.com does not cover 127\.0\.0\.1",
    ),
    (
        "HANDLERPROTECTED<Location /auth>\nSetHandler oxd\n</Location>",
        r"httpd\.conf:\d+: a second SetHandler oxd for the site of line \d+",
    ),
    (
        "HANDLERPROTECTEDOxdClientSecret file:${ROOT}/docroot/open",
        r"OxdClientSecret file:.*every user of this machine can read this file: chmod 640",
    ),
];

fn whole(text: &str) -> String {
    text.replace("HANDLER", HANDLER).replace("PROTECTED", PROTECTED)
}

fn has(output: &str, pattern: &str) -> bool {
    Regex::new(pattern).expect("a pattern").is_match(output)
}

#[test]
fn configtest_names_what_httpd_takes_without_a_word() {
    for (text, pattern) in DOUBTFUL {
        let builder = httpd(&whole(text));
        builder.file("docroot/open", "a secret that all can read");
        let test = builder.configtest();
        assert!(test.ok, "{text}: {}", test.output);
        assert!(has(&test.output, pattern), "{text}\n{pattern}\n{}", test.output);
    }
    let test = httpd(&whole("HANDLERPROTECTED")).configtest();
    assert!(test.ok && !test.output.contains("oxd:"), "{}", test.output);
}

#[test]
fn configtest_refuses_what_cannot_work() {
    for (text, part) in [
        (
            "OxdCookieName __Host-session\nOxdCookieSecure Off",
            "browsers refuse the cookie __Host-session with OxdCookieSecure Off",
        ),
        (
            "OxdCookieName __Host-session\nOxdCookiePath /app",
            "browsers refuse the cookie __Host-session with OxdCookiePath /app",
        ),
    ] {
        let test = httpd(&format!("{}{text}", whole("HANDLERPROTECTED"))).configtest();
        assert!(!test.ok && test.output.contains(part), "{text}: {}", test.output);
    }
    let builder = Httpd::builder().config(&format!(
        "OxdServer http://127.0.0.1:1\nOxdSite ${{ROOT}}/public.json\n{HANDLER}{PROTECTED}"
    ));
    builder.file(
        "public.json",
        r#"{"oxd_id": "x", "client_id": "y", "op_host": "https://op"}"#,
    );
    let test = builder.configtest();
    assert!(
        !test.ok && test.output.contains("public.json has no client_secret"),
        "{}",
        test.output
    );
}

#[test]
fn the_log_says_it_once_at_the_start() {
    let httpd = httpd(&whole("PROTECTED"))
        .allow_log("this server has no SetHandler oxd")
        .start();
    let lines = httpd.error_log().matches("has no SetHandler oxd").count();
    assert_eq!(lines, 1, "{}", httpd.error_log());
}

#[test]
fn https_that_a_proxy_ends_is_named_once() {
    let site = TestSite::builder()
        .redirect_uris(&["https://127.0.0.1/oxd/callback"])
        .directives("OxdRedirectUri https://127.0.0.1/oxd/callback")
        .httpd(|httpd| httpd.allow_log("but this request came over http"))
        .start();
    for _ in 0..3 {
        Browser::new().get(site.url("/app/")).expect(302);
    }
    let lines = site.httpd.error_log();
    let line = lines
        .lines()
        .filter(|line| line.contains("came over http"))
        .collect::<Vec<_>>();
    assert!(
        line.len() == 1 && line[0].contains("OxdTrustForwarded"),
        "{line:?}"
    );
}

#[test]
fn the_wrong_scheme_is_named_either_way() {
    for (wrong, expected) in [("http", "begins with https"), ("https", "begins with http:")] {
        let builder = TestSite::builder();
        let builder = if wrong == "http" {
            builder.oxd_over_tls()
        } else {
            builder
        };
        let site = builder.directives("").start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        let config = std::fs::read_to_string(site.httpd.file("httpd.conf")).expect("a configuration");
        let from = config
            .lines()
            .find(|line| line.starts_with("Define OXD "))
            .expect("the address of oxd")
            .to_owned();
        let to = if wrong == "http" {
            from.replace("https://", "http://")
        } else {
            from.replace("http://", "https://")
        };
        site.httpd.edit_config(&from, &to);
        site.httpd.graceful();
        // The old children may take a request or two.
        wait_until(expected, || {
            Browser::new().get(site.url("/app/"));
            site.httpd.error_log().contains(expected)
        });
    }
}

#[test]
fn a_login_asks_for_the_maximum_age_of_the_place_where_it_ends() {
    let site = TestSite::builder()
        .config(
            "<Location /app/strict>\nOxdMaxAge 10min\n</Location>\n\
             <LocationMatch ^/app/x>\nOxdMaxAge 20min\n</LocationMatch>",
        )
        .start();
    for (path, age) in [
        ("/app/strict/page?x=1", Some("600")),
        ("/app/x", Some("1200")),
        ("/app/", None),
        ("/", None),
        ("/no/such/page", None),
    ] {
        let target: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        let answer = Browser::new().get(site.url(&format!("/oxd/login?return_to={target}")));
        let sent = answer.expect(302).location();
        let found = sent
            .query_pairs()
            .find(|(name, _)| name == "max_age")
            .map(|(_, age)| age.into_owned());
        assert_eq!(found.as_deref(), age, "{path}");
    }
}

/// A store that stalls in the middle of a call while its child exits.
#[test]
fn a_stalled_store_does_not_crash_a_child_that_exits() {
    let store = Store::at(StoreServer::redis());
    let site = TestSite::builder()
        .store(&store)
        .httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]|socache_redis|AH00045"))
        .start();
    let browser = site.signed_in();
    store.server().stall();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let tab = browser.copy();
            let url = site.url("/app/env");
            scope.spawn(move || drop(tab.ask("GET", url).try_send()));
        }
        site.httpd.graceful();
        store.server().go_on();
    });
    browser.get(site.url("/app/env")).expect(200);
    store.server().stall();
    let tab = browser.copy();
    let url = site.url("/app/env");
    let asking = std::thread::spawn(move || drop(tab.ask("GET", url).try_send()));
    let mut site = site;
    site.httpd.stop();
    asking.join().expect("an answer or none");
    store.server().go_on();
}

#[test]
fn an_ifmodule_with_the_usual_name_is_true() {
    let test = httpd("<IfModule mod_oxd.c>\nOxdScope \"\"\n</IfModule>").configtest();
    assert!(!test.ok && test.output.contains("OxdScope"), "{}", test.output);
}

#[test]
fn a_sign_in_link_leads_to_the_handler_of_its_site() {
    let site = TestSite::builder().another_site("two").start();
    for (path, link) in [("/app/", "/oxd/login"), ("/two/app/", "/two/oxd/login")] {
        let browser = Browser::new();
        let answer = browser
            .ask("GET", site.url(path))
            .header("Accept", "application/json")
            .send();
        let login = answer.expect(401).json()["login"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(login.starts_with(link), "{path}: {login}");
    }
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
}
