//! A store that is gone, comes back, or stands still.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oxd_tests::{Browser, DEMO_SUB, SiteBuilder, Store, StoreServer, TestSite, WAIT, approve, begin};

use super::common::*;

with_every_store_server! {
    gone_and_back_empty,
    restarted_while_users_read,
    stalled_and_going_on,
    stalled_for_a_crowd,
    a_logout_that_the_store_does_not_hear_of,
    away_when_httpd_starts,
}

/// How long a request may wait for a store that stands still.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a page may take that has nothing to do with sessions: less than one takes that waits for the store.
const AT_ONCE: Duration = Duration::from_secs(2);

fn troubled(store: &Store) -> SiteBuilder {
    // A store in trouble is waited for as it is usually.
    site(store).config(store.usual_time()).httpd(|httpd| {
        httpd
            .allow_log(r"\[oxd:(warn|error)\]")
            .allow_log(r"\[socache_\w+:")
    })
}

#[track_caller]
fn expect_at_once(site: &TestSite, browser: &Browser) {
    let took = open_page(site, browser);
    assert!(took < AT_ONCE, "{took:?}");
}

/// How long a page that is open to all takes.
fn open_page(site: &TestSite, browser: &Browser) -> Duration {
    let begun = Instant::now();
    browser.get(site.url("/1k.bin")).expect(200);
    begun.elapsed()
}

/// Sets a flag when it goes out of scope, by a failure too.
struct OnDrop<'f>(&'f AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While the store is gone, users with a session are told to come back in a moment: nobody is sent to the
/// provider in vain, and open pages are served. When it is back, everybody signs in again, without a restart
/// of httpd.
fn gone_and_back_empty(mut store: Store) {
    let site = troubled(&store).start();
    for end in [StoreServer::stop, StoreServer::kill] {
        let inside = Browser::new();
        sign_in_patiently(&site, &inside);
        let halfway = Browser::new();
        let start = begin(&halfway, site.url("/app/"));
        let approval = approve(&halfway, &start.location());
        end(store.server_mut());
        for path in ["/app/", "/app/env", "/oxd/session", "/app/1k.bin"].repeat(4) {
            let begun = Instant::now();
            expect_unavailable(&inside.get(site.url(path)));
            assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
            expect_at_once(&site, &inside);
        }
        let script = inside
            .ask("GET", site.url("/app/"))
            .header("accept", "application/json");
        let answer = script.send();
        expect_unavailable(&answer);
        assert_eq!(answer.json()["error"], "store_unavailable");
        inside.follow(site.url("/app/")).expect(503);
        let callback = approval.deliver(&halfway);
        expect_unavailable(&callback);
        assert!(!callback.page().text().is_empty());
        halfway.follow(site.url("/oxd/session")).expect(401);
        site.httpd.expect_log(r"\[oxd:error\].* store_unavailable: ");

        store.server_mut().start();
        patiently(|| inside.copy().get(site.url("/oxd/session"))).expect(401);
        patiently(|| inside.copy().get(site.url("/app/"))).expect(302);
        for browser in [inside, halfway, Browser::new()] {
            sign_in_patiently(&site, &browser);
        }
    }
}

/// A Redis that writes everything down may be restarted: nobody has to sign in again.
#[test]
fn a_redis_that_remembers_is_back_with_all_sessions() {
    let mut store = Store::at(StoreServer::persistent_redis());
    let site = troubled(&store).start();
    let browsers: Vec<_> = (0..5).map(|_| site.signed_in()).collect();
    store.server_mut().kill();
    expect_unavailable(&browsers[0].get(site.url("/app/")));
    store.server_mut().start();
    for browser in &browsers {
        expect_user_patiently(&site, browser, DEMO_SUB);
    }
}

