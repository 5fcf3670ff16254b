//! Table tests of the decision at a protected location, one row per case.

use crate::base::{Reason, Seconds};
use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::config::{PostPreserve, RawSettings, RemoteUser, UserInfo};
use crate::http::Method;
use crate::session::Leaked;
use crate::testing::{Browser, FakeStore, NOW, header, memory, site};

/// A decision, in a form that a table can compare.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// Let in as `alice`; the number of cookies that the answer carries, and whether the session was renewed.
    Admit(usize, bool),
    Pass,
    /// The status of an answer.
    Respond(u16),
    /// A bare status.
    Status(u16),
}

use Outcome::{Admit, Pass, Respond, Status};

fn outcome(admission: &Admission<'_>) -> Outcome {
    match admission {
        Admission::Admit(admitted) => {
            assert_eq!(admitted.user.as_ref(), b"alice\0");
            Admit(admitted.cookies.len(), admitted.is_renewed)
        }
        Admission::Pass => Pass,
        Admission::Respond(response) => Respond(response.status),
        Admission::Status(status) => Status(*status),
    }
}

/// A request at the place `/app`, as the Apache layer makes one.
#[derive(Clone, Copy, Default)]
struct Asked {
    is_subrequest: bool,
    is_renewed: bool,
}

impl Asked {
    fn decide<A>(self, browser: &Browser<'_>, look: impl FnOnce(&Ctx<'_>, &Visit<'_, 'static>) -> A) -> A {
        browser.look("/app", |ctx| {
            let visit = Visit {
                is_subrequest: self.is_subrequest,
                is_renewed: self.is_renewed,
                held: None,
                token: None,
                memory: &Leaked,
                read_form: &|_| Ok(Form::Read(b"a=1".to_vec())),
            };
            look(ctx, &visit)
        })
    }

    fn enter(self, browser: &Browser<'_>) -> Outcome {
        self.decide(browser, |ctx, visit| outcome(&enter(ctx, visit)))
    }
}

const MAIN: Asked = Asked {
    is_subrequest: false,
    is_renewed: false,
};
const SUBREQUEST: Asked = Asked {
    is_subrequest: true,
    is_renewed: false,
};
const RENEWED: Asked = Asked {
    is_subrequest: false,
    is_renewed: true,
};

#[test]
fn without_a_session_the_place_decides() {
    let site = site("s");
    let browser = |action| {
        Browser::at(RawSettings {
            site: Some(&site),
            unauth_action: action,
            ..RawSettings::default()
        })
    };
    for (action, asked, expected) in [
        (None, MAIN, Respond(302)),
        (None, SUBREQUEST, Status(401)),
        (Some(UnauthAction::Login), MAIN, Respond(302)),
        (Some(UnauthAction::Status(401)), MAIN, Respond(401)),
        (Some(UnauthAction::Status(404)), MAIN, Respond(404)),
        (Some(UnauthAction::Status(404)), SUBREQUEST, Status(401)),
        (Some(UnauthAction::Pass), MAIN, Pass),
        (Some(UnauthAction::Pass), SUBREQUEST, Pass),
    ] {
        assert_eq!(asked.enter(&browser(action)), expected, "{action:?}");
    }
}

#[test]
fn with_a_session_its_age_and_use_decide() {
    let site = site("s");
    let settings = RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    };
    let aged = RawSettings {
        max_age: Some(Seconds(600)),
        ..settings
    };
    let pass = RawSettings {
        unauth_action: Some(UnauthAction::Pass),
        ..settings
    };
    let aged_pass = RawSettings {
        max_age: Some(Seconds(600)),
        ..pass
    };
    for (name, settings, later, asked, expected) in [
        ("fresh", settings, 0, MAIN, Admit(0, false)),
        ("fresh, in a subrequest", settings, 0, SUBREQUEST, Admit(0, false)),
        ("its use is due to be written", settings, 5, MAIN, Admit(1, true)),
        (
            "due, but the answer has it already",
            settings,
            5,
            RENEWED,
            Admit(0, false),
        ),
        (
            "due, but nobody sees the answer",
            settings,
            5,
            SUBREQUEST,
            Admit(0, false),
        ),
        ("idle for too long", settings, 3_600, MAIN, Respond(302)),
        (
            "idle for too long, in a subrequest",
            settings,
            3_600,
            SUBREQUEST,
            Status(401),
        ),
        ("young enough for OxdMaxAge", aged, 600, MAIN, Admit(1, true)),
        ("too old for OxdMaxAge", aged, 601, MAIN, Respond(302)),
        ("too old, in a subrequest", aged, 601, SUBREQUEST, Status(401)),
        ("known where nobody has to be", pass, 0, MAIN, Admit(0, false)),
        ("over, where nobody has to be", pass, 3_600, MAIN, Pass),
        ("too old, where nobody has to be", aged_pass, 601, MAIN, Pass),
    ] {
        let mut browser = Browser::at(settings);
        browser.oxd.id_token_claims = json!({"sub": "alice", "exp": NOW + 9_999, "auth_time": NOW});
        browser.log_in("/app");
        browser.now = NOW + later;
        assert_eq!(asked.enter(&browser), expected, "{name}");
    }
}

