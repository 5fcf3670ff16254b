//! `get-authorization-url`, `get-tokens-by-code`, `get-user-info`, `get-logout-uri`.

use super::failure::{
    BAD_AT_HASH, BAD_AUDIENCE, BAD_CODE, BAD_ID_TOKEN, BAD_ISSUER, BAD_NONCE, BAD_REDIRECT_URI,
    BAD_SIGNATURE, BAD_STATE, BAD_SUBJECT, EXPIRED_ID_TOKEN, Failure, INTERNAL, NO_CODE, NO_END_SESSION,
    NO_ID_TOKEN, NO_STATE, REDIRECT_URI_HAS_FRAGMENT, REDIRECT_URI_NOT_REGISTERED,
};
use super::op::{Metadata, RelyingParty};
use super::{Oxd, given, op};
use crate::Like;
use crate::util::{encode, jwt_payload, lock, random};
use openidconnect::core::{CoreErrorResponseType, CoreTokenResponse};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, Nonce, OAuth2TokenResponse as _,
    RedirectUrl, RequestTokenError, TokenResponse as _,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Characters of a state that oxd 4.2 and later remembers.
const STATE_LIMIT: usize = 50;

/// Parameters of `get-authorization-url`.
#[derive(Deserialize)]
pub(crate) struct AuthorizationUrlParams {
    oxd_id: Option<String>,
    scope: Option<Vec<String>>,
    acr_values: Option<Vec<String>>,
    prompt: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    redirect_uri: Option<String>,
    hd: Option<String>,
    response_types: Option<Vec<String>>,
    custom_parameters: Option<Map<String, Value>>,
    params: Option<BTreeMap<String, Flat>>,
}

/// A text; numbers and truth values are taken as such, lists and objects are not.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Flat {
    Text(String),
    Number(serde_json::Number),
    Truth(bool),
}

impl std::fmt::Display for Flat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flat::Text(text) => f.write_str(text),
            Flat::Number(number) => write!(f, "{number}"),
            Flat::Truth(truth) => write!(f, "{truth}"),
        }
    }
}

/// `get-authorization-url`. The URL is put together as the real one does it: client id, redirect URI, state, nonce and
/// prompt stand in it raw, lists are joined with `+`.
pub(crate) async fn authorization_url(oxd: &Oxd, params: AuthorizationUrlParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let redirect_uri = match given(&params.redirect_uri) {
        Some(uri) if url::Url::parse(uri).is_err() => return Err(BAD_REDIRECT_URI),
        Some(uri) if uri.contains('#') => return Err(REDIRECT_URI_HAS_FRAGMENT),
        Some(uri) if !site.redirect_uris.iter().any(|known| known == uri) => {
            return Err(REDIRECT_URI_NOT_REGISTERED);
        }
        Some(uri) => uri,
        None => &site.redirect_uris[0],
    };
    let or_registered = |named: &Option<Vec<String>>, registered: &[String]| match named {
        Some(list) if !list.is_empty() => list.clone(),
        _ => registered.to_vec(),
    };
    let response_types = match &params.response_types {
        Some(types) if types.iter().all(|name| site.response_types.contains(name)) => {
            or_registered(&params.response_types, &site.response_types)
        }
        _ => site.response_types.clone(),
    };
    let state = new_state(oxd, &params.state);
    let nonce = match given(&params.nonce) {
        Some(nonce) if oxd.options.like.is_since_4_2() => nonce.to_owned(),
        _ => random(20),
    };
    lock(&oxd.store).put_nonce(&oxd.clock, &nonce);
    let mut url = metadata.authorization_endpoint().to_string();
    url.push(if url.contains('?') { '&' } else { '?' });
    url += &format!(
        "response_type={}&client_id={}&redirect_uri={redirect_uri}&scope={}&state={state}&nonce={nonce}",
        joined(&response_types),
        site.site.client_id,
        joined(&or_registered(&params.scope, &site.scope)),
    );
    let acr_values = joined(&or_registered(&params.acr_values, &site.acr_values));
    if !acr_values.is_empty() {
        url += &format!("&acr_values={acr_values}");
    }
    if let Some(prompt) = given(&params.prompt) {
        url += &format!("&prompt={prompt}");
    }
    if let Some(domain) = given(&params.hd) {
        url += &format!("&hd={domain}");
    }
    if let Some(custom) = params.custom_parameters.filter(|custom| !custom.is_empty()) {
        let list: Vec<Value> = custom
            .into_iter()
            .map(|(name, value)| json!({ name: text(&value) }))
            .collect();
        url += &format!(
            "&custom_response_headers={}",
            encode(&Value::from(list).to_string())
        );
    }
    for (name, value) in params.params.unwrap_or_default() {
        url += &format!("&{}={}", encode(&name), encode(&value.to_string()));
    }
    Ok(json!({ "authorization_url": url }))
}

