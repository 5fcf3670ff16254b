//! Tokens and their outcomes, one row per case.

use serde_json::{Value, json};

use crate::access::{Admission, Unmet, enter, refuse};
use crate::base::{Seconds, Secret};
use crate::bearer::header::{Presented, presented};
use crate::config::{BearerCache, BearerMode, RawSettings, ResourceMetadata, SiteFile, UnauthAction};
use crate::http::{Body, Response};
use crate::oxd::commands::introspect_access_token::IntrospectAccessToken;
use crate::oxd::{BadAnswer, Cause, Error, Request as _, Trouble};
use crate::session::claims::lookup;
use crate::testing::{Browser, NOW, Signer, ed25519, header, p256, site};

fn of_client() -> SiteFile {
    SiteFile {
        client_id: Some("client".into()),
        client_secret: Some(Secret::new("secret".into())),
        op_host: Some("https://op".into()),
        ..site("site")
    }
}

/// A place that takes bearer tokens.
fn place(site: &SiteFile, mode: BearerMode) -> Browser<'_> {
    Browser::at(RawSettings {
        site: Some(site),
        bearer: Some(mode),
        ..RawSettings::default()
    })
}

/// Who is let in, or the status and the word of the error.
fn outcome(browser: &Browser<'_>) -> String {
    browser.visit("/app", |ctx, visit| match enter(ctx, visit) {
        Admission::Admit(admitted) => {
            let user = String::from_utf8_lossy(&admitted.user).into_owned();
            user.trim_end_matches('\0').to_owned()
        }
        Admission::Pass => "pass".to_owned(),
        Admission::Status(status) => status.to_string(),
        Admission::Respond(answer) => told(&answer),
    })
}

/// The status, the scheme of the challenge and the word of the error of an answer.
fn told(answer: &Response) -> String {
    let mut text = answer.status.to_string();
    if let Some(challenge) = header(answer, "WWW-Authenticate") {
        assert!(
            challenge.starts_with("Bearer realm=\"app.example\""),
            "{challenge}"
        );
        let word = challenge
            .split_once("error=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        text.push_str(&format!(" {}", word.map_or("-", |(word, _)| word)));
    }
    text
}

fn introspected(changes: Value) -> Value {
    let mut all = json!({
        "active": true, "scope": ["openid", "read"], "client_id": "app", "username": "zoe", "token_type": "Bearer",
        "exp": NOW + 600, "iat": NOW - 10, "sub": "alice", "aud": "api", "iss": "https://op",
    });
    merge(&mut all, &changes);
    all
}

fn merge(all: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "-" => drop(all.as_object_mut().unwrap().remove(name)),
            _ => all[name] = value.clone(),
        }
    }
}

fn refusal(status: u16, word: &str) -> Error {
    BadAnswer::scripted_as(IntrospectAccessToken::COMMAND, status, word, "said by oxd")
}

fn no_answer(cause: Cause) -> Error {
    Error::NoAnswer {
        at: "http://oxd/x".into(),
        trouble: Trouble::new(cause, "scripted"),
    }
}

#[test]
fn what_oxd_says_decides() {
    let says = |changes| Ok(introspected(changes));
    let rows: Vec<(&str, Result<Value, Error>, &str)> = vec![
        ("active", says(json!({})), "alice"),
        ("not active", says(json!({"active": false})), "401 invalid_token"),
        ("nothing said of it", Ok(json!({})), "401 invalid_token"),
        (
            "active is null",
            says(json!({"active": null})),
            "401 invalid_token",
        ),
        (
            "expired, yet active",
            says(json!({"exp": 1})),
            "401 invalid_token",
        ),
        ("expired a moment ago", says(json!({"exp": NOW - 29})), "alice"),
        (
            "expired 30 s ago",
            says(json!({"exp": NOW - 30})),
            "401 invalid_token",
        ),
        ("no exp", says(json!({"exp": "-"})), "alice"),
        ("exp is null", says(json!({"exp": null})), "alice"),
        (
            "exp is nonsense",
            says(json!({"exp": "soon"})),
            "401 invalid_token",
        ),
        (
            "of a client alone",
            says(json!({"sub": "-", "username": "-"})),
            "app",
        ),
        ("of nobody", says(json!({"sub": "-", "client_id": "-"})), "403"),
        (
            "bound to a key",
            says(json!({"token_type": "DPoP"})),
            "401 invalid_token",
        ),
        ("lower case", says(json!({"token_type": "bearer"})), "alice"),
        ("no token_type", says(json!({"token_type": "-"})), "alice"),
        ("no scope", says(json!({"scope": "-"})), "alice"),
        (
            "aud or acr_values is a list",
            Err(refusal(500, "internal_error")),
            "401 invalid_token",
        ),
        ("site unknown", Err(refusal(400, "invalid_oxd_id")), "503"),
        ("another failure of oxd", Err(refusal(500, "unsupported")), "503"),
        (
            "the same word in another status",
            Err(refusal(400, "internal_error")),
            "503",
        ),
        (
            "oxd's framework refuses",
            Err(refusal(400, "")),
            "401 invalid_token",
        ),
        ("oxd away", Err(no_answer(Cause::ConnectionRefused)), "503"),
        ("oxd slow", Err(no_answer(Cause::NoAnswer)), "503"),
    ];
    let site = of_client();
    for (what, introspection, expected) in rows {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.authorization = Some("Bearer token-1".into());
        browser.oxd.introspection = introspection;
        assert_eq!(outcome(&browser), expected, "{what}");
        assert_eq!(browser.oxd.commands(), ["introspect-access-token"], "{what}");
    }
}

