//! Each command's error answers, and the rules for client tokens.

mod common;

use common::{Bed, Browser, CALLBACK, answer};
use oxd_dev::{Like, Options};
use serde_json::{Value, json};
use std::time::Duration;

const PROTECTED: [&str; 6] = [
    "get-access-token-by-refresh-token",
    "introspect-access-token",
    "get-authorization-url",
    "get-tokens-by-code",
    "get-user-info",
    "get-logout-uri",
];

#[tokio::test]
async fn commands_want_a_client_token() {
    let bed = Bed::new();
    let stranger = serde_json::to_value(bed.server.register(&[CALLBACK], &[])).unwrap();
    let body = json!({ "oxd_id": bed.oxd_id() });
    let unscoped = {
        let mut credentials = bed.credentials();
        credentials["scope"] = json!(["openid"]);
        let answer = bed
            .post("get-client-token", credentials.to_string(), None)
            .await
            .ok();
        format!("Bearer {}", answer["access_token"].as_str().unwrap())
    };
    for command in PROTECTED {
        for (header, error) in [
            (None, "blank_access_token"),
            (Some(""), "blank_access_token"),
            (Some("Basic abc"), "inactive_access_token"),
            (Some("Bearer unknown"), "inactive_access_token"),
            (Some(unscoped.as_str()), "access_token_insufficient_scope"),
        ] {
            let answer = bed.post(command, body.to_string(), header).await;
            answer.is_error(403, error);
        }
        let empty = bed.post(command, body.to_string(), Some("Bearer ")).await;
        assert_eq!(
            (empty.status, &empty.json["code"]),
            (500, &json!(500)),
            "{empty:?}"
        );
    }
    // A token of one site's client does not open another site...
    let bearer = bed.bearer().await;
    let other = json!({ "oxd_id": stranger["oxd_id"] }).to_string();
    let refused = bed
        .post("get-authorization-url", other.clone(), Some(&bearer))
        .await;
    refused.is_error(403, "invalid_access_token");
    // ... unless the header says that it is meant to.
    let url = format!("{}/get-authorization-url", bed.server.url());
    let with = |id: &str| {
        let request = bed.http.post(&url).header("authorization", &bearer);
        let request = request.header("content-type", "application/json");
        request.header("AuthorizationOxdId", id).body(other.clone())
    };
    answer(with(bed.oxd_id())).await.unwrap().ok();
    let refused = answer(with("unknown")).await.unwrap();
    refused.is_error(400, "invalid_oxd_id");
}

#[tokio::test]
async fn client_tokens_expire() {
    let bed = Bed::new();
    let body = json!({ "oxd_id": bed.oxd_id() }).to_string();
    let bearer = bed.bearer().await;
    bed.post("get-logout-uri", body.clone(), Some(&bearer)).await.ok();
    bed.server.advance(Duration::from_secs(298));
    bed.post("get-logout-uri", body.clone(), Some(&bearer)).await.ok();
    bed.server.advance(Duration::from_secs(2));
    let answer = bed.post("get-logout-uri", body.clone(), Some(&bearer)).await;
    answer.is_error(403, "inactive_access_token");

    let bearer = bed.bearer().await;
    bed.server.expire_client_tokens();
    let answer = bed.post("get-logout-uri", body.clone(), Some(&bearer)).await;
    answer.is_error(403, "inactive_access_token");
    let bearer = bed.bearer().await;
    bed.post("get-logout-uri", body, Some(&bearer)).await.ok();
}

#[tokio::test]
async fn protection_can_be_off() {
    let bed = Bed::with(Options {
        protect_commands: false,
        ..Options::default()
    });
    let body = json!({ "oxd_id": bed.oxd_id() }).to_string();
    bed.post("get-authorization-url", body, None).await.ok();
    let answer = bed.post("get-authorization-url", "{}".to_owned(), None).await;
    answer.is_error(400, "bad_request");
}

