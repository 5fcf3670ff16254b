//! That ID tokens really are verified: a rogue provider, with keys that are right and tokens
//! that are not.

mod common;

use axum::extract::{Form, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use common::{Bed, CALLBACK};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// A provider that answers every code with what it was told to answer.
struct Rogue {
    issuer: String,
    keys: Value,
    keys_asked: AtomicUsize,
    tokens: Mutex<Value>,
}

impl Rogue {
    async fn start(keys: Value) -> Arc<Rogue> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rogue = Arc::new(Rogue {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            keys,
            keys_asked: AtomicUsize::new(0),
            tokens: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(rogue.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let stream = hyper_util::rt::TokioIo::new(stream);
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(stream, service));
            }
        });
        rogue
    }
}

async fn discovery(State(rogue): State<Arc<Rogue>>) -> Json<Value> {
    let url = |path: &str| format!("{}{path}", rogue.issuer);
    Json(json!({
        "issuer": rogue.issuer,
        "authorization_endpoint": url("/authorize"),
        "token_endpoint": url("/token"),
        "jwks_uri": url("/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(rogue): State<Arc<Rogue>>) -> Json<Value> {
    rogue.keys_asked.fetch_add(1, Ordering::Relaxed);
    Json(rogue.keys.clone())
}

async fn token(State(rogue): State<Arc<Rogue>>, Form(_): Form<HashMap<String, String>>) -> Json<Value> {
    Json(rogue.tokens.lock().unwrap().clone())
}

#[tokio::test]
async fn id_tokens_are_verified() {
    let mut bed = Bed::new();
    let keys = bed
        .http
        .get(format!("{}/jwks", bed.server.provider_url()))
        .send()
        .await
        .unwrap();
    let keys = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
    let rogue = Rogue::start(keys).await;
    let body = json!({
        "redirect_uris": [CALLBACK],
        "op_host": rogue.issuer,
        "client_id": "us",
        "client_secret": "secret",
        "scope": ["openid", "oxd"],
    });
    bed.site = bed.post("register-site", body.to_string(), None).await.ok();

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let good = json!({
        "iss": rogue.issuer,
        "sub": "somebody",
        "aud": "us",
        "iat": now,
        "exp": now + 600,
        "nonce": "known",
        // The hash of the access token of OpenID Connect Core 1.0, appendix A.4.
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
    });
    let try_with = async |id_token: Option<String>| {
        *rogue.tokens.lock().unwrap() = json!({
            "access_token": "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
            "token_type": "Bearer",
            "id_token": id_token,
        });
        let body = json!({ "state": "known", "nonce": "known" });
        bed.command("get-authorization-url", body).await.ok();
        bed.command("get-tokens-by-code", json!({ "code": "any", "state": "known" }))
            .await
    };
    let signed = |claims: &Value| bed.server.sign(claims, "JWT");

    let answer = try_with(signed(&good)).await.ok();
    assert_eq!(answer["id_token_claims"], good);
    assert_eq!(
        (&answer["expires_in"], &answer["refresh_token"]),
        (&json!(-1), &Value::Null)
    );

    for (claim, value, error) in [
        ("iss", json!("http://127.0.0.1:1"), "invalid_id_token_bad_issuer"),
        ("aud", json!("them"), "invalid_id_token_bad_audience"),
        ("aud", json!([]), "invalid_id_token_bad_audience"),
        ("exp", json!(now - 1), "invalid_id_token_expired"),
        ("nonce", json!("unknown"), "invalid_id_token_bad_nonce"),
        ("nonce", Value::Null, "invalid_id_token_bad_nonce"),
        (
            "at_hash",
            json!("AAAAAAAAAAAAAAAAAAAAAA"),
            "invalid_access_token_bad_hash",
        ),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        let answer = try_with(signed(&claims)).await;
        assert_eq!(answer.json["error"], error, "{claim} {value}: {answer:?}");
        assert_eq!(answer.status, 500, "{claim} {value}: {answer:?}");
    }

    // A signature over something else; the keys are asked for once more before giving up.
    let before = rogue.keys_asked.load(Ordering::Relaxed);
    let (one, other) = (signed(&good).unwrap(), signed(&json!({ "sub": "x" })).unwrap());
    let swapped = format!(
        "{}.{}",
        one.rsplit_once('.').unwrap().0,
        other.rsplit_once('.').unwrap().1
    );
    try_with(Some(swapped))
        .await
        .is_error(500, "invalid_id_token_bad_signature");
    assert_eq!(rogue.keys_asked.load(Ordering::Relaxed), before + 1);

    // No signature at all: {"alg":"none"}.
    let payload = one.split('.').nth(1).unwrap();
    let unsigned = try_with(Some(format!("eyJhbGciOiJub25lIn0.{payload}."))).await;
    assert_eq!(unsigned.status, 500, "{unsigned:?}");
    try_with(None).await.is_error(500, "no_id_token");

    // The state is still known: nothing of this was a success.
    try_with(signed(&good)).await.ok();
}
