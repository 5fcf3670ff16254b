//! A photo album behind UMA: what asks for access to it, and what the person does.

use super::{Answer, Bed, Browser, CALLBACK, provider};
use oxd_dev::{Addresses, Options, ProviderOptions, UmaOptions, UmaOutcome, UmaRule, UmaSite, User};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

pub const CLAIMS: &str = "http://127.0.0.1:1/oxd/claims";
const ID_TOKEN: &str = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken";

/// A stand-in with a site that protects `/photo`.
pub async fn album(options: Options) -> Bed {
    album_of(options, false).await
}

pub async fn album_of(options: Options, rpt_as_jwt: bool) -> Bed {
    let mut bed = Bed::with(Options {
        // The clock is pushed.
        client_token_lifetime: Duration::from_secs(1_000_000_000),
        ..options
    });
    let addresses = Addresses {
        redirect_uris: vec![CALLBACK.to_owned()],
        ..Addresses::default()
    };
    let uma = UmaSite {
        claims_redirect_uris: vec![CLAIMS.to_owned()],
        rpt_as_jwt,
    };
    let site = bed.server.try_register_uma(&addresses, &uma);
    bed.site = serde_json::to_value(site.expect("a site")).expect("JSON");
    let resources = json!([{
        "path": "/photo",
        "conditions": [
            { "httpMethods": ["GET"], "scopes": ["see"] },
            { "httpMethods": ["PUT"], "scopes": ["see", "change"], "ticketScopes": ["change"] },
        ],
    }]);
    let body = json!({ "resources": resources });
    bed.command("uma-rs-protect", body).await.ok();
    bed
}

pub fn ruled(rules: Vec<UmaRule>, otherwise: UmaOutcome) -> Options {
    with(UmaOptions {
        rules,
        otherwise,
        ..UmaOptions::default()
    })
}

pub fn with(uma: UmaOptions) -> Options {
    provider(ProviderOptions {
        uma: Some(uma),
        ..ProviderOptions::default()
    })
}

pub async fn access(bed: &Bed, rpt: &str) -> Value {
    let body = json!({ "path": "/photo", "http_method": "GET", "rpt": rpt });
    bed.command("uma-rs-check-access", body).await.ok()
}

pub async fn ticket(bed: &Bed) -> String {
    let denied = access(bed, "").await;
    assert_eq!(denied["access"], "denied");
    denied["ticket"].as_str().expect("a ticket").to_owned()
}

pub async fn get_rpt(bed: &Bed, ticket: &str) -> Answer {
    bed.command("uma-rp-get-rpt", json!({ "ticket": ticket })).await
}

pub async fn pushed(bed: &Bed, ticket: &str, user: &User) -> Answer {
    let claims = json!({
        "iss": bed.server.provider_url(),
        "sub": user.claims["sub"],
        "exp": 4_000_000_000_u64,
    });
    let body = json!({
        "ticket": ticket,
        "claim_token": bed.server.sign(&claims, "JWT"),
        "claim_token_format": ID_TOKEN,
    });
    bed.command("uma-rp-get-rpt", body).await
}

#[track_caller]
pub fn rpt(answer: Answer) -> String {
    answer.ok()["access_token"].as_str().expect("an RPT").to_owned()
}

/// The ticket of a refusal that leaves one.
#[track_caller]
pub fn again(answer: &Answer, error: &str) -> String {
    assert_eq!(
        (answer.status, answer.json["error"].as_str()),
        (403, Some(error)),
        "{answer:?}"
    );
    answer.json["ticket"].as_str().expect("a new ticket").to_owned()
}

/// Through the page, with this button, as this user: what comes back to the client.
pub async fn gather(bed: &Bed, ticket: &str, user: &str, button: &str) -> HashMap<String, String> {
    let body = json!({ "ticket": ticket, "claims_redirect_uri": CLAIMS, "state": "a-state" });
    let there = bed.command("uma-rp-get-claims-gathering-url", body).await.ok();
    let browser = Browser::new(bed);
    let page = browser.follow(there["url"].as_str().expect("a URL")).await;
    assert!(
        page.has_button("confirm") && page.has_button("decline"),
        "{page:?}"
    );
    let wrong = [("username", user), ("password", "wrong")];
    let page = browser.press(&page, "confirm", &wrong).await;
    assert!(page.body.contains("The name or the password is wrong."));
    let fill = [("username", user), ("password", "secret")];
    let page = browser.press(&page, button, &fill).await;
    assert!(
        page.location.as_deref().is_some_and(|to| to.starts_with(CLAIMS)),
        "{page:?}"
    );
    let back = page.query();
    assert_eq!(back["state"], "a-state");
    back
}
