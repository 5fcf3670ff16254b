use super::record::Marks;
use super::*;
use crate::base::Seconds;
use crate::config::{RawSettings, SiteFile};
use crate::shm::{About, Mark};
use crate::testing::{Browser, FakeStore, NOW, site};
use serde_json::{Value, json};

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

#[test]
fn a_session_lives_as_long_as_its_idle_time_and_its_lifetime_allow() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    assert!(is_signed_in(&browser));
    browser.now = NOW + 3599;
    assert!(is_signed_in(&browser));
    browser.now = NOW + 3600;
    assert!(!is_signed_in(&browser));

    browser.settings.session_lifetime = Some(Seconds(60));
    browser.now = NOW + 60;
    assert!(
        !is_signed_in(&browser),
        "a shorter lifetime ends sessions that exist already"
    );
}

#[test]
fn use_renews_the_idle_time_but_not_the_lifetime() {
    let file = site("s");
    let settings = RawSettings {
        site: Some(&file),
        session_idle: Some(Seconds(100)),
        session_lifetime: Some(Seconds(250)),
        ..RawSettings::default()
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
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
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
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    browser.settings.site = Some(&other);
    assert!(!is_signed_in(&browser));
}

#[test]
fn a_long_session_is_cut_and_a_shorter_one_leaves_no_piece_behind() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
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
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
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
    use crate::config::RemoteUser;
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.oxd.user_info = json!({"sub": "alice", "email": "alice@example.org"});
    browser.log_in("/app");
    let name = |browser: &Browser<'_>| {
        let page = browser.look("/oxd/session", |ctx| {
            crate::handler::routes::answer(
                ctx,
                Some(crate::handler::routes::Endpoint::Session),
                &crate::http::Form::None,
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
        let mut browser_with = Browser::at(RawSettings {
            remote_user: Some(&rule),
            ..browser.settings
        });
        browser_with.cookies = browser.cookies.clone();
        assert_eq!(name(&browser_with), expected, "{rule:?}");
    }
}

/// A browser whose sessions are in the store, or in its cookies without one.
pub(super) fn with_store<'s>(file: &'s SiteFile, store: Option<&'s FakeStore>) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.store = store;
    browser
}

#[test]
fn a_dead_cookie_of_the_same_name_does_not_hide_the_session() {
    let file = site("s");
    let store = FakeStore::default();
    for store in [None, Some(&store)] {
        let mut browser = with_store(&file, store);
        browser.log_in("/app");
        let old = browser.cookies.clone();
        browser.get("/oxd/logoutme");
        browser.log_in("/app");
        let current = browser.cookies.clone();
        for dead in [
            old.clone(),
            vec![("oxd_session".into(), "A".repeat(32))],
            vec![("oxd_session".into(), "garbage".into()); 3],
            vec![("oxd_session".into(), String::new())],
        ] {
            for cookies in [
                [dead.clone(), current.clone()].concat(),
                [current.clone(), dead.clone()].concat(),
            ] {
                browser.cookies = cookies;
                assert!(is_signed_in(&browser), "{dead:?}");
            }
        }
        browser.cookies = [old.clone(), current.clone()].concat();
        browser.settings.cookie_domain = Some(Box::leak(Box::new("example".to_owned())));
        browser.now += 60;
        let lines = browser.get("/oxd").cookies;
        let cleared = |line: &String| line.starts_with("oxd_session=;") && !line.contains("Domain");
        assert!(
            lines.iter().any(cleared),
            "the one from before OxdCookieDomain goes: {lines:?}"
        );
        // A bounded number is tried.
        browser.cookies = [
            vec![("oxd_session".into(), "A".repeat(32)); 50],
            browser.cookies.clone(),
        ]
        .concat();
        assert!(!is_signed_in(&browser));
    }
}

#[test]
fn a_mark_lasts_as_long_as_any_session_that_it_covers() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        session_lifetime: Some(Seconds(86_400)),
        session_idle: Some(Seconds(86_400)),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    // Ordered at a place with a shorter lifetime, as oxd-status has it.
    browser.settings.session_lifetime = Some(Seconds(3_600));
    browser.look("/oxd-status", |ctx| {
        end_marked(ctx, Mark::of(About::User, ctx.site, &["alice"])).unwrap();
    });
    browser.settings.session_lifetime = Some(Seconds(86_400));
    for hours in [0, 2, 8, 23] {
        browser.now = NOW + hours * 3_600;
        assert!(!is_signed_in(&browser), "after {hours} hours");
    }
}

