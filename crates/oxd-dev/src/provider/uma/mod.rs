//! The authorization server of User-Managed Access: protection API (UMA 2.0 Federated Authorization) for oxd, which
//! calls it inside the process; policies; RPTs (UMA 2.0 Grant); claims gathering and the owner's page.
//!
//! What goes to oxd has the form of an answer over HTTP, status and body, in the words of Gluu's server.

mod gather;
mod grant;
mod owner;
mod pages;
mod policy;
mod records;

pub(super) use gather::{gather, gathered};
pub(crate) use grant::RptRequest;
pub(super) use owner::{decide, requests};

use super::Op;
use crate::util::{lock, random_uuid, unix_now};
use crate::{UmaEndpoint, UmaFault, UmaOptions, UmaOutcome, UmaRule};
use records::{Records, Resource, Ticket};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// The page of claims gathering, as Gluu names it.
pub(super) const GATHER: &str = "/restv1/uma/gather_claims";
/// The page of the owner.
pub(super) const REQUESTS: &str = "/uma/requests";

/// What oxd would see of an answer: status and body; None when the connection was dropped.
pub(crate) type Answer = Option<(u16, String)>;

/// What the authorization server knows.
pub(super) struct Server {
    options: UmaOptions,
    records: Mutex<Records>,
    faults: Mutex<HashMap<UmaEndpoint, UmaFault>>,
}

impl Server {
    pub(super) fn new(options: UmaOptions) -> Server {
        let records = Records::new(&options);
        Server {
            options,
            records: Mutex::new(records),
            faults: Mutex::default(),
        }
    }
}

/// A resource as oxd registers it.
pub(crate) struct NewResource<'a> {
    pub(crate) path: &'a str,
    pub(crate) scopes: &'a [String],
    /// Instead of `scopes`: JsonLogic, and the scopes that it is about.
    pub(crate) expression: Option<&'a Value>,
    /// Seconds since 1970.
    pub(crate) exp: Option<i64>,
}

fn said(status: u16, body: &Value) -> (u16, String) {
    (status, body.to_string())
}

fn refusal(status: u16, error: &str) -> (u16, String) {
    said(status, &json!({ "error": error }))
}

/// An error of the protection API, with its reason and laid out as Gluu does.
fn refused(status: u16, error: &str, description: &str, reason: &str) -> (u16, String) {
    let body = format!(
        "{{\n    \"error\": \"{error}\",\n    \"error_description\": \"{description}\",\n    \"reason\": \"{reason}\"\n}}"
    );
    (status, body)
}

fn invalid_scope(reason: &str) -> (u16, String) {
    let description =
        "At least one of the scopes included in the request was not registered previously by this host.";
    refused(400, "invalid_scope", description, reason)
}

fn no_resource() -> (u16, String) {
    let description = "The resource set requested from the AM cannot be found.";
    refused(404, "not_found", description, "Resource does not exists.")
}

impl Op {
    /// The answer of an endpoint: its fault, or what it does. An authorization server that is not there answers 404.
    fn uma_answer(&self, endpoint: UmaEndpoint, work: impl FnOnce(&Server) -> (u16, String)) -> Answer {
        let Some(server) = &self.uma else {
            return Some((404, String::new()));
        };
        let fault = lock(&server.faults).get(&endpoint).cloned();
        match fault {
            Some(UmaFault::Answer(status, body)) => Some((status, body)),
            Some(UmaFault::Drop) => None,
            None => Some(work(server)),
        }
    }

    /// `/.well-known/uma2-configuration`, of which oxd needs two members that are no endpoints of its own calls.
    pub(crate) fn uma_metadata(&self, endpoint: UmaEndpoint) -> Answer {
        self.uma_answer(endpoint, |_| {
            let document = json!({
                "issuer": self.issuer,
                "claims_interaction_endpoint": self.url(GATHER),
            });
            said(200, &document)
        })
    }

