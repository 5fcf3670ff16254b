//! The built-in provider, seen by a browser and by a client of its own.

mod common;

use common::{Bed, Browser, CALLBACK, SIGNED_OUT, provider};
use oxd_dev::{ProviderOptions, User};
use serde_json::{Value, json};
use std::time::Duration;

async fn prompt(bed: &Bed, prompt: &str) -> String {
    bed.authorization_url(json!({ "prompt": prompt })).await
}

#[tokio::test]
async fn prompt_none_without_a_session() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let url = bed
        .authorization_url(json!({ "prompt": "none", "state": "s" }))
        .await;
    let back = browser.get(&url).await.query();
    assert_eq!(
        (back["error"].as_str(), back["state"].as_str()),
        ("login_required", "s")
    );
    assert!(!back["error_description"].is_empty());
}

#[tokio::test]
async fn prompts_with_a_session() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    bed.code(&browser, json!({})).await;
    // Signed in and agreed: nothing is shown any more.
    let url = bed.authorization_url(json!({})).await;
    assert!(browser.get(&url).await.query().contains_key("code"));
    let url = prompt(&bed, "none").await;
    assert!(browser.get(&url).await.query().contains_key("code"));
    for asks in ["login", "select_account"] {
        let url = prompt(&bed, asks).await;
        let page = browser.follow(&url).await;
        assert!(page.has_button("sign-in"), "{asks}: {page:?}");
        assert!(browser.enter(&page).await.query().contains_key("code"));
    }
    let url = prompt(&bed, "consent").await;
    let page = browser.follow(&url).await;
    assert!(page.has_button("allow"), "{page:?}");
    for bad in ["none login", "what"] {
        let url = prompt(&bed, bad).await;
        assert_eq!(browser.get(&url).await.query()["error"], "invalid_request");
    }
    // More scope than agreed to: asked again, and prompt=none cannot.
    let scope = json!(["openid", "profile", "email", "phone"]);
    let url = bed
        .authorization_url(json!({ "scope": scope, "prompt": "none" }))
        .await;
    assert_eq!(browser.get(&url).await.query()["error"], "consent_required");
    bed.server.forget_provider_sessions();
    let url = prompt(&bed, "none").await;
    assert_eq!(browser.get(&url).await.query()["error"], "login_required");
}

#[tokio::test]
async fn max_age_and_auth_time() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let first = bed.tokens(&browser).await;
    let now = first["id_token_claims"]["iat"].as_u64().unwrap();
    bed.server.advance(Duration::from_secs(1000));
    let second = bed.tokens(&browser).await;
    let auth_time = second["id_token_claims"]["auth_time"].as_u64().unwrap();
    assert!(
        (now - 1010..=now - 990).contains(&auth_time),
        "{auth_time} against {now}"
    );
    let url = bed
        .authorization_url(json!({ "params": { "max_age": "900" } }))
        .await;
    let page = browser.follow(&url).await;
    assert!(page.has_button("sign-in"), "{page:?}");
    browser.enter(&page).await;
    let again = bed
        .authorization_url(json!({ "params": { "max_age": "900" } }))
        .await;
    assert!(browser.get(&again).await.query().contains_key("code"));
    let url = bed
        .authorization_url(json!({ "params": { "max_age": "x" } }))
        .await;
    assert_eq!(browser.get(&url).await.query()["error"], "invalid_request");
}

#[tokio::test]
async fn acr_values_ask_for_a_stronger_sign_in() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let acr = async |values: Value| {
        let back = bed.code(&browser, json!({ "acr_values": values })).await;
        let body = json!({ "code": back["code"], "state": back["state"] });
        let tokens = bed.command("get-tokens-by-code", body).await.ok();
        tokens["id_token_claims"]["acr"].as_str().unwrap().to_owned()
    };
    assert_eq!(acr(json!([])).await, "basic");
    assert_eq!(acr(json!(["unheard_of", "otp", "u2f"])).await, "otp");
    // Good enough already, in the list though not first.
    assert_eq!(acr(json!(["u2f", "otp"])).await, "otp");
    assert_eq!(acr(json!(["unheard_of"])).await, "otp");
    let url = bed
        .authorization_url(json!({ "acr_values": ["u2f"], "prompt": "none" }))
        .await;
    assert_eq!(browser.get(&url).await.query()["error"], "login_required");
}