fn claims(changes: Value) -> Value {
    let mut all = json!({
        "iss": "https://op", "sub": "alice", "aud": "client", "exp": NOW + 600, "iat": NOW, "client_id": "app",
        "scope": "openid read", "jti": "1",
    });
    merge(&mut all, &changes);
    all
}

#[test]
fn a_jwt_is_verified_by_the_providers_keys() {
    let (ed, ec, other) = (ed25519("ed"), p256("ec"), p256("other"));
    let at = |signer: &Signer, changes| {
        signer.sign(signer.public["kid"].as_str(), Some("at+jwt"), &claims(changes))
    };
    let typ = |typ, changes| ed.sign(Some("ed"), typ, &claims(changes));
    let tampered = {
        let good = at(&ed, json!({}));
        let parts: Vec<&str> = good.split('.').collect();
        format!(
            "{}.{}.{}",
            parts[0],
            at(&ed, json!({"sub": "root"})).split('.').nth(1).unwrap(),
            parts[2]
        )
    };
    let unsigned = {
        let part = |value: Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
        format!("{}.{}.", part(json!({"alg": "none"})), part(claims(json!({}))))
    };
    let rows: Vec<(&str, String, &str)> = vec![
        ("Ed25519", at(&ed, json!({})), "alice"),
        ("P-256", at(&ec, json!({})), "alice"),
        (
            "typ application/at+jwt",
            typ(Some("application/at+jwt"), json!({})),
            "alice",
        ),
        ("typ JWT", typ(Some("JWT"), json!({})), "alice"),
        ("no typ", typ(None, json!({})), "alice"),
        (
            "another typ",
            typ(Some("logout+jwt"), json!({})),
            "401 invalid_token",
        ),
        (
            "an id token by its nonce",
            typ(Some("JWT"), json!({"nonce": "n"})),
            "401 invalid_token",
        ),
        (
            "an id token by its at_hash",
            typ(None, json!({"at_hash": "h"})),
            "401 invalid_token",
        ),
        (
            "a logout token",
            typ(Some("JWT"), json!({"events": {}})),
            "401 invalid_token",
        ),
        (
            "a key of somebody else",
            at(&other, json!({})),
            "401 invalid_token",
        ),
        ("tampered with", tampered, "401 invalid_token"),
        ("unsigned", unsigned, "401 invalid_token"),
        (
            "another issuer",
            at(&ed, json!({"iss": "https://evil"})),
            "401 invalid_token",
        ),
        ("no issuer", at(&ed, json!({"iss": "-"})), "401 invalid_token"),
        (
            "another audience",
            at(&ed, json!({"aud": "api"})),
            "401 invalid_token",
        ),
        ("no audience", at(&ed, json!({"aud": "-"})), "401 invalid_token"),
        (
            "several audiences",
            at(&ed, json!({"aud": ["api", "client"]})),
            "alice",
        ),
        ("expired", at(&ed, json!({"exp": NOW - 30})), "401 invalid_token"),
        ("no exp", at(&ed, json!({"exp": "-"})), "401 invalid_token"),
        (
            "not yet valid",
            at(&ed, json!({"nbf": NOW + 31})),
            "401 invalid_token",
        ),
        ("valid in a moment", at(&ed, json!({"nbf": NOW + 30})), "alice"),
        ("of a client alone", at(&ed, json!({"sub": "-"})), "app"),
        ("no JWT", "opaque".into(), "401 invalid_token"),
    ];
    let site = of_client();
    for (what, token, expected) in rows {
        let mut browser = place(&site, BearerMode::Jwt);
        browser.oxd.keys = vec![ed.public.clone(), ec.public.clone()];
        browser.oxd.issuer = Some("https://op".into());
        browser.authorization = Some(format!("Bearer {token}"));
        assert_eq!(outcome(&browser), expected, "{what}");
    }
}

