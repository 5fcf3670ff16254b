//! The sign-in form and the consent form: each a page (GET) and its submission (POST), tied
//! together by `request`, the name of an authorization request that waits.

use super::respond::{page, parameters, redirect};
use super::state::{Browser, PENDING_LIFETIME, Pending, Session};
use super::{Op, Shared, pages};
use crate::util::{lock, random};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::collections::HashMap;

const STALE: &str = "This sign-in is not under way any more. Go back to the application and start again.";

/// `GET /sign-in?request=...`
pub(super) async fn page_handler(
    State(op): Shared,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match op.waiting(&headers, query.as_deref().unwrap_or_default()) {
        Some(waiting) => op.sign_in_page(&waiting, None),
        None => page(400, pages::problem(STALE)),
    }
}

/// `POST /sign-in` with `request`, `username`, `password`, or `action=cancel`.
pub(super) async fn submit(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    let Some(waiting) = op.waiting(&headers, &body) else {
        return page(400, pages::problem(STALE));
    };
    if waiting.cancelled() {
        return op.refuse(&waiting, "the user cancelled the sign-in");
    }
    let field = |name: &str| waiting.fields.get(name).map(String::as_str).unwrap_or_default();
    let (name, password) = (field("username"), field("password"));
    let known = |user: &&crate::User| user.name == name && user.password == password;
    let Some(user) = op.options.users.iter().find(known) else {
        return op.sign_in_page(&waiting, Some(name));
    };
    let default = op
        .options
        .acrs
        .first()
        .cloned()
        .unwrap_or_else(|| "basic".to_owned());
    let session = Session {
        user: user.name.clone(),
        sid: random(16),
        acr: waiting.pending.request.acr.clone().unwrap_or(default),
        since: op.clock.now(),
    };
    op.signed_in(waiting, session)
}

/// `GET /consent?request=...`
pub(super) async fn consent_page(
    State(op): Shared,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let waiting = op.waiting(&headers, query.as_deref().unwrap_or_default());
    match waiting
        .as_ref()
        .and_then(|waiting| Some((waiting, waiting.browser.session.as_ref()?)))
    {
        Some((waiting, session)) => {
            let request = &waiting.pending.request;
            let client = op.client_name(&request.client_id);
            page(
                200,
                pages::consent(&waiting.id, &client, &session.user, &request.scope),
            )
        }
        None => page(400, pages::problem(STALE)),
    }
}

/// `POST /consent` with `request` and `action=allow` or `action=cancel`.
pub(super) async fn consent(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    let waiting = op.waiting(&headers, &body);
    let Some((waiting, session)) =
        waiting.and_then(|waiting| waiting.browser.session.clone().map(|s| (waiting, s)))
    else {
        return page(400, pages::problem(STALE));
    };
    if waiting.cancelled() {
        return op.refuse(&waiting, "the user did not agree");
    }
    if waiting
        .fields
        .get("action")
        .is_none_or(|action| action != "allow")
    {
        return page(400, pages::problem("Neither “Allow” nor “Cancel” was chosen."));
    }
    let request = &waiting.pending.request;
    {
        let mut state = lock(&op.state);
        state.pending.remove(&waiting.id);
        if let Some(browser) = state.browsers.get_mut(&waiting.pending.browser) {
            let agreed = request
                .scope
                .iter()
                .map(|s| (request.client_id.clone(), s.clone()));
            browser.consents.extend(agreed);
        }
    }
    op.issue_code(request, &session)
}

/// A request that waits, with what its browser sent now.
struct Waiting {
    id: String,
    pending: Pending,
    browser: Browser,
    fields: HashMap<String, String>,
}

impl Waiting {
    fn cancelled(&self) -> bool {
        self.fields.get("action").is_some_and(|action| action == "cancel")
    }
}

impl Op {
    /// Finds the request, but only for the browser that it came from: otherwise one person
    /// could be signed in with the name of another.
    fn waiting(&self, headers: &HeaderMap, encoded: &str) -> Option<Waiting> {
        let fields = parameters(encoded).ok()?;
        let id = fields.get("request")?.clone();
        let browser_id = self.browser(headers)?;
        let state = lock(&self.state);
        let pending = state.pending.get(&id)?.clone();
        let browser = state.browsers.get(&browser_id)?.clone();
        let good = pending.browser == browser_id && !self.clock.is_over(pending.since, PENDING_LIFETIME);
        good.then_some(Waiting {
            id,
            pending,
            browser,
            fields,
        })
    }

    fn client_name(&self, id: &str) -> String {
        lock(&self.state)
            .clients
            .get(id)
            .map(|client| client.name.clone())
            .unwrap_or_default()
    }

    /// The form; `tried` is the name that came with a wrong password.
    fn sign_in_page(&self, waiting: &Waiting, tried: Option<&str>) -> Response {
        let request = &waiting.pending.request;
        let client = self.client_name(&request.client_id);
        let name = tried.or(request.login_hint.as_deref()).unwrap_or_default();
        page(200, pages::sign_in(&waiting.id, &client, name, tried.is_some()))
    }

    fn refuse(&self, waiting: &Waiting, why: &str) -> Response {
        lock(&self.state).pending.remove(&waiting.id);
        self.back_error(&waiting.pending.request, "access_denied", why)
    }

    /// The browser gets a new cookie with the sign-in, so that one planted before is worth
    /// nothing; then consent or the code.
    fn signed_in(&self, waiting: Waiting, session: Session) -> Response {
        let new_id = random(24);
        let mut browser = waiting.browser;
        // Consents belong to the user who gave them.
        if browser
            .session
            .as_ref()
            .is_some_and(|before| before.user != session.user)
        {
            browser.consents.clear();
        }
        browser.session = Some(session.clone());
        let agreed = self.agreed(&browser, &waiting.pending.request);
        {
            let mut state = lock(&self.state);
            state.browsers.remove(&waiting.pending.browser);
            state.browsers.insert(new_id.clone(), browser);
            if agreed {
                state.pending.remove(&waiting.id);
            } else if let Some(pending) = state.pending.get_mut(&waiting.id) {
                pending.browser.clone_from(&new_id);
            }
        }
        let answer = match agreed {
            true => self.issue_code(&waiting.pending.request, &session),
            false => redirect(&self.url(&format!("/consent?request={}", waiting.id))),
        };
        self.with_cookie(answer, &new_id)
    }
}
