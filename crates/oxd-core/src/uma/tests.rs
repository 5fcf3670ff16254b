//! Decisions, one row per case.

use serde_json::{Map, Value, json};

use super::*;
use crate::config::RawSettings;
use crate::config::resources::Resources;
use crate::oxd::{BadAnswer, Error};
use crate::testing::{Browser, NOW, site};

fn resources() -> Resources {
    let list = json!({"resources": [{"path": "/photo/?", "conditions": [{"httpMethods": ["GET"], "scopes": ["see", "print"]}]}]});
    Resources::parse(list.to_string().as_bytes()).unwrap()
}

/// What is decided, in a form that a table can compare.
fn decided(browser: &Browser<'_>, path: &str, rpt: Option<&str>, scopes: &[&str]) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    browser.look(path, |ctx| {
        let uma = ctx.settings.uma().expect("resources");
        match decide(ctx, &uma, "GET", rpt, &scopes) {
            Decision::Granted(_) => "granted".to_owned(),
            Decision::Open => "open".to_owned(),
            Decision::Ticket(challenge) => challenge,
            Decision::Gather { url, .. } => url,
            Decision::Refused(failure) => failure.reason.code().to_owned(),
        }
    })
}

fn told(permissions: Value) -> Result<Value, Error> {
    Ok(json!({"active": true, "exp": NOW + 600, "client_id": "app", "permissions": permissions}))
}

fn permission(scopes: &[&str]) -> Value {
    json!({"resource_id": "1", "resource_scopes": scopes, "exp": NOW + 600})
}

const CHALLENGE: &str = "UMA realm=\"rs\", ticket=\"t\"";

fn denied(_: &Map<String, Value>) -> Result<Value, Error> {
    Ok(json!({"access": "denied", "ticket": "t", "www-authenticate_header": CHALLENGE}))
}

/// As oxd: an RPT opens it, and nothing does without one; `print` alone is not granted.
fn by_rpt(request: &Map<String, Value>) -> Result<Value, Error> {
    let wants_print = request.get("scopes") == Some(&json!(["print"]));
    if request["rpt"] == json!("") || wants_print {
        return denied(request);
    }
    assert_eq!(request["path"], json!("/photo/?"), "the registered path");
    Ok(json!({"access": "granted"}))
}

fn refusal(status: u16, said: &str) -> Error {
    BadAnswer::scripted_as(UmaCheckAccess::COMMAND, status, "invalid_request", said)
}

type Access = fn(&Map<String, Value>) -> Result<Value, Error>;
/// What it is, the RPT, the rule's scopes, what introspection says, what check-access says, the decision.
type Row = (
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    Result<Value, Error>,
    Access,
    &'static str,
);

