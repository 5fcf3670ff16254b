//! Sessions in a store, and their end.

use super::alive::key_of;
use super::identifier::Identifier;
use super::store::Kind;
use super::*;
use crate::base::{Reason, Seconds, SiteId};
use crate::config::{RawSettings, SiteFile};
use crate::shm::{About, Mark, Memory};
use crate::testing::{Browser, FakeStore, NOW, memory, site};
use serde_json::json;
use std::sync::atomic::Ordering;

fn browser<'s>(file: &'s SiteFile, store: Option<&'s FakeStore>, memory: Memory<'static>) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.store = store;
    browser.memory = memory;
    browser.oxd.id_token_claims["sid"] = json!("provider-session");
    browser
}

/// The key of the entry that a cookie of the site `s` names.
fn key_in(cookie: &str) -> crate::base::Key {
    let identifier = Identifier::of_cookie(cookie.as_bytes()).unwrap();
    identifier.key(SiteId("s"))
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

#[test]
pub(super) fn the_cookie_is_an_identifier_and_the_store_shows_nothing() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    assert!(is_signed_in(&browser));
    let cookie = browser
        .cookies
        .iter()
        .find(|(n, _)| n == "oxd_session")
        .unwrap()
        .1
        .clone();
    assert_eq!(cookie.len(), 44);
    for (key, value) in store.entries.lock().unwrap().iter() {
        for secret in ["alice", "access", "refresh", "provider-session", &cookie] {
            for bytes in [&key[..], value] {
                assert!(
                    !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                    "{secret}"
                );
            }
        }
    }
    browser.log_in("/app");
    assert_ne!(browser.cookies[0].1, cookie, "a new one at each login");
    browser.cookies[0].1 = cookie;
    assert!(!is_signed_in(&browser), "the old one is dead");
}

#[test]
pub(super) fn an_entry_copied_to_another_key_is_rejected() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut alice = browser(&file, Some(&store), memory());
    let mut bob = browser(&file, Some(&store), memory());
    alice.log_in("/app");
    bob.log_in("/app");
    let key = |b: &Browser<'_>| key_in(&b.cookies[0].1);
    let stolen = store.entries.lock().unwrap()[&key(&alice)].clone();
    store.entries.lock().unwrap().insert(key(&bob), stolen);
    assert!(is_signed_in(&alice) && !is_signed_in(&bob));
}

#[test]
pub(super) fn hostile_identifiers_never_reach_the_store() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    for value in [
        "",
        "x",
        &"A".repeat(32),
        &"A".repeat(43),
        &"A".repeat(45),
        &"%".repeat(44),
        &"A".repeat(4000),
    ] {
        browser.cookies = vec![("oxd_session".into(), value.into())];
        assert!(!is_signed_in(&browser));
    }
    assert_eq!(store.asked.load(Ordering::SeqCst), 0);
}

#[test]
pub(super) fn a_request_reads_once_and_writes_only_now_and_then() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    let asked = |browser: &mut Browser<'_>| {
        let before = store.asked.load(Ordering::SeqCst);
        assert!(browser.get("/oxd").cookies.is_empty());
        store.asked.load(Ordering::SeqCst) - before
    };
    assert_eq!(asked(&mut browser), 1);
    browser.now += 5;
    assert!(asked(&mut browser) > 1);
    assert_eq!(asked(&mut browser), 1);
}

#[test]
pub(super) fn use_renews_the_idle_time_on_every_machine_and_not_the_lifetime() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, Some(&store), memory());
    here.settings.session_idle = Some(Seconds(100));
    here.settings.session_lifetime = Some(Seconds(350));
    here.log_in("/app");
    let mut there = browser(&file, Some(&store), memory());
    (there.settings, there.cookies) = (here.settings, here.cookies.clone());
    for step in 1..=4 {
        let machine = if step % 2 == 0 { &mut here } else { &mut there };
        machine.now = NOW + step * 80;
        assert_eq!(machine.get("/oxd/session").status, 200, "{step}");
    }
    here.now = NOW + 349;
    there.now = NOW + 349;
    assert!(is_signed_in(&here) && is_signed_in(&there));
    there.now = NOW + 350;
    assert!(!is_signed_in(&there));
    here.settings.session_lifetime = None;
    here.now = NOW + 420;
    assert!(!is_signed_in(&here), "a hundred seconds after the last use");
}

#[test]
pub(super) fn a_store_that_is_down_lets_nobody_in_and_ends_nothing() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    store.is_down.store(true, Ordering::SeqCst);
    for path in ["/oxd", "/oxd/session", "/oxd/login?code=c&state=x"] {
        let answer = browser.get(path);
        assert_eq!(answer.status, 503, "{path}");
        assert!(crate::testing::header(&answer, "Retry-After").is_some());
    }
    let login = browser.start_login("/app");
    assert_eq!(login.status, 302);
    let state = browser.last_state();
    assert_eq!(
        browser.get(&format!("/oxd/login?code=c&state={state}")).status,
        503
    );
    store.is_down.store(false, Ordering::SeqCst);
    assert!(is_signed_in(&browser));
}