/// Store restarts in the middle of requests and logins: users get their page, are asked to come back, or to
/// sign in again, and nothing else; all is well soon after.
fn restarted_while_users_read(mut store: Store) {
    let site = troubled(&store).start();
    let browsers: Vec<_> = (0..6).map(|_| site.signed_in()).collect();
    let end = AtomicBool::new(false);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for browser in &browsers {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    let answer = browser.get(site.url("/app/1k.bin"));
                    let answer = match answer.status {
                        200 | 503 => continue,
                        302 => approve(browser, &answer.location()).deliver(browser),
                        _ => answer,
                    };
                    // What was stored just before the store ended is lost, so that the page asks again.
                    if !matches!(answer.status, 303 | 503) {
                        failures.lock().expect("a list").push(answer.summary());
                        return;
                    }
                }
            });
        }
        for _ in 0..4 {
            pass(Duration::from_millis(500));
            store.server_mut().kill();
            pass(Duration::from_millis(300));
            store.server_mut().start();
        }
        pass(Duration::from_millis(500));
        end.store(true, Ordering::Relaxed);
    });
    let failures = failures.into_inner().expect("a list");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for browser in &browsers {
        if patiently(|| browser.get(site.url("/oxd/session"))).status == 401 {
            sign_in_patiently(&site, browser);
        }
        expect_user_patiently(&site, browser, DEMO_SUB);
    }
}

/// A store that accepts connections and says nothing holds each request up for a few seconds at most. When it
/// goes on, so do the sessions.
fn stalled_and_going_on(store: Store) {
    let site = troubled(&store).start();
    let inside: Vec<_> = (0..6).map(|_| site.signed_in()).collect();
    for _ in 0..2 {
        let halfway = Browser::new();
        let start = begin(&halfway, site.url("/app/"));
        let approval = approve(&halfway, &start.location());
        let stalled = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = inside
                .iter()
                .map(|browser| {
                    let (site, stalled) = (&site, &stalled);
                    scope.spawn(move || {
                        // In the middle of its requests.
                        let begun = Instant::now();
                        while begun.elapsed() < WAIT {
                            let begun = Instant::now();
                            let answer = browser.get(site.url("/app/1k.bin"));
                            assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
                            if answer.status != 200 {
                                expect_unavailable(&answer);
                            }
                            // A child that has not found the store again since it last stood still is none.
                            if answer.status != 200 && stalled.load(Ordering::SeqCst) {
                                return;
                            }
                        }
                        panic!("nobody notices that the store stands still");
                    })
                })
                .collect();
            pass(Duration::from_millis(100));
            stalled.store(true, Ordering::SeqCst);
            store.server().stall();
            while !readers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                expect_at_once(&site, &inside[0]);
            }
        });
        let begun = Instant::now();
        expect_unavailable(&approval.deliver(&halfway));
        assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
        store.server().go_on();
        for browser in &inside {
            expect_user_patiently(&site, browser, DEMO_SUB);
        }
    }
    site.httpd.expect_log(r"\[oxd:error\].* store_unavailable: ");
}

/// Even when more users ask than httpd has threads, open pages are served.
fn stalled_for_a_crowd(store: Store) {
    let site = troubled(&store).httpd(|httpd| httpd.processes(2, 8)).start();
    let inside = site.signed_in();
    store.server().stall();
    let begun = Instant::now();
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    expect_unavailable(&inside.copy().get(site.url("/app/")));
                }
            });
        }
        // The crowd goes home whatever becomes of the requests below.
        let _over = OnDrop(&end);
        // All threads may be waiting once; then the children know.
        pass(PATIENCE);
        // On a machine with much to do one or the other may be late.
        let prompt = (0..20).filter(|_| open_page(&site, &inside) < AT_ONCE).count();
        assert!(prompt >= 16, "only {prompt} of 20 were answered at once");
    });
    assert!(begun.elapsed() < PATIENCE * 4, "{:?}", begun.elapsed());
    store.server().go_on();
    expect_user_patiently(&site, &inside, DEMO_SUB);
}