#[test]
fn an_rpt_opens_what_oxd_and_its_permissions_say() {
    let (site, resources) = (site("site"), resources());
    let see = || told(json!([permission(&["see"])]));
    let rows: Vec<Row> = vec![
        ("no RPT", None, &[], see(), by_rpt, CHALLENGE),
        ("a good one", Some("r"), &[], see(), by_rpt, "granted"),
        (
            "one that is not active",
            Some("r"),
            &[],
            Ok(json!({"active": false})),
            denied,
            CHALLENGE,
        ),
        (
            "one that oxd does not take here",
            Some("r"),
            &[],
            see(),
            denied,
            CHALLENGE,
        ),
        (
            "one with the scope",
            Some("r"),
            &["see"],
            see(),
            by_rpt,
            "granted",
        ),
        (
            "one without a scope",
            Some("r"),
            &["print"],
            see(),
            denied,
            CHALLENGE,
        ),
        (
            "two scopes in one permission, one of them refused by oxd",
            Some("r"),
            &["see", "print"],
            told(json!([permission(&["see", "print"])])),
            by_rpt,
            "insufficient_scope",
        ),
        (
            "two scopes in two permissions",
            Some("r"),
            &["see", "print"],
            told(json!([permission(&["see"]), permission(&["print"])])),
            denied,
            CHALLENGE,
        ),
        (
            "a permission that has ended",
            Some("r"),
            &[],
            told(json!([{"resource_id": "1", "resource_scopes": ["see"], "exp": NOW - 1}])),
            denied,
            CHALLENGE,
        ),
        (
            "one without permissions",
            Some("r"),
            &[],
            told(json!([])),
            denied,
            CHALLENGE,
        ),
        (
            "denied without a ticket",
            None,
            &[],
            see(),
            |_| Ok(json!({"access": "denied"})),
            "uma_denied",
        ),
        (
            "a challenge that is no header",
            None,
            &[],
            see(),
            |_| Ok(json!({"access": "denied", "ticket": "t", "www-authenticate_header": "a\r\nX: y"})),
            "uma_denied",
        ),
        (
            "a path that oxd does not know",
            None,
            &[],
            see(),
            |_| Err(refusal(400, "not protected")),
            "uma_unprotected",
        ),
        (
            "oxd in trouble",
            None,
            &[],
            see(),
            |_| Err(refusal(500, "said")),
            "oxd_answer",
        ),
        (
            "introspection in trouble",
            Some("r"),
            &[],
            Err(refusal(500, "said")),
            by_rpt,
            "oxd_answer",
        ),
    ];
    for (what, rpt, scopes, introspection, access, expected) in rows {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            uma_resources: Some(&resources),
            ..RawSettings::default()
        });
        browser.oxd.rpt = introspection;
        browser.oxd.access = access;
        assert_eq!(decided(&browser, "/photo/1", rpt, scopes), expected, "{what}");
    }
}

#[test]
fn other_paths_are_closed_unless_told_otherwise_and_oxd_is_not_asked() {
    let (site, resources) = (site("site"), resources());
    for (open, expected) in [(None, "uma_unprotected"), (Some(true), "open")] {
        let browser = Browser::at(RawSettings {
            site: Some(&site),
            uma_resources: Some(&resources),
            uma_open_elsewhere: open,
            ..RawSettings::default()
        });
        assert_eq!(decided(&browser, "/elsewhere", Some("r"), &[]), expected);
        assert!(browser.oxd.commands().is_empty());
    }
}

#[test]
fn a_grant_is_kept_and_never_past_a_permission() {
    let (site, resources) = (site("site"), resources());
    for (permission_for, after, asked) in [(600, 9, 1), (600, 10, 2), (5, 4, 1), (5, 5, 2)] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            uma_resources: Some(&resources),
            ..RawSettings::default()
        });
        let permission = json!({"resource_id": "1", "resource_scopes": ["see"], "exp": NOW + permission_for});
        browser.oxd.rpt = told(json!([permission]));
        browser.oxd.access = by_rpt;
        for now in [NOW, NOW + after] {
            browser.now = now;
            decided(&browser, "/photo/1", Some("r"), &[]);
        }
        let introspections = browser.oxd.commands();
        let introspections = introspections
            .iter()
            .filter(|command| **command == "introspect-rpt");
        assert_eq!(introspections.count(), asked, "{permission_for} {after}");
    }
}

/// A place with resources, at which `rpt` is introspected so.
fn place<'s>(file: &'s crate::config::SiteFile, resources: &'s Resources, told: Value) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        uma_resources: Some(resources),
        ..RawSettings::default()
    });
    browser.oxd.rpt = Ok(told);
    browser.oxd.access = by_rpt;
    browser
}

