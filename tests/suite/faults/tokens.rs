//! Client tokens that oxd does not accept any more.

use oxd_dev::Fault;
use oxd_tests::{Browser, TestSite, approve, begin, sign_in};
use serde_json::json;

fn site() -> TestSite {
    TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start()
}

fn forbidden(error: &str) -> Fault {
    let body = json!({ "error": error, "error_description": "No.", "details": null });
    let body = body.to_string();
    Fault::Status {
        code: 403,
        body,
        content_type: "application/json".to_owned(),
    }
}

#[test]
fn are_replaced_once() {
    let site = site();
    begin(&Browser::new(), site.url("/app/"));
    site.forget_calls();
    site.oxd.expire_client_tokens();
    begin(&Browser::new(), site.url("/app/"));
    site.expect_commands(&[
        "get-authorization-url",
        "get-client-token",
        "get-authorization-url",
    ]);
    site.forget_calls();
    begin(&Browser::new(), site.url("/app/"));
    site.expect_commands(&["get-authorization-url"]);
    site.httpd.allow_log(r"\[oxd:warn\]");
}

#[test]
fn are_replaced_whatever_oxd_has_against_them() {
    let site = site();
    site.httpd.allow_log(r"\[oxd:warn\]");
    begin(&Browser::new(), site.url("/app/"));
    for error in [
        "blank_access_token",
        "invalid_access_token",
        "inactive_access_token",
    ] {
        site.forget_calls();
        site.oxd.fault(
            "get-authorization-url",
            Fault::Times(1, Box::new(forbidden(error))),
        );
        begin(&Browser::new(), site.url("/app/"));
        assert_eq!(site.oxd.count("get-client-token"), 1, "{error}");
        assert_eq!(site.oxd.count("get-authorization-url"), 2, "{error}");
    }
}

#[test]
fn are_replaced_in_the_middle_of_a_login() {
    let site = site();
    site.httpd.allow_log(r"\[oxd:warn\]");
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    site.forget_calls();
    site.oxd.expire_client_tokens();
    approval.deliver(&browser).expect(303);
    site.expect_commands(&[
        "get-tokens-by-code",
        "get-client-token",
        "get-tokens-by-code",
        "get-user-info",
    ]);
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn that_oxd_never_accepts_are_given_up() {
    let site = site();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    site.oxd
        .fault("get-authorization-url", forbidden("inactive_access_token"));
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.expect(502).set_cookies().is_empty());
    site.expect_commands(&[
        "get-client-token",
        "get-authorization-url",
        "get-client-token",
        "get-authorization-url",
    ]);
    site.oxd.clear_faults();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
}

#[test]
fn are_replaced_once_for_all_threads() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 64))
        .directives("OxdServerMaxCalls 64")
        .start();
    site.httpd.allow_log(r"\[oxd:warn\]");
    begin(&Browser::new(), site.url("/app/"));
    site.forget_calls();
    site.oxd.expire_client_tokens();
    let barrier = std::sync::Barrier::new(24);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                barrier.wait();
                begin(&Browser::new(), site.url("/app/"));
            });
        }
    });
    assert_eq!(site.oxd.count("get-client-token"), 1);
}

#[test]
fn are_not_to_be_had_with_wrong_credentials() {
    let site = TestSite::builder().directives("OxdClientSecret wrong").start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.expect(502).set_cookies().is_empty());
    assert!(!answer.text().contains("wrong"), "the page tells nothing of it");
    site.expect_commands(&["get-client-token"]);
}
