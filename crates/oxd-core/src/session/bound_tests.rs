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

/// Sites may share a store and `OxdCryptoKey`. With a name of the usual length and with a short one.
#[test]
fn an_entry_that_somebody_has_copied_lets_nobody_in_at_another_site() {
    let uuid = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
    for (own, other) in [("s", "other"), (uuid, "other"), ("s", uuid)] {
        let (file, other_file, store) = (site(own), site(other), FakeStore::default());
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            ..RawSettings::default()
        });
        browser.store = Some(&store);
        browser.log_in("/app");
        let look = |browser: &Browser<'_>| {
            browser.look("/", |ctx| {
                let record = open(ctx, &Leaked).unwrap()?.record;
                Some(record.strings.identifier.to_vec())
            })
        };
        let identifier = look(&browser).unwrap_or_else(|| panic!("no session at {own}"));
        let identifier = identifier::Identifier::of_record(&identifier).unwrap();
        let [here, there] = [own, other].map(|site| identifier.key(crate::base::SiteId(site)));
        let entry = store.entries.lock().unwrap()[&here].clone();
        store.entries.lock().unwrap().insert(there, entry.clone());
        browser.settings.site = Some(&other_file);
        assert_eq!(look(&browser), None, "{own} at {other}");
        // What stands before the sealed record is bound to it too.
        browser.settings.site = Some(&file);
        let mut altered = entry;
        altered[0] ^= 1;
        store.entries.lock().unwrap().insert(here, altered);
        assert_eq!(look(&browser), None, "another version at {own}");
    }
}

#[test]
fn what_one_site_keeps_in_memory_is_not_read_at_another() {
    let (file, other) = (site("s"), site("other"));
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let mark = Mark::of(About::State, crate::base::SiteId("s"), &["one"]);
    let written = browser.look("/", |ctx| {
        assert!(keep_text(ctx, Note::Login, mark, "text", NOW + 60).unwrap());
        let session = open(ctx, &Leaked).unwrap().expect("a session");
        let old = session.written(ctx);
        let fresh = NewTokens {
            access_token: "fresh",
            expires_in: None,
            refresh_token: None,
            scope: None,
        };
        let new = session.renewed(Tokens::read(&old.tokens).unwrap(), NOW, fresh);
        assert!(publish(ctx, 0, &new).unwrap().is_some());
        old
    });
    let found = |browser: &Browser<'_>| {
        browser.look("/", |ctx| {
            let session = Opened::of_written(&written, NOW, &Leaked).unwrap();
            let text = kept_text(ctx, Note::Login, mark);
            (text, newer(ctx, &session).unwrap().is_some())
        })
    };
    assert_eq!(found(&browser), (Some("text".to_owned()), true));
    browser.settings.site = Some(&other);
    assert_eq!(found(&browser), (None, false));
}