#[tokio::test]
async fn client_tokens_are_for_the_right_credentials() {
    let bed = Bed::new();
    let ask = async |change: &dyn Fn(&mut Value)| {
        let mut body = bed.credentials();
        change(&mut body);
        bed.post("get-client-token", body.to_string(), None).await
    };
    let token = ask(&|_| {}).await.ok();
    assert_eq!(token["expires_in"], 299);
    assert_eq!(token["scope"], json!(["openid", "oxd"]));
    assert_eq!(token["refresh_token"], Value::Null);
    let endpoint = format!("{}/.well-known/openid-configuration", bed.server.provider_url());
    ask(&|body| {
        body["op_host"] = Value::Null;
        body["op_configuration_endpoint"] = json!(endpoint);
    })
    .await
    .ok();

    ask(&|body| body["client_secret"] = json!("wrong"))
        .await
        .is_error(500, "internal_error");
    ask(&|body| body["client_id"] = json!("wrong"))
        .await
        .is_error(500, "internal_error");
    let elsewhere = ask(&|body| body["op_host"] = json!("http://127.0.0.1:1")).await;
    elsewhere.is_error(500, "no_connect_discovery_response");
    ask(&|body| body["client_id"] = json!(""))
        .await
        .is_error(400, "invalid_client_id");
    let secret = ask(&|body| body["client_secret"] = Value::Null).await;
    secret.is_error(400, "invalid_client_secret");
    let host = ask(&|body| body["op_host"] = Value::Null).await;
    host.is_error(500, "internal_error");
    let endpoint = ask(&|body| body["op_configuration_endpoint"] = json!("https://x.org")).await;
    endpoint.is_error(400, "invalid_op_configuration_endpoint");
}

