//! The front-channel address, which the provider's page loads in a frame.

use oxd_tests::{Answer, Browser, DEMO_SUB, Mpm, TestSite};
use url::Url;

use super::token::{expect_alive, expect_dead, sid};

/// The front-channel address with these parameters.
fn frame(site: &TestSite, parameters: &[(&str, &str)]) -> Url {
    let mut url = Url::parse(&site.url("/oxd/frontchannel-logout")).expect("an address");
    url.query_pairs_mut().extend_pairs(parameters);
    url
}

/// Loads a frame as a browser does that keeps cookies from other sites' pages.
fn load(url: &Url) -> Answer {
    let stranger = Browser::new();
    stranger
        .ask("GET", url)
        .header("sec-fetch-dest", "iframe")
        .header("sec-fetch-site", "cross-site")
        .send()
}

#[track_caller]
fn expect_frame(answer: &Answer) {
    answer.expect(200);
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.summary()
    );
    assert_eq!(answer.header("x-frame-options"), None, "{}", answer.summary());
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(!policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(answer.body.len() < 4096, "a small page: {}", answer.body.len());
    if !answer.body.is_empty() {
        assert!(!answer.page().runs_script(), "{}", answer.summary());
    }
}

#[test]
fn the_named_session_is_over() {
    let site = TestSite::start();
    let (here, elsewhere) = (site.signed_in(), site.signed_in());
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &here));
    site.forget_calls();
    expect_frame(&load(&frame(&site, &[("iss", &issuer), ("sid", &sid)])));
    site.expect_commands(&[]);
    expect_dead(&site, &here);
    expect_alive(&site, &elsewhere);
    // Once more is no error, and neither is a login afterwards.
    expect_frame(&load(&frame(&site, &[("iss", &issuer), ("sid", &sid)])));
    here.follow(site.url("/app/")).expect(200);
    expect_alive(&site, &here);
}

#[test]
fn a_browser_that_sends_its_cookies_is_no_exception() {
    let site = TestSite::start();
    let (here, elsewhere) = (site.signed_in(), site.signed_in());
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &here));
    // The cookies say who asks, the parameters who goes.
    let url = frame(&site, &[("iss", &issuer), ("sid", &sid)]);
    expect_frame(&elsewhere.get(&url));
    expect_dead(&site, &here);
    expect_alive(&site, &elsewhere);
}

#[test]
fn what_is_missing_or_doubled_ends_nothing() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &browser));
    let (iss, sid) = (("iss", issuer.as_str()), ("sid", sid.as_str()));
    for parameters in [
        &[][..],
        &[iss],
        &[sid],
        &[iss, ("sid", "")],
        &[("iss", ""), sid],
        &[iss, iss, sid],
        &[iss, sid, sid],
        &[iss, sid, ("sid", "other")],
        &[("sid", "other"), iss, sid],
        &[iss, ("SID", sid.1)],
    ] {
        let answer = load(&frame(&site, parameters));
        assert_eq!(answer.status, 400, "{parameters:?}: {}", answer.summary());
        let page = browser.get(site.url("/app/"));
        assert_eq!(page.status, 200, "{parameters:?} ended the session");
    }
    // Spelled in another way it is doubled all the same.
    let mut url = frame(&site, &[iss, sid]);
    let query = format!("{}&%73id=other", url.query().unwrap_or_default());
    url.set_query(Some(&query));
    load(&url).expect(400);
    expect_alive(&site, &browser);
}

#[test]
fn what_is_unknown_ends_nothing() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &browser));
    let long = "s".repeat(3000);
    for stranger in [
        "nobody's",
        DEMO_SUB,
        "*",
        "%",
        "\u{0}",
        "\r\n\r\n",
        "ä\u{202e}",
        "<script>alert(1)</script>",
        &sid[..sid.len() - 1],
        &format!("{sid}x"),
        &format!("{sid}\u{0}"),
        &long,
    ] {
        let answer = load(&frame(&site, &[("iss", &issuer), ("sid", stranger)]));
        assert!(
            matches!(answer.status, 200 | 400),
            "{stranger:?}: {}",
            answer.summary()
        );
        assert!(!answer.text().contains("<script"), "{}", answer.summary());
    }
    // A session of that name at another provider is another session.
    for other in [
        "https://op.example.org",
        "x",
        &format!("{issuer}/x"),
        &issuer.replace("127.0.0.1", "localhost"),
    ] {
        let answer = load(&frame(&site, &[("iss", other), ("sid", &sid)]));
        assert!(
            matches!(answer.status, 200 | 400),
            "{other}: {}",
            answer.summary()
        );
    }
    expect_alive(&site, &browser);
}

#[test]
fn other_methods() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &browser));
    let url = frame(&site, &[("iss", &issuer), ("sid", &sid)]);
    let nobody = Browser::new();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = nobody
            .ask(method, &url)
            .form(&[("iss", &issuer), ("sid", &sid)])
            .send();
        assert_eq!(answer.status, 405, "{method}: {}", answer.summary());
        let allowed = answer.header("allow").unwrap_or_default();
        assert!(allowed.contains("GET"), "Allow {allowed:?}");
    }
    expect_alive(&site, &browser);
    assert!(nobody.head(&url).expect(200).body.is_empty());
    load(&url).expect(200);
    expect_dead(&site, &browser);
}

#[test]
fn the_other_site_on_the_same_server_is_left_alone() {
    let site = TestSite::builder()
        .another_site("two")
        .config("<Location /two>\nOxdCookieName two_session\n</Location>")
        .start();
    let browser = site.signed_in();
    oxd_tests::sign_in(&browser, site.url("/two/app/"))
        .page
        .expect(200);
    // One sign-in at the provider, one name for it at both sites.
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &browser));
    load(&frame(&site, &[("iss", &issuer), ("sid", &sid)])).expect(200);
    expect_dead(&site, &browser);
    browser.get(site.url("/two/app/")).expect(200);
}

fn with_a_store(store: &str, module: &str) {
    let site = TestSite::builder()
        .mpm(Mpm::Prefork)
        .directives(&format!("OxdSessionStore {store}"))
        .httpd(|httpd| httpd.load(module))
        .start();
    let (here, elsewhere) = (site.signed_in(), site.signed_in());
    let (issuer, sid) = (site.oxd.provider_url(), sid(&site, &here));
    expect_frame(&load(&frame(&site, &[("iss", &issuer), ("sid", &sid)])));
    expect_dead(&site, &here);
    expect_alive(&site, &elsewhere);
}

#[test]
fn sessions_in_shared_memory_end_too() {
    with_a_store("shmcb", "socache_shmcb");
}

#[test]
fn sessions_in_a_file_end_too() {
    with_a_store("dbm:${ROOT}/run/sessions", "socache_dbm");
}