#[test]
fn a_session_that_has_ended_or_is_not_to_be_asked_for_lets_nobody_in() {
    let (site, store) = (site("s"), FakeStore::default());
    for in_store in [false, true] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            ..RawSettings::default()
        });
        browser.store = in_store.then_some(&store);
        browser.log_in("/app");
        assert_eq!(MAIN.enter(&browser), Admit(0, false));
        browser.look("/", |ctx| session::end_own(ctx).unwrap());
        assert_eq!(MAIN.enter(&browser), Respond(302), "the cookie is still there");
        assert_eq!(SUBREQUEST.enter(&browser), Status(401));
    }
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        unauth_action: Some(UnauthAction::Pass),
        ..RawSettings::default()
    });
    browser.store = Some(&store);
    browser.log_in("/app");
    store.is_down.store(true, Ordering::SeqCst);
    // Not even where nobody has to be signed in: nobody knows who this is.
    assert_eq!(MAIN.enter(&browser), Respond(503));
    assert_eq!(SUBREQUEST.enter(&browser), Status(503));
    assert!(MAIN.decide(&browser, |ctx, visit| greet(ctx, visit).is_err()));
    browser.cookies.clear();
    assert_eq!(
        MAIN.enter(&browser),
        Pass,
        "without a cookie there is nothing to ask the store for"
    );
}

