//! The six commands of a sign-in, end to end, and what their answers must hold.

mod common;

use common::{Bed, Browser, CALLBACK, SECOND, SIGNED_OUT, provider};
use oxd_dev::{Like, Options, ProviderOptions};
use serde_json::{Value, json};
use std::time::Duration;

/// The members that the API description of oxd 4.1 requires of each answer.
const REQUIRED: [(&str, &[&str]); 11] = [
    ("register-site", &["oxd_id", "op_host"]),
    (
        "get-client-token",
        &["scope", "access_token", "expires_in", "refresh_token"],
    ),
    (
        "introspect-access-token",
        &[
            "active",
            "client_id",
            "username",
            "scope",
            "token_type",
            "sub",
            "aud",
            "iss",
            "exp",
            "iat",
            "acr_values",
            "extension_field",
            "nbf",
            "jti",
        ],
    ),
    ("update-site", &["oxd_id"]),
    ("remove-site", &["oxd_id"]),
    ("get-authorization-url", &["authorization_url"]),
    (
        "get-tokens-by-code",
        &[
            "access_token",
            "expires_in",
            "id_token",
            "refresh_token",
            "id_token_claims",
        ],
    ),
    ("get-logout-uri", &["uri"]),
    (
        "get-access-token-by-refresh-token",
        &["scope", "access_token", "expires_in", "refresh_token"],
    ),
    ("get-jwks", &["keys"]),
    (
        "get-discovery",
        &["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"],
    ),
];

#[track_caller]
fn holds_required(command: &str, answer: &Value) {
    let (_, members) = REQUIRED
        .iter()
        .find(|(name, _)| *name == command)
        .expect("in the table");
    for member in *members {
        assert!(answer.get(member).is_some(), "{command} lacks {member}: {answer}");
    }
}

#[tokio::test]
async fn a_user_signs_in_and_out() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let body = json!({
        "scope": ["openid", "profile", "email"],
        "state": "st_ate-1",
        "nonce": "no_nce-1",
        "acr_values": ["otp"],
        "params": { "max_age": "600", "ui_locales": "en de" },
        "custom_parameters": { "param1": "value 1" },
    });
    let answer = bed.command("get-authorization-url", body).await.ok();
    holds_required("get-authorization-url", &answer);
    let url = answer["authorization_url"].as_str().unwrap();
    let client_id = bed.site["client_id"].as_str().unwrap();
    assert!(client_id.contains('!') && client_id.contains('@'));
    for part in [
        format!("&client_id={client_id}&redirect_uri={CALLBACK}&scope=openid+profile+email&"),
        "&state=st_ate-1&nonce=no_nce-1&acr_values=otp".to_owned(),
        "&max_age=600".to_owned(),
        "&ui_locales=en+de".to_owned(),
        "&custom_response_headers=%5B%7B%22param1%22".to_owned(),
    ] {
        assert!(url.contains(&part), "{url} lacks {part}");
    }

    let page = browser.follow(url).await;
    assert!(
        page.has_button("sign-in") && page.has_button("cancel"),
        "{page:?}"
    );
    let page = browser.enter(&page).await;
    assert!(page.has_button("allow") && page.has_button("cancel"), "{page:?}");
    let back = browser.press(&page, "allow", &[]).await;
    assert!(back.location.as_ref().unwrap().starts_with(CALLBACK));
    let back = back.query();
    assert_eq!(back["state"], "st_ate-1");
    assert_eq!(back["iss"], bed.server.provider_url());

    let body = json!({ "code": back["code"], "state": back["state"] });
    let tokens = bed.command("get-tokens-by-code", body.clone()).await.ok();
    holds_required("get-tokens-by-code", &tokens);
    let claims = &tokens["id_token_claims"];
    assert_eq!(claims["iss"], bed.server.provider_url());
    assert_eq!(claims["aud"], bed.site["client_id"]);
    assert_eq!(claims["nonce"], "no_nce-1");
    assert_eq!(claims["acr"], "otp");
    assert_eq!(claims["amr"], json!(["pwd"]));
    for member in ["sub", "exp", "iat", "auth_time", "at_hash", "sid"] {
        assert!(claims.get(member).is_some(), "{claims} lacks {member}");
    }
    assert!(claims.get("email").is_none());
    assert_eq!(tokens["expires_in"], 300);
    // State and code are used up.
    bed.command("get-tokens-by-code", body)
        .await
        .is_error(400, "bad_request");

    let body = json!({ "access_token": tokens["access_token"], "id_token": tokens["id_token"] });
    let info = bed.command("get-user-info", body).await.ok();
    assert_eq!(info["sub"], claims["sub"]);
    assert_eq!(info["email"], "test_user@example.org");
    assert_eq!(info["groups"], json!(["staff", "demo"]));
    assert!(
        info.get("phone_number").is_none(),
        "phone was not in the scope: {info}"
    );

    let body = json!({
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": SIGNED_OUT,
        "state": "bye",
        "session_state": back["session_state"],
    });
    let answer = bed.command("get-logout-uri", body).await.ok();
    holds_required("get-logout-uri", &answer);
    let page = browser.follow(answer["uri"].as_str().unwrap()).await;
    assert_eq!(page.location.unwrap(), format!("{SIGNED_OUT}?state=bye"));
    // The session is gone: signing in asks again.
    let url = bed.authorization_url(json!({})).await;
    assert!(browser.follow(&url).await.has_button("sign-in"));
}

