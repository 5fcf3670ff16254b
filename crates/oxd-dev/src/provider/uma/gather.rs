//! Claims gathering (UMA 2.0 Grant, section 3.3.2 and 3.3.3): the page on which a person says who they are and confirms,
//! or declines.

use super::records::Ticket;
use super::{Server, pages};
use crate::provider::respond::{page, parameters, redirect, with_query};
use crate::provider::{Op, Shared};
use crate::util::lock;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::collections::HashMap;

/// `GET /restv1/uma/gather_claims?client_id=...&ticket=...&claims_redirect_uri=...&state=...`
pub(in crate::provider) async fn gather(
    State(op): Shared,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match op.gathering(query.as_deref().unwrap_or_default()) {
        Ok(gathering) => op.gather_page(&headers, &gathering, None),
        Err(why) => page(400, crate::provider::pages::problem(&why)),
    }
}

/// `POST` of the page: the same parameters, `action=confirm` or `action=decline`, and `username` and `password` where
/// nobody is signed in.
pub(in crate::provider) async fn gathered(State(op): Shared, headers: HeaderMap, body: String) -> Response {
    match op.gathering(&body) {
        Ok(gathering) => op.gathered(&headers, &gathering),
        Err(why) => page(400, crate::provider::pages::problem(&why)),
    }
}

/// A gathering that is under way.
struct Gathering {
    given: HashMap<String, String>,
    /// The ticket's name, and the ticket.
    name: String,
    ticket: Ticket,
    /// The resource's path.
    path: String,
    client: String,
    back: String,
}

impl Gathering {
    fn given(&self, name: &str) -> &str {
        self.given.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Back to the client, with its state before all else.
    fn back(&self, result: &[(&str, &str)]) -> Response {
        let state = self.given.get("state").map(|state| ("state", state.as_str()));
        let fields: Vec<_> = state.into_iter().chain(result.iter().copied()).collect();
        match with_query(&self.back, &fields) {
            Some(url) => redirect(&url),
            None => page(
                400,
                crate::provider::pages::problem("The address to return to cannot be used."),
            ),
        }
    }
}

impl Op {
    /// Client, address and ticket, checked. Nobody is sent to an address that the client has not registered.
    fn gathering(&self, encoded: &str) -> Result<Gathering, String> {
        let given =
            parameters(encoded).map_err(|twice| format!("The parameter “{twice}” was sent twice."))?;
        let server = self.uma.as_ref().ok_or("There is no UMA here.")?;
        let client = given.get("client_id").ok_or("The client did not name itself.")?;
        let client = lock(&self.state).clients.get(client).cloned();
        let client = client.ok_or("The client is not registered here.")?;
        let back = match (given.get("claims_redirect_uri"), &client.claims_redirect_uris[..]) {
            (Some(uri), registered) if registered.contains(uri) => uri.clone(),
            (None, [only]) => only.clone(),
            _ => return Err("The claims_redirect_uri is not one that the client registered.".to_owned()),
        };
        let name = given.get("ticket").cloned().unwrap_or_default();
        let records = lock(&server.records);
        let ticket = records.ticket(&self.clock, &name, server.options.ticket_lifetime);
        let ticket = ticket.cloned().ok_or("The ticket is unknown or too old.")?;
        let resource = records.resource(&self.clock, &ticket.resource);
        let path = resource.ok_or("The resource is gone.")?.path.clone();
        drop(records);
        Ok(Gathering {
            given,
            name,
            ticket,
            path,
            client: client.name,
            back,
        })
    }

    /// The name of the user who is signed in with this browser.
    pub(super) fn signed_in_user(&self, headers: &HeaderMap) -> Option<String> {
        let browser = self.browser(headers)?;
        let state = lock(&self.state);
        let session = state.browsers.get(&browser)?.session.as_ref()?;
        Some(session.user.clone())
    }

    /// `tried`: the name that came with a wrong password.
    fn gather_page(&self, headers: &HeaderMap, gathering: &Gathering, tried: Option<&str>) -> Response {
        let names = ["client_id", "ticket", "claims_redirect_uri", "state"];
        let kept: Vec<_> = names
            .into_iter()
            .filter_map(|name| Some((name, gathering.given.get(name)?.as_str())))
            .collect();
        let user = self.signed_in_user(headers);
        let asked = pages::Asked {
            client: &gathering.client,
            path: &gathering.path,
            scopes: &gathering.ticket.scopes,
        };
        page(200, pages::gather(&kept, &asked, user.as_deref(), tried))
    }

    fn gathered(&self, headers: &HeaderMap, gathering: &Gathering) -> Response {
        let Some(server) = &self.uma else {
            return page(404, crate::provider::pages::problem("There is no UMA here."));
        };
        match gathering.given("action") {
            "confirm" => (),
            "decline" => {
                lock(&server.records).tickets.remove(&gathering.name);
                return gathering.back(&[
                    ("error", "access_denied"),
                    ("error_description", "the person declined"),
                ]);
            }
            _ => {
                let why = "Neither “Confirm” nor “Decline” was chosen.";
                return page(400, crate::provider::pages::problem(why));
            }
        }
        let (name, password) = (gathering.given("username"), gathering.given("password"));
        let known = |user: &&crate::User| user.name == name && user.password == password;
        let user = match self.signed_in_user(headers) {
            Some(user) => user,
            None => match self.options.users.iter().find(known) {
                Some(user) => user.name.clone(),
                None => return self.gather_page(headers, gathering, Some(name)),
            },
        };
        let ticket = self.confirmed(server, gathering, user);
        gathering.back(&[("ticket", &ticket)])
    }

    /// A new ticket, which knows the person, for the old one.
    fn confirmed(&self, server: &Server, gathering: &Gathering, user: String) -> String {
        let mut records = lock(&server.records);
        records.tickets.remove(&gathering.name);
        records.put_ticket(Ticket {
            user: Some(user),
            gathered: true,
            since: self.clock.now(),
            ..gathering.ticket.clone()
        })
    }
}
