//! Bearer tokens for rules and where nobody has to be known, and what a user who is refused is told.

use super::*;
use crate::access::rule::{ClaimRule, Refusing, Rule as _, Standing};
use crate::config::{BearerMode, UnautzAction};
use crate::testing::FakeOxd;

fn taking_tokens(file: &crate::config::SiteFile) -> Browser<'_> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        bearer: Some(BearerMode::Introspect),
        ..RawSettings::default()
    });
    browser.oxd = FakeOxd {
        introspection: Ok(json!({"active": true, "sub": "alice", "exp": NOW + 600})),
        ..FakeOxd::default()
    };
    browser
}

#[test]
fn a_place_that_takes_no_tokens_sees_none() {
    let file = site("s");
    for (mode, authorization, has_header, brings) in [
        (BearerMode::Introspect, Some("Bearer t"), true, true),
        (BearerMode::Introspect, Some("Bearer a b"), true, true),
        (BearerMode::Introspect, Some("Basic eA=="), false, false),
        (BearerMode::Introspect, None, false, false),
        (BearerMode::Off, Some("Bearer t"), true, false),
        (BearerMode::Off, None, false, false),
    ] {
        let mut browser = taking_tokens(&file);
        browser.settings.bearer = Some(mode);
        browser.authorization = authorization.map(str::to_owned);
        browser.look("/app", |ctx| {
            assert_eq!(
                has_bearer_header(ctx.request),
                has_header,
                "{mode:?} {authorization:?}"
            );
            assert_eq!(brings_token(ctx), brings, "{mode:?} {authorization:?}");
        });
    }
}

#[test]
fn a_rule_gets_the_identity_of_a_token_that_works() {
    let file = site("s");
    let away = crate::oxd::Error::NoAnswer {
        at: "http://oxd/x".into(),
        trouble: crate::oxd::Trouble::new(crate::oxd::Cause::ConnectionRefused, "scripted"),
    };
    let works = Ok(json!({"active": true, "sub": "alice"}));
    for (mode, authorization, introspection, expected) in [
        (BearerMode::Introspect, "Bearer t", works.clone(), "alice"),
        (
            BearerMode::Introspect,
            "Bearer t",
            Ok(json!({"active": false})),
            "nobody",
        ),
        (BearerMode::Introspect, "Bearer a b", works.clone(), "nobody"),
        (BearerMode::Introspect, "Bearer t", Err(away), "oxd_unreachable"),
        (BearerMode::Off, "Bearer t", works, "nobody"),
    ] {
        let mut browser = taking_tokens(&file);
        browser.settings.bearer = Some(mode);
        browser.authorization = Some(authorization.to_owned());
        browser.oxd.introspection = introspection;
        let who = MAIN.decide(&browser, |ctx, visit| match token_for_rule(ctx, visit) {
            Ok(Some(identity)) => identity.claim("sub").unwrap().as_str().unwrap().to_owned(),
            Ok(None) => "nobody".to_owned(),
            Err(failure) => failure.reason.code().to_owned(),
        });
        assert_eq!(who, expected, "{mode:?} {authorization}");
    }
}

#[test]
fn where_nobody_has_to_be_known_a_token_that_works_is_and_another_is_not() {
    let file = site("s");
    let mut browser = taking_tokens(&file);
    browser.settings.unauth_action = Some(UnauthAction::Pass);
    let greeted =
        |browser: &Browser<'_>| MAIN.decide(browser, |ctx, visit| outcome(&greet(ctx, visit).unwrap()));
    browser.authorization = Some("Bearer t".into());
    assert_eq!(greeted(&browser), Admit(0, false));
    browser.authorization = Some("Bearer a b".into());
    assert_eq!(greeted(&browser), Pass);
    // Without one the session counts.
    browser.authorization = None;
    assert_eq!(greeted(&browser), Pass);
    browser.log_in("/app");
    assert_eq!(greeted(&browser), Admit(0, false));
}

#[test]
fn a_subrequest_with_a_bad_token_gets_a_bare_status() {
    let file = site("s");
    let mut browser = taking_tokens(&file);
    browser.authorization = Some("Bearer a b".into());
    assert_eq!(
        (MAIN.enter(&browser), SUBREQUEST.enter(&browser)),
        (Respond(400), Status(400))
    );
}

#[test]
fn a_place_without_a_site_is_open_where_nobody_has_to_be_known() {
    let file = site("s");
    let missing = Failure::new(Reason::NotConfigured, "no OxdServer");
    for (action, is_subrequest, expected) in [
        (UnauthAction::Pass, false, Pass),
        (UnauthAction::Pass, true, Pass),
        (UnauthAction::Auto, true, Status(401)),
        (UnauthAction::Auto, false, Respond(500)),
    ] {
        let browser = Browser::at(RawSettings {
            site: Some(&file),
            unauth_action: Some(action),
            ..RawSettings::default()
        });
        let decided = browser.look("/app", |ctx| {
            outcome(&enter_without_site(ctx, is_subrequest, &missing))
        });
        assert_eq!(decided, expected, "{action:?}");
    }
}

