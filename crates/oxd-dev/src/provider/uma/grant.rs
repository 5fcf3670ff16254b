//! The grant type `urn:ietf:params:oauth:grant-type:uma-ticket` (UMA 2.0 Grant, section 3.3): from a ticket to an RPT.

use super::policy::Verdict;
use super::records::{Permission, Records, Resource, Rpt, Ticket};
use super::{Answer, GATHER, Server, refusal, said};
use crate::provider::Op;
use crate::util::{encode, lock, random, unix_now};
use crate::{UmaEndpoint, UmaOutcome, UmaRequest};
use serde_json::{Value, json};

/// The one claim token that is understood.
const ID_TOKEN: &str = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken";

/// What a client sends to the token endpoint.
#[derive(Default)]
pub(crate) struct RptRequest<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) ticket: &'a str,
    /// Its format and itself.
    pub(crate) claim_token: Option<(&'a str, &'a str)>,
    pub(crate) pct: Option<&'a str>,
    pub(crate) rpt: Option<&'a str>,
    pub(crate) scope: &'a [String],
}

impl Op {
    /// The token endpoint's answer.
    pub(crate) fn uma_rpt(&self, request: &RptRequest<'_>) -> Answer {
        self.uma_answer(UmaEndpoint::Token, |server| {
            self.rpt(server, request).unwrap_or_else(|refused| refused)
        })
    }

    fn rpt(&self, server: &Server, request: &RptRequest<'_>) -> Result<(u16, String), (u16, String)> {
        let client = lock(&self.state).clients.get(request.client_id).cloned();
        let as_jwt = client.ok_or(refusal(401, "invalid_client"))?.rpt_as_jwt;
        let mut records = lock(&server.records);
        let lifetime = server.options.ticket_lifetime;
        let invalid_ticket = || refusal(400, "invalid_ticket");
        let ticket = records.ticket(&self.clock, request.ticket, lifetime);
        let mut ticket = ticket.cloned().ok_or_else(invalid_ticket)?;
        match request.claim_token {
            Some((ID_TOKEN, token)) => {
                let user = self.user_of(token).ok_or(refusal(403, "invalid_claim_token"))?;
                ticket.user = Some(user);
            }
            Some(_) => return Err(refusal(400, "invalid_claim_token_format")),
            None => (),
        }
        if let Some(pct) = request.pct {
            let user = records.pcts.get(pct).ok_or(refusal(403, "invalid_pct"))?;
            ticket.user = ticket.user.or_else(|| user.clone());
            ticket.pct = Some(pct.to_owned());
        }
        if let Some(rpt) = request.rpt {
            let active = records.active(&self.clock, rpt, server.options.rpt_lifetime);
            let own = active.filter(|rpt| rpt.client_id == request.client_id);
            own.ok_or(refusal(403, "invalid_rpt"))?;
        }
        let resource = records.resource(&self.clock, &ticket.resource).cloned();
        let resource = resource.ok_or_else(invalid_ticket)?;
        let mut scopes = ticket.scopes.clone();
        let more = request.scope.iter();
        let more = more.filter(|scope| resource.scopes.contains(scope) && !ticket.scopes.contains(scope));
        scopes.extend(more.cloned());
        match records.verdict(&resource, &ticket, &scopes) {
            Verdict::Grant(scopes) => Ok(self.issue(server, &mut records, request, ticket, scopes, as_jwt)),
            Verdict::Other(outcome) => {
                Err(self.other(server, &mut records, request, &resource, ticket, outcome))
            }
        }
    }

    /// The user that an ID token of this provider is about.
    fn user_of(&self, id_token: &str) -> Option<String> {
        let claims = self.keys.verify(id_token)?;
        let good =
            claims["iss"] == *self.issuer && claims["exp"].as_u64().is_some_and(|exp| exp > unix_now());
        let user = |user: &&crate::User| user.claims.get("sub") == Some(&claims["sub"]);
        let user = self.options.users.iter().find(user).filter(|_| good)?;
        Some(user.name.clone())
    }

