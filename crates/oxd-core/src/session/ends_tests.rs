//! Ends that another machine has to find in the store, and what a refresh makes of a session.

use super::*;
use crate::config::{RawSettings, SiteFile};
use crate::shm::{About, Mark};
use crate::testing::{Browser, FakeStore, NOW, memory, new_stores_are_atomic, site};
use serde_json::json;

fn signed_in<'s>(file: &'s SiteFile, store: Option<&'s FakeStore>) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.store = store;
    browser.oxd.id_token_claims =
        json!({"sub": "alice", "iss": "https://op", "sid": "s1", "exp": NOW + 3_600, "acr": "basic"});
    browser.log_in("/app");
    browser
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

#[test]
fn a_session_is_found_by_its_user_and_its_provider_session_until_it_ends() {
    let file = site("s");
    for is_atomic in [false, true] {
        if is_atomic {
            new_stores_are_atomic();
        }
        let store = FakeStore::default();
        let mut browser = signed_in(&file, Some(&store));
        // Another machine, which has seen no login.
        browser.memory = memory();
        let known = |browser: &Browser<'_>, sid: &str| {
            browser.look("/", |ctx| {
                is_known(ctx, Mark::of_sid(ctx.site, "https://op", sid)).unwrap()
            })
        };
        assert!(known(&browser, "s1") && !known(&browser, "s2"), "{is_atomic}");
        browser.look("/", |ctx| end_own(ctx).unwrap());
        browser.memory = memory();
        assert!(!known(&browser, "s1"), "{is_atomic}");
    }
}

#[test]
fn all_sessions_of_a_user_end_wherever_they_began() {
    let file = site("s");
    for is_atomic in [false, true] {
        if is_atomic {
            new_stores_are_atomic();
        }
        let store = FakeStore::default();
        for (user, ends) in [("bob", false), ("alice", true)] {
            let mut browser = signed_in(&file, Some(&store));
            let here = std::mem::replace(&mut browser.memory, memory());
            browser.look("/", |ctx| {
                end_marked(ctx, Mark::of(About::User, ctx.site, &[user])).unwrap();
            });
            browser.memory = here;
            assert_eq!(is_signed_in(&browser), !ends, "{user} {is_atomic}");
        }
    }
}

#[test]
fn what_another_request_has_refreshed_is_not_taken_over_once_the_session_has_ended() {
    let (file, store) = (site("s"), FakeStore::default());
    for store in [None, Some(&store)] {
        let mut browser = signed_in(&file, store);
        let written = browser
            .look("/", |ctx| with_own(ctx, |own| own.unwrap().written(ctx)))
            .unwrap();
        let takes_over =
            |browser: &Browser<'_>| browser.look("/", |ctx| adopted(ctx, &written).unwrap().is_some());
        assert!(takes_over(&browser));
        browser.look("/", |ctx| end_own(ctx).unwrap());
        assert!(!takes_over(&browser), "on this machine");
        browser.memory = memory();
        assert_eq!(
            takes_over(&browser),
            store.is_none(),
            "on another one the store tells"
        );
    }
}

#[test]
fn a_refresh_replaces_what_the_answer_has_and_keeps_the_rest() {
    let file = site("s");
    let mut browser = signed_in(&file, None);
    browser.now = NOW + 7;
    browser.look("/", |ctx| {
        let session = open(ctx, &Leaked).unwrap().expect("a session");
        let old = session.open_tokens(ctx).unwrap().into_owned();
        let old = Tokens::read(&old).unwrap();
        for (refresh_token, scope, expected) in [
            (Some("next"), Some("a b"), ("next", "a b")),
            (None, None, ("refresh", "openid profile email")),
        ] {
            let new = NewTokens {
                access_token: "fresh",
                expires_in: Some(300),
                refresh_token,
                scope,
            };
            let written = session.renewed(old, ctx.now, new);
            let record = SessionRecord::read(&written.record).unwrap();
            let tokens = Tokens::read(&written.tokens).unwrap();
            assert_eq!(
                (tokens.access_token, tokens.id_token),
                (&b"fresh"[..], &b"e30.e30.sig"[..])
            );
            assert_eq!(
                (tokens.refresh_token, record.strings.scope),
                (expected.0.as_bytes(), expected.1.as_bytes())
            );
            assert_eq!((record.seen, record.access_expires), (NOW + 7, NOW + 307));
            assert_eq!(record.version, session.record.version + 1);
            assert_eq!((record.issued, record.can_refresh), (NOW, true));
            assert_eq!(session.claim("sub"), Some(json!("alice")));
            assert_eq!(session.claim("none"), None);
        }
    });
}
