//! The built-in provider's token endpoint, asked directly.

mod common;

use common::{Bed, Browser, CALLBACK, SECOND, answer};
use serde_json::{Value, json};
use std::time::Duration;

/// A call of the token endpoint with the site's credentials.
async fn token(bed: &Bed, fields: &[(&str, &str)]) -> Value {
    let text = |name: &str| bed.site[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields)
        .append_pair("client_id", &id)
        .append_pair("client_secret", &secret);
    let url = format!("{}/token", bed.server.provider_url());
    let request = bed
        .http
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    answer(request.body(form.finish())).await.unwrap().json
}

#[tokio::test]
async fn a_code_that_comes_twice_revokes_its_tokens() {
    let bed = Bed::new();
    let back = bed.code(&Browser::new(&bed), json!({})).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", back["code"].as_str()),
        ("redirect_uri", CALLBACK),
    ];
    let tokens = token(&bed, &fields).await;
    let info = json!({ "access_token": tokens["access_token"] });
    assert!(
        bed.command("get-user-info", info.clone())
            .await
            .ok()
            .get("error")
            .is_none()
    );
    assert_eq!(token(&bed, &fields).await["error"], "invalid_grant");
    assert_eq!(
        bed.command("get-user-info", info).await.ok()["error"],
        "invalid_token"
    );
}

#[tokio::test]
async fn codes_expire_and_belong_to_an_address() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let grant = ("grant_type", "authorization_code");
    let back = bed.code(&browser, json!({})).await;
    let fields = [grant, ("code", back["code"].as_str()), ("redirect_uri", SECOND)];
    assert_eq!(token(&bed, &fields).await["error"], "invalid_grant");
    let back = bed.code(&browser, json!({})).await;
    bed.server.advance(Duration::from_secs(61));
    let fields = [grant, ("code", back["code"].as_str()), ("redirect_uri", CALLBACK)];
    assert_eq!(token(&bed, &fields).await["error"], "invalid_grant");
}

#[tokio::test]
async fn the_token_endpoint_knows_its_clients_and_grants() {
    let bed = Bed::new();
    let granted = token(&bed, &[("grant_type", "client_credentials"), ("scope", "oxd x")]).await;
    assert_eq!(
        (&granted["scope"], granted.get("id_token")),
        (&json!("oxd"), None)
    );
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (vec![("grant_type", "a"), ("grant_type", "b")], "invalid_request"),
    ] {
        assert_eq!(token(&bed, &fields).await["error"], error, "{fields:?}");
    }
    let url = format!("{}/token", bed.server.provider_url());
    let refused = bed
        .http
        .post(url)
        .basic_auth("x", Some("y"))
        .body("")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("www-authenticate"));
}
