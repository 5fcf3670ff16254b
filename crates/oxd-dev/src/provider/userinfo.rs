//! User info (OpenID Connect Core 1.0, 5.3) and introspection (RFC 7662).

use super::client::authenticated;
use super::respond::{json_answer, json_error, parameters};
use super::state::released;
use super::{Op, Shared};
use crate::util::lock;
use axum::extract::State;
use axum::response::Response;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

/// `GET` and `POST /userinfo` with a bearer token in the header (RFC 6750, 2.1).
pub(super) async fn endpoint(State(op): Shared, headers: HeaderMap) -> Response {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    match token.map(|token| op.user_info(token)) {
        None => refused("invalid_request", "an access token is missing"),
        Some(None) => refused("invalid_token", "the access token has expired or is unknown"),
        Some(Some(claims)) => json_answer(200, &claims),
    }
}

/// `POST /introspect`, for registered clients, about any token.
pub(super) async fn introspect(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    let form = match parameters(&body) {
        Ok(form) => form,
        Err(twice) => return json_error(400, "invalid_request", &format!("{twice} came twice")),
    };
    if let Err(answer) = authenticated(&op, &headers, &form) {
        return *answer;
    }
    match form.get("token") {
        Some(token) => json_answer(200, &op.introspected(token)),
        None => json_error(400, "invalid_request", "token is missing"),
    }
}

/// RFC 6750, section 3: the reason in a header, and as JSON since oxd hands that on.
fn refused(error: &'static str, why: &'static str) -> Response {
    let mut answer = json_error(401, error, why);
    let challenge = format!("Bearer error=\"{error}\", error_description=\"{why}\"");
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

impl Op {
    fn user_info(&self, token: &str) -> Option<Value> {
        let state = lock(&self.state);
        let lifetime = self.options.access_token_lifetime;
        let grant = &state.active(&self.clock, token, lifetime)?.grant;
        let session = grant.session.as_ref()?;
        let user = self.options.users.iter().find(|user| user.name == session.user)?;
        Some(Value::Object(released(user, &grant.scope)))
    }

    fn introspected(&self, token: &str) -> Value {
        let state = lock(&self.state);
        let lifetime = self.options.access_token_lifetime;
        let Some(issued) = state.active(&self.clock, token, lifetime) else {
            return json!({ "active": false });
        };
        let grant = &issued.grant;
        let session = grant.session.as_ref();
        let user =
            session.and_then(|session| self.options.users.iter().find(|user| user.name == session.user));
        json!({
            "active": true,
            "client_id": grant.client_id,
            "username": user.map(|user| &user.name),
            "scope": grant.scope.join(" "),
            "token_type": "bearer",
            "sub": user.and_then(|user| user.claims.get("sub")),
            "aud": grant.client_id,
            "iss": self.issuer,
            "iat": issued.issued_at,
            "exp": issued.issued_at + lifetime.as_secs(),
            "acr_values": session.map(|session| &session.acr),
        })
    }
}
