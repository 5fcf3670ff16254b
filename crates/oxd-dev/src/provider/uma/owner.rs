//! The owner's page: who asked for what, to be granted or refused.

use super::{Server, pages};
use crate::UmaRequest;
use crate::provider::respond::{page, parameters, redirect};
use crate::provider::{Op, Shared};
use crate::util::lock;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

/// `GET /uma/requests`
pub(in crate::provider) async fn requests(State(op): Shared, headers: HeaderMap) -> Response {
    match op.owned(&headers) {
        Ok(_) => page(200, pages::requests(&op.uma_requests())),
        Err(answer) => *answer,
    }
}

/// `POST /uma/requests` with `user`, `resource` and `action=grant` or `action=refuse`. The cookie is SameSite=Lax, so a
/// form of another site comes without a session.
pub(in crate::provider) async fn decide(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    if let Err(answer) = op.owned(&headers) {
        return *answer;
    }
    let given = parameters(&body).unwrap_or_default();
    let granted = match given.get("action").map(String::as_str) {
        Some("grant") => true,
        Some("refuse") => false,
        _ => {
            let why = "Neither “Grant” nor “Refuse” was chosen.";
            return page(400, crate::provider::pages::problem(why));
        }
    };
    let resource = given.get("resource").map(String::as_str).unwrap_or_default();
    op.uma_decide(given.get("user").map(String::as_str), resource, granted);
    redirect(&op.url(super::REQUESTS))
}

impl Op {
    /// The authorization server, for its owner alone.
    fn owned(&self, headers: &HeaderMap) -> Result<&Server, Box<Response>> {
        let problem = |status, why: &str| Box::new(page(status, crate::provider::pages::problem(why)));
        let server = self.uma.as_ref();
        let server = server.ok_or_else(|| problem(404, "There is no UMA here."))?;
        match self.signed_in_user(headers) {
            Some(user) if user == server.options.owner => Ok(server),
            Some(_) => Err(problem(403, "This page is the owner's.")),
            None => Err(problem(
                403,
                "Nobody is signed in. Sign in through an application first, then come back.",
            )),
        }
    }

    pub(crate) fn uma_requests(&self) -> Vec<UmaRequest> {
        let server = self.uma.as_ref();
        server
            .map(|server| lock(&server.records).requests.clone())
            .unwrap_or_default()
    }

    /// The owner's decision: from now on, for this user and the resource with this path.
    pub(crate) fn uma_decide(&self, user: Option<&str>, resource: &str, granted: bool) {
        if let Some(server) = &self.uma {
            let mut records = lock(&server.records);
            let asked =
                |request: &UmaRequest| request.user.as_deref() == user && request.resource == resource;
            records.requests.retain(|request| !asked(request));
            let whose = (user.map(str::to_owned), resource.to_owned());
            records.decisions.insert(whose, granted);
        }
    }
}
