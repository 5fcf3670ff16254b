//! The authorization endpoint (OpenID Connect Core 1.0, 3.1.2): checks the request, then
//! answers at once or shows the page that is due.

use super::client::list;
use super::respond::{page, parameters, redirect};
use super::state::{AuthRequest, Browser, Grant, Issued, Pending, Session};
use super::{Op, Shared, pages};
use crate::util::{lock, random, unix_now};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::collections::HashMap;
use std::time::Duration;

pub(super) async fn get(State(op): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    op.authorize(&headers, query.as_deref().unwrap_or_default())
}

pub(super) async fn post(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    op.authorize(&headers, &body)
}

/// The prompts that the request needs before it is answered.
struct Wishes {
    none: bool,
    sign_in: bool,
    max_age: Option<Duration>,
    acr_values: Vec<String>,
}

impl Op {
    fn authorize(&self, headers: &HeaderMap, encoded: &str) -> Response {
        let parameters = match parameters(encoded) {
            Ok(parameters) => parameters,
            Err(twice) => {
                let text = format!("The parameter “{twice}” was sent twice.");
                return page(400, pages::problem(&text));
            }
        };
        // Until client and address are known to belong together, nothing may be redirected.
        let request = match self.addressed(&parameters) {
            Ok(request) => request,
            Err(why) => return page(400, pages::problem(why)),
        };
        let wishes = match self.wishes(&request, &parameters) {
            Ok(wishes) => wishes,
            Err((error, why)) => return self.back_error(&request, error, why),
        };
        self.go_on(headers, request, &wishes)
    }