#[test]
fn a_place_may_name_whom_tokens_are_for() {
    let site = of_client();
    let audience = vec!["api".to_owned(), "other".to_owned()];
    for (aud, expected) in [
        (json!("api"), "alice"),
        (json!("client"), "401 invalid_token"),
        (json!("-"), "401 invalid_token"),
    ] {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.settings.bearer_audience = Some(&audience);
        browser.authorization = Some("Bearer t".into());
        browser.oxd.introspection = Ok(introspected(json!({"aud": aud})));
        assert_eq!(outcome(&browser), expected, "{aud}");
    }
}

#[test]
fn with_both_only_what_is_no_jwt_goes_to_oxd() {
    let (site, ed) = (of_client(), ed25519("ed"));
    let mut browser = place(&site, BearerMode::JwtOrIntrospect);
    browser.oxd.keys = vec![ed.public.clone()];
    browser.oxd.introspection = Ok(introspected(json!({"sub": "bob"})));
    let jwt = ed.sign(Some("ed"), Some("at+jwt"), &claims(json!({})));
    browser.authorization = Some(format!("Bearer {jwt}"));
    assert_eq!(outcome(&browser), "alice");
    assert!(!browser.oxd.commands().contains(&"introspect-access-token"));
    browser.authorization = Some("Bearer opaque".into());
    assert_eq!(outcome(&browser), "bob");
    // Where JWTs alone are taken, oxd is not asked.
    browser.settings.bearer = Some(BearerMode::Jwt);
    assert_eq!(outcome(&browser), "401 invalid_token");
    browser.settings.bearer = Some(BearerMode::JwtOrIntrospect);
    // A JWT that is refused is not asked about.
    let expired = ed.sign(Some("ed"), Some("at+jwt"), &claims(json!({"exp": 1})));
    browser.authorization = Some(format!("Bearer {expired}"));
    assert_eq!(outcome(&browser), "401 invalid_token");
}

#[test]
fn the_header_decides_session_or_not() {
    let site = of_client();
    let long = format!("Bearer {}", "a".repeat(20_000));
    let rows = [
        (None, "302"),
        (Some("Basic dXNlcg=="), "302"),
        (Some("Bearer"), "400 invalid_request"),
        (Some("Bearer a b"), "400 invalid_request"),
        (Some("Bearer a, Bearer b"), "400 invalid_request"),
        (Some("Basic dXNlcg==, Bearer a"), "400 invalid_request"),
        (Some("Bearer a\"b"), "401 invalid_token"),
        (Some(long.as_str()), "401 invalid_token"),
    ];
    for (authorization, expected) in rows {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.authorization = authorization.map(str::to_owned);
        assert_eq!(outcome(&browser), expected, "{authorization:.30?}");
        let asked = browser.oxd.commands();
        assert!(
            !asked.contains(&"introspect-access-token"),
            "{authorization:.30?}: {asked:?}"
        );
    }
    // Without OxdBearer the header means nothing.
    let mut browser = place(&site, BearerMode::Off);
    browser.authorization = Some("Bearer a b".into());
    assert_eq!(outcome(&browser), "302");
    // A script is told what it may bring.
    let mut script = place(&site, BearerMode::Introspect);
    script.headers.sec_fetch_mode = Some("cors");
    assert_eq!(outcome(&script), "401 -");
    // A session counts where there is no token, and does not where there is one.
    let mut user = place(&site, BearerMode::Introspect);
    user.log_in("/app");
    assert_eq!(outcome(&user), "alice");
    user.authorization = Some("Bearer unknown".into());
    assert_eq!(outcome(&user), "401 invalid_token");
}

#[test]
fn an_answer_is_kept_for_its_time_and_never_past_the_tokens() {
    let site = of_client();
    let asked = |cache: u64, exp: u64, after: u64| {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.settings.bearer_cache = Some(BearerCache {
            time: Seconds(cache),
            tokens: 100,
        });
        browser.authorization = Some("Bearer t".into());
        browser.oxd.introspection = Ok(introspected(json!({"exp": NOW + exp})));
        outcome(&browser);
        browser.now = NOW + after;
        outcome(&browser);
        browser.oxd.commands().len()
    };
    assert_eq!(asked(60, 600, 53), 1);
    // Its time is nearly over: one request asks anew.
    assert_eq!(asked(60, 600, 54), 2);
    assert_eq!(asked(60, 600, 60), 2);
    assert_eq!(asked(60, 30, 29), 1);
    assert_eq!(asked(60, 30, 30), 2);
    assert_eq!(asked(0, 600, 0), 2);
    // That a token is not active is kept for five seconds, that nobody knows for one.
    for (introspection, kept) in [
        (Ok(json!({"active": false})), 5),
        (Err(no_answer(Cause::ConnectionRefused)), 1),
    ] {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.authorization = Some("Bearer t".into());
        browser.oxd.introspection = introspection;
        for after in [0, kept - 1, kept, kept] {
            browser.now = NOW + after;
            outcome(&browser);
        }
        assert_eq!(browser.oxd.commands().len(), 2, "{kept}");
    }
}

