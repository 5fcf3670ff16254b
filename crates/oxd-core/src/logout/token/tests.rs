use super::*;
use crate::config::RawSettings;
use crate::testing::{Browser, NOW, Signer, ed25519, p256, site};
use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header as JwtHeader};
use serde_json::json;

fn token(signer: &Signer, claims: &Value) -> String {
    signer.sign(signer.public["kid"].as_str(), Some("logout+jwt"), claims)
}

fn good() -> Value {
    json!({
        "iss": "https://op", "aud": "client", "iat": NOW, "exp": NOW + 120, "jti": "one", "sid": "s1", "sub": "alice",
        "events": {EVENT: {}},
    })
}

fn with(changes: Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            _ => claims
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// Asks for the check of a token at a site whose provider has these keys.
fn checked(browser: &Browser<'_>, token: &str) -> Result<LogoutToken, Failure> {
    browser.look("/oxd/backchannel-logout", |ctx| check(ctx, token))
}

#[test]
fn good_tokens_are_taken_once() {
    let mut file = site("s");
    file.client_id = Some("client".into());
    file.op_host = Some("https://op/".into());
    let settings = || RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    };
    for signer in [ed25519("k"), p256("k")] {
        for (claims, typ, kid) in [
            (good(), Some("logout+jwt"), Some("k")),
            (good(), Some("JWT"), Some("k")),
            (good(), Some("application/LOGOUT+JWT"), Some("k")),
            (good(), None, None),
            (with(json!({"aud": ["other", "client"]})), None, Some("k")),
            (with(json!({"sid": null})), None, Some("k")),
            (with(json!({"sub": null})), None, Some("k")),
            (with(json!({"iat": NOW + 30, "exp": NOW - 29})), None, Some("k")),
            (with(json!({"iat": NOW - 600})), None, Some("k")),
            (with(json!({"events": {EVENT: {}, "other": 1}})), None, Some("k")),
        ] {
            let mut browser = Browser::at(settings());
            browser.oxd.keys = vec![json!({"kty": "unknown"}), signer.public.clone()];
            let token = signer.sign(kid, typ, &claims);
            let taken = checked(&browser, &token).unwrap_or_else(|f| panic!("{claims}: {}", f.detail));
            assert_eq!(taken.sid.as_deref(), claims["sid"].as_str());
            checked(&browser, &token).expect("not used yet: the provider may repeat one that had no effect");
            browser
                .look("/", |ctx| use_up(ctx, &taken))
                .expect("the first use");
            browser
                .look("/", |ctx| use_up(ctx, &taken))
                .expect_err("another request was faster");
            let again = checked(&browser, &token).unwrap_err();
            assert!(again.detail.contains("jti"), "{}", again.detail);
        }
    }
}

