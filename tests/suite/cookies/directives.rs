//! What the cookie directives do to the cookies.

use oxd_tests::{Answer, Authority, Browser, Cookie, DEMO_SUB, TestSite, Walk, sign_in};

fn session(walk: &Walk) -> Cookie {
    let mut cookies = walk.callback.set_cookies();
    cookies.retain(|cookie| !cookie.name().starts_with("oxd_state") && !cookie.value().is_empty());
    assert_eq!(cookies.len(), 2, "{}", walk.callback.summary());
    let tokens = cookies.remove(1);
    assert_eq!(tokens.name(), format!("{}.tokens", cookies[0].name()));
    assert_eq!(
        (
            tokens.domain(),
            tokens.secure(),
            tokens.http_only(),
            tokens.same_site()
        ),
        (
            cookies[0].domain(),
            cookies[0].secure(),
            Some(true),
            cookies[0].same_site()
        )
    );
    cookies.remove(0)
}

fn states(start: &Answer) -> Vec<Cookie> {
    start.given_cookies("oxd_state.")
}

#[test]
fn name_path_and_same_site() {
    let site = TestSite::builder()
        .base("/area/oxd")
        .unprotected()
        .directives("OxdCookieName my-session\nOxdCookiePath /area\nOxdCookieSameSite None")
        .config(
            "ScriptAlias /area/app \"${ROOT}/cgi-bin/env\"\n\
             <Location /area/app>\nAuthType oxd\nRequire valid-user\n</Location>",
        )
        .start();
    let browser = Browser::new();
    let walk = sign_in(&browser, site.url("/area/app"));
    let cookie = session(&walk);
    assert_eq!(cookie.name(), "my-session");
    assert_eq!(cookie.path(), Some("/area"));
    assert_eq!(cookie.same_site().map(|s| s.to_string()).as_deref(), Some("None"));
    let environment = walk.page.environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    assert_eq!(walk.page.cookies_handed_on(), "");
    // The default name means nothing here.
    browser.set_cookie("oxd_session=x; Path=/area", site.url("/area/app"));
    let page = browser.get(site.url("/area/app"));
    assert_eq!(page.environment()["REMOTE_USER"], DEMO_SUB);
    assert_eq!(page.cookies_handed_on(), "oxd_session=x");
}

#[test]
fn the_domain_is_for_all_hosts_below() {
    let builder = TestSite::builder()
        .directives("OxdCookieDomain example.test")
        .httpd(|httpd| httpd.allow_log("OxdCookieDomain example.test does not cover 127.0.0.1"));
    let port = builder.url("").rsplit(':').next().expect("a port").to_owned();
    let host = |name: &str, path: &str| format!("http://{name}.example.test:{port}{path}");
    let site = builder.redirect_uris(&[&host("www", "/oxd/callback")]).start();
    let browser = Browser::new();
    let walk = sign_in(&browser, host("www", "/app/env"));
    assert_eq!(
        session(&walk).domain().map(|d| d.trim_start_matches('.')),
        Some("example.test")
    );
    let environment = browser.get(host("other", "/app/env")).environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    browser.get(site.url("/app/env")).expect(302);
}

#[test]
fn secure_can_be_forced_either_way() {
    let site = TestSite::builder().directives("OxdCookieSecure On").start();
    let start = oxd_tests::begin(&Browser::new(), site.url("/app/"));
    assert!(states(&start).iter().all(|cookie| cookie.secure() == Some(true)));

    let authority = Authority::new();
    let builder = TestSite::builder().httpd(|httpd| httpd.tls(&authority.certify()));
    let callback = builder.tls_url("/oxd/callback");
    let site = builder
        .redirect_uris(&[&callback])
        .directives("OxdCookieSecure Off")
        .start();
    let browser = Browser::trusting(&authority.certificate_pem);
    let walk = sign_in(&browser, site.httpd.tls_url("/app/"));
    assert!(states(&walk.start).iter().all(|cookie| cookie.secure().is_none()));
    assert_eq!(session(&walk).secure(), None);
}

#[test]
fn forwarded_headers_are_believed_only_where_that_is_said() {
    let ask = |site: &TestSite| {
        let browser = Browser::new();
        let ask = browser
            .ask("GET", site.url("/app/"))
            .header("x-forwarded-proto", "https");
        let start = ask.header("forwarded", "proto=https").send();
        states(start.expect(302))
            .iter()
            .all(|cookie| cookie.secure() == Some(true))
    };
    assert!(!ask(&TestSite::start()), "a client may say what it likes");
    for name in ["X-Forwarded-Proto", "Forwarded"] {
        let site = TestSite::builder()
            .directives(&format!("OxdTrustForwarded {name}"))
            .start();
        assert!(ask(&site), "OxdTrustForwarded {name}");
    }
    let site = TestSite::builder()
        .directives("OxdTrustForwarded X-Forwarded-Host")
        .start();
    assert!(!ask(&site), "another header is trusted");
}

#[test]
fn a_forwarded_host_is_where_the_user_returns_to() {
    let site = TestSite::builder()
        .directives("OxdTrustForwarded X-Forwarded-Host X-Forwarded-Proto")
        .start();
    let browser = site.signed_in();
    let ask = browser.ask("GET", site.url("/oxd/logoutme"));
    let ask = ask.header("x-forwarded-host", "www.example.test");
    ask.header("x-forwarded-proto", "https").send().expect(303);
    let calls = site.oxd.calls();
    let call = calls
        .iter()
        .find(|call| call.command == "get-logout-uri")
        .expect("a logout");
    let uri = call.body["post_logout_redirect_uri"].as_str();
    assert_eq!(uri, Some("https://www.example.test/oxd/logout"));
}
