//! What happens to one session in several requests at the same time: refreshed once, and never risen from
//! the dead.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, DEMO_SUB, SiteBuilder, Store, wait_until};

use super::common::*;

with_every_store! {
    parallel_requests_refresh_once_and_the_new_refresh_token_is_kept,
    a_session_refreshed_while_it_is_logged_out_stays_dead,
    a_session_used_while_it_is_logged_out_stays_dead,
}

pub(crate) const REFRESH: &str = "get-access-token-by-refresh-token";

/// How long after a login a request refreshes, with [`refreshing`].
pub(crate) const DUE: Duration = Duration::from_millis(3200);

/// Access tokens work for a minute and are refreshed when they have 58 seconds left.
pub(crate) fn refreshing(site: SiteBuilder) -> SiteBuilder {
    site.provider(|provider| provider.access_token_lifetime = Duration::from_secs(60))
        .directives("OxdTokenRefresh 58s")
}

/// A page with fifty pictures, when the token is old: oxd is asked for a new one once, whichever children the
/// requests reach. The provider takes each refresh token once only, so that the next round shows that the new
/// one was kept.
fn parallel_requests_refresh_once_and_the_new_refresh_token_is_kept(store: Store) {
    const AT_ONCE: usize = 40;
    let site = refreshing(site(&store)).start();
    let browser = site.signed_in();
    site.oxd.fault(REFRESH, Fault::Delay(Duration::from_millis(400)));
    for _ in 0..3 {
        pass(DUE);
        site.forget_calls();
        let barrier = Barrier::new(AT_ONCE);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    barrier.wait();
                    browser.get(site.url("/app/1k.bin")).expect(200);
                });
            }
        });
        expect_calls(&site, &[REFRESH]);
        expect_user(&site, &browser, DEMO_SUB);
    }
    browser.get(site.url("/oxd/logoutme")).expect(303);
    expect_nobody(&site, &browser);
}

/// The answer of oxd comes after the logout: neither the refreshed session nor any cookie of it lets anybody in.
fn a_session_refreshed_while_it_is_logged_out_stays_dead(store: Store) {
    let site = refreshing(site(&store)).start();
    let browser = site.signed_in();
    let (tab, copied) = (browser.copy(), field(&browser, &site));
    pass(DUE);
    site.forget_calls();
    site.oxd.fault(REFRESH, Fault::Delay(Duration::from_secs(2)));
    std::thread::scope(|scope| {
        let refresh = scope.spawn(|| tab.get(site.url("/app/")).status);
        wait_until("the refresh", || site.oxd.count(REFRESH) == 1);
        let begun = Instant::now();
        browser.get(site.url("/oxd/logoutme")).expect(303);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert_eq!(statuses(&site, &copied), (302, 401));
        let status = refresh.join().expect("an answer");
        assert!(matches!(status, 200 | 302), "{status}");
    });
    for _ in 0..5 {
        assert_eq!(statuses(&site, &copied), (302, 401));
        let of_the_tab = field(&tab, &site);
        assert_eq!(statuses(&site, &of_the_tab), (302, 401));
    }
}

/// Requests that were under way during the logout do not bring the session back, although each of them may
/// write down that it was used.
fn a_session_used_while_it_is_logged_out_stays_dead(store: Store) {
    const USERS: usize = 10;
    const TABS: usize = 3;
    // Use is written down after a second.
    let site = site(&store).directives("OxdSessionIdle 100s").start();
    let browsers: Vec<_> = (0..USERS).map(|_| site.signed_in()).collect();
    for _ in 0..2 {
        let tabs: Vec<Vec<Browser>> = browsers
            .iter()
            .map(|browser| (0..TABS).map(|_| browser.copy()).collect())
            .collect();
        pass(Duration::from_millis(2100));
        for (browser, tabs) in browsers.iter().zip(&tabs) {
            let barrier = Barrier::new(TABS + 1);
            std::thread::scope(|scope| {
                for tab in tabs {
                    scope.spawn(|| {
                        barrier.wait();
                        for _ in 0..6 {
                            let status = tab.get(site.url("/app/1k.bin")).status;
                            assert!(matches!(status, 200 | 302), "{status}");
                        }
                    });
                }
                barrier.wait();
                browser.get(site.url("/oxd/logoutme")).expect(303);
            });
        }
        for tab in tabs.iter().flatten() {
            expect_nobody(&site, tab);
        }
        for browser in &browsers {
            oxd_tests::sign_in(browser, site.url("/app/")).page.expect(200);
        }
    }
}
