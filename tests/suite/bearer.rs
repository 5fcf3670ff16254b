//! Bearer tokens: API clients and browsers at one place.

mod bearer {
    pub(crate) mod crowd;
    pub(crate) mod handed_on;
    pub(crate) mod tokens;
}

use oxd_dev::Signer;
use oxd_tests::{Answer, Browser, SiteBuilder, TestSite};
use serde_json::{Value, json};

/// A site whose part below `/app` takes bearer tokens.
fn builder(mode: &str) -> SiteBuilder {
    TestSite::builder().config(&format!("<Location /app>\nOxdBearer {mode}\n</Location>"))
}

/// An access token of the demo user, as an application of the site has it.
fn access_token(site: &TestSite) -> String {
    let environment = site.signed_in().get(site.url("/tokens/env")).environment();
    environment["OXD_ACCESS_TOKEN"].clone()
}

/// A request with this `Authorization` header, as an API client sends it.
fn bring(site: &TestSite, path: &str, authorization: &str) -> Answer {
    let client = Browser::new();
    let ask = client
        .ask("GET", site.url(path))
        .header("accept", "application/json");
    ask.header("authorization", authorization).send()
}

/// The claims of a good JWT access token for the site.
fn claims(site: &TestSite) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a clock").as_secs();
    json!({
        "iss": site.oxd.provider_url(), "sub": "robot", "aud": site.site.client_id, "client_id": "a-client",
        "iat": now, "exp": now + 300, "jti": "1", "scope": "read write", "roles": ["machine"],
    })
}

fn jwt(site: &TestSite, header: &Value, claims: &Value) -> String {
    let token = site.oxd.jws(header, &claims.to_string(), &Signer::Current);
    format!("Bearer {}", token.expect("a key of the development provider"))
}

/// The challenge of an answer.
fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}
