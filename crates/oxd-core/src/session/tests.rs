use super::*;
use crate::access::authn::Refresh;
use crate::base::reason::Reason;
use crate::session::claims;
use crate::testing::{Browser, NOW, site};
use serde_json::{Value, json};

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

#[test]
fn a_session_lives_as_long_as_its_idle_time_and_its_lifetime_allow() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.log_in("/app");
    assert!(is_signed_in(&browser));
    browser.now = NOW + 3599;
    assert!(is_signed_in(&browser));
    browser.now = NOW + 3600;
    assert!(!is_signed_in(&browser));

    browser.settings.session_lifetime = Some(60);
    browser.now = NOW + 60;
    assert!(
        !is_signed_in(&browser),
        "a shorter lifetime ends sessions that exist already"
    );
}

#[test]
fn use_renews_the_idle_time_but_not_the_lifetime() {
    let file = site("s");
    let settings = Settings {
        site: Some(&file),
        session_idle: Some(100),
        session_lifetime: Some(250),
        ..Settings::default()
    };
    let mut browser = Browser::at(settings);
    browser.log_in("/app");
    for step in 1..=4 {
        browser.now = NOW + step * 60;
        browser.get("/oxd");
        assert!(is_signed_in(&browser), "after {step} minutes");
    }
    browser.now = NOW + 250;
    assert!(!is_signed_in(&browser));
}

#[test]
fn the_cookie_is_not_written_at_every_request() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.log_in("/app");
    assert!(browser.get("/oxd").cookies.is_empty());
    browser.now += 4;
    assert!(browser.get("/oxd").cookies.is_empty());
    browser.now += 1;
    assert_eq!(browser.get("/oxd").cookies.len(), 1);
    assert!(browser.get("/oxd").cookies.is_empty());
}

#[test]
fn a_session_opens_at_its_own_site_only() {
    let (file, other) = (site("s"), site("other"));
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.log_in("/app");
    browser.settings.site = Some(&other);
    assert!(!is_signed_in(&browser));
}

#[test]
fn a_long_session_is_cut_and_a_shorter_one_leaves_no_piece_behind() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.oxd.user_info = json!({"sub": "alice", "groups": vec!["x".repeat(40); 80]});
    assert_eq!(browser.log_in("/app").status, 303);
    assert!(browser.cookies.iter().any(|(name, _)| name == "oxd_session.1"));
    assert!(is_signed_in(&browser));
    let piece = browser
        .cookies
        .iter()
        .position(|(name, _)| name == "oxd_session.1")
        .unwrap();
    let kept = browser.cookies.remove(piece);
    assert!(!is_signed_in(&browser), "half a session is none");
    browser.cookies.push(kept);
    browser.oxd.user_info = json!({"sub": "alice"});
    browser.log_in("/app");
    assert!(is_signed_in(&browser) && browser.cookies.iter().all(|(name, _)| name != "oxd_session.1"));
}

#[test]
fn a_session_that_httpd_would_not_take_back_is_an_error_page() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.oxd.user_info = json!({"sub": "alice", "blob": "x".repeat(8000)});
    let answer = browser.log_in("/app");
    assert_eq!(answer.status, 500);
    assert!(!is_signed_in(&browser));
    assert!(
        browser
            .log
            .0
            .borrow()
            .iter()
            .any(|line| line.contains("session_too_large"))
    );
}

#[test]
fn the_user_name_follows_its_rule() {
    use crate::config::settings::RemoteUser;
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        ..Settings::default()
    });
    browser.oxd.user_info = json!({"sub": "alice", "email": "alice@example.org"});
    browser.log_in("/app");
    let name = |browser: &Browser<'_>| {
        let page = browser.look("/oxd/session", |ctx| {
            crate::handler::routes::answer(
                ctx,
                Some(crate::handler::routes::Endpoint::Session),
                &crate::handler::routes::Form::None,
            )
        });
        serde_json::from_slice::<Value>(page.body_bytes()).unwrap()["user"].clone()
    };
    assert_eq!(name(&browser), "alice");
    let rule = |pattern: Option<&str>, replacement: &str| RemoteUser {
        claim: "email".into(),
        rewrite: pattern.map(|p| (regex::Regex::new(p).unwrap(), replacement.to_owned())),
    };
    for (rule, expected) in [
        (rule(None, ""), json!("alice@example.org")),
        (rule(Some("^(.+)@example\\.org$"), "${1}"), json!("alice")),
        (rule(Some("@example\\.com$"), "${0}"), json!(null)),
        (
            RemoteUser {
                claim: "none".into(),
                rewrite: None,
            },
            json!(null),
        ),
    ] {
        let mut browser_with = Browser::at(Settings {
            remote_user: Some(&rule),
            ..browser.settings
        });
        browser_with.cookies = browser.cookies.clone();
        assert_eq!(name(&browser_with), expected, "{rule:?}");
    }
}