/// A user who signs out while the store stands still is either told that it did not work, or is out.
fn a_logout_that_the_store_does_not_hear_of(store: Store) {
    let site = troubled(&store).start();
    let (browser, second) = (site.signed_in(), site.signed_in());
    store.server().stall();
    for (browser, wait) in [(&browser, PATIENCE * 2), (&second, PATIENCE * 2)] {
        let copy = browser.copy();
        let begun = Instant::now();
        let answer = browser.get(site.url("/oxd/logoutme"));
        assert!(begun.elapsed() < wait, "{:?}", begun.elapsed());
        match answer.status {
            503 => expect_unavailable(&answer),
            303 | 200 => {
                store.server().go_on();
                patiently(|| copy.copy().get(site.url("/oxd/session"))).expect(401);
                patiently(|| copy.copy().get(site.url("/app/"))).expect(302);
                store.server().stall();
            }
            _ => panic!("{}", answer.summary()),
        }
    }
    store.server().go_on();
    // Now it works.
    let again = Browser::new();
    sign_in_patiently(&site, &again);
    let copy = again.copy();
    let answer = patiently(|| again.copy().get(site.url("/oxd/logoutme")));
    // An attempt that was answered 503 may have come far enough to end the session.
    assert!(matches!(answer.status, 303 | 200), "{}", answer.summary());
    patiently(|| copy.copy().get(site.url("/oxd/session"))).expect(401);
}

/// httpd starts although its store does not answer yet, as after a power failure, and finds it later.
fn away_when_httpd_starts(mut store: Store) {
    store.server_mut().stop();
    let site = troubled(&store).start();
    let early = Browser::new();
    early.get(site.url("/1k.bin")).expect(200);
    let start = begin(&early, site.url("/app/"));
    let approval = approve(&early, &start.location());
    expect_unavailable(&approval.deliver(&early));
    store.server_mut().start();
    sign_in_patiently(&site, &Browser::new());
    sign_in_patiently(&site, &early);
}

/// A Redis without room keeps the sessions that it has. Who signs in meanwhile is told that it did not work, once.
#[test]
fn a_full_redis_takes_no_new_session_and_loses_none() {
    let store = Store::at(StoreServer::redis());
    let site = troubled(&store).directives("OxdSessionIdle 8h").start();
    let inside = site.signed_in();
    store.server().fill(true);
    for _ in 0..10 {
        patiently(|| inside.get(site.url("/app/"))).expect(200);
    }
    let newcomer = Browser::new();
    let start = begin(&newcomer, site.url("/app/"));
    let callback = approve(&newcomer, &start.location()).deliver(&newcomer);
    assert!((500..504).contains(&callback.status), "{}", callback.summary());
    assert!(callback.given_cookies("oxd_session").is_empty());
    assert!(!callback.page().text().is_empty());
    store.server().fill(false);
    sign_in_patiently(&site, &newcomer);
    expect_user_patiently(&site, &inside, DEMO_SUB);
}

/// Of two memcached servers one ends: its sessions are lost, those of the other go on, and everybody can sign in.
#[test]
fn one_of_two_servers_takes_only_its_own_sessions_along() {
    let (mut one, two) = (StoreServer::memcached(), StoreServer::memcached());
    let site = TestSite::builder()
        .httpd(|httpd| {
            let httpd = httpd.processes(3, 16).load("socache_memcache");
            httpd
                .allow_log(r"\[oxd:(warn|error)\]")
                .allow_log(r"\[socache_\w+:")
        })
        .directives(&format!("OxdCryptoKey {KEY}"))
        .directives(&format!(
            "OxdSessionStore memcache:{},{}",
            one.address(),
            two.address()
        ))
        .start();
    let browsers: Vec<_> = (0..24).map(|_| site.signed_in()).collect();
    assert!(!one.entries().is_empty() && !two.entries().is_empty());
    one.kill();
    let mut lost = 0;
    for browser in &browsers {
        if patiently(|| browser.get(site.url("/oxd/session"))).status == 401 {
            lost += 1;
            sign_in_patiently(&site, browser);
        }
        expect_user_patiently(&site, browser, DEMO_SUB);
    }
    assert!((1..24).contains(&lost), "{lost} sessions are lost");
}
