//! What stands in a store is bound to its place: under another key it opens nothing.

use super::*;
use crate::config::RawSettings;
use crate::shm::{About, Mark, Note};
use crate::testing::{Browser, FakeStore, NOW, memory, site};
use serde_json::json;

/// Exchanges two entries of a store.
fn exchange(store: &FakeStore, one: &crate::base::Key, other: &crate::base::Key) {
    let mut entries = store.entries.lock().unwrap();
    let (first, second) = (entries[one].clone(), entries[other].clone());
    entries.insert(*one, second);
    entries.insert(*other, first);
}

#[test]
fn an_entry_that_somebody_has_moved_lets_nobody_in_as_another_user() {
    let (file, store) = (site("s"), FakeStore::default());
    let log_in = |user: &str| {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            ..RawSettings::default()
        });
        browser.store = Some(&store);
        browser.oxd.id_token_claims = json!({"sub": user, "iss": "https://op", "exp": NOW + 3_600});
        browser.oxd.user_info = json!({"sub": user});
        browser.log_in("/app");
        browser
    };
    let who = |browser: &Browser<'_>| {
        browser.look("/", |ctx| {
            let session = open(ctx, &Leaked).unwrap()?;
            session.claim("sub")
        })
    };
    let own = |browser: &Browser<'_>| {
        browser
            .look("/", |ctx| {
                let session = open(ctx, &Leaked).unwrap()?;
                alive::key_of(ctx.site, session.record)
            })
            .expect("a session in the store")
    };
    let (alice, bob) = (log_in("alice"), log_in("bob"));
    assert_eq!(
        (who(&alice), who(&bob)),
        (Some(json!("alice")), Some(json!("bob")))
    );
    exchange(&store, &own(&alice), &own(&bob));
    assert_eq!((who(&alice), who(&bob)), (None, None));
}

#[test]
fn a_kept_text_that_somebody_has_moved_is_not_read() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.store = Some(&store);
    let mark = |name: &str| Mark::of(About::State, crate::base::SiteId("s"), &[name]);
    let mut keys = Vec::new();
    for name in ["one", "two"] {
        let known: Vec<_> = store.entries.lock().unwrap().keys().copied().collect();
        browser.look("/", |ctx| {
            assert!(keep_text(ctx, Note::Login, mark(name), name, NOW + 60).unwrap());
        });
        let entries = store.entries.lock().unwrap();
        keys.extend(entries.keys().copied().filter(|key| !known.contains(key)));
    }
    let kept =
        |browser: &Browser<'_>, name: &str| browser.look("/", |ctx| kept_text(ctx, Note::Login, mark(name)));
    browser.memory = memory();
    assert_eq!(kept(&browser, "one").as_deref(), Some("one"));
    let [one, two] = keys.as_slice() else {
        panic!("{} entries", keys.len());
    };
    exchange(&store, one, two);
    assert_eq!((kept(&browser, "one"), kept(&browser, "two")), (None, None));
}
