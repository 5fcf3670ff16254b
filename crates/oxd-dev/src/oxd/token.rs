//! `get-client-token`, `get-access-token-by-refresh-token`, `introspect-access-token`.

use super::failure::{
    BAD_OP, Failure, INTERNAL, NO_ACCESS_TOKEN_PARAMETER, NO_CLIENT_ID, NO_CLIENT_SECRET, NO_REFRESH_TOKEN,
};
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
}

/// `get-client-token`. The real one asks the provider (client credentials, RFC 6749,
/// section 4.4); here the answer is our own, so that no provider needs to know the scope
/// `oxd` and tests can let tokens expire.
pub(crate) fn client_token(oxd: &Oxd, params: ClientTokenParams) -> Result<Value, Failure> {
    let host = op::op_host(&params.op_host, &params.op_configuration_endpoint)?.ok_or(BAD_OP)?;
    let id = given(&params.client_id).ok_or(NO_CLIENT_ID)?;
    let secret = given(&params.client_secret).ok_or(NO_CLIENT_SECRET)?;
    let mut store = lock(&oxd.store);
    // The provider would refuse, and of any refusal oxd makes an internal error.
    let registration = store.site_of_client(id, secret).ok_or(INTERNAL)?;
    if registration.site.op_host.trim_end_matches('/') != host.trim_end_matches('/') {
        return Err(INTERNAL);
    }
    let allowed = registration.scope.clone();
    let scope: Vec<String> = match params.scope.filter(|scope| !scope.is_empty()) {
        Some(asked) => asked
            .into_iter()
            .filter(|scope| allowed.contains(scope))
            .collect(),
        None => allowed,
    };
    let lifetime = oxd.options.client_token_lifetime;
    let token = store.issue_token(&oxd.clock, id, scope.clone(), lifetime);
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

/// Members that the API description asks of every answer; null where nothing is known.
const INTROSPECTION: [&str; 14] = [
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
];

/// `introspect-access-token`: the provider's answer (RFC 7662, section 2.2) in oxd's shape.
/// The client tokens issued here are known here.
pub(crate) async fn introspect(oxd: &Oxd, params: IntrospectParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let token = given(&params.access_token).ok_or(NO_ACCESS_TOKEN_PARAMETER)?;
    if let Some(record) = lock(&oxd.store).active_token(&oxd.clock, token) {
        return Ok(in_shape(json!({
            "active": true,
            "client_id": record.client_id,
            "scope": record.scope,
            "token_type": "bearer",
            "aud": record.client_id,
            "iss": site.site.op_host,
            "iat": record.issued_at,
            "exp": record.issued_at + record.lifetime.as_secs(),
        })));
    }
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let endpoint = metadata.additional_metadata().introspection_endpoint.as_deref();
    let endpoint = endpoint.ok_or(INTERNAL.because("no introspection_endpoint"))?;
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
        .body(format!("token={}", encode(token)))
        .send()
        .await
        .map_err(|why| INTERNAL.because(op::chain(&why)))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|why| INTERNAL.because(why))?;
    match serde_json::from_slice(&body) {
        Ok(answer @ Value::Object(_)) if status.is_success() => Ok(in_shape(answer)),
        _ => Err(INTERNAL.because(format!("introspection answered {status}"))),
    }
}

fn in_shape(mut answer: Value) -> Value {
    let mut shaped = Map::new();
    if let Some(members) = answer.as_object_mut() {
        shaped.append(members);
    }
    for member in INTROSPECTION {
        shaped.entry(member).or_insert(Value::Null);
    }
    if let Some(Value::String(scope)) = shaped.get("scope") {
        let list: Vec<Value> = scope.split_whitespace().map(Value::from).collect();
        shaped.insert("scope".to_owned(), Value::Array(list));
    }
    if let Some(Value::String(acr)) = shaped.get("acr_values") {
        let list: Vec<Value> = acr.split_whitespace().map(Value::from).collect();
        shaped.insert("acr_values".to_owned(), Value::Array(list));
    }
    Value::Object(shaped)
}
