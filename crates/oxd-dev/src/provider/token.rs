//! The token endpoint (RFC 6749; OpenID Connect Core 1.0, 3.1.3).

use super::client::{authenticated, list};
use super::keys::at_hash;
use super::respond::{json_answer, json_error, parameters};
use super::state::{CODE_LIFETIME, Client, Grant, Issued, State as Records, released};
use super::{Op, Shared};
use crate::util::{lock, random, unix_now};
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

pub(super) async fn endpoint(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    let form = match parameters(&body) {
        Ok(form) => form,
        Err(twice) => return json_error(400, "invalid_request", &format!("{twice} came twice")),
    };
    let client = match authenticated(&op, &headers, &form) {
        Ok(client) => client,
        Err(answer) => return *answer,
    };
    let outcome = match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => op.by_code(&client, &form),
        Some("refresh_token") => op.by_refresh_token(&client, &form),
        Some("client_credentials") => op.by_credentials(&client, &form),
        Some(_) => Err((
            "unsupported_grant_type",
            "code, refresh token, client credentials",
        )),
        None => Err(("invalid_request", "grant_type is missing")),
    };
    match outcome {
        Ok(answer) => json_answer(200, &answer),
        Err((error, why)) => json_error(400, error, why),
    }
}

type Outcome = Result<Value, (&'static str, &'static str)>;

impl Op {
    /// RFC 6749, 4.1.3. A code that comes twice takes all its tokens with it.
    fn by_code(&self, client: &Client, form: &HashMap<String, String>) -> Outcome {
        let code = form.get("code").ok_or(("invalid_request", "code is missing"))?;
        let mut state = lock(&self.state);
        let issued = state.codes.get(code).cloned();
        let issued = issued.filter(|issued| issued.grant.client_id == client.id);
        let issued = issued.ok_or(("invalid_grant", "the code is unknown"))?;
        if issued.used {
            state.revoke(&issued.grant.id);
            return Err(("invalid_grant", "the code was used before"));
        }
        if let Some(issued) = state.codes.get_mut(code) {
            issued.used = true;
        }
        if self.clock.is_over(issued.since, CODE_LIFETIME) {
            return Err(("invalid_grant", "the code has expired"));
        }
        if form.get("redirect_uri") != Some(&issued.grant.redirect_uri) {
            return Err(("invalid_grant", "redirect_uri is not that of the request"));
        }
        self.tokens(&mut state, issued.grant)
    }

    /// RFC 6749, section 6, with rotation (RFC 9700, 4.14.2).
    fn by_refresh_token(&self, client: &Client, form: &HashMap<String, String>) -> Outcome {
        let token = form.get("refresh_token");
        let token = token.ok_or(("invalid_request", "refresh_token is missing"))?;
        let mut state = lock(&self.state);
        let issued = state.refresh_tokens.get(token).cloned();
        let issued = issued.filter(|issued| issued.grant.client_id == client.id);
        let issued = issued.ok_or(("invalid_grant", "the refresh token is unknown"))?;
        if issued.used {
            state.revoke(&issued.grant.id);
            return Err(("invalid_grant", "the refresh token was used before"));
        }
        let mut grant = issued.grant;
        if let Some(scope) = form.get("scope") {
            let scope = list(scope);
            if !scope.iter().all(|name| grant.scope.contains(name)) {
                return Err(("invalid_scope", "more than was granted"));
            }
            grant.scope = scope;
        }
        if let Some(issued) = state.refresh_tokens.get_mut(token) {
            issued.used = true;
        }
        // A nonce belongs to the authorization alone (OpenID Connect Core 1.0, 12.2).
        grant.nonce = None;
        self.tokens(&mut state, grant)
    }

    /// RFC 6749, 4.4.
    fn by_credentials(&self, client: &Client, form: &HashMap<String, String>) -> Outcome {
        let scope = form
            .get("scope")
            .map_or_else(|| client.scope.clone(), |scope| list(scope));
        let grant = Grant {
            id: random(12),
            client_id: client.id.clone(),
            session: None,
            scope: scope
                .into_iter()
                .filter(|name| client.scope.contains(name))
                .collect(),
            nonce: None,
            redirect_uri: String::new(),
        };
        self.tokens(&mut lock(&self.state), grant)
    }

    fn tokens(&self, state: &mut Records, grant: Grant) -> Outcome {
        let access_token = random(24);
        let issued = |grant: &Grant| Issued {
            grant: grant.clone(),
            since: self.clock.now(),
            issued_at: unix_now(),
            used: false,
        };
        state.access_tokens.insert(access_token.clone(), issued(&grant));
        let mut answer = json!({
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.options.access_token_lifetime.as_secs(),
            "scope": grant.scope.join(" "),
        });
        if let Some(session) = &grant.session {
            let visited = state.visited.entry(session.sid.clone()).or_default();
            visited.insert(grant.client_id.clone());
            if self.options.refresh_tokens {
                let refresh_token = random(24);
                state.refresh_tokens.insert(refresh_token.clone(), issued(&grant));
                answer["refresh_token"] = json!(refresh_token);
            }
            let claims = self.id_token_claims(&grant, &access_token);
            let claims = claims.ok_or(("invalid_grant", "the user is gone"))?;
            answer["id_token"] = json!(self.keys.sign(&claims, "JWT"));
        }
        Ok(answer)
    }

    /// OpenID Connect Core 1.0, section 2 and 3.1.3.6.
    fn id_token_claims(&self, grant: &Grant, access_token: &str) -> Option<Value> {
        let session = grant.session.as_ref()?;
        let user = self.options.users.iter().find(|user| user.name == session.user)?;
        let mut claims = match self.options.claims_in_id_token {
            true => released(user, &grant.scope),
            false => Map::new(),
        };
        let now = unix_now();
        let age = self
            .clock
            .now()
            .saturating_duration_since(session.since)
            .as_secs();
        let own = json!({
            "iss": self.issuer,
            "sub": user.claims.get("sub"),
            "aud": grant.client_id,
            "iat": now,
            "exp": now + self.options.id_token_lifetime.as_secs(),
            "auth_time": now.saturating_sub(age),
            "acr": session.acr,
            "amr": ["pwd"],
            "sid": session.sid,
            "at_hash": at_hash(access_token),
        });
        if let Value::Object(own) = own {
            claims.extend(own);
        }
        if let Some(nonce) = &grant.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        Some(Value::Object(claims))
    }
}