#[test]
fn an_end_by_a_clock_that_was_ahead_locks_nobody_out() {
    let file = site("s");
    let store = FakeStore::default();
    for store in [None, Some(&store)] {
        let mut browser = with_store(&file, store);
        browser.now = NOW + 7_200;
        browser.look("/oxd-status", |ctx| {
            end_marked(ctx, Mark::of(About::User, ctx.site, &["alice"])).unwrap();
            end_all(ctx).unwrap();
        });
        // The clock is set back; with a store, the other machine's was right all the time and knows the end from there.
        browser.now = NOW;
        if store.is_some() {
            browser.memory = crate::testing::memory();
        }
        browser.log_in("/app");
        for seconds in [0, 60] {
            browser.now = NOW + seconds;
            browser.get("/oxd");
            assert!(is_signed_in(&browser), "{}", store.is_some());
        }
        // The next end is one again.
        browser.look("/oxd-status", |ctx| {
            end_marked(ctx, Mark::of(About::User, ctx.site, &["alice"])).unwrap();
        });
        assert!(!is_signed_in(&browser));
        browser.log_in("/app");
        assert!(is_signed_in(&browser));
    }
}

#[test]
fn a_page_and_the_log_name_a_user_as_far_as_they_may() {
    use crate::config::AuditUser;

    let site = site("s");
    for (claims, person, by_sub) in [
        (
            json!({"name": " Alice ", "email": "a@x", "sub": "1"}),
            "Alice",
            "user \"1\"",
        ),
        (
            json!({"name": " ", "email": "a@x", "sub": "1"}),
            "a@x",
            "user \"1\"",
        ),
        (
            json!({"preferred_username": "al", "sub": "1"}),
            "al",
            "user \"1\"",
        ),
        (json!({"sub": "1"}), "1", "user \"1\""),
        (json!({"sub": "a\"b"}), "a\"b", "user \"a\\\"b\""),
        (json!({}), "", "the user"),
    ] {
        let raw = claims::encode(claims.as_object().unwrap());
        let record = SessionRecord {
            claims: &raw,
            ..SessionRecord::default()
        };
        for (audit_user, expected) in [
            (None, by_sub),
            (Some(AuditUser::Sub), by_sub),
            (Some(AuditUser::None), "the user"),
        ] {
            let browser = Browser::at(RawSettings {
                site: Some(&site),
                audit_user,
                ..RawSettings::default()
            });
            browser.look("/app", |ctx| {
                assert_eq!(
                    super::person(&record, &ctx.settings.identity()),
                    person,
                    "{claims}"
                );
                assert_eq!(record.named_in_log(ctx), expected, "{claims}");
            });
        }
        let browser = Browser::at(RawSettings {
            site: Some(&site),
            audit_user: Some(AuditUser::Hash),
            ..RawSettings::default()
        });
        let named = browser.look("/app", |ctx| record.named_in_log(ctx));
        assert_eq!(
            named.starts_with("user #"),
            claims.get("sub").is_some(),
            "{named}"
        );
        let sub = claims["sub"].as_str().unwrap_or("never");
        assert!(
            !named.trim_start_matches("user #").contains(sub) || sub.len() == 1,
            "{named}"
        );
    }
    // Neither a token nor a session without a provider's has one in the trail.
    let who = SessionRecord::default().who();
    assert_eq!((who.session, who.provider_session), (None, None));
    let known = SessionRecord {
        id: [7; 16],
        marks: Marks {
            sid: 9,
            ..Default::default()
        },
        ..SessionRecord::default()
    };
    assert_eq!(
        (known.who().session, known.who().provider_session),
        (Some([7; 16]), Some(9))
    );
}