#[test]
fn a_token_about_to_run_out_is_refreshed_and_a_failure_changes_nothing() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        token_refresh: Some(Some(60)),
        ..Settings::default()
    });
    browser.log_in("/app");
    assert_eq!(refresh(&browser), Refresh::Unchanged);
    browser.now = NOW + 241;
    browser.oxd.failure = Some(("refresh", Reason::OxdUnreachable));
    assert_eq!(refresh(&browser), Refresh::Unchanged);
    browser.oxd.failure = None;
    let Refresh::Changed(written, cookies) = refresh(&browser) else {
        panic!("new tokens")
    };
    assert_eq!(cookies.len(), 1);
    let parts = Parts::read(&written).unwrap();
    assert_eq!(
        (parts.texts.access_token, parts.texts.refresh_token),
        (&b"new-access"[..], &b"refresh"[..])
    );
    assert_eq!((parts.access_expires, parts.issued), (NOW + 541, NOW));
}

/// What refreshing does to the browser's session.
fn refresh(browser: &Browser<'_>) -> Refresh {
    browser.look("/app", |ctx| {
        with_own(ctx, |session| {
            crate::access::authn::refresh(ctx, &session.unwrap()).unwrap()
        })
        .unwrap()
    })
}

#[test]
fn a_request_with_the_old_cookie_gets_what_another_has_refreshed() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        token_refresh: Some(Some(60)),
        ..Settings::default()
    });
    browser.log_in("/app");
    browser.now = NOW + 241;
    let Refresh::Changed(first, _) = refresh(&browser) else {
        panic!("new tokens")
    };
    // The browser has not taken the answer's cookies over: another of its requests was on the way.
    let Refresh::Changed(second, cookies) = refresh(&browser) else {
        panic!("the same tokens")
    };
    assert_eq!((first, cookies.len()), (second, 1));
    let refreshes = browser.oxd.commands().iter().filter(|c| **c == "refresh").count();
    assert_eq!(refreshes, 1, "the refresh token is good for one use");
}

#[test]
fn while_one_request_refreshes_the_others_go_on_with_a_token_that_still_works() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        token_refresh: Some(Some(60)),
        ..Settings::default()
    });
    browser.log_in("/app");
    browser.now = NOW + 241;
    let mark = browser.look("/", |ctx| {
        with_own(ctx, |s| Mark::of_session(&s.unwrap().parts.id)).unwrap()
    });
    let now = crate::base::clock::wall();
    let lease = browser.memory.lease(mark, now, now + 60).unwrap();
    assert_eq!(refresh(&browser), Refresh::Unchanged);
    drop(lease);
    assert!(matches!(refresh(&browser), Refresh::Changed(..)));
}

#[test]
fn a_refused_refresh_ends_the_session() {
    let file = site("s");
    let mut browser = Browser::at(Settings {
        site: Some(&file),
        token_refresh: Some(Some(60)),
        ..Settings::default()
    });
    browser.log_in("/app");
    browser.now = NOW + 241;
    browser.oxd.failure = Some(("refresh", Reason::RefreshRefused));
    assert_eq!(refresh(&browser), Refresh::Ended);
    let answer = browser.ask("/app", crate::access::authn::ended);
    assert_eq!(answer.status, 302, "a new login");
    assert!(!is_signed_in(&browser));
}

#[test]
fn claims_are_brought_up_to_date_when_they_are_old() {
    let file = site("s");
    let settings = Settings {
        site: Some(&file),
        user_info_every: Some(Some(100)),
        ..Settings::default()
    };
    let mut browser = Browser::at(settings);
    browser.log_in("/app");
    browser.now = NOW + 99;
    assert_eq!(refresh(&browser), Refresh::Unchanged);
    browser.now = NOW + 100;
    browser.oxd.user_info = json!({"sub": "alice", "name": "Alice B."});
    let Refresh::Changed(record, _) = refresh(&browser) else {
        panic!("new claims")
    };
    let parts = Parts::read(&record).unwrap();
    assert_eq!(claims::to_json(&parts)["name"], "Alice B.");
    assert_eq!((parts.informed, parts.issued), (NOW + 100, NOW));
    browser.now = NOW;
    browser.log_in("/app");
    browser.now = NOW + 100;
    for bad in [
        json!({"sub": "bob"}),
        json!({"sub": "alice", "error": "invalid_token"}),
    ] {
        browser.oxd.user_info = bad;
        assert_eq!(
            refresh(&browser),
            Refresh::Unchanged,
            "whoever else this is about"
        );
    }
}
