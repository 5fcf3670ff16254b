//! `OxdSessionMax`: how many sessions one user may have.

use std::sync::Barrier;

use oxd_tests::{Browser, Store, decide};

use super::common::*;

with_every_store_of_the_server! {
    one_session_more_ends_the_oldest,
    a_session_that_ended_leaves_its_place,
    logins_at_the_same_time_do_not_get_round_the_limit,
}

/// A user who signs in with a third browser is signed out in the first one; other users are not touched.
fn one_session_more_ends_the_oldest(store: Store) {
    let site = site(&store)
        .users(anna_and_ben())
        .directives("OxdSessionMax 2")
        .start();
    let ben = signed_in_as(&site, "ben");
    let mut of_anna: Vec<Browser> = Vec::new();
    for _ in 0..6 {
        of_anna.push(signed_in_as(&site, "anna"));
        let older = of_anna.len().saturating_sub(2);
        for browser in &of_anna[..older] {
            expect_nobody(&site, browser);
        }
        for browser in &of_anna[older..] {
            expect_user(&site, browser, "sub-of-anna");
        }
    }
    expect_user(&site, &ben, "sub-of-ben");
}

/// Signing out makes room: the next login ends nobody's session.
fn a_session_that_ended_leaves_its_place(store: Store) {
    let site = site(&store)
        .users(anna_and_ben())
        .directives("OxdSessionMax 2")
        .start();
    let stays = signed_in_as(&site, "anna");
    for _ in 0..4 {
        let comes_and_goes = signed_in_as(&site, "anna");
        expect_user(&site, &stays, "sub-of-anna");
        comes_and_goes.get(site.url("/oxd/logoutme")).expect(303);
        expect_nobody(&site, &comes_and_goes);
    }
    expect_user(&site, &stays, "sub-of-anna");
}

/// However many browsers finish their login in the same moment, no more than allowed are in afterwards,
/// and the last one is.
fn logins_at_the_same_time_do_not_get_round_the_limit(store: Store) {
    const AT_ONCE: usize = 12;
    let site = site(&store)
        .users(anna_and_ben())
        // All of them may meet in one child process, where whoever finds no place is refused.
        .directives(&format!("OxdSessionMax 3\nOxdServerMaxCalls {AT_ONCE}"))
        .start();
    let ready: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let browser = Browser::new();
            let start = oxd_tests::begin(&browser, site.url("/app/"));
            let approval = decide(&browser, &start.location(), ("anna", "secret"), "allow");
            (browser, approval)
        })
        .collect();
    let barrier = Barrier::new(AT_ONCE);
    std::thread::scope(|scope| {
        for (browser, approval) in &ready {
            scope.spawn(|| {
                barrier.wait();
                approval.deliver(browser).expect(303);
            });
        }
    });
    let inside = |browser: &&Browser| site.user(browser).is_some();
    let alive = ready.iter().map(|(browser, _)| browser).filter(inside).count();
    assert!((1..=3).contains(&alive), "{alive} sessions");
    let last = signed_in_as(&site, "anna");
    expect_user(&site, &last, "sub-of-anna");
    let alive = ready.iter().map(|(browser, _)| browser).filter(inside).count();
    assert!(alive <= 2, "{alive} sessions and the last one");
}