#[test]
fn a_session_that_another_machine_has_ended_is_cleared_when_its_use_is_written() {
    let (site, store) = (site("s"), FakeStore::default());
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.store = Some(&store);
    browser.log_in("/app");
    let here = std::mem::replace(&mut browser.memory, memory());
    // The list of the user's sessions was lost, so that the entry itself is still there.
    let entries = store.entries.lock().unwrap().clone();
    browser.look("/", |ctx| session::end_all(ctx).unwrap());
    for (key, value) in entries {
        store.entries.lock().unwrap().entry(key).or_insert(value);
    }
    browser.memory = here;
    assert_eq!(
        MAIN.enter(&browser),
        Admit(0, false),
        "this machine has not heard of it"
    );
    browser.now = NOW + 5;
    MAIN.decide(&browser, |ctx, visit| match enter(ctx, visit) {
        Admission::Respond(response) => {
            assert_eq!(response.status, 302);
            assert!(
                response
                    .cookies
                    .iter()
                    .any(|line| line.starts_with("oxd_session=;"))
            );
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_session_that_is_known_already_is_not_opened_again() {
    let (site, other, store) = (site("s"), site("other"), FakeStore::default());
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.store = Some(&store);
    browser.log_in("/app");
    let written = browser
        .look("/", |ctx| session::with_own(ctx, |own| own.unwrap().written(ctx)))
        .unwrap();
    let enter_held = |browser: &Browser<'_>| {
        MAIN.decide(browser, |ctx, visit| {
            let held = Held {
                session: Opened::of_written(&written, NOW, &Leaked).unwrap(),
                site: SiteId("s"),
            };
            let visit = Visit {
                held: Some(&held),
                ..*visit
            };
            outcome(&enter(ctx, &visit))
        })
    };
    let before = store.asked.load(Ordering::SeqCst);
    assert_eq!(enter_held(&browser), Admit(0, false));
    assert_eq!(store.asked.load(Ordering::SeqCst), before);
    browser.settings.site = Some(&other);
    assert_eq!(enter_held(&browser), Respond(302), "of another site");
    assert!(store.asked.load(Ordering::SeqCst) > before);
}

#[test]
fn a_user_without_a_name_is_refused_and_named_users_are_greeted() {
    let site = site("s");
    let rule = RemoteUser {
        claim: "email".into(),
        rewrite: None,
    };
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let greeted =
        |browser: &Browser<'_>| MAIN.decide(browser, |ctx, visit| outcome(&greet(ctx, visit).unwrap()));
    assert_eq!(greeted(&browser), Admit(0, false));
    browser.settings.remote_user = Some(&rule);
    assert_eq!(MAIN.enter(&browser), Respond(403));
    browser.cookies.clear();
    assert_eq!(greeted(&browser), Pass);
}

#[test]
fn a_form_is_kept_or_refused_but_never_lost_in_a_redirect() {
    let site = site("s");
    for (kept, content_type, expected) in [
        (None, "application/x-www-form-urlencoded", 401),
        (Some(PostPreserve::Off), "application/x-www-form-urlencoded", 401),
        (
            Some(PostPreserve::UpTo(100)),
            "application/x-www-form-urlencoded",
            401,
        ),
        (Some(PostPreserve::UpTo(100)), "application/json", 401),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            post_preserve: kept,
            ..RawSettings::default()
        });
        browser.method = Method::Post;
        browser.headers.content_type = Some(content_type);
        browser.headers.origin = Some("https://app.example");
        MAIN.decide(&browser, |ctx, visit| match enter(ctx, visit) {
            Admission::Respond(response) => {
                assert_eq!(response.status, expected);
                let is_kept = response.code == Some("form_kept");
                let wanted =
                    matches!(kept, Some(PostPreserve::UpTo(_))) && content_type.ends_with("urlencoded");
                assert_eq!(is_kept, wanted, "{kept:?} {content_type}");
            }
            other => panic!("{other:?}"),
        });
    }
    // A body that cannot be read is httpd's to answer.
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        post_preserve: Some(PostPreserve::UpTo(100)),
        ..RawSettings::default()
    });
    browser.method = Method::Post;
    MAIN.decide(&browser, |ctx, visit| {
        let visit = Visit {
            read_form: &|_| Err(408),
            ..*visit
        };
        assert_eq!(outcome(&enter(ctx, &visit)), Status(408));
    });
}

#[test]
fn a_place_without_a_site_says_what_is_missing() {
    let site = site("s");
    let browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    let missing = Failure::new(Reason::NotConfigured, "/app: this place has no OxdServer");
    browser.look("/app", |ctx| {
        let decide = |is_subrequest| outcome(&enter_without_site(ctx, is_subrequest, &missing));
        assert_eq!((decide(false), decide(true)), (Respond(500), Status(401)));
    });
    assert!(
        browser
            .log
            .0
            .borrow()
            .iter()
            .any(|line| line.contains("OxdServer"))
    );
}

#[test]
fn whom_the_rules_refuse_gets_403_a_step_up_or_a_sign_in() {
    let site = site("s");
    let wanted = ["u2f".to_owned()];
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let refused = |browser: &Browser<'_>, wanted: Option<&[String]>| {
        MAIN.decide(browser, |ctx, visit| {
            let session = find(ctx, visit.held, visit.memory).unwrap();
            refuse(
                ctx,
                session.as_ref(),
                Unmet {
                    acr: wanted,
                    ..Unmet::default()
                },
            )
        })
    };
    assert_eq!(refused(&browser, None).status, 403);
    let step_up = refused(&browser, Some(&wanted));
    assert!(step_up.status == 302 && header(&step_up, "Location").is_some());
    // A form is not sent there, as it would be lost: its user is told, and can go.
    browser.method = Method::Post;
    let told = refused(&browser, Some(&wanted));
    let page = String::from_utf8_lossy(told.body_bytes()).into_owned();
    assert!(
        told.status == 403 && page.contains("href=\"/oxd/login?return_to=%2Fapp\""),
        "{page}"
    );
    browser.method = Method::Get;
    browser.settings.unauth_action = Some(UnauthAction::Pass);
    assert_eq!(
        refused(&browser, None).status,
        403,
        "no login would change what the rules say of this user"
    );
    browser.cookies.clear();
    assert_eq!(
        refused(&browser, None).status,
        401,
        "`pass` with a rule that needs a user"
    );
}

mod refresh;
mod refused;
mod tokens;