/// What a user whom these rules refuse is answered at `/app`.
fn refused(browser: &Browser<'_>, unmet: Unmet<'_>) -> Response {
    MAIN.decide(browser, |ctx, visit| {
        let session = find(ctx, visit.held, visit.memory).unwrap();
        refuse(ctx, session.as_ref(), unmet)
    })
}

#[test]
fn who_is_refused_is_answered_as_the_place_says() {
    let file = site("s");
    let scopes = ["write".to_owned()];
    let scope = Unmet {
        scope: Some(&scopes),
        ..Unmet::default()
    };
    for (action, unmet, expected) in [
        (None, Unmet::default(), "403 forbidden"),
        (None, scope, "403 insufficient_scope"),
        (Some(UnautzAction::Status(403)), scope, "403 insufficient_scope"),
        (
            Some(UnautzAction::Status(401)),
            Unmet::default(),
            "401 login_required",
        ),
        (Some(UnautzAction::Login), Unmet::default(), "302 step_up_started"),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            unautz_action: action,
            ..RawSettings::default()
        });
        browser.log_in("/app");
        let answer = refused(&browser, unmet);
        assert_eq!(
            format!("{} {}", answer.status, answer.code.unwrap_or_default()),
            expected,
            "{action:?}"
        );
    }
}

#[test]
fn a_refusal_names_the_user_on_the_page_and_the_rule_in_the_log() {
    let file = site("s");
    let rule = ClaimRule::parse(&["sub".to_owned(), "bob".to_owned()]).unwrap();
    let refusing = Refusing {
        rule: &rule,
        standing: Standing::default(),
        before: None,
    };
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let answer = refused(
        &browser,
        Unmet {
            rules: Some(&refusing),
            ..Unmet::default()
        },
    );
    let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
    assert!(page.contains("Alice"), "{page}");
    assert!(
        page.contains("/oxd/login?return_to=%2Fapp&amp;prompt=login"),
        "another account: {page}"
    );
    let log = browser.log.0.borrow().join("\n");
    assert!(
        log.contains("/app does not let user 'alice' in: Require oxd-claim sub bob: sub is 'alice'"),
        "{log}"
    );
    // Nobody is signed in: no name, and no other account.
    browser.cookies.clear();
    let page = String::from_utf8_lossy(refused(&browser, Unmet::default()).body_bytes()).into_owned();
    assert!(
        !page.contains("Alice") && !page.contains("prompt=login"),
        "{page}"
    );
}

#[test]
fn a_step_up_is_tried_once_and_never_by_a_script_or_a_form() {
    let file = site("s");
    let wanted = ["u2f".to_owned(), "card".to_owned()];
    let unmet = Unmet {
        acr: Some(&wanted),
        ..Unmet::default()
    };
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let mut answer = refused(&browser, unmet);
    assert_eq!(answer.status, 302);
    let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
    assert_eq!(sent["acr_values"], json!(["u2f", "card"]));

    browser.headers.sec_fetch_mode = Some("cors");
    answer = refused(&browser, unmet);
    assert_eq!((answer.status, answer.code), (403, Some("acr_not_met")));
    browser.headers.sec_fetch_mode = None;
    browser.method = Method::Post;
    answer = refused(&browser, unmet);
    assert_eq!(answer.status, 403);
    let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
    assert!(
        page.contains("u2f, card") && page.contains("/oxd/login?return_to=%2Fapp"),
        "{page}"
    );
    browser.method = Method::Get;

    // The provider did not use any of them: a second try would go round in circles.
    answer = refused(&browser, unmet);
    browser.take_cookies(&answer.cookies);
    let state = browser.last_state();
    assert_eq!(
        browser.get(&format!("/oxd/callback?code=c&state={state}")).status,
        303
    );
    assert_eq!(refused(&browser, unmet).code, Some("acr_not_met"));
    let other = ["pin".to_owned()];
    let unmet = Unmet {
        acr: Some(&other),
        ..Unmet::default()
    };
    assert_eq!(
        refused(&browser, unmet).status,
        302,
        "another value was not tried"
    );
    // A login of any kind was not tried either; then it is.
    browser.settings.unautz_action = Some(UnautzAction::Login);
    assert_eq!(refused(&browser, Unmet::default()).status, 302);
}

#[test]
fn what_a_user_signed_in_with_before_counts_on_in_the_next_session_of_the_same_user() {
    let file = site("s");
    let holds = |browser: &Browser<'_>, value: &str| {
        MAIN.decide(browser, |ctx, visit| {
            let session = find(ctx, visit.held, visit.memory).unwrap().expect("a session");
            let rule = crate::access::rule::AcrRule::parse(&[value.to_owned()]).unwrap();
            rule.check(ctx, &session) == crate::access::rule::Verdict::Met
        })
    };
    for (changes, is_same) in [
        (json!({}), true),
        (json!({"sub": "bob"}), false),
        (json!({"iss": "https://other"}), false),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            user_info: Some(UserInfo::Off),
            ..RawSettings::default()
        });
        browser.log_in("/app");
        browser.oxd.id_token_claims["acr"] = json!("u2f");
        for (name, value) in changes.as_object().unwrap() {
            browser.oxd.id_token_claims[name] = value.clone();
        }
        browser.log_in("/app");
        assert!(holds(&browser, "u2f"));
        assert_eq!(holds(&browser, "basic"), is_same, "{changes}");
    }
}
