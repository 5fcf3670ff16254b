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

fn is_aged(auth_time: Seconds, issued: Seconds, now: Seconds) -> bool {
    let keys = crate::testing::keys();
    let raw = RawSettings {
        max_age: Some(Seconds(600)),
        ..RawSettings::default()
    };
    let settings = Settings::of(
        &raw,
        ServerDefaults {
            keys: &keys,
            max_calls: 1,
        },
    );
    let record = crate::session::SessionRecord {
        auth_time,
        issued,
        ..Default::default()
    };
    authn::is_aged(&settings.access, &record, now)
}

#[test]
fn a_session_ages_from_the_time_of_authentication() {
    assert!(!is_aged(NOW, NOW, NOW + 600));
    assert!(is_aged(NOW, NOW, NOW + 601));
    assert!(
        is_aged(NOW - 300, NOW, NOW + 301),
        "the provider knew the user before this login"
    );
    assert!(
        is_aged(Seconds::ZERO, NOW, NOW + 601) && !is_aged(Seconds::ZERO, NOW, NOW + 600),
        "without auth_time the login counts"
    );
    assert!(
        !is_aged(NOW - 700, NOW, NOW + 29),
        "a login that has just ended is not asked for again at once"
    );
    assert!(is_aged(NOW - 700, NOW, NOW + 30));
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
    browser.enter("/app");
    let state = browser.last_state();
    assert_eq!(
        browser
            .get(&format!("/oxd/callback?error=server_error&state={state}"))
            .status,
        400
    );
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