    fn addressed(&self, given: &HashMap<String, String>) -> Result<AuthRequest, &'static str> {
        let state = lock(&self.state);
        let client_id = given.get("client_id").ok_or("The client did not name itself.")?;
        let client = state
            .clients
            .get(client_id)
            .ok_or("The client is not registered here.")?;
        let redirect_uri = given.get("redirect_uri").ok_or("There is no redirect_uri.")?;
        if !client.redirect_uris.contains(redirect_uri) {
            return Err("The redirect_uri is not one that the client registered.");
        }
        let words = |name: &str| given.get(name).map(|text| list(text)).unwrap_or_default();
        Ok(AuthRequest {
            client_id: client_id.clone(),
            redirect_uri: redirect_uri.clone(),
            scope: words("scope"),
            state: given.get("state").cloned(),
            nonce: given.get("nonce").cloned(),
            form_post: given.get("response_mode").is_some_and(|mode| mode == "form_post"),
            acr: words("acr_values").into_iter().find(|acr| self.supports(acr)),
            login_hint: given.get("login_hint").cloned(),
            prompt_consent: words("prompt").iter().any(|prompt| prompt == "consent"),
        })
    }

    fn wishes(
        &self,
        request: &AuthRequest,
        given: &HashMap<String, String>,
    ) -> Result<Wishes, (&'static str, &'static str)> {
        match given.get("response_type").map(String::as_str) {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "only code is supported")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        match given.get("response_mode").map(String::as_str) {
            None | Some("query" | "form_post") => {}
            Some(_) => return Err(("invalid_request", "response_mode: query or form_post")),
        }
        if !request.scope.iter().any(|scope| scope == "openid") {
            return Err(("invalid_scope", "the scope openid is missing"));
        }
        if given.contains_key("request") {
            return Err(("request_not_supported", "request objects are not supported"));
        }
        if given.contains_key("request_uri") {
            return Err(("request_uri_not_supported", "request objects are not supported"));
        }
        let prompts = given.get("prompt").map(|text| list(text)).unwrap_or_default();
        let known = ["none", "login", "consent", "select_account"];
        if !prompts.iter().all(|prompt| known.contains(&prompt.as_str())) {
            return Err(("invalid_request", "an unknown prompt"));
        }
        let has = |name: &str| prompts.iter().any(|prompt| prompt == name);
        if has("none") && prompts.len() > 1 {
            return Err(("invalid_request", "prompt none excludes all others"));
        }
        let max_age = match given.get("max_age").map(|text| text.parse()) {
            None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
            Some(Err(_)) => return Err(("invalid_request", "max_age is no number")),
        };
        Ok(Wishes {
            none: has("none"),
            sign_in: has("login") || has("select_account"),
            max_age,
            acr_values: given.get("acr_values").map(|text| list(text)).unwrap_or_default(),
        })
    }

    fn supports(&self, acr: &String) -> bool {
        self.options.acrs.is_empty() || self.options.acrs.contains(acr)
    }

    fn go_on(&self, headers: &HeaderMap, request: AuthRequest, wishes: &Wishes) -> Response {
        let id = self.browser(headers);
        let browser = id
            .as_ref()
            .and_then(|id| lock(&self.state).browsers.get(id).cloned());
        let session = browser.as_ref().and_then(|browser| browser.session.clone());
        let good = session.filter(|session| !wishes.sign_in && self.fits(session, &request, wishes));
        if wishes.none {
            return match (good, browser) {
                (Some(session), Some(browser)) if self.agreed(&browser, &request) => {
                    self.issue_code(&request, &session)
                }
                (Some(_), _) => self.back_error(
                    &request,
                    "consent_required",
                    "the user has not agreed to this client yet",
                ),
                (None, _) => self.back_error(&request, "login_required", "the user is not signed in"),
            };
        }
        let (browser_id, fresh) = match (id, &browser) {
            (Some(id), Some(_)) => (id, false),
            _ => (random(24), true),
        };
        let browser = browser.unwrap_or_default();
        let signed_in = good.is_some();
        let answer = match good {
            Some(session) if self.agreed(&browser, &request) => {
                return self.issue_code(&request, &session);
            }
            _ => self.ask(
                request,
                &browser_id,
                if signed_in { "/consent" } else { "/sign-in" },
            ),
        };
        if !fresh {
            return answer;
        }
        lock(&self.state).browsers.insert(browser_id.clone(), browser);
        self.with_cookie(answer, &browser_id)
    }

    /// Whether a sign-in is recent and strong enough for the request.
    fn fits(&self, session: &Session, request: &AuthRequest, wishes: &Wishes) -> bool {
        let recent = wishes
            .max_age
            .is_none_or(|max_age| !self.clock.is_over(session.since, max_age));
        // Nothing that could be asked for can be had: then what there is must do, since
        // acr_values is a wish (OpenID Connect Core 1.0, 3.1.2.1).
        recent && (request.acr.is_none() || wishes.acr_values.contains(&session.acr))
    }

    /// Whether the user need not be asked any more.
    pub(super) fn agreed(&self, browser: &Browser, request: &AuthRequest) -> bool {
        let agreed = |scope: &String| {
            browser
                .consents
                .contains(&(request.client_id.clone(), scope.clone()))
        };
        !self.options.consent || (!request.prompt_consent && request.scope.iter().all(agreed))
    }

    fn ask(&self, request: AuthRequest, browser: &str, path: &str) -> Response {
        let id = random(18);
        let pending = Pending {
            request,
            browser: browser.to_owned(),
            since: self.clock.now(),
        };
        lock(&self.state).pending.insert(id.clone(), pending);
        redirect(&self.url(&format!("{path}?request={id}")))
    }

    /// A code for the client (RFC 6749, 4.1.2).
    pub(super) fn issue_code(&self, request: &AuthRequest, session: &Session) -> Response {
        let code = random(24);
        let grant = Grant {
            id: random(12),
            client_id: request.client_id.clone(),
            session: Some(session.clone()),
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
            redirect_uri: request.redirect_uri.clone(),
        };
        let since = self.clock.now();
        let issued = Issued {
            grant,
            since,
            issued_at: unix_now(),
            used: false,
        };
        lock(&self.state).codes.insert(code.clone(), issued);
        // Gluu's provider sends a session_state along; clients hand it to get-logout-uri.
        self.back(request, &[("code", &code), ("session_state", &session.sid)])
    }
}