    /// A new RPT, or the one that is upgraded. As at Gluu the ticket goes on working, unless the options say otherwise,
    /// and has one PCT.
    fn issue(
        &self,
        server: &Server,
        records: &mut Records,
        request: &RptRequest<'_>,
        mut ticket: Ticket,
        scopes: Vec<String>,
        as_jwt: bool,
    ) -> (u16, String) {
        let pct = match ticket.pct.take() {
            Some(pct) => pct,
            None => records.put_pct(ticket.user.as_deref()),
        };
        ticket.pct = Some(pct.clone());
        let permission = Permission {
            resource: ticket.resource.clone(),
            scopes,
            since: self.clock.now(),
            granted_at: unix_now(),
        };
        let upgraded = request.rpt.filter(|rpt| records.rpts.contains_key(*rpt));
        let name = match upgraded {
            Some(name) => {
                if let Some(rpt) = records.rpts.get_mut(name) {
                    rpt.permissions.retain(|old| old.resource != permission.resource);
                    rpt.permissions.push(permission);
                }
                name.to_owned()
            }
            None => {
                let rpt = Rpt {
                    client_id: request.client_id.to_owned(),
                    permissions: vec![permission],
                    since: self.clock.now(),
                    issued_at: unix_now(),
                };
                let name = match as_jwt {
                    true => self.jwt(server, &rpt, ticket.user.as_deref()),
                    false => random(24),
                };
                records.rpts.insert(name.clone(), rpt);
                name
            }
        };
        match server.options.single_use_tickets {
            true => drop(records.tickets.remove(request.ticket)),
            false => drop(records.tickets.insert(request.ticket.to_owned(), ticket)),
        }
        let answer = json!({
            "access_token": name,
            "token_type": "Bearer",
            "pct": pct,
            "upgraded": upgraded.is_some(),
        });
        said(200, &answer)
    }

    /// An RPT that tells by itself what its introspection tells, and who it was given for.
    fn jwt(&self, server: &Server, rpt: &Rpt, user: Option<&str>) -> String {
        let mut claims = rpt.introspected(&self.clock, &server.options);
        claims["iss"] = json!(self.issuer);
        // Two in one second are two.
        claims["jti"] = json!(random(12));
        let named = |name| self.options.users.iter().find(|user| user.name == name);
        if let Some(user) = user.and_then(named) {
            claims["pct_claims"] = json!({ "sub": user.claims.get("sub") });
        }
        self.keys.sign(&claims, "JWT")
    }

    /// Everything that is no RPT. Where the client is to come again, it gets a new ticket for the old one.
    fn other(
        &self,
        server: &Server,
        records: &mut Records,
        request: &RptRequest<'_>,
        resource: &Resource,
        ticket: Ticket,
        outcome: UmaOutcome,
    ) -> (u16, String) {
        let user = ticket.user.clone();
        let scopes = ticket.scopes.clone();
        let again = |records: &mut Records| {
            records.tickets.remove(request.ticket);
            let since = self.clock.now();
            records.put_ticket(Ticket {
                since,
                ..ticket.clone()
            })
        };
        match outcome {
            UmaOutcome::Gather => {
                let ticket = again(records);
                let page = format!(
                    "{}{}client_id={}&ticket={ticket}",
                    self.url(GATHER),
                    if server.options.broken_redirect_user {
                        '&'
                    } else {
                        '?'
                    },
                    encode(request.client_id)
                );
                said(403, &self.need_info(&ticket, Some(page)))
            }
            UmaOutcome::NeedClaims => {
                let ticket = again(records);
                said(403, &self.need_info(&ticket, None))
            }
            UmaOutcome::AskOwner => {
                let asked = UmaRequest {
                    user,
                    resource: resource.path.clone(),
                    scopes,
                };
                if !records.requests.contains(&asked) {
                    records.requests.push(asked);
                }
                let ticket = again(records);
                said(403, &json!({ "error": "request_submitted", "ticket": ticket }))
            }
            UmaOutcome::Deny => {
                records.tickets.remove(request.ticket);
                refusal(403, "request_denied")
            }
            UmaOutcome::Forbid | UmaOutcome::Grant => refusal(403, "forbidden_by_policy"),
        }
    }

    /// UMA 2.0 Grant, section 3.3.6: an ID token would do.
    fn need_info(&self, ticket: &str, redirect_user: Option<String>) -> Value {
        let mut answer = json!({
            "error": "need_info",
            "ticket": ticket,
            "required_claims": [{
                "claim_token_format": [ID_TOKEN],
                "claim_type": "string",
                "friendly_name": "user",
                "issuer": [self.issuer],
                "name": "sub",
            }],
        });
        if let Some(page) = redirect_user {
            answer["redirect_user"] = json!(page);
        }
        answer
    }
}
