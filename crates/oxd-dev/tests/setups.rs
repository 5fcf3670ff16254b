//! Options that change what the stand-in is: TLS, another provider, other habits.

mod common;

use common::{Bed, Browser, CALLBACK, SECOND, provider};
use oxd_dev::{DevServer, Error, Like, Options, Provider, ProviderOptions, Tls, User};
use serde_json::{Value, json};

#[tokio::test]
async fn state_and_nonce_can_be_its_own() {
    let options = Options {
        own_state: true,
        like: Like::V4_1,
        ..Options::default()
    };
    let bed = Bed::with(options);
    let back = bed
        .code(&Browser::new(&bed), json!({ "state": "mine", "nonce": "mine" }))
        .await;
    assert_ne!(back["state"], "mine");
    let body = json!({ "code": back["code"], "state": "mine" });
    let answer = bed.command("get-tokens-by-code", body).await;
    answer.is_error(400, "bad_request");
    let body = json!({ "code": back["code"], "state": back["state"] });
    let tokens = bed.command("get-tokens-by-code", body).await.ok();
    assert_ne!(tokens["id_token_claims"]["nonce"], "mine");
}

#[tokio::test]
async fn without_refresh_tokens_and_end_session_the_answers_say_so() {
    let options = ProviderOptions {
        refresh_tokens: false,
        end_session: false,
        claims_in_id_token: true,
        ..Default::default()
    };
    let bed = Bed::with(provider(options));
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    assert_eq!(tokens["refresh_token"], Value::Null);
    assert_eq!(tokens["id_token_claims"]["email"], "test_user@example.org");
    let answer = bed.command("get-logout-uri", json!({})).await;
    answer.is_error(500, "no_end_session_endpoint_at_op");
}

#[tokio::test]
async fn it_works_over_tls_with_its_own_certificate() {
    let bed = Bed::with(Options {
        tls: Tls::SelfSigned,
        ..Options::default()
    });
    assert!(bed.server.url().starts_with("https://127.0.0.1:"));
    bed.tokens(&Browser::new(&bed)).await;
    let trusting_nobody = reqwest::Client::builder()
        .tls_certs_only(std::iter::empty::<reqwest::Certificate>())
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("{}/health-check", bed.server.url());
    trusting_nobody.get(url).send().await.unwrap_err();
}

#[tokio::test]
async fn another_provider_works_with_dynamic_and_static_clients() {
    let other = DevServer::start(Options::default()).unwrap();
    let known = other.register(&[CALLBACK, SECOND], &[]);
    // oxd takes an issuer with and without a slash for the same.
    let issuer = format!("{}/", other.provider_url());
    let clients = [None, Some((known.client_id.clone(), known.client_secret.clone()))];
    for client in clients {
        let provider = Provider::External {
            issuer: issuer.clone(),
            client: client.clone(),
        };
        let bed = Bed::with(Options {
            provider,
            ..Options::default()
        });
        if let Some((id, _)) = client {
            assert_eq!(bed.site["client_id"], id);
        }
        let tokens = bed.tokens(&Browser::new(&bed)).await;
        assert_eq!(tokens["id_token_claims"]["iss"], other.provider_url());
        assert!(bed.server.sign(&json!({}), "JWT").is_none());
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let users = vec![User::new("x", "y", json!([]))];
    let options = provider(ProviderOptions {
        users,
        ..Default::default()
    });
    assert!(matches!(DevServer::start(options), Err(Error::Options(_))));
    let external = Provider::External {
        issuer: "nonsense".to_owned(),
        client: None,
    };
    let options = Options {
        provider: external,
        ..Options::default()
    };
    assert!(matches!(DevServer::start(options), Err(Error::Options(_))));
}

#[tokio::test]
async fn only_addresses_that_are_listed_get_in() {
    for (listed, welcome) in [
        (&["*"][..], true),
        (&[], true),
        (&["127.0.0.1", "10.0.0.7"], true),
        (&["10.0.0.7"], false),
        (&["::1"], false),
    ] {
        let bind_ip_addresses = listed.iter().map(|address| (*address).to_owned()).collect();
        let bed = Bed::with(Options {
            bind_ip_addresses,
            ..Options::default()
        });
        let url = format!("{}/health-check", bed.server.url());
        let health = common::answer(bed.http.get(url)).await.unwrap();
        let token = bed
            .post("get-client-token", bed.credentials().to_string(), None)
            .await;
        for answer in [health, token] {
            match welcome {
                true => drop(answer.ok()),
                false => answer.is_error(403, "oxd_access_denied"),
            }
        }
        // What is not JSON at all is refused for the address, too.
        let nonsense = bed.post("get-discovery", "{".to_owned(), None).await;
        assert_eq!(nonsense.status, if welcome { 400 } else { 403 });
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let bed = Bed::with(Options {
        tls: Tls::Expired,
        ..Options::default()
    });
    let url = format!("{}/health-check", bed.server.url());
    let error = bed.http.get(url).send().await.unwrap_err();
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        why = format!("{why}: {inner}");
        cause = inner.source();
    }
    assert!(why.contains("expired"), "{why}");
}
