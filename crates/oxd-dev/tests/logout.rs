//! What clients are told when a user signs out at the built-in provider, and its keys.

mod common;

use axum::Router;
use axum::extract::{Form, State};
use axum::routing::post;
use common::{Bed, Browser, CALLBACK, SECOND, SIGNED_OUT, answer};
use http::StatusCode;
use oxd_dev::{Addresses, Signer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
const FRAME: &str = "http://127.0.0.1:1/oxd/frontchannel-logout?kept=1";

type Inbox = Arc<Mutex<Vec<HashMap<String, String>>>>;

async fn receive(State(inbox): State<Inbox>, Form(form): Form<HashMap<String, String>>) -> StatusCode {
    inbox.lock().unwrap().push(form);
    StatusCode::NO_CONTENT
}

/// A client's back-channel address, and what arrives there.
async fn client() -> (String, Inbox) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/back", listener.local_addr().unwrap());
    let inbox = Inbox::default();
    let router = Router::new()
        .route("/back", post(receive))
        .with_state(inbox.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            let stream = hyper_util::rt::TokioIo::new(stream);
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(stream, service));
        }
    });
    (uri, inbox)
}

/// A bed whose site has these logout addresses.
fn bed(frontchannel: Option<&str>, backchannel: Option<&str>) -> Bed {
    let mut bed = Bed::new();
    let owned = |list: &[&str]| list.iter().map(|&uri| uri.to_owned()).collect();
    let site = bed.server.try_register(&Addresses {
        redirect_uris: owned(&[CALLBACK, SECOND]),
        post_logout_redirect_uris: owned(&[SIGNED_OUT]),
        frontchannel_logout_uri: frontchannel.map(str::to_owned),
        backchannel_logout_uri: backchannel.map(str::to_owned),
        backchannel_logout_session_required: true,
    });
    bed.site = serde_json::to_value(site.unwrap()).unwrap();
    bed
}

fn part(jws: &str, number: usize) -> Value {
    use base64::Engine as _;
    let part = jws.split('.').nth(number).unwrap();
    let part = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    serde_json::from_slice(&part.unwrap()).unwrap()
}

async fn sign_out(bed: &Bed, browser: &Browser, tokens: &Value) -> common::Page {
    let end = format!("{}/end_session", bed.server.provider_url());
    let hint = tokens["id_token"].as_str().unwrap();
    let query = format!("?id_token_hint={hint}&post_logout_redirect_uri={SIGNED_OUT}");
    browser.get(&format!("{end}{query}")).await
}

