//! Sessions go from one store to another without a login, and none that has ended comes back.

use std::sync::atomic::Ordering;

use super::*;
use crate::base::SiteId;
use crate::config::{RawSettings, SiteFile};
use crate::shm::{About, Mark};
use crate::testing::{Browser, FakeStore, NOW, memory, site};

/// Two stores: httpd's, and one that changes several things in one step.
fn stores() -> (FakeStore, FakeStore) {
    let (old, new) = (FakeStore::default(), FakeStore::default());
    new.is_atomic.store(true, Ordering::SeqCst);
    (old, new)
}

fn browser<'s>(file: &'s SiteFile, store: &'s FakeStore) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.store = Some(store);
    browser
}

/// The same browser at a machine with another configuration.
fn then<'s>(before: &Browser<'s>, store: &'s FakeStore, older: Option<&'s FakeStore>) -> Browser<'s> {
    let mut browser = Browser::at(before.settings);
    browser.cookies = before.cookies.clone();
    browser.now = before.now;
    browser.memory = memory();
    (browser.store, browser.older) = (Some(store), older);
    browser
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

#[test]
fn a_session_is_moved_with_its_first_request() {
    let (file, (old, new)) = (site("s"), stores());
    let mut before = browser(&file, &old);
    before.log_in("/app");
    assert!(
        !is_signed_in(&then(&before, &new, None)),
        "without the second value"
    );
    let during = then(&before, &new, Some(&old));
    assert!(is_signed_in(&during) && is_signed_in(&during));
    // Once it is moved, the older store is not needed.
    let after = then(&before, &new, None);
    let access_token = after.look("/", |ctx| {
        let tokens = open(ctx, &Leaked).unwrap()?.open_tokens(ctx)?;
        Some(Tokens::read(&tokens)?.access_token.to_vec())
    });
    assert_eq!(access_token.as_deref(), Some(&b"access"[..]));
    assert!(!is_signed_in(&before), "it is in one of them");
}

#[test]
fn its_last_use_is_moved_too() {
    let (file, (old, new)) = (site("s"), stores());
    let mut before = browser(&file, &old);
    before.log_in("/app");
    before.now = NOW + 3_500;
    before.get("/oxd");
    let mut during = then(&before, &new, Some(&old));
    during.now = NOW + 7_000;
    assert!(is_signed_in(&during), "used 3,500 s ago");
    let mut idle = then(&before, &new, Some(&old));
    idle.now = NOW + 7_200;
    assert!(!is_signed_in(&idle));
}

#[test]
fn a_session_that_has_ended_is_not_moved() {
    let (file, (old, new)) = (site("s"), stores());
    for how in ["logout", "user", "all", "new", "old"] {
        let mut before = browser(&file, &old);
        before.log_in("/app");
        let mut during = then(&before, &new, Some(&old));
        let site = SiteId("s");
        match how {
            "logout" => drop(during.get("/oxd/logoutme")),
            "user" => during.look("/", |ctx| {
                end_marked(ctx, Mark::of(About::User, site, &["alice"])).unwrap();
            }),
            "all" => during.look("/", |ctx| end_all(ctx).unwrap()),
            _ => {
                // The end at a machine that has only one of the stores.
                let elsewhere = then(&before, if how == "new" { &new } else { &old }, None);
                elsewhere.look("/", |ctx| end_all(ctx).unwrap());
            }
        }
        let copy = then(&before, &new, Some(&old));
        assert!(!is_signed_in(&copy), "{how}");
        assert!(!is_signed_in(&then(&before, &new, None)), "{how}");
        old.entries.lock().unwrap().clear();
        new.entries.lock().unwrap().clear();
    }
}

