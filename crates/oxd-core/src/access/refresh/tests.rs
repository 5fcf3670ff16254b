use crate::base::Seconds;
use serde_json::json;

use super::*;
use crate::base::Level;
use crate::config::{RawSettings, RefusedRefresh};
use crate::oxd::commands::refresh::Refreshed;
use crate::session::{Leaked, with_own};
use crate::testing::{Browser, FakeStore, NOW, site};

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

/// What refreshing does to the browser's session.
fn refreshed(browser: &Browser<'_>) -> Refresh {
    browser.look("/app", |ctx| {
        with_own(ctx, |session| refresh(ctx, &session.unwrap()).unwrap()).unwrap()
    })
}

#[test]
fn a_token_about_to_run_out_is_refreshed_and_a_failure_changes_nothing() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    assert_eq!(refreshed(&browser), Refresh::Unchanged);
    browser.now = NOW + 241;
    browser.oxd.failure = Some(("refresh", Reason::OxdUnreachable));
    assert_eq!(refreshed(&browser), Refresh::Unchanged);
    browser.oxd.failure = None;
    browser.now = NOW + 246;
    let Refresh::Changed(written, cookies) = refreshed(&browser) else {
        panic!("new tokens")
    };
    assert_eq!(cookies.len(), 2);
    let parts = SessionRecord::read(&written.record).unwrap();
    let tokens = Tokens::read(&written.tokens).unwrap();
    assert_eq!(
        (tokens.access_token, tokens.refresh_token),
        (&b"new-access"[..], &b"refresh"[..])
    );
    assert_eq!((parts.access_expires, parts.issued), (NOW + 546, NOW));
}

#[test]
fn a_request_with_the_old_cookie_gets_what_another_has_refreshed() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    browser.now = NOW + 241;
    let Refresh::Changed(first, _) = refreshed(&browser) else {
        panic!("new tokens")
    };
    // The browser has not taken the answer's cookies over: another of its requests was on the way.
    let Refresh::Changed(second, cookies) = refreshed(&browser) else {
        panic!("the same tokens")
    };
    assert_eq!((first, cookies.len()), (second, 2));
    let refreshes = browser.oxd.commands().iter().filter(|c| **c == "refresh").count();
    assert_eq!(refreshes, 1, "the refresh token is good for one use");
}

#[test]
fn while_one_request_refreshes_the_others_go_on_with_a_token_that_still_works() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    browser.now = NOW + 241;
    let mark = browser.look("/", |ctx| {
        with_own(ctx, |s| Mark::of_session(&s.unwrap().record.id)).unwrap()
    });
    let now = wall();
    let lease = browser.memory.lease(mark, now, now + 60).unwrap();
    assert_eq!(refreshed(&browser), Refresh::Unchanged);
    drop(lease);
    assert!(matches!(refreshed(&browser), Refresh::Changed(..)));
}

#[test]
fn a_refused_refresh_ends_the_session() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    browser.now = NOW + 301;
    browser.oxd.failure = Some(("refresh", Reason::RefreshRefused));
    assert_eq!(refreshed(&browser), Refresh::Ended);
    let answer = browser.ask("/app", crate::access::authn::ended);
    assert_eq!(answer.status, 302, "a new login");
    assert!(!is_signed_in(&browser));
}

#[test]
fn claims_are_brought_up_to_date_when_they_are_old() {
    let file = site("s");
    let settings = RawSettings {
        site: Some(&file),
        user_info: Some(UserInfo::Every(Seconds(100))),
        ..RawSettings::default()
    };
    let mut browser = Browser::at(settings);
    browser.log_in("/app");
    browser.now = NOW + 99;
    assert_eq!(refreshed(&browser), Refresh::Unchanged);
    browser.now = NOW + 100;
    browser.oxd.user_info = json!({"sub": "alice", "name": "Alice B."});
    let before = browser.look("/", |ctx| {
        with_own(ctx, |own| own.unwrap().record.version).unwrap()
    });
    let Refresh::Changed(written, _) = refreshed(&browser) else {
        panic!("new claims")
    };
    let parts = SessionRecord::read(&written.record).unwrap();
    assert_eq!(parts.version, before + 1);
    assert_eq!(claims::to_json(&parts)["name"], "Alice B.");
    assert_eq!(
        (parts.informed, parts.seen, parts.issued),
        (NOW + 100, NOW + 100, NOW)
    );
    browser.now = NOW;
    browser.log_in("/app");
    browser.now = NOW + 100;
    for bad in [
        json!({"sub": "bob"}),
        json!({"sub": "alice", "error": "invalid_token"}),
    ] {
        browser.oxd.user_info = bad;
        assert_eq!(
            refreshed(&browser),
            Refresh::Unchanged,
            "whoever else this is about"
        );
    }
}

