//! Clients: dynamic registration (OpenID Connect Dynamic Client Registration 1.0, RFC 7592)
//! and their authentication (RFC 6749, 2.3.1).

use super::respond::{json_answer, json_error};
use super::state::Client;
use super::{Op, Shared};
use crate::util::{encode, lock, random, unix_now};
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

#[derive(Deserialize)]
struct Metadata {
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    client_name: Option<String>,
    scope: Option<String>,
    frontchannel_logout_uri: Option<String>,
    backchannel_logout_uri: Option<String>,
    backchannel_logout_session_required: Option<bool>,
    claims_redirect_uris: Option<Vec<String>>,
    rpt_as_jwt: Option<bool>,
}

fn parsed(body: &str) -> Result<Metadata, Box<Response>> {
    let bad = |error, why: &str| Err(Box::new(json_error(400, error, why)));
    let metadata: Metadata = match serde_json::from_str(body) {
        Ok(metadata) => metadata,
        Err(why) => return bad("invalid_client_metadata", &why.to_string()),
    };
    let good = |uri: &String| url::Url::parse(uri).is_ok_and(|url| url.fragment().is_none());
    if metadata.redirect_uris.is_empty() || !metadata.redirect_uris.iter().all(good) {
        return bad(
            "invalid_redirect_uri",
            "redirect_uris wants absolute URIs, no fragments",
        );
    }
    let logout = [
        &metadata.frontchannel_logout_uri,
        &metadata.backchannel_logout_uri,
    ];
    if !logout.into_iter().flatten().all(good) {
        return bad(
            "invalid_client_metadata",
            "logout URIs are absolute URIs without fragments",
        );
    }
    Ok(metadata)
}

/// `POST /register`.
pub(super) async fn register(State(op): Shared, body: String) -> Response {
    let metadata = match parsed(&body) {
        Ok(metadata) => metadata,
        Err(answer) => return *answer,
    };
    let client = Client {
        // In the look of Gluu's: characters that clients must carry along unharmed.
        id: format!("@!DEV!0008!{}", random(9).replace(['-', '_'], ".").to_uppercase()),
        secret: random(24),
        name: metadata
            .client_name
            .unwrap_or_else(|| "Unnamed client".to_owned()),
        registration_token: random(24),
        redirect_uris: metadata.redirect_uris,
        post_logout_redirect_uris: metadata.post_logout_redirect_uris,
        frontchannel_logout_uri: metadata.frontchannel_logout_uri,
        backchannel_logout_uri: metadata.backchannel_logout_uri,
        backchannel_logout_session_required: metadata.backchannel_logout_session_required == Some(true),
        scope: list(metadata.scope.as_deref().unwrap_or("openid")),
        claims_redirect_uris: metadata.claims_redirect_uris.unwrap_or_default(),
        rpt_as_jwt: metadata.rpt_as_jwt == Some(true),
    };
    let answer = described(&op, &client);
    lock(&op.state).clients.insert(client.id.clone(), client);
    json_answer(201, &answer)
}

/// `GET /register/{id}` (RFC 7592, 2.1).
pub(super) async fn read(State(op): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match owned(&op, &id, &headers) {
        Some(client) => json_answer(200, &described(&op, &client)),
        None => json_error(401, "invalid_token", "not the token of this registration"),
    }
}

/// `PUT /register/{id}` (RFC 7592, 2.2). Name, scope, logout URIs and what is UMA's stay when they are left out: oxd's
/// `update-site` knows no back-channel.
pub(super) async fn update(
    State(op): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let Some(mut client) = owned(&op, &id, &headers) else {
        return json_error(401, "invalid_token", "not the token of this registration");
    };
    let metadata = match parsed(&body) {
        Ok(metadata) => metadata,
        Err(answer) => return *answer,
    };
    client.redirect_uris = metadata.redirect_uris;
    client.post_logout_redirect_uris = metadata.post_logout_redirect_uris;
    client.name = metadata.client_name.unwrap_or(client.name);
    client.scope = metadata.scope.as_deref().map_or(client.scope, list);
    client.frontchannel_logout_uri = metadata
        .frontchannel_logout_uri
        .or(client.frontchannel_logout_uri);
    client.backchannel_logout_uri = metadata.backchannel_logout_uri.or(client.backchannel_logout_uri);
    client.backchannel_logout_session_required = metadata
        .backchannel_logout_session_required
        .unwrap_or(client.backchannel_logout_session_required);
    client.claims_redirect_uris = metadata
        .claims_redirect_uris
        .unwrap_or(client.claims_redirect_uris);
    client.rpt_as_jwt = metadata.rpt_as_jwt.unwrap_or(client.rpt_as_jwt);
    let answer = described(&op, &client);
    lock(&op.state).clients.insert(id, client);
    json_answer(200, &answer)
}

fn owned(op: &Op, id: &str, headers: &HeaderMap) -> Option<Client> {
    let token = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")?;
    let client = lock(&op.state).clients.get(id).cloned()?;
    (client.registration_token == token).then_some(client)
}

fn described(op: &Op, client: &Client) -> Value {
    let mut metadata = json!({
        "client_id": client.id,
        "client_secret": client.secret,
        "client_id_issued_at": unix_now(),
        "client_secret_expires_at": 0,
        "client_name": client.name,
        "registration_access_token": client.registration_token,
        "registration_client_uri": op.url(&format!("/register/{}", encode(&client.id))),
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "scope": client.scope.join(" "),
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types": ["code"],
        "claims_redirect_uris": client.claims_redirect_uris,
        "rpt_as_jwt": client.rpt_as_jwt,
    });
    let back = client.backchannel_logout_session_required;
    for (channel, uri, session) in [
        // The frame's address names the session always.
        ("frontchannel", &client.frontchannel_logout_uri, true),
        ("backchannel", &client.backchannel_logout_uri, back),
    ] {
        if let Some(uri) = uri {
            metadata[format!("{channel}_logout_uri")] = json!(uri);
            metadata[format!("{channel}_logout_session_required")] = json!(session);
        }
    }
    metadata
}

/// The client that sent a form, by Basic or by parameters, or the 401 it gets.
pub(super) fn authenticated(
    op: &Op,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
) -> Result<Client, Box<Response>> {
    let credentials = match headers.get(AUTHORIZATION) {
        Some(header) => header.to_str().ok().and_then(basic),
        None => form
            .get("client_id")
            .cloned()
            .zip(form.get("client_secret").cloned()),
    };
    let client = credentials.and_then(|(id, secret)| {
        lock(&op.state)
            .clients
            .get(&id)
            .filter(|client| client.secret == secret)
            .cloned()
    });
    client.ok_or_else(|| {
        let mut answer = json_error(401, "invalid_client", "unknown client or wrong secret");
        let realm = http::HeaderValue::from_static("Basic realm=\"development provider\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, realm);
        Box::new(answer)
    })
}

/// Id and secret are form-encoded inside Basic (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    let pair = format!("{text}=");
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// The words of a list parameter such as `scope`.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("Basic {}", STANDARD.encode("%40%21id+x:s%3Acret"));
        assert_eq!(basic(&header), Some(("@!id x".to_owned(), "s:cret".to_owned())));
        assert_eq!(basic("Bearer abc"), None);
        assert_eq!(basic("Basic ###"), None);
    }
}