/// While machines are changed one after the other, an end at either reaches sessions in both stores.
#[test]
fn an_end_reaches_both_stores() {
    let (file, (old, new)) = (site("s"), stores());
    for first_is_old in [true, false] {
        let (first, second) = if first_is_old { (&old, &new) } else { (&new, &old) };
        let mut before = browser(&file, first);
        before.log_in("/app");
        // The end is ordered where the other store comes first, and the session is only in this one's.
        let there = then(&before, second, Some(first));
        there.look("/", |ctx| end_all(ctx).unwrap());
        // A session that is found where it was learns of the end when its use is next written down.
        let uses = |mut browser: Browser<'_>| {
            browser.now = NOW + 10;
            browser.get("/oxd");
            is_signed_in(&browser)
        };
        for (store, older) in [(first, second), (second, first)] {
            assert!(!uses(then(&before, store, Some(older))), "{first_is_old}");
        }
        let mut late = browser(&file, second);
        late.log_in("/app");
        let mut here = then(&late, first, Some(second));
        here.now = NOW + 5;
        here.look("/", |ctx| end_all(ctx).unwrap());
        assert!(!uses(then(&late, second, Some(first))), "{first_is_old}");
        old.entries.lock().unwrap().clear();
        new.entries.lock().unwrap().clear();
    }
}

/// A request that has read the older store and was held up writes nothing over what another has made of the session.
#[test]
fn a_session_that_was_moved_and_refreshed_is_not_put_back() {
    let (file, (old, new)) = (site("s"), stores());
    let mut before = browser(&file, &old);
    before.log_in("/app");
    let during = then(&before, &new, Some(&old));
    let (key, written) = during.look("/", |ctx| {
        with_own(ctx, |session| {
            let session = session.unwrap();
            (
                alive::key_of(ctx.site, session.record).unwrap(),
                session.written(ctx),
            )
        })
        .unwrap()
    });
    during.look("/", |ctx| {
        let old_record = SessionRecord::read(&written.record).unwrap();
        let newer = SessionRecord {
            version: 1,
            ..old_record
        }
        .write();
        let newer = Written {
            record: newer,
            tokens: written.tokens.clone(),
        };
        publish(ctx, 0, &newer).unwrap().unwrap();
        let entries = ctx.entries().unwrap();
        let stored = store::Stored {
            record: &written.record[..],
            sealed_tokens: b"",
        };
        let put = entries.put_moved_session(ctx.host, &key, &old_record, &stored);
        assert_eq!(put.unwrap(), crate::base::Replaced::Changed);
        let now = entries.session(&key).unwrap().unwrap();
        assert_eq!(SessionRecord::read(&now.record).unwrap().version, 1);
    });
}

#[test]
fn a_session_that_is_moved_counts_like_another() {
    let (file, (old, new)) = (site("s"), stores());
    let mut first = browser(&file, &old);
    first.settings.session_max = Some(1);
    first.log_in("/app");
    let machine = memory();
    let mut second = then(&first, &new, Some(&old));
    second.cookies.clear();
    (second.now, second.memory) = (NOW + 10, machine);
    second.log_in("/app");
    let mut moved = then(&first, &new, Some(&old));
    (moved.now, moved.memory) = (NOW + 20, machine);
    assert!(is_signed_in(&moved));
    let mut third = then(&second, &new, Some(&old));
    third.cookies.clear();
    (third.now, third.memory) = (NOW + 30, machine);
    third.log_in("/app");
    assert!(!is_signed_in(&moved) && is_signed_in(&third));
    second.now = NOW + 40;
    assert!(!is_signed_in(&second), "both older ones have ended");
}

#[test]
fn an_older_store_that_is_away_is_no_answer() {
    let (file, (old, new)) = (site("s"), stores());
    let mut before = browser(&file, &old);
    before.log_in("/app");
    old.is_down.store(true, Ordering::SeqCst);
    let mut during = then(&before, &new, Some(&old));
    let asked = during.look("/", |ctx| with_own(ctx, |session| session.is_some()));
    assert!(asked.is_err(), "neither in nor out");
    during.cookies.clear();
    during.log_in("/app");
    assert!(
        is_signed_in(&during),
        "whose session is in the new store does not need it"
    );
}
