//! `get-client-token`, `get-access-token-by-refresh-token`, `introspect-access-token`.

use super::failure::{Failure, INTERNAL, NO_CLIENT_ID, NO_CLIENT_SECRET, NO_REFRESH_TOKEN};
use super::{Oxd, given, op};
use crate::util::{encode, lock};
use openidconnect::{OAuth2TokenResponse as _, RefreshToken, Scope};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Parameters of `get-client-token`.
#[derive(Deserialize)]
pub(crate) struct ClientTokenParams {
    client_id: Option<String>,
    client_secret: Option<String>,
    op_host: Option<String>,
    op_configuration_endpoint: Option<String>,
    scope: Option<Vec<String>>,
    authentication_method: Option<String>,
    algorithm: Option<String>,
}

/// `get-client-token`. The real one asks the provider (client credentials, RFC 6749,
/// section 4.4); here the answer is our own, so that no provider needs to know the scope
/// `oxd` and tests can let tokens expire.
pub(crate) async fn client_token(oxd: &Oxd, params: ClientTokenParams) -> Result<Value, Failure> {
    let host = op::op_host(oxd, &params.op_host, &params.op_configuration_endpoint)?.ok_or(INTERNAL)?;
    let id = given(&params.client_id).ok_or(NO_CLIENT_ID)?;
    let signed = given(&params.authentication_method) == Some(op::PRIVATE_KEY_JWT);
    let secret = match signed {
        true => None,
        false => Some(given(&params.client_secret).ok_or(NO_CLIENT_SECRET)?),
    };
    if signed && given(&params.algorithm).is_none() {
        return Err(INTERNAL.because("private_key_jwt without an algorithm"));
    }
    // The provider would refuse, and of any refusal oxd makes an internal error.
    let registration = lock(&oxd.store)
        .site_of_client(id, secret)
        .cloned()
        .ok_or(INTERNAL)?;
    if registration.site.op_host.trim_end_matches('/') != host.trim_end_matches('/') {
        oxd.op.metadata(&host).await?;
        return Err(INTERNAL);
    }
    let mut scope = vec!["openid".to_owned()];
    for name in params.scope.unwrap_or_default() {
        if registration.scope.contains(&name) && !scope.contains(&name) {
            scope.push(name);
        }
    }
    let lifetime = oxd.options.client_token_lifetime;
    let token = lock(&oxd.store).issue_token(&oxd.clock, id, scope.clone(), lifetime);
    Ok(json!({
        "scope": scope,
        "access_token": token,
        "expires_in": lifetime.as_secs(),
        "refresh_token": null,
    }))
}

/// Parameters of `get-access-token-by-refresh-token`.
#[derive(Deserialize)]
pub(crate) struct RefreshParams {
    oxd_id: Option<String>,
    refresh_token: Option<String>,
    scope: Option<Vec<String>>,
}

/// `get-access-token-by-refresh-token` (RFC 6749, section 6). As in the real one, the scope
/// asked for is `openid` and what the caller names: a caller that names nothing gets a
/// narrower token than before.
pub(crate) async fn refresh(oxd: &Oxd, params: RefreshParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let token = given(&params.refresh_token).ok_or(NO_REFRESH_TOKEN)?;
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let client = op::relying_party(&metadata, &site.site.client_id, &site.site.client_secret);
    let mut scope = vec!["openid".to_owned()];
    for name in params.scope.unwrap_or_default() {
        if !scope.contains(&name) {
            scope.push(name);
        }
    }
    let refresh_token = RefreshToken::new(token.to_owned());
    let answer = client
        .exchange_refresh_token(&refresh_token)
        .map_err(|why| INTERNAL.because(why))?
        .add_scopes(scope.iter().cloned().map(Scope::new))
        .request_async(&oxd.op.http)
        .await
        // A refused token and a broken token endpoint are the same to a caller of the real one.
        .map_err(|_| INTERNAL)?;
    let granted = match answer.scopes() {
        Some(scopes) => scopes.iter().map(|scope| scope.to_string()).collect(),
        None => scope,
    };
    Ok(json!({
        "scope": granted,
        "access_token": answer.access_token().secret(),
        "expires_in": answer.expires_in().map_or(-1, |time| time.as_secs() as i64),
        "refresh_token": answer.refresh_token().map(|token| token.secret()),
    }))
}

/// Parameters of `introspect-access-token`.
#[derive(Deserialize)]
pub(crate) struct IntrospectParams {
    oxd_id: Option<String>,
    access_token: Option<String>,
}

