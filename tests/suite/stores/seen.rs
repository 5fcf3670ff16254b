//! Sessions in the browser: the cookie with the session is set at the login, a small one beside it says when
//! the session was used last.

use std::time::{Duration, Instant};

use oxd_tests::{Answer, Browser, Store, StoreKind, TestSite};

use super::common::*;
use super::refresh::REFRESH;

const SEEN: &str = "oxd_session.seen";

fn store() -> Store {
    StoreKind::Cookie.start()
}

fn names(answer: &Answer) -> Vec<String> {
    let given = answer.given_cookies("oxd_");
    given.iter().map(|cookie| cookie.name().to_owned()).collect()
}

/// A session whose use is written down after a second.
fn aged(site: &TestSite) -> Browser {
    let browser = site.signed_in();
    pass(Duration::from_millis(2100));
    browser
}

/// A page does not send the whole session back again and again: at most once a second there is a small cookie.
#[test]
fn use_is_written_down_in_a_small_cookie_now_and_then() {
    let store = store();
    let site = site(&store).directives("OxdSessionIdle 100s").start();
    let browser = aged(&site);
    let session = session_cookie(&browser, &site);
    let begun = Instant::now();
    let mut set = 0;
    for _ in 0..200 {
        let answer = browser.get(site.url("/app/1k.bin"));
        answer.expect(200);
        let names = names(&answer);
        assert!(names.is_empty() || names == [SEEN], "{}", answer.summary());
        for cookie in answer.given_cookies(SEEN) {
            assert!(cookie.value().len() <= 200, "{} bytes", cookie.value().len());
            assert_eq!(cookie.http_only(), Some(true), "{}", answer.summary());
            assert_eq!(cookie.path(), Some("/"), "{}", answer.summary());
        }
        set += names.len();
    }
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).expect("a few seconds");
    assert!((1..=most).contains(&set), "{set} in {:?}", begun.elapsed());
    assert_eq!(
        session_cookie(&browser, &site),
        session,
        "the session itself is not set again"
    );
    // Neither cookie reaches the application, and both go at the logout.
    let environment = browser.get(site.url("/app/env"));
    assert_eq!(environment.cookies_handed_on(), "");
    browser.get(site.url("/oxd/logoutme")).expect(303);
    assert_eq!(browser.cookies_named("oxd_session", site.url("/")), []);
}

/// Not at every request, and with an idle time of hours not even every second.
#[test]
fn a_long_idle_time_is_measured_in_longer_steps() {
    let store = store();
    let site = site(&store).directives("OxdSessionIdle 8h").start();
    let browser = site.signed_in();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(3500) {
        let answer = browser.get(site.url("/app/1k.bin"));
        assert!(answer.given_cookies("oxd_").is_empty(), "{}", answer.summary());
    }
    pass(Duration::from_millis(6000).saturating_sub(begun.elapsed()));
    assert_eq!(names(&browser.get(site.url("/app/1k.bin"))), [SEEN]);
}

/// That one session was used does not keep another one alive, whoever puts the cookies together.
#[test]
fn the_note_of_one_session_says_nothing_about_another() {
    let store = store();
    let site = site(&store).directives("OxdSessionIdle 4s").start();
    let (busy, idle) = (site.signed_in(), site.signed_in());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        busy.get(site.url("/app/1k.bin")).expect(200);
        std::thread::sleep(Duration::from_millis(200));
    }
    let seen = busy.cookies_named(SEEN, site.url("/")).remove(0).1;
    let idle = session_cookie(&idle, &site);
    assert_eq!(
        statuses(&site, &format!("oxd_session={idle}; {SEEN}={seen}")),
        (302, 401)
    );
    let own = session_cookie(&busy, &site);
    assert_eq!(
        statuses(&site, &format!("oxd_session={own}; {SEEN}={seen}")),
        (200, 200)
    );
    // Without it the session is as old as its login.
    assert_eq!(statuses(&site, &format!("oxd_session={own}")), (302, 401));
    // It is no session itself.
    assert_eq!(statuses(&site, &format!("oxd_session={seen}")), (302, 401));
    assert_eq!(statuses(&site, &format!("{SEEN}={seen}")), (302, 401));
}

/// A damaged note costs nobody his session while that is young, and never is an error.
#[test]
fn a_hostile_note_is_none() {
    let store = store();
    let site = site(&store).directives("OxdSessionIdle 100s").start();
    let browser = aged(&site);
    browser.get(site.url("/app/")).expect(200);
    let own = session_cookie(&browser, &site);
    let seen = browser.cookies_named(SEEN, site.url("/")).remove(0).1;
    let mut flipped = seen.clone().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    for note in [
        "",
        "x",
        "AAAA",
        "99999999999999999999",
        "-1",
        &own,
        &seen[1..],
        &"A".repeat(4000),
        &String::from_utf8(flipped).expect("text"),
    ] {
        let taken = statuses(&site, &format!("oxd_session={own}; {SEEN}={note}"));
        assert_eq!(taken, (200, 200), "{note}");
        let taken = statuses(&site, &format!("{SEEN}={note}; oxd_session={own}; {SEEN}={seen}"));
        assert_eq!(taken, (200, 200), "{note}");
    }
}

/// The logout is remembered by every child, as long as the session could live, for many sessions.
#[test]
fn many_logouts_are_all_remembered() {
    const LOGOUTS: usize = 60;
    let store = store();
    let site = site(&store).start();
    let stays = site.signed_in();
    let gone: Vec<String> = (0..LOGOUTS)
        .map(|_| {
            let browser = Browser::new();
            oxd_tests::sign_in(&browser, site.url("/app/")).page.expect(200);
            let copied = field(&browser, &site);
            browser.get(site.url("/oxd/logoutme")).expect(303);
            copied
        })
        .collect();
    for restarted in [false, true] {
        if restarted {
            site.httpd.graceful();
        }
        for copied in &gone {
            assert_eq!(statuses(&site, copied), (302, 401));
        }
        expect_user(&site, &stays, oxd_tests::DEMO_SUB);
    }
}

/// Pictures that were asked for with the cookie of before a refresh, by many users: nobody's old refresh token is used
/// again, which the provider would take for theft, and nobody is signed out.
#[test]
fn requests_that_come_late_end_nobodys_session() {
    const USERS: usize = 120;
    let store = store();
    let site = site(&store)
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(60))
        .directives("OxdTokenRefresh 48s")
        .start();
    let browsers: Vec<_> = (0..USERS).map(|_| site.signed_in()).collect();
    let late: Vec<_> = browsers.iter().map(Browser::copy).collect();
    pass(Duration::from_millis(13_200));
    site.forget_calls();
    for browser in &browsers {
        browser.get(site.url("/app/1k.bin")).expect(200);
    }
    for browser in &late {
        browser.get(site.url("/app/1k.bin")).expect(200);
    }
    expect_calls(&site, &[REFRESH; USERS]);
    for browser in browsers.iter().chain(&late) {
        browser.get(site.url("/app/1k.bin")).expect(200);
    }
}