#[test]
pub(super) fn a_session_too_large_for_the_store_gives_an_error_page() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    browser.oxd.user_info = json!({"sub": "alice", "blob": "x".repeat(9_000)});
    let answer = browser.log_in("/app");
    assert_eq!(answer.status, 500);
    assert!(!is_signed_in(&browser));
}

#[test]
pub(super) fn a_logout_reaches_copies_and_other_machines() {
    let file = site("s");
    for store in [None, Some(FakeStore::default())] {
        let mut browser_here = browser(&file, store.as_ref(), memory());
        browser_here.log_in("/app");
        let mut copy = browser(&file, store.as_ref(), browser_here.memory);
        let mut other = browser(&file, store.as_ref(), memory());
        copy.cookies = browser_here.cookies.clone();
        other.cookies = browser_here.cookies.clone();
        assert!(is_signed_in(&copy) && is_signed_in(&other));
        let answer = browser_here.get("/oxd/logoutme");
        assert_eq!((answer.status, browser_here.cookies.len()), (303, 0));
        assert!(!is_signed_in(&copy));
        // Without a store, another machine only sees that the cookie is gone.
        assert_eq!(is_signed_in(&other), store.is_none());
    }
}

#[test]
pub(super) fn a_logout_ends_the_session_although_oxd_and_the_store_are_down() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    let cookies = browser.cookies.clone();
    browser.oxd.failure = Some(("get-logout-uri", Reason::OxdUnreachable));
    store.is_down.store(true, Ordering::SeqCst);
    let answer = browser.get("/oxd/logoutme");
    assert_eq!((answer.status, browser.cookies.len()), (200, 0));
    assert!(String::from_utf8_lossy(answer.body_bytes()).contains("Not everything could be told"));
    store.is_down.store(false, Ordering::SeqCst);
    browser.cookies = cookies;
    assert!(!is_signed_in(&browser));
}

#[test]
pub(super) fn all_sessions_of_a_user_of_a_provider_session_or_of_everybody_end() {
    let file = site("s");
    for store in [None, Some(FakeStore::default())] {
        for mark in [
            Mark::of(About::User, SiteId("s"), &["alice"]),
            Mark::of_sid(SiteId("s"), "https://op/", "provider-session"),
            Mark::of_site(SiteId("s")),
        ] {
            let machine = memory();
            let mut first = browser(&file, store.as_ref(), machine);
            let mut second = browser(&file, store.as_ref(), machine);
            first.log_in("/app");
            second.log_in("/app");
            let look = |b: &Browser<'_>, act: &dyn Fn(&SessionEnv<'_>)| b.look("/", |ctx| act(ctx));
            look(&first, &|ctx| {
                end_marked(ctx, Mark::of(About::User, SiteId("s"), &["bob"])).unwrap()
            });
            assert!(is_signed_in(&first) && is_signed_in(&second));
            look(&first, &|ctx| end_marked(ctx, mark).unwrap());
            assert!(!is_signed_in(&first) && !is_signed_in(&second), "{mark:?}");
            first.now = NOW + 1;
            first.cookies.clear();
            first.log_in("/app");
            assert!(is_signed_in(&first), "a new login is let in at once");
        }
    }
}

#[test]
pub(super) fn another_machine_ends_what_it_finds_marked_at_the_next_use() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, Some(&store), memory());
    let there = browser(&file, Some(&store), memory());
    here.log_in("/app");
    there.look("/", |ctx| end_all(ctx).unwrap());
    // No list has all sessions; the end shows at the next write of the session's use.
    assert!(is_signed_in(&here));
    here.now = NOW + 5;
    assert_eq!(here.get("/oxd/session").status, 401);
    assert!(!is_signed_in(&here));
    assert!(
        here.cookies
            .iter()
            .all(|(name, _)| !name.starts_with("oxd_session"))
    );
}

#[test]
pub(super) fn a_session_that_ends_while_it_is_written_does_not_come_back() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser_here = browser(&file, Some(&store), memory());
    browser_here.log_in("/app");
    let other = browser(&file, Some(&store), memory());
    let identifier = browser_here.cookies[0].1.clone();
    let key = key_in(&identifier);
    let written = browser_here.look("/", |ctx| {
        with_own(ctx, |session| session.unwrap().written(ctx)).unwrap()
    });
    other.look("/", |ctx| {
        let entries = ctx.entries().unwrap();
        revoke::end_entry(ctx, &entries, &key, NOW + 100).unwrap();
    });
    let published = browser_here.look("/", |ctx| publish(ctx, 0, &written).unwrap());
    assert_eq!(published, None);
    assert!(!store.entries.lock().unwrap().contains_key(&key));
}