#[tokio::test]
async fn a_client_is_sent_a_logout_token() {
    let (uri, inbox) = client().await;
    let bed = bed(None, Some(&uri));
    let browser = Browser::new(&bed);
    let tokens = bed.tokens(&browser).await;
    let page = sign_out(&bed, &browser, &tokens).await;
    assert_eq!(page.location.as_deref(), Some(SIGNED_OUT));

    let received = inbox.lock().unwrap().clone();
    assert_eq!(received.len(), 1, "{received:?}");
    let token = &received[0]["logout_token"];
    let header = part(token, 0);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("RS256"), &json!("logout+jwt"))
    );
    let keys = bed
        .call("get-jwks", json!({ "op_host": bed.site["op_host"] }))
        .await
        .ok();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let claims = part(token, 1);
    let (id_token, time) = (&tokens["id_token_claims"], |name: &str| {
        claims[name].as_u64().unwrap()
    });
    for (name, value) in [
        ("iss", &id_token["iss"]),
        ("sub", &id_token["sub"]),
        ("sid", &id_token["sid"]),
        ("aud", &bed.site["client_id"]),
        ("events", &json!({ EVENT: {} })),
    ] {
        assert_eq!(claims[name], *value, "{name} in {claims}");
    }
    assert!(claims["sid"].is_string() && claims["jti"].is_string(), "{claims}");
    assert_eq!(time("exp") - time("iat"), 120);
    assert!(claims.get("nonce").is_none(), "{claims}");

    let notices = bed.server.logout_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!((notices[0].status, &notices[0].uri), (204, &uri));
    assert_eq!(notices[0].client_id, bed.site["client_id"]);
    assert_eq!(notices[0].logout_token, *token);
    // It is told once, however often the user comes by.
    sign_out(&bed, &browser, &tokens).await;
    assert_eq!(inbox.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_the_user_did_not_visit_is_not_told() {
    let (uri, inbox) = client().await;
    let mut bed = bed(None, Some(&uri));
    let (browser, other) = (Browser::new(&bed), Browser::new(&bed));
    let visited = bed.site.clone();
    bed.tokens(&other).await;
    bed.site = serde_json::to_value(bed.server.register(&[CALLBACK], &[SIGNED_OUT])).unwrap();
    let tokens = bed.tokens(&browser).await;
    sign_out(&bed, &browser, &tokens).await;
    assert!(inbox.lock().unwrap().is_empty());
    // Somebody who visited both is signed out of both, from either.
    let tokens = bed.tokens(&other).await;
    sign_out(&bed, &other, &tokens).await;
    assert_eq!(inbox.lock().unwrap().len(), 1);
    assert_eq!(bed.server.logout_notices()[0].client_id, visited["client_id"]);
}

#[tokio::test]
async fn a_client_may_want_to_hear_of_the_user_alone() {
    let (uri, inbox) = client().await;
    let mut bed = Bed::new();
    let site = bed.server.try_register(&Addresses {
        redirect_uris: vec![CALLBACK.to_owned()],
        post_logout_redirect_uris: vec![SIGNED_OUT.to_owned()],
        backchannel_logout_uri: Some(uri),
        ..Addresses::default()
    });
    bed.site = serde_json::to_value(site.unwrap()).unwrap();
    let browser = Browser::new(&bed);
    let tokens = bed.tokens(&browser).await;
    sign_out(&bed, &browser, &tokens).await;
    let claims = part(&inbox.lock().unwrap()[0]["logout_token"], 1);
    assert_eq!(claims["sub"], tokens["id_token_claims"]["sub"]);
    assert!(claims.get("sid").is_none(), "{claims}");
}

#[tokio::test]
async fn a_client_that_is_gone_keeps_nobody_signed_in() {
    let bed = bed(None, Some("http://127.0.0.1:1/back"));
    let browser = Browser::new(&bed);
    let tokens = bed.tokens(&browser).await;
    let page = sign_out(&bed, &browser, &tokens).await;
    assert_eq!(page.location.as_deref(), Some(SIGNED_OUT));
    assert_eq!(bed.server.logout_notices()[0].status, 0);
    let url = bed.authorization_url(json!({})).await;
    assert!(browser.follow(&url).await.has_button("sign-in"));
}

#[tokio::test]
async fn a_page_loads_the_front_channel_addresses() {
    let bed = bed(Some(FRAME), None);
    let browser = Browser::new(&bed);
    let tokens = bed.tokens(&browser).await;
    let sid = tokens["id_token_claims"]["sid"].as_str().unwrap();
    let page = sign_out(&bed, &browser, &tokens).await;
    assert_eq!(page.status, 200, "{page:?}");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("iss", &bed.server.provider_url())
        .append_pair("sid", sid)
        .finish();
    let frame = format!("<iframe src=\"{FRAME}&{query}\"").replace('&', "&amp;");
    assert!(page.body.contains(&frame), "{frame} in {}", page.body);
    assert!(
        page.policy.contains("; frame-src http://127.0.0.1:1"),
        "{}",
        page.policy
    );
    let link = format!("<a id=\"continue\" href=\"{SIGNED_OUT}\"");
    assert!(page.body.contains(&link), "{}", page.body);
    assert!(bed.server.logout_notices().is_empty());
    // Without anybody to tell it goes straight on.
    let page = sign_out(&bed, &browser, &tokens).await;
    assert_eq!(page.location.as_deref(), Some(SIGNED_OUT));
}

#[tokio::test]
async fn the_provider_says_so_and_register_site_knows_the_front_channel_only() {
    let mut bed = Bed::new();
    let url = format!("{}/.well-known/openid-configuration", bed.server.provider_url());
    let discovery = answer(bed.http.get(url)).await.unwrap().ok();
    for name in [
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
    ] {
        assert_eq!(discovery[name], true, "{name}");
    }
    let body = json!({
        "redirect_uris": [CALLBACK],
        "scope": ["openid", "oxd"],
        "client_frontchannel_logout_uris": [FRAME],
        "front_channel_logout_session_required": true,
        "backchannel_logout_uri": "http://127.0.0.1:1/back",
    });
    bed.site = bed.post("register-site", body.to_string(), None).await.ok();
    let registration = async || {
        let uri = bed.site["client_registration_client_uri"].as_str().unwrap();
        let token = bed.site["client_registration_access_token"].as_str().unwrap();
        let request = bed.http.get(uri).bearer_auth(token);
        answer(request).await.unwrap().ok()
    };
    let client = registration().await;
    assert_eq!(client["frontchannel_logout_uri"], FRAME);
    assert_eq!(client["frontchannel_logout_session_required"], true);
    assert!(client.get("backchannel_logout_uri").is_none(), "{client}");
    // An update that does not speak of it changes nothing.
    bed.command("update-site", json!({ "redirect_uris": [SECOND] }))
        .await
        .ok();
    assert_eq!(registration().await["frontchannel_logout_uri"], FRAME);
    let bad = Addresses {
        redirect_uris: vec![CALLBACK.to_owned()],
        backchannel_logout_uri: Some(format!("{FRAME}#fragment")),
        ..Addresses::default()
    };
    assert!(bed.server.try_register(&bad).is_err());
}

#[tokio::test]
async fn logins_go_on_while_keys_are_exchanged() {
    let bed = Bed::new();
    let browser = Browser::new(&bed);
    let keys = async || {
        let body = json!({ "op_configuration_endpoint":
            format!("{}/.well-known/openid-configuration", bed.server.provider_url()) });
        let keys = bed.call("get-jwks", body).await.ok();
        let keys = keys["keys"].as_array().unwrap().clone();
        keys.iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let old = bed.tokens(&browser).await;
    let first = keys().await;
    let second = bed.server.rotate_key().unwrap();
    let elliptic = bed.server.add_key("ES256").unwrap();
    assert_eq!(keys().await, [first[0].clone(), second.clone(), elliptic.clone()]);
    let new = bed.tokens(&browser).await;
    assert_eq!(part(new["id_token"].as_str().unwrap(), 0)["kid"], second.as_str());
    bed.server.retire_keys();
    assert_eq!(keys().await, [second]);
    assert_eq!(bed.server.add_key("HS256"), None);
    // An ID token of before still names the session.
    let page = sign_out(&bed, &browser, &old).await;
    assert_eq!(page.location.as_deref(), Some(SIGNED_OUT));

    let jwk = bed.server.jwk(&Signer::Key(elliptic)).unwrap();
    assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("EC"), &json!("P-256")));
    let stranger = bed.server.jwk(&Signer::Stranger).unwrap();
    assert_ne!(stranger["n"], bed.server.jwk(&Signer::Current).unwrap()["n"]);
    assert_eq!(bed.server.jwk(&Signer::Nobody), None);
}