#[tokio::test]
async fn every_other_answer_holds_what_the_description_requires() {
    let bed = Bed::new();
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    let cases = [
        // Not introspect-access-token: the real one leaves out what the provider did not say.
        (
            "get-access-token-by-refresh-token",
            json!({ "refresh_token": tokens["refresh_token"], "scope": ["openid", "email"] }),
        ),
        ("get-jwks", json!({ "op_host": bed.server.provider_url() })),
        ("get-discovery", json!({ "op_host": bed.server.provider_url() })),
        ("register-site", json!({ "redirect_uris": [CALLBACK] })),
        ("get-client-token", bed.credentials()),
        ("update-site", json!({ "client_name": "Changed" })),
        ("remove-site", json!({})),
    ];
    for (command, body) in cases {
        let answer = bed.command(command, body).await.ok();
        holds_required(command, &answer);
    }
}

#[tokio::test]
async fn refreshing_rotates_and_the_new_token_works() {
    let bed = Bed::new();
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    let refresh = |token: &Value| json!({ "refresh_token": token, "scope": ["openid", "email"] });
    let command = "get-access-token-by-refresh-token";
    let first = bed.command(command, refresh(&tokens["refresh_token"])).await.ok();
    assert_eq!(first["scope"], json!(["openid", "email"]));
    let info = json!({ "access_token": first["access_token"] });
    let info = bed.command("get-user-info", info).await.ok();
    assert_eq!(info["email"], "test_user@example.org");
    assert!(
        info.get("name").is_none(),
        "the new token has the scope asked for only"
    );
    // The old one was rotated away; using it again revokes the new ones too.
    let again = bed.command(command, refresh(&tokens["refresh_token"])).await;
    again.is_error(500, "internal_error");
    let again = bed.command(command, refresh(&first["refresh_token"])).await;
    again.is_error(500, "internal_error");
}

#[tokio::test]
async fn introspection_tells_active_from_inactive() {
    let bed = Bed::new();
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    let body = json!({ "access_token": tokens["access_token"] });
    let answer = bed.command("introspect-access-token", body.clone()).await.ok();
    assert_eq!(answer["active"], true);
    assert_eq!(answer["client_id"], bed.site["client_id"]);
    assert_eq!(answer["username"], "test_user");
    assert_eq!(answer["scope"], json!(["openid", "profile", "email"]));
    bed.server.advance(Duration::from_secs(301));
    let answer = bed.command("introspect-access-token", body).await.ok();
    assert_eq!(answer["active"], false);

    let bearer = bed.bearer().await;
    let token = bearer.strip_prefix("Bearer ").unwrap();
    let answer = bed
        .command("introspect-access-token", json!({ "access_token": token }))
        .await;
    assert_eq!(answer.ok()["scope"], json!(["openid", "oxd"]));
}

