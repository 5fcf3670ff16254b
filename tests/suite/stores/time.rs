//! How long sessions live with every store. Time itself is what is tested here, so these tests wait.

use std::time::{Duration, Instant};

use oxd_tests::{DEMO_SUB, Store, wait_until};

use super::common::*;

with_every_store! {
    a_session_ends_with_its_lifetime_however_much_it_is_used,
    a_session_ends_when_it_is_not_used_and_goes_on_when_it_is,
    requests_at_the_same_time_keep_a_session_from_growing_idle,
}

/// The user is asked to sign in again when the lifetime is over, within a second or two, whatever he did
/// and whichever of his cookies he sends.
fn a_session_ends_with_its_lifetime_however_much_it_is_used(store: Store) {
    let site = site(&store).directives("OxdSessionLifetime 4s").start();
    let before = Instant::now();
    let browser = site.signed_in();
    let after = Instant::now();
    let first = field(&browser, &site);
    wait_until("the session to end", || site.user(&browser).is_none());
    let (longest, shortest) = (before.elapsed(), after.elapsed());
    assert!(longest >= Duration::from_secs(2), "only {longest:?}");
    assert!(shortest < Duration::from_secs(6), "{shortest:?}");
    assert_eq!(statuses(&site, &first), (302, 401));
    expect_nobody(&site, &browser);
}

/// A user who comes back often enough stays, one who does not is asked to sign in again.
fn a_session_ends_when_it_is_not_used_and_goes_on_when_it_is(store: Store) {
    let site = site(&store).directives("OxdSessionIdle 4s").start();
    let [busy, short, long] = [(); 3].map(|()| site.signed_in());
    let begun = Instant::now();
    let after = |seconds: f64| {
        pass(Duration::from_secs_f64(seconds).saturating_sub(begun.elapsed()));
    };
    let left_alone = field(&long, &site);
    after(1.8);
    expect_user(&site, &busy, DEMO_SUB);
    after(2.0);
    expect_user(&site, &short, DEMO_SUB);
    for seconds in [3.6, 5.4, 6.5] {
        after(seconds);
        busy.get(site.url("/app/1k.bin")).expect(200);
    }
    expect_nobody(&site, &long);
    assert_eq!(statuses(&site, &left_alone), (302, 401));
    for seconds in [8.3, 10.1] {
        after(seconds);
        busy.get(site.url("/app/")).expect(200);
    }
    expect_user(&site, &busy, DEMO_SUB);
    // It was used once, after two seconds.
    expect_nobody(&site, &short);
}

/// A page with its pictures counts as much as a page without.
fn requests_at_the_same_time_keep_a_session_from_growing_idle(store: Store) {
    let site = site(&store).directives("OxdSessionIdle 3s").start();
    let browser = site.signed_in();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while begun.elapsed() < Duration::from_secs(6) {
                    browser.get(site.url("/app/1k.bin")).expect(200);
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    });
    expect_user(&site, &browser, DEMO_SUB);
}