    /// Registers a resource, or (with its id) changes one (UMA 2.0 Federated Authorization, 3.2).
    pub(crate) fn uma_resource(&self, id: Option<&str>, new: &NewResource<'_>) -> Answer {
        self.uma_answer(UmaEndpoint::Resources, |server| {
            let mut records = lock(&server.records);
            if id.is_some_and(|id| records.resource(&self.clock, id).is_none()) {
                return no_resource();
            }
            if new.scopes.is_empty() && new.expression.is_none() {
                return invalid_scope("Invalid resource. Both `scope` and `scope_expression` are blank.");
            }
            let id = id.map_or_else(random_uuid, str::to_owned);
            let lifetime = match new.exp.map(|exp| exp.saturating_sub_unsigned(unix_now())) {
                Some(left) => Duration::from_secs(left.max(0).unsigned_abs()),
                None => server.options.resource_lifetime,
            };
            let resource = Resource {
                id: id.clone(),
                path: new.path.to_owned(),
                scopes: new.scopes.to_vec(),
                expression: new.expression.cloned(),
                since: self.clock.now(),
                lifetime,
            };
            records.scopes.extend(resource.all_scopes());
            records.resources.insert(id.clone(), resource);
            said(201, &json!({ "_id": id }))
        })
    }

    /// Takes a resource out (UMA 2.0 Federated Authorization, 3.2.4). Meets dropped connections alone: a test wants to see
    /// what fails after it.
    pub(crate) fn uma_delete(&self, id: &str) -> Answer {
        let server = self.uma.as_ref()?;
        if let Some(UmaFault::Drop) = lock(&server.faults).get(&UmaEndpoint::Resources) {
            return None;
        }
        let mut records = lock(&server.records);
        if records.resource(&self.clock, id).is_none() {
            return Some(no_resource());
        }
        records.resources.remove(id);
        Some((204, String::new()))
    }

    /// A ticket for these scopes of a resource (UMA 2.0 Federated Authorization, 4.1).
    pub(crate) fn uma_permission(&self, resource: &str, scopes: &[String]) -> Answer {
        self.uma_answer(UmaEndpoint::Permissions, |server| {
            let mut records = lock(&server.records);
            if records.resource(&self.clock, resource).is_none() {
                return refusal(400, "invalid_resource_id");
            }
            if scopes.iter().any(|scope| !records.scopes.contains(scope)) {
                return invalid_scope("Scope is not registered.");
            }
            let ticket = Ticket {
                resource: resource.to_owned(),
                scopes: scopes.to_vec(),
                user: None,
                gathered: false,
                pct: None,
                since: self.clock.now(),
            };
            said(201, &json!({ "ticket": records.put_ticket(ticket) }))
        })
    }

    /// What an RPT allows now (UMA 2.0 Federated Authorization, 5.1).
    pub(crate) fn uma_introspection(&self, rpt: &str) -> Answer {
        self.uma_answer(UmaEndpoint::Introspection, |server| {
            let records = lock(&server.records);
            let lifetime = server.options.rpt_lifetime;
            match records.active(&self.clock, rpt, lifetime) {
                Some(rpt) => said(200, &rpt.introspected(&self.clock, &server.options)),
                None => said(200, &json!({ "active": false })),
            }
        })
    }

    pub(crate) fn set_uma_rules(&self, rules: Vec<UmaRule>, otherwise: UmaOutcome) {
        if let Some(server) = &self.uma {
            let mut records = lock(&server.records);
            records.rules = rules;
            records.otherwise = otherwise;
        }
    }

    pub(crate) fn set_uma_fault(&self, endpoint: UmaEndpoint, fault: Option<UmaFault>) {
        if let Some(server) = &self.uma {
            let mut faults = lock(&server.faults);
            match fault {
                Some(fault) => drop(faults.insert(endpoint, fault)),
                None => drop(faults.remove(&endpoint)),
            }
        }
    }

    pub(crate) fn forget_uma_resources(&self) {
        if let Some(server) = &self.uma {
            lock(&server.records).resources.clear();
        }
    }

    pub(crate) fn revoke_rpts(&self) {
        if let Some(server) = &self.uma {
            lock(&server.records).rpts.clear();
        }
    }
}