#[test]
fn a_refresh_is_done_once_for_all_machines() {
    let (file, store) = (site("s"), FakeStore::default());
    let settings = RawSettings {
        site: Some(&file),
        token_refresh: Some(TokenRefresh::Ahead(Seconds(60))),
        ..RawSettings::default()
    };
    let mut here = Browser::at(settings);
    here.store = Some(&store);
    here.log_in("/app");
    let mut there = Browser::at(settings);
    (there.store, there.cookies) = (here.store, here.cookies.clone());
    // Both requests read the session before either refreshes it.
    let before = here.look("/", |ctx| {
        with_own(ctx, |session| session.unwrap().written(ctx)).unwrap()
    });
    (here.now, there.now) = (NOW + 250, NOW + 250);
    let refreshed = |browser: &Browser<'_>| {
        browser.look("/", |ctx| {
            let session = Opened::of_written(&before, NOW + 1, &Leaked);
            refresh(ctx, &session.unwrap()).unwrap()
        })
    };
    assert!(matches!(refreshed(&here), Refresh::Changed(..)));
    let shared = refreshed(&there);
    assert!(
        matches!(shared, Refresh::Changed(..)),
        "the other machine takes the new session over"
    );
    assert!(!there.oxd.commands().contains(&"refresh"));
}

/// What oxd or the provider answers to a refresh, and what becomes of a session whose access token lives 300 seconds.
#[test]
fn only_a_refusal_ends_a_session_and_only_once_its_token_has_expired() {
    let file = site("s");
    for (reason, action, after_token) in [
        (Reason::RefreshRefused, RefusedRefresh::Login, Refresh::Ended),
        (
            Reason::RefreshRefused,
            RefusedRefresh::Unauthorized,
            Refresh::Unauthorized,
        ),
        (Reason::RefreshRefused, RefusedRefresh::Keep, Refresh::Unchanged),
        // A broken token endpoint, a lost site, a provider that is down.
        (Reason::OxdAnswer, RefusedRefresh::Login, Refresh::Unchanged),
        (Reason::OxdUnreachable, RefusedRefresh::Login, Refresh::Unchanged),
        (Reason::OxdTimeout, RefusedRefresh::Login, Refresh::Unchanged),
    ] {
        let mut browser = Browser::that_refreshes(&file);
        browser.settings.refused_refresh = Some(action);
        browser.log_in("/app");
        browser.oxd.failure = Some(("refresh", reason));
        browser.now = NOW + 241;
        assert_eq!(refreshed(&browser), Refresh::Unchanged, "the token still works");
        browser.now = NOW + 300;
        assert_eq!(refreshed(&browser), after_token, "{reason:?} {action:?}");
        assert_eq!(is_signed_in(&browser), after_token != Refresh::Ended);
        let calls = || browser.oxd.commands().iter().filter(|c| **c == "refresh").count();
        let expected = if reason == Reason::RefreshRefused { 1 } else { 2 };
        assert_eq!(calls(), expected, "a refused token is not sent again");
    }
}

/// A token that the provider makes longer than a store takes is good for the request that has fetched it.
#[test]
fn new_tokens_that_do_not_fit_are_good_for_this_request_and_reported() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = Browser::that_refreshes(&file);
    browser.store = Some(&store);
    browser.log_in("/app");
    browser.oxd.refreshes = Some(|_| {
        Ok(Refreshed {
            access_token: Secret::new("x".repeat(12_000)),
            expires_in: Some(300),
            refresh_token: None,
            scope: json!(null),
        })
    });
    browser.now = NOW + 241;
    let Refresh::Changed(written, cookies) = refreshed(&browser) else {
        panic!("the new tokens")
    };
    assert_eq!(Tokens::read(&written.tokens).unwrap().access_token.len(), 12_000);
    assert_eq!(cookies, [""; 0]);
    let lines = browser.log.0.borrow();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("tokens were not refreshed")),
        "{lines:?}"
    );
    drop(lines);
    assert!(is_signed_in(&browser));
}

#[test]
fn new_tokens_that_a_store_cannot_be_told_are_an_error() {
    static STORE: std::sync::LazyLock<FakeStore> = std::sync::LazyLock::new(FakeStore::default);
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.store = Some(&STORE);
    browser.log_in("/app");
    browser.oxd.refreshes = Some(|_| {
        STORE.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
        Ok(Refreshed {
            access_token: Secret::new("new".into()),
            expires_in: Some(300),
            refresh_token: None,
            scope: json!(null),
        })
    });
    browser.now = NOW + 241;
    let outcome = browser.look("/app", |ctx| {
        with_own(ctx, |session| {
            refresh(ctx, &session.unwrap()).map_err(|failure| failure.reason)
        })
        .unwrap()
    });
    assert_eq!(outcome, Err(Reason::StoreUnavailable));
}

