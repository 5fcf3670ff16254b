use std::sync::Mutex;

use super::*;
use crate::base::SiteId;
use crate::config::{AuditUser, RawSettings};
use crate::session::{Leaked, is_noted, open};
use crate::testing::{Browser, FakeStore, FakeStream, NOW, Trail, keys, memory, site};
use serde_json::json;

#[test]
fn the_audit_trail_tells_why_a_session_has_ended_and_whose_it_was() {
    let (file, store, trail) = (site("s"), FakeStore::default(), Trail::default());
    let machine = memory();
    let new_browser = || {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            session_max: Some(1),
            audit_log: Some(Some(&trail)),
            audit_user: Some(AuditUser::Sub),
            ..RawSettings::default()
        });
        (browser.store, browser.memory) = (Some(&store), machine);
        browser
    };
    let ends = || {
        let lines = std::mem::take(&mut *trail.lines.lock().unwrap());
        let lines: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ends = lines.into_iter().filter(|line| line["event"] == "session_ended");
        ends.map(|line| [line["code"].clone(), line["sub"].clone(), line["by"].clone()])
            .collect::<Vec<_>>()
    };
    let mut first = new_browser();
    first.log_in("/app");
    first.log_in("/app");
    assert_eq!(ends(), [["new_login", "alice", "login"]]);
    new_browser().log_in("/app");
    assert_eq!(ends(), [["session_limit", "alice", "limit"]]);
}

#[test]
fn the_issuer_of_a_login_is_known_at_machines_that_have_not_seen_it() {
    let file = site("s");
    let stream = FakeStream {
        entries: Mutex::default(),
        keys: keys(),
        facts: FakeStore::default(),
    };
    let new_browser = || {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            ..RawSettings::default()
        });
        browser.stream = Some(&stream);
        browser
    };
    let (mut here, there) = (new_browser(), new_browser());
    let knows = |browser: &Browser<'_>| {
        browser.look("/", |ctx| {
            is_noted(ctx, Mark::of_issuer(SiteId("s"), "https://op")).unwrap()
        })
    };
    assert!(!knows(&here) && !knows(&there));
    here.log_in("/app");
    assert!(knows(&here) && knows(&there));
}

#[test]
fn an_earlier_authentication_keeps_its_time() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.oxd.id_token_claims["auth_time"] = json!((NOW - 100).0);
    browser.log_in("/app");
    browser.oxd.id_token_claims["acr"] = json!("better");
    browser.now = NOW + 10;
    browser.log_in("/app");
    for (max_age, holds) in [
        (None, true),
        (Some(Seconds(110)), true),
        (Some(Seconds(109)), false),
    ] {
        browser.settings.max_age = max_age;
        let found = browser.look("/", |ctx| {
            let history = open(ctx, &Leaked)
                .unwrap()
                .expect("a session")
                .record
                .strings
                .acrs;
            let lifetime = ctx.settings.session().lifetime;
            acr::holds(history, "basic", &ctx.settings.access(), lifetime, ctx.now)
        });
        assert_eq!(found, holds, "{max_age:?}");
    }
}

#[test]
fn the_identity_of_a_token_says_when_it_was_brought_and_when_it_ends() {
    let claims = json!({"sub": "alice", "acr": "better", "scope": "a b"});
    let claims = claims.as_object().unwrap();
    for (expires, ends, access_expires) in [(Some(NOW + 60), NOW + 60, NOW + 60), (None, NOW, Seconds::ZERO)]
    {
        let written = record_of_token(NOW, claims, claims::encode(claims), expires);
        let identity = Opened::of_token(&written, &Leaked).unwrap();
        let record = identity.record;
        assert_eq!((identity.used, record.issued), (NOW, NOW));
        assert_eq!((record.began, record.ends), (NOW.millis(), ends));
        assert_eq!(record.access_expires, access_expires);
        assert_eq!(
            (record.strings.acr, record.strings.scope),
            (&b"better"[..], &b"a b"[..])
        );
        assert_eq!(identity.claim("sub"), Some(json!("alice")));
    }
}
