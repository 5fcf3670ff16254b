//! What the authorization server keeps: resources, tickets, RPTs, PCTs, the owner's decisions. In memory only.

use crate::util::{Clock, random, random_uuid};
use crate::{UmaOptions, UmaOutcome, UmaRequest, UmaRule};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// A registered resource.
#[derive(Clone)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) scopes: Vec<String>,
    /// `{"rule", "data"}`.
    pub(super) expression: Option<Value>,
    pub(super) since: Instant,
    pub(super) lifetime: Duration,
}

impl Resource {
    /// Its scopes, also those of its expression.
    pub(super) fn all_scopes(&self) -> Vec<String> {
        let data = self
            .expression
            .as_ref()
            .and_then(|logic| logic["data"].as_array());
        let named = data.into_iter().flatten().filter_map(Value::as_str);
        let named = named.map(str::to_owned);
        self.scopes.iter().cloned().chain(named).collect()
    }
}

/// A permission ticket, with what was learned while it went around.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    /// The user's name, from an ID token, a PCT or the page.
    pub(super) user: Option<String>,
    /// Whether the person confirmed on the page.
    pub(super) gathered: bool,
    pub(super) pct: Option<String>,
    pub(super) since: Instant,
}

/// A permission inside an RPT.
#[derive(Clone)]
pub(super) struct Permission {
    pub(super) resource: String,
    pub(super) scopes: Vec<String>,
    pub(super) since: Instant,
    /// Seconds since 1970.
    pub(super) granted_at: u64,
}

/// A requesting party token.
#[derive(Clone)]
pub(super) struct Rpt {
    pub(super) client_id: String,
    pub(super) permissions: Vec<Permission>,
    pub(super) since: Instant,
    /// Seconds since 1970.
    pub(super) issued_at: u64,
}

impl Rpt {
    /// As the introspection endpoint tells it; permissions that are over are not in it.
    pub(super) fn introspected(&self, clock: &Clock, options: &UmaOptions) -> Value {
        let lifetime = options.permission_lifetime;
        let good = self.permissions.iter();
        let good = good.filter(|permission| !clock.is_over(permission.since, lifetime));
        let permissions = good.map(|permission| {
            json!({
                "resource_id": permission.resource,
                "resource_scopes": permission.scopes,
                "exp": permission.granted_at.saturating_add(lifetime.as_secs()),
            })
        });
        json!({
            "active": true,
            "exp": self.issued_at.saturating_add(options.rpt_lifetime.as_secs()),
            "iat": self.issued_at,
            "permissions": permissions.collect::<Vec<_>>(),
            "client_id": self.client_id,
            "aud": self.client_id,
        })
    }
}

/// Everything.
pub(super) struct Records {
    pub(super) rules: Vec<UmaRule>,
    pub(super) otherwise: UmaOutcome,
    pub(super) resources: HashMap<String, Resource>,
    /// Every scope that was ever registered: tickets are given for these alone.
    pub(super) scopes: BTreeSet<String>,
    pub(super) tickets: HashMap<String, Ticket>,
    pub(super) rpts: HashMap<String, Rpt>,
    /// The users behind persisted claims tokens.
    pub(super) pcts: HashMap<String, Option<String>>,
    pub(super) requests: Vec<UmaRequest>,
    /// What the owner decided, by user and path.
    pub(super) decisions: BTreeMap<(Option<String>, String), bool>,
}

impl Records {
    pub(super) fn new(options: &UmaOptions) -> Records {
        Records {
            rules: options.rules.clone(),
            otherwise: options.otherwise,
            resources: HashMap::new(),
            scopes: BTreeSet::new(),
            tickets: HashMap::new(),
            rpts: HashMap::new(),
            pcts: HashMap::new(),
            requests: Vec::new(),
            decisions: BTreeMap::new(),
        }
    }

    pub(super) fn resource(&self, clock: &Clock, id: &str) -> Option<&Resource> {
        let resource = self.resources.get(id)?;
        (!clock.is_over(resource.since, resource.lifetime)).then_some(resource)
    }

    /// Keeps a ticket under a new name.
    pub(super) fn put_ticket(&mut self, ticket: Ticket) -> String {
        let name = random_uuid();
        self.tickets.insert(name.clone(), ticket);
        name
    }

    /// A ticket that has not run out.
    pub(super) fn ticket(&self, clock: &Clock, name: &str, lifetime: Duration) -> Option<&Ticket> {
        let ticket = self.tickets.get(name)?;
        (!clock.is_over(ticket.since, lifetime)).then_some(ticket)
    }

    /// An RPT that works.
    pub(super) fn active(&self, clock: &Clock, rpt: &str, lifetime: Duration) -> Option<&Rpt> {
        let rpt = self.rpts.get(rpt)?;
        (!clock.is_over(rpt.since, lifetime)).then_some(rpt)
    }

    pub(super) fn put_pct(&mut self, user: Option<&str>) -> String {
        let pct = random(18);
        self.pcts.insert(pct.clone(), user.map(str::to_owned));
        pct
    }
}
