//! `OxdTokenRefresh`: fresh access tokens, and no more calls for them than needed.

use std::sync::Barrier;
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Browser, DEMO_SUB, TestSite, wait_until};

const REFRESH: &str = "get-access-token-by-refresh-token";

/// A site whose access tokens work for ten seconds and are refreshed when they have eight left.
fn site() -> TestSite {
    TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 32))
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(10))
        .directives("OxdTokenRefresh 8s")
        .start()
}

/// A user whose next request is the one that refreshes.
fn waiting_for_refresh(site: &TestSite) -> Browser {
    let browser = site.signed_in();
    site.forget_calls();
    let begun = std::time::Instant::now();
    wait_until("the token to grow old", || {
        begun.elapsed() > Duration::from_millis(3200)
    });
    browser
}

#[test]
fn a_token_is_refreshed_when_its_time_comes() {
    let site = site();
    let browser = site.signed_in();
    site.forget_calls();
    wait_until("a refresh", || {
        browser.get(site.url("/app/")).expect(200);
        site.oxd.count(REFRESH) > 0
    });
    let call = site.oxd.calls().remove(0);
    assert!(call.body["refresh_token"].is_string(), "{}", call.body);
    assert_eq!(
        (call.status, call.body["oxd_id"].as_str()),
        (200, Some(site.site.oxd_id.as_str()))
    );
    // The new one is good for a while.
    browser.get(site.url("/app/")).expect(200);
    site.expect_commands(&[REFRESH]);
}

#[test]
fn requests_at_the_same_time_share_one_refresh() {
    let site = site();
    let browser = waiting_for_refresh(&site);
    site.oxd.fault(REFRESH, Fault::Delay(Duration::from_millis(500)));
    let barrier = Barrier::new(12);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                // The same cookies in each, as with a page and its pictures.
                let tab = browser.copy();
                barrier.wait();
                tab.get(site.url("/app/1k.bin")).expect(200);
            });
        }
    });
    assert_eq!(site.oxd.count(REFRESH), 1);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn a_refresh_that_fails_is_not_the_users_trouble() {
    let mut site = site();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = waiting_for_refresh(&site);
    site.oxd.fault(REFRESH, Fault::NotJson);
    for _ in 0..5 {
        browser.get(site.url("/app/")).expect(200);
    }
    let asked = site.oxd.count(REFRESH);
    assert!((1..=2).contains(&asked), "{asked} calls for 5 requests");
    site.oxd.stop();
    browser.get(site.url("/app/")).expect(200);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn nothing_is_refreshed_unless_it_is_asked_for() {
    let site = TestSite::builder()
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(1))
        .start();
    let browser = site.signed_in();
    site.forget_calls();
    let begun = std::time::Instant::now();
    wait_until("the token to end", || {
        begun.elapsed() > Duration::from_millis(1500)
    });
    browser.get(site.url("/app/")).expect(200);
    site.expect_commands(&[]);
}