/// `introspect-access-token`: the provider's answer (RFC 7662, section 2.2) in oxd's shape.
/// The client tokens issued here are known here.
pub(crate) async fn introspect(oxd: &Oxd, params: IntrospectParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let token = params.access_token.as_deref().unwrap_or_default();
    if let Some(record) = lock(&oxd.store).active_token(&oxd.clock, token) {
        return in_shape(&json!({
            "active": true,
            "client_id": record.client_id,
            "scope": record.scope,
            "token_type": "Bearer",
            "iss": site.site.op_host,
            "iat": record.issued_at,
            "exp": record.issued_at + record.lifetime.as_secs(),
        }));
    }
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let endpoint = metadata.additional_metadata().introspection_endpoint.as_deref();
    let endpoint = endpoint.ok_or(INTERNAL.because("no introspection_endpoint"))?;
    let form = match token {
        "" => String::new(),
        token => format!("token={}", encode(token)),
    };
    // Ids and secrets are form-encoded before they become Basic (RFC 6749, section 2.3.1).
    let answer = oxd
        .op
        .http
        .raw()
        .post(endpoint)
        .basic_auth(
            encode(&site.site.client_id),
            Some(encode(&site.site.client_secret)),
        )
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .map_err(|why| INTERNAL.because(op::chain(&why)))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|why| INTERNAL.because(why))?;
    if status.is_server_error() {
        return Err(Failure::Page(status.as_u16()));
    }
    if !status.is_success() {
        let body = String::from_utf8_lossy(&body).into_owned();
        return Err(Failure::Http(status.as_u16(), body.into()));
    }
    match serde_json::from_slice(&body) {
        Ok(answer @ Value::Object(_)) => in_shape(&answer),
        _ => Err(INTERNAL),
    }
}

/// Texts that oxd hands on from an introspection; it drops what is not named here.
const INTROSPECTED_TEXTS: [&str; 8] = [
    "client_id",
    "username",
    "token_type",
    "sub",
    "aud",
    "iss",
    "jti",
    "acr_values",
];

/// What oxd takes for true.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => text == "true",
        _ => false,
    }
}

/// What oxd makes of the provider's introspection: members it knows, in the types it knows. A list where it expects a
/// text, and a time past 2038, are an internal error.
fn in_shape(answer: &Value) -> Result<Value, Failure> {
    let mut shaped = Map::new();
    shaped.insert("active".to_owned(), is_true(&answer["active"]).into());
    match &answer["scope"] {
        Value::String(scope) if !scope.is_empty() => {
            let list: Vec<&str> = scope.split(' ').collect();
            shaped.insert("scope".to_owned(), json!(list));
        }
        list @ Value::Array(_) => drop(shaped.insert("scope".to_owned(), list.clone())),
        _ => (),
    }
    for name in INTROSPECTED_TEXTS {
        let text = match &answer[name] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => return Err(INTERNAL),
            other => other.to_string(),
        };
        shaped.insert(name.to_owned(), Value::String(text));
    }
    for name in ["exp", "iat"] {
        let time = match &answer[name] {
            Value::Null => continue,
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let time = time.and_then(|time| i32::try_from(time).ok()).ok_or(INTERNAL)?;
        shaped.insert(name.to_owned(), time.into());
    }
    Ok(Value::Object(shaped))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As recorded (`introspect_access_token`): the provider's answer, and oxd's.
    #[test]
    fn introspections_are_shaped_as_oxd_does() {
        for (provider, oxd) in [
            (json!({}), json!({ "active": false })),
            (json!({ "active": "true", "cnf": {} }), json!({ "active": true })),
            (
                json!({ "active": true, "scope": "openid  profile", "nbf": 1 }),
                json!({ "active": true, "scope": ["openid", "", "profile"] }),
            ),
            (
                json!({ "active": true, "scope": "", "sub": 5, "exp": "1900000000" }),
                json!({ "active": true, "sub": "5", "exp": 1_900_000_000 }),
            ),
        ] {
            assert_eq!(in_shape(&provider).expect("an answer"), oxd, "{provider}");
        }
        for member in ["aud", "acr_values"] {
            let list = in_shape(&json!({ "active": true, member: ["one"] }));
            assert_eq!(list.expect_err(member).status(), 500);
        }
        let late = in_shape(&json!({ "active": true, "exp": 2_208_988_800_u64 }));
        assert_eq!(late.expect_err("past 2038").status(), 500);
    }
}