#[tokio::test]
async fn unknown_and_missing_sites() {
    let bed = Bed::with(Options {
        protect_commands: false,
        ..Options::default()
    });
    for command in PROTECTED.iter().chain(&["update-site", "remove-site", "get-rp"]) {
        let answer = bed
            .post(command, r#"{"oxd_id":"unknown"}"#.to_owned(), None)
            .await;
        answer.is_error(400, "invalid_oxd_id");
        let answer = bed.post(command, r#"{"oxd_id":" "}"#.to_owned(), None).await;
        answer.is_error(400, "bad_request");
    }
    // The same with protection on.
    let bed = Bed::new();
    let answer = bed
        .call("get-authorization-url", json!({ "oxd_id": "unknown" }))
        .await;
    answer.is_error(400, "invalid_oxd_id");
    bed.command("remove-site", json!({})).await.ok();
    // The client stays at the provider and goes on getting tokens; the site is gone.
    let answer = bed.command("get-authorization-url", json!({})).await;
    answer.is_error(400, "invalid_oxd_id");
}

#[tokio::test]
async fn parameters_that_are_missing_or_wrong() {
    let bed = Bed::new();
    for (command, body, error) in [
        ("get-tokens-by-code", json!({ "state": "s" }), "bad_request"),
        ("get-tokens-by-code", json!({ "code": "c" }), "bad_request"),
        (
            "get-tokens-by-code",
            json!({ "code": "c", "state": "unknown" }),
            "bad_request",
        ),
        ("get-access-token-by-refresh-token", json!({}), "bad_request"),
        (
            "get-authorization-url",
            json!({ "redirect_uri": "no uri" }),
            "invalid_redirect_uri",
        ),
        (
            "get-authorization-url",
            json!({ "redirect_uri": "https://elsewhere.example.org/" }),
            "redirect_uri_is_not_registered",
        ),
        (
            "update-site",
            json!({ "redirect_uris": [] }),
            "invalid_redirect_uri",
        ),
        ("register-site", json!({}), "invalid_redirect_uri"),
        (
            "register-site",
            json!({ "redirect_uris": ["/relative"] }),
            "invalid_redirect_uri",
        ),
        (
            "register-site",
            json!({ "redirect_uris": ["https://x.org/#f"] }),
            "redirect_uri_has_fragment_component",
        ),
        (
            "register-site",
            json!({ "redirect_uris": [CALLBACK], "client_id": "x" }),
            "invalid_client_secret",
        ),
        (
            "register-site",
            json!({ "redirect_uris": [CALLBACK], "client_secret": "x" }),
            "invalid_client_id",
        ),
        (
            "register-site",
            json!({ "redirect_uris": [CALLBACK], "op_host": "ftp://x.org" }),
            "invalid_op_host_and_configuration_endpoint",
        ),
    ] {
        let answer = bed.command(command, body.clone()).await;
        assert_eq!(answer.status, 400, "{command} {body}");
        answer.is_error(400, error);
    }
    let body = json!({ "redirect_uris": [CALLBACK], "op_host": "http://127.0.0.1:1" });
    let answer = bed.command("register-site", body).await;
    answer.is_error(500, "no_connect_discovery_response");
}

#[tokio::test]
async fn bodies_that_are_no_json_object_get_a_text() {
    let bed = Bed::new();
    let bearer = bed.bearer().await;
    for body in [
        "{",
        "[]",
        "7",
        "\"x\"",
        r#"{"oxd_id": []}"#,
        r#"{"scope": "openid"}"#,
    ] {
        let body = match body {
            r#"{"scope": "openid"}"# => json!({ "oxd_id": bed.oxd_id(), "scope": "openid" }).to_string(),
            r#"{"oxd_id": []}"# => json!({ "redirect_uris": {} }).to_string(),
            other => other.to_owned(),
        };
        let command = if body.contains("redirect_uris") {
            "register-site"
        } else {
            "get-authorization-url"
        };
        let answer = bed.post(command, body, Some(&bearer)).await;
        assert_eq!(
            (answer.status, answer.media_type.as_str()),
            (400, "application/json"),
            "{answer:?}"
        );
        assert!(
            answer.text.starts_with("Invalid parameters. Message: "),
            "{answer:?}"
        );
    }
    // Nothing at all counts as an empty object.
    bed.post("get-authorization-url", String::new(), None)
        .await
        .is_error(403, "blank_access_token");
}

#[tokio::test]
async fn members_nobody_knows_are_ignored() {
    let bed = Bed::new();
    let body = json!({ "brand_new": { "in": ["oxd", 5] }, "prompt": null });
    bed.command("get-authorization-url", body).await.ok();
}

#[tokio::test]
async fn existing_clients_are_taken_as_they_are() {
    let bed = Bed::new();
    let body = json!({
        "redirect_uris": [CALLBACK],
        "client_id": bed.site["client_id"],
        "client_secret": bed.site["client_secret"],
        "scope": ["openid", "oxd"],
    });
    let site = bed.post("register-site", body.to_string(), None).await.ok();
    assert_ne!(site["oxd_id"], bed.site["oxd_id"]);
    assert_eq!(site["client_id"], bed.site["client_id"]);
}

#[tokio::test]
async fn methods_paths_and_media_types() {
    let bed = Bed::new();
    let url = |path: &str| format!("{}/{path}", bed.server.url());
    let health = answer(bed.http.get(url("health-check"))).await.unwrap().ok();
    assert_eq!(
        (&health["application"], &health["status"]),
        (&json!("oxd"), &json!("running"))
    );
    assert!(health["version"].as_str().unwrap().contains("stand-in"));
    let status = async |request: reqwest::RequestBuilder| answer(request).await.unwrap().status;
    assert_eq!(status(bed.http.post(url("health-check"))).await, 405);
    assert_eq!(status(bed.http.get(url("get-client-token"))).await, 405);
    assert_eq!(status(bed.http.post(url("check-access-token"))).await, 404);
    assert_eq!(status(bed.http.get(url("uma-rs-protect"))).await, 405);
    assert_eq!(status(bed.http.get(url(""))).await, 404);
    let form = bed
        .http
        .post(url("get-client-token"))
        .header("content-type", "text/plain");
    assert_eq!(status(form).await, 415);
}

#[tokio::test]
async fn calls_are_noted_in_order() {
    let bed = Bed::new();
    assert_eq!(bed.server.total(), 0, "register() is not noted");
    bed.tokens(&Browser::new(&bed)).await;
    bed.post("get-user-info", "no json".to_owned(), Some("Bearer x"))
        .await;
    let calls = bed.server.calls();
    let commands: Vec<(&str, u16)> = calls
        .iter()
        .map(|call| (call.command.as_str(), call.status))
        .collect();
    assert_eq!(
        commands,
        [
            ("get-client-token", 200),
            ("get-authorization-url", 200),
            ("get-client-token", 200),
            ("get-tokens-by-code", 200),
            ("get-user-info", 400),
        ]
    );
    assert_eq!(calls[0].body["client_id"], bed.site["client_id"]);
    assert_eq!(calls[0].authorization, None);
    assert!(calls[1].authorization.as_ref().unwrap().starts_with("Bearer "));
    assert_eq!(calls[4].body, json!("no json"));
    assert_eq!(bed.server.count("get-client-token"), 2);
    assert_eq!(bed.server.total(), 5);
    bed.server.clear_calls();
    assert_eq!(bed.server.total(), 0);
}

/// What differs between the versions: `Options::like`.
#[tokio::test]
async fn versions_differ() {
    for (like, old) in [
        (Like::V4_1, true),
        (Like::V4_2, false),
        (Like::V4_3, false),
        (Like::V4_5, false),
    ] {
        let bed = Bed::with(Options {
            like,
            ..Options::default()
        });
        let health = answer(bed.http.get(format!("{}/health-check", bed.server.url())))
            .await
            .unwrap()
            .ok();
        assert_eq!(health.get("application").is_none(), old, "{like}");
        assert_eq!(health["status"], "running");

        let body = json!({ "oxd_id": bed.oxd_id(), "client_name": "x" }).to_string();
        let update = bed.post("update-site", body, None).await;
        assert_eq!(update.status, if old { 403 } else { 200 }, "{like}");

        let url = bed.authorization_url(json!({ "nonce": "n-of-the-caller" })).await;
        assert_eq!(!url.contains("n-of-the-caller"), old, "{like}: {url}");

        let hint = bed
            .command("get-logout-uri", json!({ "id_token_hint": "h" }))
            .await
            .ok();
        assert_eq!(
            !hint["uri"].as_str().unwrap().contains("id_token_hint"),
            old,
            "{like}"
        );

        let mut credentials = bed.credentials();
        let endpoint = format!("{}/.well-known/openid-configuration", bed.server.provider_url());
        credentials["op_host"] = Value::Null;
        credentials["op_configuration_endpoint"] = json!(endpoint);
        let token = bed.post("get-client-token", credentials.to_string(), None).await;
        assert_eq!(token.status, if old { 500 } else { 200 }, "{like}");

        let tokens = bed.tokens(&Browser::new(&bed)).await;
        let other = "e30.eyJzdWIiOiJzb21lYm9keSBlbHNlIn0.e30";
        let body = json!({ "access_token": tokens["access_token"], "id_token": other });
        let info = bed.command("get-user-info", body).await;
        assert_eq!(info.status, if old { 200 } else { 500 }, "{like}");
    }
}

/// A state of more than 50 characters is taken, and unknown when the user comes back.
#[tokio::test]
async fn long_states_are_lost() {
    let bed = Bed::new();
    for (length, known) in [(50, true), (51, false)] {
        let state = "s".repeat(length);
        bed.authorization_url(json!({ "state": state })).await;
        let body = json!({ "code": "unknown", "state": state });
        let answer = bed.command("get-tokens-by-code", body).await;
        let words = if known {
            "'code' is invalid."
        } else {
            "'state' is not registered."
        };
        assert_eq!(answer.json["error_description"], words, "{length}");
    }
}