/// The caller's state, or a new one; it is known from now on.
pub(super) fn new_state(oxd: &Oxd, named: &Option<String>) -> String {
    let state = match given(named) {
        Some(state) if !oxd.options.own_state => state.to_owned(),
        _ => random(20),
    };
    // The real one accepts a longer state and loses it: since 4.2 it goes into a column of a database.
    if !oxd.options.like.is_since_4_2() || state.chars().count() <= STATE_LIMIT {
        lock(&oxd.store).put_state(&oxd.clock, &state);
    }
    state
}

fn joined(list: &[String]) -> String {
    encode(&list.join(" "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn state_lifetime(oxd: &Oxd) -> std::time::Duration {
    let named = oxd.options.state_lifetime;
    named.unwrap_or_else(|| oxd.options.like.state_lifetime())
}

/// Parameters of `get-tokens-by-code`.
#[derive(Deserialize)]
pub(crate) struct TokensByCodeParams {
    oxd_id: Option<String>,
    code: Option<String>,
    state: Option<String>,
    authentication_method: Option<String>,
}

/// `get-tokens-by-code`. Like the real one it asks whether the state and the ID token's nonce
/// are known, not whose they are; it exchanges with the first registered redirect URI
/// whichever was used; and it forgets the state only when all went well.
pub(crate) async fn tokens_by_code(oxd: &Oxd, params: TokensByCodeParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let code = given(&params.code).ok_or(NO_CODE)?;
    let state = given(&params.state).ok_or(NO_STATE)?;
    if !lock(&oxd.store).has_state(&oxd.clock, state, state_lifetime(oxd)) {
        return Err(BAD_STATE);
    }
    let host = &site.site.op_host;
    let metadata = oxd.op.metadata(host).await?;
    let method = given(&params.authentication_method).filter(|_| oxd.options.like > Like::V4_2);
    if site.signed != (method == Some(op::PRIVATE_KEY_JWT)) {
        return Err(INTERNAL.because("the client is not registered with this authentication_method"));
    }
    let client =
        |metadata: &Metadata| op::relying_party(metadata, &site.site.client_id, &site.site.client_secret);
    let first = RedirectUrl::new(site.redirect_uris[0].clone());
    let first = first.map_err(|why| BAD_REDIRECT_URI.because(why))?;
    let tokens = client(&metadata)
        .set_redirect_uri(first)
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .map_err(|why| INTERNAL.because(why))?
        .request_async(&oxd.op.http)
        .await
        .map_err(refused)?;
    let mut verified = verify(oxd, &client(&metadata), &tokens);
    if let Err(Failure::Api { error, .. }) = &verified
        && *error == "invalid_id_token_bad_signature"
    {
        // The provider may have exchanged its keys since we asked for them.
        oxd.op.forget(host);
        verified = verify(oxd, &client(&*oxd.op.metadata(host).await?), &tokens);
    }
    let id_token = verified?;
    let claims = jwt_payload(&id_token).ok_or(BAD_ID_TOKEN)?;
    lock(&oxd.store).forget_login(state, claims.get("nonce").and_then(Value::as_str));
    Ok(json!({
        "access_token": tokens.access_token().secret(),
        "expires_in": tokens.expires_in().map_or(-1, |time| time.as_secs() as i64),
        "id_token": id_token,
        "refresh_token": tokens.refresh_token().map(|token| token.secret()),
        "id_token_claims": claims,
    }))
}

fn refused<E>(
    why: RequestTokenError<E, openidconnect::StandardErrorResponse<CoreErrorResponseType>>,
) -> Failure
where
    E: std::error::Error + 'static,
{
    match &why {
        RequestTokenError::ServerResponse(response)
            if !matches!(response.error(), CoreErrorResponseType::InvalidClient) =>
        {
            BAD_CODE.because(response)
        }
        _ => INTERNAL.because(op::chain(&why)),
    }
}

/// Checks signature, issuer, audience, expiry, nonce and `at_hash` (OpenID Connect Core 1.0,
/// 3.1.3.7 and 3.1.3.8); hands back the ID token as text.
fn verify(oxd: &Oxd, client: &RelyingParty, tokens: &CoreTokenResponse) -> Result<String, Failure> {
    let id_token = tokens.id_token().ok_or(NO_ID_TOKEN)?;
    let verifier = client.id_token_verifier();
    let known = |nonce: Option<&Nonce>| {
        let nonce = nonce.ok_or("there is none")?;
        match lock(&oxd.store).has_nonce(&oxd.clock, nonce.secret(), state_lifetime(oxd)) {
            true => Ok(()),
            false => Err("it is not registered".to_owned()),
        }
    };
    let claims = id_token.claims(&verifier, known).map_err(|why| {
        let failure = match &why {
            ClaimsVerificationError::Expired(_) => EXPIRED_ID_TOKEN,
            ClaimsVerificationError::InvalidAudience(_) => BAD_AUDIENCE,
            ClaimsVerificationError::InvalidIssuer(_) => BAD_ISSUER,
            ClaimsVerificationError::InvalidNonce(_) => BAD_NONCE,
            ClaimsVerificationError::SignatureVerification(_) => BAD_SIGNATURE,
            _ => BAD_ID_TOKEN,
        };
        failure.because(op::chain(&why))
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = id_token.signing_alg().map_err(|why| BAD_ID_TOKEN.because(why))?;
        let key = id_token
            .signing_key(&verifier)
            .map_err(|why| BAD_SIGNATURE.because(why))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|why| BAD_AT_HASH.because(why))?;
        if actual != *expected {
            return Err(BAD_AT_HASH);
        }
    }
    Ok(id_token.to_string())
}

/// Parameters of `get-user-info`.
#[derive(Deserialize)]
pub(crate) struct UserInfoParams {
    oxd_id: Option<String>,
    access_token: Option<String>,
    id_token: Option<String>,
}

/// `get-user-info`: hands the provider's answer on, with 200 even when it is a refusal. With
/// an `id_token` (oxd 4.2 and later) the two `sub` are compared.
pub(crate) async fn user_info(oxd: &Oxd, params: UserInfoParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let endpoint = metadata
        .userinfo_endpoint()
        .ok_or(INTERNAL.because("no userinfo_endpoint"))?;
    let mut request = oxd.op.http.raw().get(endpoint.as_str());
    // A missing token is for the provider to refuse.
    if let Some(token) = given(&params.access_token) {
        request = request.bearer_auth(token);
    }
    let answer = request
        .send()
        .await
        .map_err(|why| INTERNAL.because(op::chain(&why)))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|why| INTERNAL.because(why))?;
    let info = match serde_json::from_slice(&body) {
        Ok(info @ Value::Object(_)) => info,
        // RFC 6750 lets a provider refuse with a header alone.
        _ if !status.is_success() => json!({
            "error": "invalid_token",
            "error_description": format!("the provider answered {status}"),
        }),
        _ => return Err(INTERNAL.because("user info is no JSON object")),
    };
    if let Some(id_token) = given(&params.id_token)
        && oxd.options.like.is_since_4_2()
        && info.get("error").is_none()
    {
        let claims = jwt_payload(id_token).ok_or(BAD_SUBJECT.because("no id_token"))?;
        if claims.get("sub") != info.get("sub") {
            return Err(BAD_SUBJECT);
        }
    }
    Ok(info)
}

/// Parameters of `get-logout-uri`.
#[derive(Deserialize)]
pub(crate) struct LogoutUriParams {
    oxd_id: Option<String>,
    id_token_hint: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
    session_state: Option<String>,
}

/// `get-logout-uri` (OpenID Connect RP-Initiated Logout 1.0, section 2), put together as the real one does it: all but
/// the redirect URI stand raw, and no registered address is filled in.
pub(crate) async fn logout_uri(oxd: &Oxd, params: LogoutUriParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let metadata = oxd.op.metadata(&site.site.op_host).await?;
    let endpoint = metadata.additional_metadata().end_session_endpoint.as_deref();
    let mut uri = endpoint.ok_or(NO_END_SESSION)?.to_owned();
    let back = given(&params.post_logout_redirect_uri).map(encode);
    let hint = given(&params.id_token_hint).filter(|_| oxd.options.like.is_since_4_2());
    let parameters = [
        ("post_logout_redirect_uri", back.as_deref()),
        ("state", given(&params.state)),
        ("session_state", given(&params.session_state)),
        ("id_token_hint", hint),
    ];
    for (name, value) in parameters {
        if let Some(value) = value {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri += &format!("{name}={value}");
        }
    }
    Ok(json!({ "uri": uri }))
}
