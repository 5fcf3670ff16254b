//! A store that changes several things in one step: it keeps every promise of the others, and more.

use super::*;
use crate::base::{Atomic as _, OVERHEAD, Replaced, Seconds, SiteId};
use crate::config::{RawSettings, SiteFile};
use crate::session::alive::key_of;
use crate::session::store::{Entries, Kind};
use crate::shm::{About, Mark};
use crate::testing::{Browser, FakeStore, NOW, memory, new_stores_are_atomic, site};

macro_rules! as_with_other_stores {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                new_stores_are_atomic();
                super::store_tests::$name();
            }
        )*
    };
}

as_with_other_stores! {
    the_cookie_is_an_identifier_and_the_store_shows_nothing,
    an_entry_copied_to_another_key_is_rejected,
    hostile_identifiers_never_reach_the_store,
    a_request_reads_once_and_writes_only_now_and_then,
    use_renews_the_idle_time_on_every_machine_and_not_the_lifetime,
    a_store_that_is_down_lets_nobody_in_and_ends_nothing,
    a_session_too_large_for_the_store_gives_an_error_page,
    a_logout_reaches_copies_and_other_machines,
    a_logout_ends_the_session_although_oxd_and_the_store_are_down,
    all_sessions_of_a_user_of_a_provider_session_or_of_everybody_end,
    another_machine_ends_what_it_finds_marked_at_the_next_use,
    a_session_that_ends_while_it_is_written_does_not_come_back,
    the_oldest_of_too_many_sessions_ends_and_dead_ones_do_not_count,
    a_copied_state_cookie_cannot_be_replayed,
}

fn browser<'s>(file: &'s SiteFile, store: &'s FakeStore) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.store = Some(store);
    browser.memory = memory();
    browser
}

/// The session of a browser: the key of its entry, and what is written there.
fn session(browser: &Browser<'_>) -> (crate::base::Key, Written) {
    browser.look("/", |ctx| {
        with_own(ctx, |session| {
            let session = session.unwrap();
            (key_of(ctx.site, session.record).unwrap(), session.written(ctx))
        })
        .unwrap()
    })
}

fn with_version(written: &Written, version: u32) -> Written {
    let record = SessionRecord::read(&written.record).unwrap();
    Written {
        record: SessionRecord { version, ..record }.write(),
        tokens: written.tokens.clone(),
    }
}

fn version(written: &Written) -> u32 {
    SessionRecord::read(&written.record).unwrap().version
}

#[test]
fn of_two_machines_that_refresh_the_first_wins() {
    new_stores_are_atomic();
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, &store);
    here.log_in("/app");
    let mut there = browser(&file, &store);
    there.cookies = here.cookies.clone();
    let (_, written) = session(&here);
    let publish = |browser: &Browser<'_>, read: u32, version: u32| {
        browser.look("/", |ctx| {
            publish(ctx, read, &with_version(&written, version)).unwrap()
        })
    };
    assert_eq!(publish(&here, 0, 2), Some(Vec::new()));
    // It has read the same version, and may have other tokens: those of the first stay.
    assert_eq!(publish(&there, 0, 1), Some(Vec::new()));
    assert_eq!(version(&session(&here).1), 2);
    let lines = there.log.0.borrow().join("\n");
    assert!(
        lines.contains("another machine has refreshed this session"),
        "{lines}"
    );
    assert_eq!(publish(&there, 2, 3), Some(Vec::new()));
    assert_eq!(version(&session(&here).1), 3);
    // One that the store has lost is not brought back by a request that was under way.
    store.entries.lock().unwrap().clear();
    assert_eq!(publish(&there, 3, 4), None);
    assert!(store.entries.lock().unwrap().is_empty());
}

#[test]
fn an_end_is_one_question_and_a_write_after_it_none() {
    new_stores_are_atomic();
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, &store);
    here.log_in("/app");
    let (key, written) = session(&here);
    let there = browser(&file, &store);
    let asked = || store.asked.load(std::sync::atomic::Ordering::SeqCst);
    there.look("/", |ctx| {
        let before = asked();
        revoke::end_entry(ctx, &ctx.entries().unwrap(), &key, NOW + 100).unwrap();
        assert_eq!(asked(), before + 1);
    });
    here.look("/", |ctx| {
        let before = asked();
        assert_eq!(publish(ctx, 0, &with_version(&written, 1)).unwrap(), None);
        assert_eq!(asked(), before + 1);
    });
    assert!(!store.entries.lock().unwrap().contains_key(&key));
}

#[test]
fn a_stored_record_has_its_version_in_front() {
    new_stores_are_atomic();
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, &store);
    here.log_in("/app");
    let (key, written) = session(&here);
    here.look("/", |ctx| {
        let entries: Entries<'_> = ctx.entries().unwrap();
        let newer = with_version(&written, 7);
        let replace = |read: u32| {
            let record = SessionRecord::read(&newer.record).unwrap();
            entries
                .replace_session(ctx.host, &key, read, &record, &newer)
                .unwrap()
        };
        assert_eq!(replace(1), Replaced::Changed);
        assert_eq!(replace(0), Replaced::Done);
        assert_eq!(store.entries.lock().unwrap()[&key][..4], 7_u32.to_le_bytes());
        assert_eq!(replace(0), Replaced::Changed);
        // Cut, or of another form: no session, and no failure.
        for bad in [&b""[..], b"1234567", &[7; 8], &[7; 40]] {
            store.entries.lock().unwrap().insert(key, bad.to_vec());
            assert!(entries.session(&key).unwrap().is_none());
        }
        // Its head says how long it is, and that is less than anything sealed has.
        for length in 0..=OVERHEAD {
            let mut short = [0; 12];
            short[4..8].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
            let short = [&short[..], &vec![1; length]].concat();
            store.entries.lock().unwrap().insert(key, short);
            assert!(entries.session(&key).unwrap().is_none(), "{length}");
        }
    });
}

/// A full server whose policy lets it drop what has just been written: an error, and no endless way between site and
/// provider.
#[test]
fn a_new_session_that_is_dropped_at_once_is_an_error() {
    new_stores_are_atomic();
    let (file, store) = (site("s"), FakeStore::default());
    let mut here = browser(&file, &store);
    store.forgets.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = here.log_in("/app");
    assert_eq!(answer.status, 503);
    assert!(here.cookies.iter().all(|(name, _)| name != "oxd_session"));
    let lines = here.log.0.borrow().join("\n");
    assert!(lines.contains("dropped a new session at once"), "{lines}");
}

#[test]
fn a_set_holds_the_sessions_of_a_user_and_ends_with_them() {
    new_stores_are_atomic();
    let (file, store) = (site("s"), FakeStore::default());
    let mut browsers: Vec<_> = (0..3).map(|_| browser(&file, &store)).collect();
    for browser in &mut browsers {
        browser.log_in("/app");
    }
    let user = Mark::of(About::User, SiteId("s"), &["alice"]);
    let set = Kind::Index.of_mark(SiteId("s"), user);
    assert!(store.exists(&set).unwrap());
    browsers[0].look("/", |ctx| end_marked(ctx, user).unwrap());
    assert!(!store.exists(&set).unwrap());
    let is_signed_in =
        |browser: &Browser<'_>| browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap());
    assert!(browsers.iter().all(|browser| !is_signed_in(browser)));
    // A member that says nothing is passed over.
    store.add(&set, b"short", NOW + 60, Seconds(0), 200).unwrap();
    browsers[0].look("/", |ctx| end_marked(ctx, user).unwrap());
}
