//! Two httpds with the same key and the same store are one service.

use std::sync::Barrier;
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, DEMO_SUB, Httpd, Store, approve, begin};

use super::common::*;
use super::refresh::{DUE, REFRESH, refreshing};

with_every_store_server! {
    a_thousand_requests_over_both_and_a_logout_for_both,
    a_login_begun_on_one_is_finished_on_the_other,
    one_refresh_for_both,
    the_limit_of_sessions_is_one_for_both,
    one_goes_on_while_the_other_restarts,
    with_another_key_the_other_is_a_stranger,
}

fn session(httpd: &Httpd, browser: &Browser) -> Answer {
    browser.get(httpd.url("/oxd/session"))
}

/// Whichever httpd a load balancer chooses, the user is himself; after the logout on either he is out on both.
fn a_thousand_requests_over_both_and_a_logout_for_both(store: Store) {
    let site = site(&store).start();
    let second = twin(&site, &store, "");
    let both = [&site.httpd, &second];
    for leave_at in both {
        let browser = site.signed_in();
        let other_tab = browser.copy();
        site.forget_calls();
        for number in 0..500 {
            let httpd = both[number % 2];
            if number % 5 == 0 {
                assert_eq!(session(httpd, &browser).expect(200).json()["user"], DEMO_SUB);
            } else {
                browser.get(httpd.url("/app/1k.bin")).expect(200);
            }
        }
        expect_calls(&site, &[]);
        browser.get(leave_at.url("/oxd/logoutme")).expect(303);
        for httpd in both.repeat(5) {
            session(httpd, &other_tab).expect(401);
            other_tab.copy().get(httpd.url("/app/")).expect(302);
        }
    }
}

/// The provider's answer may reach the httpd that did not begin the login.
fn a_login_begun_on_one_is_finished_on_the_other(store: Store) {
    let site = site(&store).start();
    let second = twin(&site, &store, "");
    for (from, to) in [(&site.httpd, &second), (&second, &site.httpd)] {
        let browser = Browser::new();
        // Another login of the same browser, left half done at the other one.
        begin(&browser, to.url("/app/other.html"));
        let start = begin(&browser, from.url("/app/env?here"));
        let approval = at(&approve(&browser, &start.location()), to);
        let callback = approval.deliver(&browser);
        let target = callback.expect(303).location();
        assert_eq!((target.path(), target.query()), ("/app/env", Some("here")));
        for httpd in [from, to] {
            assert_eq!(session(httpd, &browser).expect(200).json()["user"], DEMO_SUB);
        }
        // Back button: the session is alive, oxd is not asked.
        site.forget_calls();
        approval.deliver(&browser).expect(303);
        expect_calls(&site, &[]);
        // Somebody else with the same address is not let in with it.
        let thief = Browser::new();
        approval.deliver(&thief).expect(302);
        session(to, &thief).expect(401);
    }
}

/// Requests at both, when the token is old: oxd is asked once, and the next time as well.
fn one_refresh_for_both(store: Store) {
    const AT_ONCE: usize = 24;
    let site = refreshing(site(&store)).start();
    let second = twin(&site, &store, "OxdTokenRefresh 58s");
    let both = [&site.httpd, &second];
    let browser = site.signed_in();
    site.oxd.fault(REFRESH, Fault::Delay(Duration::from_millis(400)));
    for _ in 0..3 {
        pass(DUE);
        site.forget_calls();
        let barrier = Barrier::new(AT_ONCE);
        std::thread::scope(|scope| {
            for number in 0..AT_ONCE {
                let (browser, barrier) = (&browser, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    browser.get(both[number % 2].url("/app/1k.bin")).expect(200);
                });
            }
        });
        expect_calls(&site, &[REFRESH]);
    }
    browser.get(second.url("/oxd/logoutme")).expect(303);
    expect_nobody(&site, &browser);
}

/// A user cannot have twice as many sessions because there are two machines.
fn the_limit_of_sessions_is_one_for_both(store: Store) {
    let site = site(&store)
        .users(anna_and_ben())
        .directives("OxdSessionMax 2")
        .start();
    let second = twin(&site, &store, "OxdSessionMax 2");
    let mut browsers: Vec<Browser> = Vec::new();
    for number in 0..5 {
        let httpd = [&site.httpd, &second][number % 2];
        let browser = Browser::new();
        let start = begin(&browser, httpd.url("/app/"));
        let decision = oxd_tests::decide(&browser, &start.location(), ("anna", "secret"), "allow");
        at(&decision, httpd).deliver(&browser).expect(303);
        browsers.push(browser);
        let older = browsers.len().saturating_sub(2);
        for httpd in [&site.httpd, &second] {
            for browser in &browsers[..older] {
                session(httpd, &browser.copy()).expect(401);
            }
            for browser in &browsers[older..] {
                session(httpd, browser).expect(200);
            }
        }
    }
}

/// One machine after the other is restarted: users of the service notice nothing.
fn one_goes_on_while_the_other_restarts(store: Store) {
    let mut site = site(&store).start();
    let mut second = twin(&site, &store, "");
    let browser = site.signed_in();
    site.httpd.stop();
    session(&second, &browser).expect(200);
    browser.get(second.url("/app/")).expect(200);
    site.httpd.start();
    second.stop();
    session(&site.httpd, &browser).expect(200);
    browser.get(site.url("/oxd/logoutme")).expect(303);
    second.start();
    session(&second, &browser).expect(401);
}

/// Two services that share a store by mistake, or one after an incomplete change of keys: no session of the
/// one is one at the other, and neither harms the other's.
fn with_another_key_the_other_is_a_stranger(store: Store) {
    let site = site(&store).start();
    let second = twin(&site, &store, &format!("OxdCryptoKey {OTHER_KEY}"));
    let browser = site.signed_in();
    let copied = field(&browser, &site);
    let at_second = |path: &str| {
        let stranger = Browser::new();
        let ask = stranger.ask("GET", second.url(path)).cookie_field(&copied);
        ask.send().status
    };
    for _ in 0..3 {
        assert_eq!((at_second("/app/"), at_second("/oxd/session")), (302, 401));
        let status = at_second("/oxd/logoutme");
        assert!(matches!(status, 200 | 302 | 303), "{status}");
        expect_user(&site, &browser, DEMO_SUB);
    }
}