/// Another request of the session is at it, and the access token has run out.
#[test]
fn who_has_no_token_that_works_waits_for_the_request_that_fetches_one() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    let mark = browser.look("/", |ctx| {
        with_own(ctx, |s| Mark::of_session(&s.unwrap().record.id)).unwrap()
    });
    let (memory, waiting) = (browser.memory, browser.oxd.waiting.clone());
    let (taken, is_taken) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        let lease = memory.lease(mark, wall(), wall() + 60).unwrap();
        taken.send(()).unwrap();
        while waiting.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(lease);
    });
    is_taken.recv().unwrap();
    browser.now = NOW + 299;
    assert_eq!(refreshed(&browser), Refresh::Unchanged, "it still works");
    assert_eq!(browser.oxd.waiting.load(std::sync::atomic::Ordering::SeqCst), 0);
    browser.now = NOW + 300;
    assert!(matches!(refreshed(&browser), Refresh::Changed(..)));
    other.join().unwrap();
}

#[test]
fn after_a_refresh_that_works_the_next_failure_is_the_first_one() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    let calls = |browser: &Browser<'_>| browser.oxd.commands().iter().filter(|c| **c == "refresh").count();
    for (second, failure, expected) in [
        (241, Some("refresh"), 1),
        (246, Some("refresh"), 2),
        (251, Some("refresh"), 3),
        // Ten seconds have to pass now.
        (256, None, 3),
        (261, None, 4),
    ] {
        browser.now = NOW + second;
        browser.oxd.failure = failure.map(|command| (command, Reason::OxdAnswer));
        if let Refresh::Changed(_, cookies) = refreshed(&browser) {
            browser.take_cookies(&cookies);
        }
        assert_eq!(calls(&browser), expected, "{second}");
    }
    browser.oxd.failure = Some(("refresh", Reason::OxdAnswer));
    for (second, expected) in [(502, 5), (506, 5), (507, 6)] {
        browser.now = NOW + second;
        assert_eq!(refreshed(&browser), Refresh::Unchanged);
        assert_eq!(calls(&browser), expected, "{second}");
    }
}

/// A request waits for oxd once: the next call would wait as long.
#[test]
fn nobody_waits_a_second_time_for_an_oxd_that_has_not_answered() {
    let file = site("s");
    for (reason, is_asked) in [
        (Reason::OxdTimeout, false),
        (Reason::OxdUnreachable, false),
        (Reason::OxdAnswer, true),
        (Reason::RefreshRefused, true),
    ] {
        let mut browser = Browser::that_refreshes(&file);
        browser.settings.user_info = Some(UserInfo::Every(Seconds(100)));
        browser.log_in("/app");
        let calls = |browser: &Browser<'_>| {
            browser
                .oxd
                .commands()
                .iter()
                .filter(|c| **c == "get-user-info")
                .count()
        };
        let before = calls(&browser);
        browser.oxd.failure = Some(("refresh", reason));
        browser.now = NOW + 241;
        refreshed(&browser);
        assert_eq!(calls(&browser) > before, is_asked, "{reason:?}");
    }
}

#[test]
fn a_failing_refresh_is_tried_ever_more_seldom_and_reported_once() {
    let file = site("s");
    let mut browser = Browser::that_refreshes(&file);
    browser.log_in("/app");
    browser.oxd.failure = Some(("refresh", Reason::OxdTimeout));
    let calls = |browser: &Browser<'_>| browser.oxd.commands().iter().filter(|c| **c == "refresh").count();
    let mut times = Vec::new();
    for second in 241..1_200 {
        browser.now = NOW + second;
        let before = calls(&browser);
        for _ in 0..3 {
            assert_eq!(refreshed(&browser), Refresh::Unchanged);
        }
        if calls(&browser) > before {
            assert_eq!(calls(&browser), before + 1);
            times.push(second);
        }
    }
    assert_eq!(times, [241, 246, 251, 261, 281, 321, 401, 561, 861, 1161]);
    let failures = |browser: &Browser<'_>| {
        let (lines, levels) = (browser.log.0.borrow(), browser.log.1.borrow());
        let shown = lines
            .iter()
            .zip(levels.iter())
            .filter(|(_, level)| **level != Level::Debug);
        shown
            .filter(|(line, _)| line.contains("were not refreshed"))
            .count()
    };
    assert_eq!(failures(&browser), 1, "one line for one condition");
    browser.oxd.failure = Some(("refresh", Reason::OxdUnreachable));
    browser.now = NOW + 1_600;
    refreshed(&browser);
    assert_eq!(failures(&browser), 2, "another condition");
    browser.oxd.failure = None;
    browser.now = NOW + 2_000;
    assert!(matches!(refreshed(&browser), Refresh::Changed(..)));
    let again = browser
        .log
        .0
        .borrow()
        .iter()
        .any(|line| line.contains("are refreshed again"));
    assert!(again);
}
