//! How long a session lives. Time itself is what is tested here, so these tests wait.

use std::time::{Duration, Instant};

use oxd_tests::{Browser, DEMO_SUB, TestSite, wait_until};

fn field(browser: &Browser, site: &TestSite) -> String {
    let cookies = browser.cookies_named("oxd_session", site.url("/"));
    cookies
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn status(site: &TestSite, field: &str) -> u16 {
    Browser::new()
        .ask("GET", site.url("/oxd/session"))
        .cookie_field(field)
        .send()
        .status
}

#[test]
fn a_session_ends_with_its_lifetime_used_or_not() {
    let site = TestSite::builder().directives("OxdSessionLifetime 3s").start();
    let browser = site.signed_in();
    let begun = Instant::now();
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
    let first = field(&browser, &site);
    // Whatever cookie the browser holds, and whatever it is given meanwhile.
    wait_until("the session to end", || site.user(&browser).is_none());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(status(&site, &first), 401);
    browser.get(site.url("/app/")).expect(302);
}

#[test]
fn a_session_that_is_used_does_not_grow_idle() {
    let site = TestSite::builder().directives("OxdSessionIdle 4s").start();
    let (busy, idle) = (site.signed_in(), site.signed_in());
    let begun = Instant::now();
    let left_alone = field(&idle, &site);
    while begun.elapsed() < Duration::from_secs(7) {
        assert_eq!(
            site.user(&busy).as_deref(),
            Some(DEMO_SUB),
            "after {:?}",
            begun.elapsed()
        );
        std::thread::sleep(Duration::from_millis(400));
    }
    busy.get(site.url("/app/")).expect(200);
    assert_eq!(status(&site, &left_alone), 401);
    assert_eq!(site.user(&idle), None);
}

#[test]
fn pages_keep_a_session_from_growing_idle_as_well() {
    let site = TestSite::builder().directives("OxdSessionIdle 4s").start();
    let browser = site.signed_in();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        browser.get(site.url("/app/1k.bin")).expect(200);
        std::thread::sleep(Duration::from_millis(400));
    }
}