#[test]
fn what_a_token_says_becomes_claims_and_the_token_is_not_kept() {
    let site = of_client();
    let mut browser = place(&site, BearerMode::Introspect);
    browser.authorization = Some("Bearer hunter2".into());
    browser.oxd.introspection = Ok(introspected(json!({"nonce": "n", "null": null})));
    browser.visit("/app", |ctx, visit| {
        let Admission::Admit(admitted) = enter(ctx, visit) else {
            panic!("not let in");
        };
        let record = &admitted.session.record;
        let claim =
            |name| lookup::claim_text(record, name).map(|text| String::from_utf8_lossy(&text).into_owned());
        assert_eq!(claim("username").unwrap().trim_end_matches('\0'), "zoe");
        assert_eq!((claim("nonce"), claim("null")), (None, None));
        assert_eq!(record.strings.scope, b"openid read");
        assert_eq!(record.access_expires, NOW + 600);
        let bytes = String::from_utf8_lossy(admitted.session.bytes()).into_owned();
        assert!(!bytes.contains("hunter2"), "{bytes}");
    });
}

#[test]
fn rules_that_are_not_met_are_said_in_rfc_6750s_words() {
    let site = of_client();
    let mut browser = place(&site, BearerMode::Introspect);
    browser.authorization = Some("Bearer t".into());
    browser.oxd.introspection = Ok(introspected(json!({})));
    let scopes = ["write".to_owned(), "admin".to_owned()];
    let refused = |unmet: Unmet<'_>| {
        browser.visit("/app", |ctx, visit| {
            let Admission::Admit(admitted) = enter(ctx, visit) else {
                panic!("not let in");
            };
            refuse(ctx, Some(&admitted.session), unmet)
        })
    };
    let answer = refused(Unmet {
        scope: Some(&scopes),
        ..Unmet::default()
    });
    assert_eq!(told(&answer), "403 insufficient_scope");
    assert!(
        header(&answer, "WWW-Authenticate")
            .unwrap()
            .ends_with("scope=\"write admin\"")
    );
    // Never a step-up: no login makes another token.
    let answer = refused(Unmet {
        acr: Some(&scopes),
        ..Unmet::default()
    });
    assert_eq!((answer.status, header(&answer, "Location")), (403, None));
    assert!(matches!(answer.body, Body::Json(_)));
}

#[test]
fn a_request_is_read_without_its_token_being_shown() {
    let request = crate::testing::TestRequest {
        authorization: Some("Bearer abc".into()),
        ..crate::testing::TestRequest::navigation("/")
    };
    assert_eq!(presented(&request), Presented::Token("abc"));
}

#[test]
fn a_token_may_be_as_long_as_a_jwt_and_no_longer() {
    for (length, expected) in [(16 * 1024, true), (16 * 1024 + 1, false)] {
        let request = crate::testing::TestRequest {
            authorization: Some(format!("Bearer {}", "a".repeat(length))),
            ..crate::testing::TestRequest::navigation("/")
        };
        let is_token = matches!(presented(&request), Presented::Token(_));
        assert_eq!(is_token, expected, "{length}");
    }
}

/// A client is told that the token is not valid; the log and the audit trail say that oxd could not check it.
#[test]
fn a_token_that_oxd_cannot_check_has_a_code_of_its_own() {
    let site = of_client();
    for (introspection, expected) in [
        (Ok(introspected(json!({"active": false}))), "invalid_token"),
        (Err(refusal(500, "internal_error")), "token_unchecked"),
    ] {
        let mut browser = place(&site, BearerMode::Introspect);
        browser.authorization = Some("Bearer t".into());
        browser.oxd.introspection = introspection;
        assert_eq!(browser.enter("/app").code, Some(expected));
    }
}

#[test]
fn a_challenge_names_the_document_about_the_resource() {
    let site = of_client();
    for (path, expected) in [
        ("/", "/.well-known/oauth-protected-resource"),
        ("/api", "/.well-known/oauth-protected-resource/api"),
    ] {
        let metadata = ResourceMetadata::At(path.to_owned());
        let mut browser = place(&site, BearerMode::Introspect);
        browser.settings.resource_metadata = Some(&metadata);
        browser.settings.unauth_action = Some(UnauthAction::Status(401));
        let answer = browser.enter("/api");
        let challenge = header(&answer, "WWW-Authenticate").unwrap();
        let named = format!("resource_metadata=\"https://app.example{expected}\"");
        assert!(challenge.ends_with(&named), "{challenge}");
    }
}