#[test]
pub(super) fn the_oldest_of_too_many_sessions_ends_and_dead_ones_do_not_count() {
    let (file, store) = (site("s"), FakeStore::default());
    let machine = memory();
    let mut browsers: Vec<_> = (0..4).map(|_| browser(&file, Some(&store), machine)).collect();
    for (at, browser) in browsers.iter_mut().enumerate() {
        browser.settings.session_max = Some(2);
        browser.now = NOW + at as u64;
    }
    for browser in browsers.iter_mut().take(3) {
        browser.log_in("/app");
    }
    let alive = |browsers: &[Browser<'_>]| browsers.iter().map(is_signed_in).collect::<Vec<_>>();
    assert_eq!(alive(&browsers), [false, true, true, false]);
    // The newer of the two is signed out; the older one may stay.
    browsers[2].get("/oxd/logoutme");
    browsers[3].log_in("/app");
    assert_eq!(alive(&browsers), [false, true, false, true]);
    browsers[3].log_in("/app");
    assert_eq!(
        alive(&browsers),
        [false, true, false, true],
        "one's own new login replaces the old one"
    );
}

#[test]
pub(super) fn a_copied_state_cookie_cannot_be_replayed() {
    let file = site("s");
    let machine = memory();
    let mut victim = browser(&file, None, machine);
    victim.enter("/app");
    let state = victim.last_state();
    let mut thief = browser(&file, None, machine);
    thief.cookies = victim.cookies.clone();
    let callback = format!("/oxd/login?code=c&state={state}");
    assert_eq!(victim.get(&callback).status, 303);
    assert_eq!(thief.get(&callback).status, 302, "the login is restarted");
    assert!(!is_signed_in(&thief) && thief.oxd.commands().is_empty());
}

#[test]
fn the_time_of_last_use_belongs_to_one_session() {
    let file = site("s");
    let mut browser_here = browser(&file, None, memory());
    browser_here.settings.session_idle = Some(Seconds(100));
    browser_here.log_in("/app");
    browser_here.now = NOW + 90;
    assert_eq!(browser_here.get("/oxd").cookies.len(), 1);
    let seen = browser_here
        .cookies
        .iter()
        .find(|(n, _)| n == "oxd_session.seen")
        .unwrap()
        .clone();
    browser_here.now = NOW + 150;
    assert!(is_signed_in(&browser_here));
    let mut other = browser(&file, None, memory());
    other.settings.session_idle = Some(Seconds(100));
    other.log_in("/app");
    other.now = NOW + 150;
    for value in [
        seen.1.clone(),
        format!("{}.", NOW + 149),
        format!("{}.{}", NOW + 149, "A".repeat(50)),
    ] {
        other.cookies.retain(|(n, _)| n != "oxd_session.seen");
        other.cookies.push((seen.0.clone(), value));
        assert!(
            !is_signed_in(&other),
            "neither a foreign nor a made-up time counts"
        );
    }
}

#[test]
fn a_machine_that_loses_the_refresh_lock_leaves_it_to_the_winner() {
    let (file, store) = (site("s"), FakeStore::default());
    store.is_shared.store(true, Ordering::SeqCst);
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    browser.look("/", |ctx| {
        with_own(ctx, |session| {
            let session = session.unwrap();
            let key = Kind::Lease.beside(&key_of(ctx.site, session.record).unwrap());
            let held = || store.entries.lock().unwrap().get(&key).cloned();
            let winner = StoreLock::take(ctx, &session).unwrap();
            assert!(winner.is_some());
            let name_of_winner = held().unwrap();
            assert!(StoreLock::take(ctx, &session).unwrap().is_none(), "taken");
            assert_eq!(held(), Some(name_of_winner.clone()));
            // Both machines found no lock; the winner's write came last.
            store.entries.lock().unwrap().remove(&key);
            *store.overwritten_with.lock().unwrap() = Some(name_of_winner.clone());
            assert!(StoreLock::take(ctx, &session).unwrap().is_none(), "lost");
            assert_eq!(held(), Some(name_of_winner));
            drop(winner);
            assert_eq!(held(), None);
        })
        .unwrap();
    });
}

#[test]
fn a_lock_of_the_store_is_taken_at_once_and_returned_by_its_holder_alone() {
    let (file, store) = (site("s"), FakeStore::default());
    store.is_shared.store(true, Ordering::SeqCst);
    store.is_atomic.store(true, Ordering::SeqCst);
    let mut browser = browser(&file, Some(&store), memory());
    browser.log_in("/app");
    browser.look("/", |ctx| {
        with_own(ctx, |session| {
            let session = session.unwrap();
            let key = Kind::Lease.beside(&key_of(ctx.site, session.record).unwrap());
            let held = || store.entries.lock().unwrap().get(&key).cloned();
            let asked = store.asked.load(Ordering::SeqCst);
            let winner = StoreLock::take(ctx, &session).unwrap();
            assert!(winner.is_some());
            assert_eq!(store.asked.load(Ordering::SeqCst), asked + 1);
            assert!(StoreLock::take(ctx, &session).unwrap().is_none(), "taken");
            // It has run out, and another machine has taken it since.
            store
                .entries
                .lock()
                .unwrap()
                .insert(key, b"another machine".to_vec());
            drop(winner);
            assert_eq!(held(), Some(b"another machine".to_vec()));
            store.entries.lock().unwrap().remove(&key);
            drop(StoreLock::take(ctx, &session).unwrap());
            assert_eq!(held(), None);
        })
        .unwrap();
    });
}