#[test]
fn what_an_rpt_says_are_the_claims_of_its_bearer() {
    let (file, resources) = (site("site"), resources());
    let signer = crate::testing::ed25519("k");
    let jwt = |claims: Value| signer.sign(Some("k"), None, &claims);
    let two = json!([permission(&["see", "print"]), permission(&["see"])]);
    for (rpt, own, expected) in [
        ("opaque".to_owned(), json!(null), json!(null)),
        ("opaque".to_owned(), json!("alice"), json!("alice")),
        (jwt(json!({"sub": "bob"})), json!(null), json!("bob")),
        (jwt(json!({"sub": "bob"})), json!("alice"), json!("alice")),
        (
            jwt(json!({"pct_claims": {"sub": ["carol"]}})),
            json!(null),
            json!("carol"),
        ),
        (
            jwt(json!({"pct_claims": {"sub": ["carol", "dan"]}})),
            json!(null),
            json!(null),
        ),
    ] {
        for is_signed in [true, false] {
            let told = json!({"active": true, "sub": own, "permissions": two});
            let mut browser = place(&file, &resources, told);
            if is_signed {
                browser.oxd.keys = vec![signer.public.clone()];
            }
            let claims = browser.look("/photo/1", |ctx| {
                let uma = ctx.settings.uma().unwrap();
                match decide(ctx, &uma, "GET", Some(&rpt), &[]) {
                    Decision::Granted(record) => {
                        let record = session::SessionRecord::read(&record).unwrap();
                        Value::Object(claims::to_json(&record))
                    }
                    other => panic!("{other:?}"),
                }
            });
            let expected = if is_signed { &expected } else { &own };
            let sub = claims.get("sub").unwrap_or(&Value::Null);
            assert_eq!((sub, &claims["scope"]), (expected, &json!("print see")), "{rpt}");
            assert_eq!(
                claims["permissions"][0]["resource_scopes"],
                json!(["see", "print"])
            );
        }
    }
}

#[test]
fn what_one_rpt_opens_another_does_not() {
    let (file, resources) = (site("site"), resources());
    let mut browser = place(&file, &resources, told(json!([permission(&["see"])])).unwrap());
    assert_eq!(decided(&browser, "/photo/1", Some("good"), &[]), "granted");
    browser.oxd.rpt = Ok(json!({"active": false}));
    browser.oxd.access = denied;
    assert_eq!(decided(&browser, "/photo/1", Some("bad"), &[]), CHALLENGE);
    assert_eq!(
        decided(&browser, "/photo/1", Some("good"), &[]),
        "granted",
        "what is known of it is kept"
    );
}

#[test]
fn rpts_are_counted_by_what_they_were_worth() {
    let (file, resources) = (site("site"), resources());
    for (rpt, access, expected) in [
        (
            told(json!([permission(&["see"])])),
            by_rpt as Access,
            Worth::Active,
        ),
        (Ok(json!({"active": false})), denied, Worth::Refused),
        (Err(refusal(500, "said")), by_rpt, Worth::Unknown),
        (
            told(json!([])),
            |_| Ok(json!({"access": "denied"})),
            Worth::Refused,
        ),
    ] {
        let mut browser = place(&file, &resources, json!({}));
        (browser.oxd.rpt, browser.oxd.access) = (rpt, access);
        browser.authorization = Some("Bearer r".into());
        browser.look("/photo/1", |ctx| {
            let uma = ctx.settings.uma().unwrap();
            let decision = decide(ctx, &uma, "GET", Some("r"), &[]);
            assert_eq!(decision.worth(), expected, "{decision:?}");
        });
    }
}

/// A refusal is in the audit trail; what is about oxd or the configuration is not.
#[test]
fn only_refusals_are_in_the_trail() {
    let (file, resources) = (site("site"), resources());
    for (reason, expected) in [
        (Reason::InsufficientScope, 1),
        (Reason::OxdUnreachable, 0),
        (Reason::InvalidToken, 1),
    ] {
        let trail = crate::testing::Trail::default();
        let mut browser = place(&file, &resources, json!({}));
        browser.settings.audit_log = Some(Some(&trail));
        browser.look("/photo/1", |ctx| {
            let unopened = Unopened::Refused(reason, "said");
            assert_eq!(answer(ctx, unopened).status, reason.status(), "{reason:?}");
        });
        assert_eq!(trail.lines.lock().unwrap().len(), expected, "{reason:?}");
    }
}