#[test]
fn whatever_is_wrong_with_a_token_it_is_refused_with_the_reason() {
    let mut file = site("s");
    (file.client_id, file.op_host) = (Some("client".into()), Some("https://op".into()));
    let (signer, other) = (ed25519("k"), ed25519("k"));
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.oxd.keys = vec![signer.public.clone()];
    for (changes, why) in [
        (json!({"iss": null}), "no iss"),
        (json!({"iss": "https://evil"}), "iss is not"),
        (
            json!({"iss": "https://op/.well-known/openid-configuration"}),
            "iss is not",
        ),
        (json!({"aud": null}), "aud"),
        (json!({"aud": "other"}), "aud"),
        (json!({"aud": ["other"]}), "aud"),
        (json!({"aud": {"client": 1}}), "aud"),
        (json!({"iat": null}), "iat"),
        (json!({"iat": "now"}), "iat"),
        (json!({"iat": NOW + 31}), "future"),
        (json!({"iat": NOW - 601}), "too old"),
        (json!({"iat": 1e300}), "iat"),
        (json!({"exp": null}), "exp"),
        (json!({"exp": NOW - 30}), "run out"),
        (json!({"exp": -1}), "exp"),
        (json!({"jti": null}), "jti"),
        (json!({"jti": ""}), "jti"),
        (json!({"jti": 7}), "jti"),
        (json!({"nonce": "n"}), "nonce"),
        (json!({"nonce": ""}), "nonce"),
        (json!({"events": null}), "events"),
        (json!({"events": {}}), "events"),
        (json!({"events": [EVENT]}), "events"),
        (json!({"events": {EVENT: true}}), "events"),
        (json!({"sid": 5}), "sid"),
        (json!({"sub": ""}), "sub"),
        (json!({"sid": null, "sub": null}), "neither"),
    ] {
        let refusal = checked(&browser, &token(&signer, &with(changes.clone()))).unwrap_err();
        assert_eq!(refusal.reason, Reason::LogoutTokenInvalid, "{changes}");
        assert!(refusal.detail.contains(why), "{changes}: {}", refusal.detail);
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let unsigned = |header: Value| format!("{}.{}.", part(&header), part(&good()));
    let signed = token(&signer, &good());
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let mac = jsonwebtoken::encode(
        &JwtHeader::new(Algorithm::HS256),
        &good(),
        &EncodingKey::from_secret(signer.public["x"].as_str().unwrap().as_bytes()),
    );
    let mut crit = JwtHeader::new(Algorithm::EdDSA);
    crit.kid = Some("k".into());
    for (token, why) in [
        (token(&other, &good()), "signature"),
        (signer.sign(Some("other"), None, &good()), "kid"),
        (signer.sign(Some("k"), Some("at+jwt"), &good()), "typ"),
        (
            format!("{head}.{}x", &signature[..signature.len() - 1]),
            "signature",
        ),
        (format!("{head}."), "signature"),
        (token(&p256("k"), &good()), "kid"),
        (unsigned(json!({"alg": "none"})), "alg"),
        (unsigned(json!({"alg": "NONE"})), "alg"),
        (unsigned(json!({"typ": "JWT"})), "alg"),
        (
            unsigned(json!({"alg": "EdDSA", "kid": "k", "crit": ["x"]})),
            "crit",
        ),
        (mac.unwrap(), "alg"),
        (String::new(), "not a signed"),
        ("a.b.c".into(), "not a signed"),
        (format!("{signed}.more"), "not a signed"),
        ("x".repeat(20_000), "too long"),
    ] {
        let refusal = checked(&browser, &token).unwrap_err();
        assert_eq!(refusal.reason, Reason::LogoutTokenInvalid, "{token}");
        assert!(refusal.detail.contains(why), "{token}: {}", refusal.detail);
    }
    // None of all that has used the good one up.
    assert!(checked(&browser, &signed).is_ok());
}

#[test]
fn keys_of_other_uses_verify_nothing() {
    let mut file = site("s");
    (file.client_id, file.op_host) = (Some("client".into()), Some("https://op".into()));
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    let signer = ed25519("k");
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("RS256")),
    ] {
        let mut key = signer.public.clone();
        key[name] = value;
        browser.oxd.keys = vec![key];
        assert!(checked(&browser, &token(&signer, &good())).is_err(), "{name}");
    }
}

#[test]
fn an_unknown_key_is_asked_for_anew_and_a_known_one_is_not() {
    let mut file = site("s");
    (file.client_id, file.op_host) = (Some("client".into()), Some("https://op".into()));
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    let signer = ed25519("k");
    browser.oxd.keys = vec![signer.public.clone()];
    checked(&browser, &token(&signer, &good())).unwrap();
    assert_eq!(
        browser.oxd.asked.borrow().as_slice(),
        [("get-jwks", json!({"anew": false}))]
    );
    browser.oxd.asked.borrow_mut().clear();
    checked(&browser, &token(&ed25519("new"), &good())).unwrap_err();
    assert_eq!(browser.oxd.commands().len(), 2);
    // Cheap checks come before any call.
    browser.oxd.asked.borrow_mut().clear();
    checked(&browser, &token(&signer, &with(json!({"iss": "https://evil"})))).unwrap_err();
    assert!(browser.oxd.commands().is_empty());
}

#[test]
fn an_issuer_from_which_a_login_came_counts_where_none_is_configured() {
    let mut file = site("s");
    file.client_id = Some("client".into());
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    let signer = ed25519("k");
    browser.oxd.keys = vec![signer.public.clone()];
    assert!(checked(&browser, &token(&signer, &good())).is_err());
    browser.log_in("/app");
    assert!(checked(&browser, &token(&signer, &good())).is_ok());
}
