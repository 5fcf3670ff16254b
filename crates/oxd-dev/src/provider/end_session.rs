//! The end-session endpoint (OpenID Connect RP-Initiated Logout 1.0).

use super::respond::{framing, page, parameters, redirect, with_query};
use super::{Op, Shared, pages};
use crate::util::lock;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use serde_json::Value;
use std::collections::HashMap;

pub(super) async fn get(State(op): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    op.end_session(&headers, query.as_deref().unwrap_or_default())
        .await
}

/// Also where the confirmation page is submitted to, with `action`.
pub(super) async fn post(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    op.end_session(&headers, &body).await
}

impl Op {
    /// With a valid `id_token_hint` for this browser's session (or none) the user is signed
    /// out at once; otherwise a page asks first, since the link may come from anywhere. The
    /// clients that the user visited are told before the answer goes out.
    async fn end_session(&self, headers: &HeaderMap, encoded: &str) -> Response {
        let given = match parameters(encoded) {
            Ok(given) => given,
            Err(twice) => {
                let text = format!("The parameter “{twice}” was sent twice.");
                return page(400, pages::problem(&text));
            }
        };
        let hint = match given.get("id_token_hint") {
            Some(hint) => match self.hinted(hint) {
                Some(claims) => Some(claims),
                None => return page(400, pages::problem("The id_token_hint is not ours.")),
            },
            None => None,
        };
        let target = match self.target(&given, hint.as_ref()) {
            Ok(target) => target,
            Err(why) => return page(400, pages::problem(why)),
        };
        let id = self.browser(headers);
        let session = id.as_ref().and_then(|id| {
            let state = lock(&self.state);
            state.browsers.get(id).and_then(|browser| browser.session.clone())
        });
        let action = given.get("action").map(String::as_str);
        if action == Some("cancel") {
            return page(200, pages::still_signed_in());
        }
        let hinted_sid = hint
            .as_ref()
            .and_then(|claims| claims.get("sid"))
            .and_then(Value::as_str);
        let expected = match &session {
            Some(session) => hinted_sid == Some(&*session.sid),
            None => true,
        };
        // The cookie is SameSite=Lax, so a form of another site comes without a session.
        if !expected && action != Some("sign-out") {
            return page(200, pages::confirm_sign_out(&given));
        }
        if let Some(id) = id {
            lock(&self.state).browsers.remove(&id);
        }
        let frames = match &session {
            Some(session) => self.tell_clients(session).await,
            None => Vec::new(),
        };
        let target = target.unwrap_or_else(|| self.url("/signed-out"));
        if frames.is_empty() {
            return redirect(&target);
        }
        framing(pages::signing_out(&frames, &target), &frames)
    }

    /// The hint's claims. It may have expired long ago (section 2).
    fn hinted(&self, hint: &str) -> Option<Value> {
        let claims = self.keys.verify(hint)?;
        (claims.get("iss").and_then(Value::as_str) == Some(&self.issuer)).then_some(claims)
    }

    /// Where to go afterwards: only to what the client registered (section 3).
    fn target(
        &self,
        given: &HashMap<String, String>,
        hint: Option<&Value>,
    ) -> Result<Option<String>, &'static str> {
        let hinted = hint.and_then(|claims| claims.get("aud")).and_then(Value::as_str);
        let named = given.get("client_id").map(String::as_str);
        if let (Some(hinted), Some(named)) = (hinted, named)
            && hinted != named
        {
            return Err("client_id and id_token_hint belong to different clients.");
        }
        let Some(uri) = given.get("post_logout_redirect_uri") else {
            return Ok(None);
        };
        let state = lock(&self.state);
        let registered = match hinted.or(named) {
            Some(id) => state
                .clients
                .get(id)
                .is_some_and(|client| client.post_logout_redirect_uris.contains(uri)),
            // Neither says whose it is: then somebody must have registered it.
            None => state
                .clients
                .values()
                .any(|client| client.post_logout_redirect_uris.contains(uri)),
        };
        if !registered {
            return Err("The post_logout_redirect_uri is not one that the client registered.");
        }
        match given.get("state") {
            Some(state) => Ok(with_query(uri, &[("state", state)])),
            None => Ok(Some(uri.clone())),
        }
    }
}