#[tokio::test]
async fn cancelling_is_access_denied() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({ "state": "s" })).await;
    let page = browser.follow(&url).await;
    let back = browser.press(&page, "cancel", &[]).await.query();
    assert_eq!(
        (back["error"].as_str(), back["state"].as_str()),
        ("access_denied", "s")
    );
    // The page of before is of no use any more.
    let page = browser.enter(&page).await;
    assert_eq!(page.status, 400);

    let page = browser.follow(&url).await;
    let page = browser.enter(&page).await;
    let back = browser.press(&page, "cancel", &[]).await.query();
    assert_eq!(back["error"], "access_denied");
}

#[tokio::test]
async fn wrong_passwords_and_login_hints() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let hint = "<b>\"test_user\"";
    let url = bed
        .authorization_url(json!({ "params": { "login_hint": hint } }))
        .await;
    let page = browser.follow(&url).await;
    assert!(
        page.form().1.contains(&("username".to_owned(), hint.to_owned())),
        "{page:?}"
    );
    assert!(!page.body.contains("<b>"));
    let fill = [("username", "test_user"), ("password", "wrong")];
    let page = browser.press(&page, "sign-in", &fill).await;
    assert!(page.body.contains("role=\"alert\""), "{page:?}");
    assert!(browser.enter(&page).await.has_button("allow"));
}

#[tokio::test]
async fn another_browser_cannot_go_on_with_a_sign_in() {
    let bed = Bed::new();
    let (mine, theirs) = (Browser::new(&bed), Browser::new(&bed));
    let url = bed.authorization_url(json!({})).await;
    let page = mine.follow(&url).await;
    theirs.follow(&url).await;
    assert_eq!(theirs.enter(&page).await.status, 400);
    assert!(mine.enter(&page).await.has_button("allow"));
}

#[tokio::test]
async fn without_consent_the_code_comes_at_once() {
    let options = ProviderOptions {
        consent: false,
        ..Default::default()
    };
    let bed = Bed::with(provider(options));
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({})).await;
    let page = browser.follow(&url).await;
    assert!(browser.enter(&page).await.query().contains_key("code"));
    let port = url::Url::parse(&bed.server.provider_url())
        .unwrap()
        .port()
        .unwrap();
    assert_eq!(browser.cookie_names(), [format!("oxd_dev_session_{port}")]);
}

#[tokio::test]
async fn form_post_carries_the_answer_in_a_form() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let body = json!({ "state": "s\"<", "params": { "response_mode": "form_post" } });
    let url = bed.authorization_url(body).await;
    let page = browser.sign_in(&url).await;
    assert_eq!(page.status, 200);
    assert!(page.has_button("continue"), "{page:?}");
    let (action, fields) = page.form();
    assert_eq!(action, CALLBACK);
    let field = |name: &str| {
        fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, v)| v.clone())
    };
    assert_eq!(field("state").unwrap(), "s\"<");
    let body = json!({ "code": field("code"), "state": field("state") });
    bed.command("get-tokens-by-code", body).await.ok();
}

#[tokio::test]
async fn requests_that_cannot_be_sent_back_get_a_page() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let id = bed.site["client_id"].as_str().unwrap();
    let base = format!(
        "{}/authorize?response_type=code&scope=openid",
        bed.server.provider_url()
    );
    for query in [
        String::new(),
        format!("&client_id=x&redirect_uri={CALLBACK}"),
        format!("&client_id={id}"),
        format!("&client_id={id}&redirect_uri={CALLBACK}x"),
        format!("&client_id={id}&redirect_uri={CALLBACK}&state=1&state=2"),
    ] {
        let page = browser.get(&format!("{base}{query}")).await;
        assert_eq!((page.status, page.location), (400, None), "{query}");
    }
    let good = format!("client_id={id}&redirect_uri={CALLBACK}");
    for (query, error) in [
        ("response_type=token&scope=openid", "unsupported_response_type"),
        ("scope=openid", "invalid_request"),
        ("response_type=code&scope=email", "invalid_scope"),
        (
            "response_type=code&scope=openid&response_mode=fragment",
            "invalid_request",
        ),
        (
            "response_type=code&scope=openid&request=x",
            "request_not_supported",
        ),
    ] {
        let url = format!("{}/authorize?{good}&{query}", bed.server.provider_url());
        assert_eq!(browser.get(&url).await.query()["error"], error, "{query}");
    }
}

