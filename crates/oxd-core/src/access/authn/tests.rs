use crate::base::Seconds;
use serde_json::json;

use crate::access::authn;
use crate::config::{RawSettings, ServerDefaults, Settings, SiteFile};
use crate::testing::{Browser, NOW, header, site};

fn browser(site: &SiteFile) -> Browser<'_> {
    let mut browser = Browser::at(RawSettings {
        site: Some(site),
        max_age: Some(Seconds(600)),
        ..RawSettings::default()
    });
    browser.oxd.id_token_claims = json!({"sub": "alice", "exp": NOW + 3600, "auth_time": NOW});
    browser
}

fn is_aged(auth_time: Seconds, asked_age: Option<Seconds>, now: Seconds) -> bool {
    let keys = crate::testing::keys();
    let raw = RawSettings {
        max_age: Some(Seconds(600)),
        ..RawSettings::default()
    };
    let settings = Settings::of(
        &raw,
        ServerDefaults {
            keys: &keys,
            threads: 4,
            stores: &crate::testing::NoStores,
            revocations: None,
            tokens_path: None,
        },
    );
    let record = crate::session::SessionRecord {
        auth_time,
        asked_age,
        issued: NOW,
        ..Default::default()
    };
    authn::is_aged(&settings.access(), &record, now)
}

#[test]
fn a_session_ages_from_the_time_of_authentication() {
    let unknown = Seconds::ZERO;
    for (why, auth_time, asked, now, expected) in [
        ("at its limit", NOW, None, NOW + 600, false),
        ("past it", NOW, None, NOW + 601, true),
        (
            "signed in at the provider before",
            NOW - 300,
            None,
            NOW + 301,
            true,
        ),
        ("too old already at the login", NOW - 601, None, NOW, true),
        ("unknown is too old", unknown, None, NOW, true),
        (
            "asked for more than this place allows",
            NOW - 601,
            Some(Seconds(601)),
            NOW,
            true,
        ),
        (
            "unknown, and asked for more",
            unknown,
            Some(Seconds(601)),
            NOW,
            true,
        ),
        (
            "asked and met, by a clock behind ours",
            NOW - 620,
            Some(Seconds(600)),
            NOW + 29,
            false,
        ),
        (
            "which counts for a moment only",
            NOW - 620,
            Some(Seconds(600)),
            NOW + 30,
            true,
        ),
        ("asked for less", NOW - 620, Some(Seconds(60)), NOW + 29, false),
    ] {
        assert_eq!(is_aged(auth_time, asked, now), expected, "{why}");
    }
}

#[test]
fn a_place_with_a_maximum_age_asks_for_it_once_and_never_in_a_loop() {
    let site = site("s");
    // The provider honours max_age, answers with an old authentication, or never says when it was.
    for (auth_time, status) in [(json!(NOW), 303), (json!(NOW - 700), 502), (json!(null), 502)] {
        let mut browser = browser(&site);
        browser.settings.max_age = None;
        browser.oxd.id_token_claims["auth_time"] = json!(null);
        browser.log_in("/open");
        browser.settings.max_age = Some(Seconds(600));
        browser.oxd.id_token_claims["auth_time"] = auth_time.clone();
        assert_eq!(browser.enter("/strict").status, 302, "an unknown age is too old");
        let state = browser.last_state();
        let answer = browser.get(&format!("/oxd/callback?code=c&state={state}"));
        assert_eq!(answer.status, status, "{auth_time}");
        let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
        assert_eq!(page.contains("recent"), status == 502, "{page}");
        if status == 303 {
            browser.look("/strict", |ctx| {
                let known = crate::access::known(ctx, None, &crate::session::Leaked).unwrap();
                assert!(known.is_some());
            });
        }
    }
}

#[test]
fn a_session_that_the_place_refuses_is_unknown_to_its_expressions() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.log_in("/app");
    let known = |browser: &Browser<'_>| {
        browser.look("/app", |ctx| {
            crate::access::known(ctx, None, &crate::session::Leaked)
                .unwrap()
                .is_some()
        })
    };
    assert!(known(&browser));
    browser.now = NOW + 601;
    assert!(!known(&browser));
}

#[test]
fn an_aged_session_is_renewed_without_a_word_and_then_visibly() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.settings.max_age = None;
    browser.log_in("/app");
    browser.settings.max_age = Some(Seconds(600));
    browser.now = NOW + 601;
    let answer = browser.enter("/app?x=1");
    assert_eq!(answer.status, 302);
    let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
    assert_eq!(
        (&sent["prompt"], &sent["params"]["max_age"]),
        (&json!("none"), &json!("600"))
    );
    // The handler that gets the callback knows nothing of the protected place's directive.
    browser.settings.max_age = None;
    let state = browser.last_state();
    let answer = browser.get(&format!("/oxd/callback?error=login_required&state={state}"));
    assert_eq!(answer.status, 302);
    let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
    assert_eq!(
        (&sent["prompt"], &sent["params"]["max_age"]),
        (&json!(null), &json!("600"))
    );
    let state = browser.last_state();
    let again = browser.get(&format!("/oxd/callback?error=login_required&state={state}"));
    assert_eq!(again.status, 400, "a visible login is not repeated");
}

#[test]
fn a_silent_login_that_fails_for_another_reason_is_an_error() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.oxd.id_token_claims["auth_time"] = json!(NOW);
    browser.log_in("/app");
    browser.now = NOW + 601;
    let started = browser.enter("/app");
    assert_eq!(
        (started.status, started.code),
        (302, Some("silent_login_started"))
    );
    let state = browser.last_state();
    let answer = browser.get(&format!("/oxd/callback?error=server_error&state={state}"));
    assert_eq!(answer.status, 400);
}

#[test]
fn an_id_token_that_is_too_old_makes_no_session() {
    let site = site("s");
    for (auth_time, fits) in [
        (json!(NOW), true),
        (json!(NOW - 630), true),
        (json!(NOW - 631), false),
        (json!(null), false),
        (json!("yesterday"), false),
    ] {
        let mut browser = browser(&site);
        browser.oxd.id_token_claims["auth_time"] = auth_time.clone();
        let answer = browser.log_in("/app");
        assert_eq!(answer.status, if fits { 303 } else { 502 }, "{auth_time}");
        assert_eq!(header(&answer, "Location").is_some(), fits);
    }
}