#[tokio::test]
async fn user_info_that_the_provider_refuses_is_still_200() {
    let bed = Bed::new();
    let answer = bed
        .command("get-user-info", json!({ "access_token": "wrong" }))
        .await
        .ok();
    assert_eq!(answer["error"], "invalid_token");
}

#[tokio::test]
async fn user_info_compares_the_subject_of_an_id_token() {
    let bed = Bed::new();
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    let other = bed
        .server
        .sign(&json!({ "sub": "somebody else" }), "JWT")
        .unwrap();
    let body = json!({ "access_token": tokens["access_token"], "id_token": other });
    let answer = bed.command("get-user-info", body).await;
    answer.is_error(500, "invalid_subject_identifier");
}

#[tokio::test]
async fn the_second_redirect_uri_gets_the_code_but_not_the_tokens() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({ "redirect_uri": SECOND })).await;
    let page = browser.sign_in(&url).await;
    assert!(page.location.as_ref().unwrap().starts_with(SECOND), "{page:?}");
    let back = page.query();
    assert_eq!(back["kept"], "1");
    // oxd exchanges with the first registered one, and the provider compares.
    let body = json!({ "code": back["code"], "state": back["state"] });
    let answer = bed.command("get-tokens-by-code", body).await;
    answer.is_error(400, "bad_request");
    assert_eq!(answer.json["error_description"], "'code' is invalid.");
}

#[tokio::test]
async fn a_state_lives_five_minutes_in_4_1_and_longer_later() {
    for (like, said) in [
        (Like::V4_1, "'state' is not registered."),
        (Like::V4_2, "'code' is invalid."),
        (Like::V4_5, "'code' is invalid."),
    ] {
        let bed = Bed::with(Options {
            like,
            ..Options::default()
        });
        let back = bed.code(&Browser::new(&bed), json!({})).await;
        let body = json!({ "code": "wrong", "state": back["state"] });
        bed.server.advance(Duration::from_secs(301));
        let answer = bed.command("get-tokens-by-code", body).await;
        answer.is_error(400, "bad_request");
        assert_eq!(answer.json["error_description"], said, "{like}");
    }
}

#[tokio::test]
async fn a_failed_exchange_leaves_the_state_known() {
    let bed = Bed::new();
    let back = bed.code(&Browser::new(&bed), json!({})).await;
    let body = json!({ "code": "wrong", "state": back["state"] });
    let answer = bed.command("get-tokens-by-code", body).await;
    assert_eq!(answer.json["error_description"], "'code' is invalid.");
    let body = json!({ "code": back["code"], "state": back["state"] });
    bed.command("get-tokens-by-code", body).await.ok();
}

#[tokio::test]
async fn an_expired_id_token_is_refused() {
    let options = ProviderOptions {
        id_token_lifetime: Duration::ZERO,
        ..Default::default()
    };
    let bed = Bed::with(provider(options));
    let back = bed.code(&Browser::new(&bed), json!({})).await;
    let body = json!({ "code": back["code"], "state": back["state"] });
    let answer = bed.command("get-tokens-by-code", body).await;
    answer.is_error(500, "invalid_id_token_expired");
}

#[tokio::test]
async fn an_updated_site_uses_its_new_addresses() {
    let bed = Bed::new();
    let new = "http://127.0.0.1:1/new";
    bed.command("update-site", json!({ "redirect_uris": [new] }))
        .await
        .ok();
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({})).await;
    let page = browser.sign_in(&url).await;
    assert!(page.location.as_ref().unwrap().starts_with(new), "{page:?}");
    let back = page.query();
    let body = json!({ "code": back["code"], "state": back["state"] });
    bed.command("get-tokens-by-code", body).await.ok();
}