#[tokio::test]
async fn signing_out() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let tokens = bed.tokens(&browser).await;
    let end = format!("{}/end_session", bed.server.provider_url());
    let hint = tokens["id_token"].as_str().unwrap();
    let signed_in = async || {
        let url = prompt(&bed, "none").await;
        browser.get(&url).await.query().contains_key("code")
    };
    // Without a hint a page asks first.
    let target = format!("?post_logout_redirect_uri={SIGNED_OUT}&state=a%26b");
    let page = browser.get(&format!("{end}{target}")).await;
    assert!(
        page.has_button("sign-out") && page.has_button("cancel"),
        "{page:?}"
    );
    let kept = browser.press(&page, "cancel", &[]).await;
    assert_eq!(kept.status, 200);
    assert!(signed_in().await);
    // Neither a foreign hint nor an unregistered address does anything.
    for bad in [
        "?id_token_hint=a.b.c".to_owned(),
        format!("?id_token_hint={hint}&post_logout_redirect_uri=https://x.org/"),
        format!("?id_token_hint={hint}&client_id=other"),
    ] {
        let page = browser.get(&format!("{end}{bad}")).await;
        assert_eq!((page.status, page.location), (400, None), "{bad}");
    }
    assert!(signed_in().await);
    let page = browser.press(&page, "sign-out", &[]).await;
    assert_eq!(page.location.unwrap(), format!("{SIGNED_OUT}?state=a%26b"));
    assert!(!signed_in().await);
    // With a hint and no session left it goes straight on; without an address to a page.
    let page = browser.follow(&format!("{end}?id_token_hint={hint}")).await;
    assert!(page.body.contains("You are signed out"), "{page:?}");
}

#[tokio::test]
async fn a_hint_of_another_session_is_not_enough() {
    let bed = Bed::new();
    let (one, other) = (Browser::new(&bed), Browser::new(&bed));
    bed.code(&one, json!({})).await;
    let tokens = bed.tokens(&other).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let end = format!("{}/end_session?id_token_hint={hint}", bed.server.provider_url());
    assert!(one.get(&end).await.has_button("sign-out"));
}

#[tokio::test]
async fn pages_are_plain_and_guarded() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({})).await;
    let sign_in = browser.follow(&url).await;
    let consent = browser.enter(&sign_in).await;
    let home = browser.get(&bed.server.provider_url()).await;
    for page in [&sign_in, &consent, &home] {
        assert!(
            !page.body.contains("<script") && !page.body.contains(" style="),
            "{page:?}"
        );
        assert!(page.body.contains("Development provider"), "{page:?}");
        assert!(page.body.contains("width=device-width"), "{page:?}");
        assert!(page.policy.contains("default-src 'none'"), "{page:?}");
        assert!(page.policy.contains("frame-ancestors 'none'"), "{page:?}");
    }
    let style = browser
        .get(&format!("{}/style.css", bed.server.provider_url()))
        .await;
    assert_eq!(style.status, 200);
    let lost = browser
        .get(&format!("{}/nowhere", bed.server.provider_url()))
        .await;
    assert_eq!(lost.status, 404);
}

#[tokio::test]
async fn other_users_sign_in_with_their_own_claims() {
    let users = vec![
        User::demo(),
        User::new(
            "ada",
            "l",
            json!({ "sub": "ada-1", "role": { "is": ["admin"] }, "name": "A" }),
        ),
    ];
    let options = ProviderOptions {
        users,
        consent: false,
        ..Default::default()
    };
    let bed = Bed::with(provider(options));
    let browser = Browser::new(&bed);
    let url = bed.authorization_url(json!({ "scope": ["openid"] })).await;
    let page = browser.follow(&url).await;
    let fill = [("username", "ada"), ("password", "l")];
    let back = browser.press(&page, "sign-in", &fill).await.query();
    let body = json!({ "code": back["code"], "state": back["state"] });
    let tokens = bed.command("get-tokens-by-code", body).await.ok();
    assert_eq!(tokens["id_token_claims"]["sub"], "ada-1");
    let body = json!({ "access_token": tokens["access_token"] });
    let info = bed.command("get-user-info", body).await.ok();
    assert_eq!(info, json!({ "sub": "ada-1", "role": { "is": ["admin"] } }));
}
