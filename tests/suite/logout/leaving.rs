//! `BASE/logoutme`: out is out, whatever becomes of the provider.

use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, SiteBuilder, TestSite, sign_out};
use serde_json::json;

use super::token::expect_dead;

fn builder() -> SiteBuilder {
    TestSite::builder()
        .directives("OxdServerTimeout 2s 1s")
        .httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]"))
}

/// The page says that the provider could not be told.
#[track_caller]
fn expect_told_so(answer: &Answer) {
    let page = answer.expect(200).page();
    let text = page.text().to_lowercase();
    assert!(text.contains("signed out"), "{text}");
    assert!(text.contains("could not be told"), "{text}");
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.summary()
    );
    assert!(!page.runs_script(), "{}", answer.summary());
}

/// Signs out and finds the session gone, also for whoever has copied the cookie.
#[track_caller]
fn leave(site: &TestSite, why: &str) {
    let browser = site.signed_in();
    let copy = browser.copy();
    let begun = Instant::now();
    let answer = browser.get(site.url("/oxd/logoutme"));
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{why}: {:?}",
        begun.elapsed()
    );
    assert_eq!(answer.status, 200, "{why}: {}", answer.summary());
    expect_told_so(&answer);
    assert!(
        browser.cookies_named("oxd_session", site.url("/")).is_empty(),
        "{why}"
    );
    assert_eq!(site.user(&copy), None, "{why}");
    expect_dead(site, &copy);
}

#[test]
fn an_answer_that_is_no_answer() {
    let site = builder().start();
    for (why, fault) in [
        ("no JSON", Fault::NotJson),
        ("no uri", Fault::WrongShape(json!({}))),
        ("a list", Fault::WrongShape(json!([1]))),
        ("a uri that is no text", Fault::WrongShape(json!({ "uri": 42 }))),
        ("an empty uri", Fault::WrongShape(json!({ "uri": "" }))),
        (
            "a script",
            Fault::WrongShape(json!({ "uri": "javascript:alert(1)" })),
        ),
        ("too much", Fault::Huge(3 << 20)),
        ("nothing", Fault::Drop),
        ("a redirect", Fault::Redirect("http://127.0.0.1:1/".to_owned())),
        (
            "no such endpoint",
            Fault::Status {
                code: 500,
                body: "{\"error\":\"no_end_session_endpoint_at_op\",\"error_description\":\"x\"}".to_owned(),
                content_type: "application/json".to_owned(),
            },
        ),
    ] {
        site.oxd.fault("get-logout-uri", fault);
        leave(&site, why);
    }
    // A second line is part of the address, if it is anything.
    let lines = json!({ "uri": "http://127.0.0.1:1/\r\nSet-Cookie: evil=1" });
    site.oxd.fault("get-logout-uri", Fault::WrongShape(lines));
    let answer = site.signed_in().get(site.url("/oxd/logoutme"));
    assert!(answer.given_cookies("evil").is_empty(), "{}", answer.summary());
    // And when it answers well again, the way out leads past the provider.
    site.oxd.clear_faults();
    let browser = site.signed_in();
    let copy = browser.copy();
    sign_out(&browser, site.url("/oxd/logoutme")).page.expect(200);
    expect_dead(&site, &copy);
}

#[test]
fn no_answer_in_time() {
    let site = builder().start();
    site.oxd.fault("get-logout-uri", Fault::Hang);
    leave(&site, "no answer");
    site.oxd
        .fault("get-logout-uri", Fault::Trickle(Duration::from_millis(400)));
    leave(&site, "an answer that drips in");
}

#[test]
fn no_oxd() {
    let mut site = builder().start();
    let browser = site.signed_in();
    let copy = browser.copy();
    site.oxd.stop();
    expect_told_so(&browser.get(site.url("/oxd/logoutme")));
    assert_eq!(site.user(&browser), None);
    expect_dead(&site, &copy.copy());
    site.oxd.resume();
    oxd_tests::wait_until("oxd to be found again", || {
        Browser::new().get(site.url("/app/")).status == 302
    });
    expect_dead(&site, &copy);
}

#[test]
fn no_client_token() {
    let site = builder().start();
    let browser = site.signed_in();
    let copy = browser.copy();
    site.oxd.expire_client_tokens();
    site.oxd.fault("get-client-token", Fault::NotJson);
    expect_told_so(&browser.get(site.url("/oxd/logoutme")));
    expect_dead(&site, &copy);
}

#[test]
fn a_copied_cookie_is_worth_nothing_afterwards() {
    for directives in ["", "OxdSessionStore shmcb"] {
        let site = TestSite::builder()
            .directives(directives)
            .httpd(|httpd| httpd.load("socache_shmcb"))
            .start();
        let (browser, elsewhere) = (site.signed_in(), site.signed_in());
        let copy = browser.copy();
        sign_out(&browser, site.url("/oxd/logoutme")).page.expect(200);
        for path in ["/app/", "/app/env"] {
            copy.copy().get(site.url(path)).expect(302);
        }
        copy.copy().get(site.url("/oxd/session")).expect(401);
        // Nor does it sign anybody else out.
        copy.copy().follow(site.url("/oxd/logoutme")).expect(200);
        elsewhere.get(site.url("/app/")).expect(200);
        // Who has left can come back.
        oxd_tests::sign_in(&browser, site.url("/app/")).page.expect(200);
        expect_dead(&site, &copy);
    }
}
