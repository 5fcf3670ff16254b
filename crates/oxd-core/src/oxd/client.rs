//! Calls to oxd: the client token, the bound on calls under way, one retry for a refused token, typed answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::api::{AuthorizationUrl, ClientToken, Commands, ErrorAnswer, Jwks, LogoutUri, Refreshed, Tokens};
use super::gate::{Closed, Gate};
use super::keys::KeyCell;
use super::refresh::Flights;
use super::token::{Fetched, TokenCell};
use super::{Answer, Credentials, Server, Site, Transport, TransportError, lock};
use crate::base::clock::{Seconds, wall};
use crate::base::reason::{Failure, Reason};
use crate::base::secret::Secret;
use crate::config::types::Provider;
use crate::shm::stats::{Command, Event, Outcome, Stats};

const REFRESH: &str = "get-access-token-by-refresh-token";

/// What one child process shares between all its threads.
pub struct Client<T> {
    transport: T,
    stats: Stats<'static>,
    /// One token per (server, client, provider); as many as the configuration has sites.
    tokens: Mutex<HashMap<String, Arc<TokenCell>>>,
    /// One gate per server.
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    refreshes: Flights<Refreshed>,
    user_infos: Flights<Map<String, Value>>,
    /// The keys of each provider.
    keys: Mutex<HashMap<String, Arc<KeyCell>>>,
}

impl<T: Transport> Client<T> {
    /// A client over a transport.
    pub fn new(transport: T, stats: Stats<'static>) -> Self {
        stats.process_begins(std::process::id());
        Self {
            transport,
            stats,
            tokens: Mutex::default(),
            gates: Mutex::default(),
            refreshes: Flights::default(),
            user_infos: Flights::default(),
            keys: Mutex::default(),
        }
    }

    /// The commands for one site.
    pub fn at<'c>(&'c self, site: Site<'c>) -> SiteClient<'c, T> {
        SiteClient { client: self, site }
    }

    fn send(
        &self,
        server: &Server<'_>,
        command: &str,
        token: Option<&Secret>,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let gate = lock(&self.gates)
            .entry(server.url.to_string())
            .or_default()
            .clone();
        let at = || server.command_url(command);
        let count = |outcome: Outcome, took: Duration| {
            self.stats.call(Command::of(command), outcome, took, wall());
        };
        let (pass, queued) = gate.enter(server.max_calls, server.timeouts.connect);
        if queued {
            self.stats.event(Event::Queued);
        }
        let _pass = pass
            .inspect_err(|closed| {
                let outcome = match closed {
                    Closed::Busy => Outcome::Busy,
                    Closed::Resting => Outcome::Resting,
                };
                count(outcome, Duration::ZERO);
            })
            .map_err(|closed| match closed {
                Closed::Busy => Failure::new(
                    Reason::OxdBusy,
                    format!("{}: {} calls are under way already", at(), server.max_calls),
                ),
                Closed::Resting => Failure::new(
                    Reason::OxdResting,
                    format!("{}: not called, it could not be reached a moment ago", at()),
                ),
            })?;
        let _counted = UnderWay::enter(self.stats);
        let began = Instant::now();
        let result = self
            .transport
            .post(server, command, token.map(Secret::expose), body);
        let outcome = match &result {
            Ok(answer) if answer.status == 200 => Outcome::Ok,
            Ok(_) => Outcome::Refused,
            Err(TransportError::Unreachable(_)) => Outcome::Unreachable,
            Err(TransportError::Timeout(_)) => Outcome::Timeout,
            Err(TransportError::Broken(_)) => Outcome::Broken,
        };
        count(outcome, began.elapsed());
        if gate.report(outcome != Outcome::Unreachable) {
            self.stats.event(Event::BreakerOpened);
        }
        result.map_err(|error| match error {
            TransportError::Unreachable(why) => {
                Failure::new(Reason::OxdUnreachable, format!("{}: {why}", at()))
            }
            TransportError::Timeout(after) => {
                Failure::new(Reason::OxdTimeout, format!("{}: no answer after {after:?}", at()))
            }
            TransportError::Broken(why) => Failure::new(Reason::OxdAnswer, format!("{}: {why}", at())),
        })
    }

    fn client_token(
        &self,
        server: &Server<'_>,
        cell: &TokenCell,
        credentials: &Credentials<'_>,
    ) -> Result<Arc<Secret>, Failure> {
        cell.get(|| {
            let mut body = json!({
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret.expose(),
                "scope": ["openid", "oxd"],
            });
            for (name, value) in credentials.provider.members() {
                body[name] = value.into();
            }
            let command = "get-client-token";
            let answer = self.send(server, command, None, &body)?;
            let token: ClientToken = typed(server, command, &answer).map_err(|failure| {
                // This is how oxd answers wrong credentials; what to do about them helps more than «see oxd's log».
                if answer.status == 500 && text_of(&answer).contains("internal_error") {
                    Failure {
                        reason: Reason::ClientTokenRefused,
                        ..failure
                    }
                } else {
                    failure
                }
            })?;
            let lifetime = token
                .expires_in
                .and_then(|s| u64::try_from(s).ok())
                .filter(|s| *s > 0);
            Ok(Fetched {
                token: Secret::new(token.access_token),
                // A lifetime of centuries would overflow the clock; a day is as good.
                lifetime: lifetime.map(|s| Duration::from_secs(s.min(86_400))),
            })
        })
    }
}

/// A call that is under way, as far as [`Stats`] shows it.
struct UnderWay(Stats<'static>);

impl UnderWay {
    fn enter(stats: Stats<'static>) -> Self {
        stats.call_begins(std::process::id());
        Self(stats)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.call_ends(std::process::id());
    }
}

/// The commands for one site; see [`Commands`].
pub struct SiteClient<'c, T> {
    client: &'c Client<T>,
    site: Site<'c>,
}

impl<T: Transport> SiteClient<'_, T> {
    fn call<A: DeserializeOwned>(
        &self,
        command: &str,
        mut request: Map<String, Value>,
    ) -> Result<A, Failure> {
        request.insert("oxd_id".into(), self.site.id.as_str().into());
        let body = Value::Object(request);
        let server = &self.site.server;
        let Some(credentials) = &self.site.credentials else {
            return typed(server, command, &self.client.send(server, command, None, &body)?);
        };
        let cell = {
            let key = [
                server.url.as_str(),
                self.site.id.as_str(),
                credentials.client_id,
                credentials.provider.name(),
            ]
            .join("\n");
            lock(&self.client.tokens).entry(key).or_default().clone()
        };
        let token = self.client.client_token(server, &cell, credentials)?;
        let mut answer = self.client.send(server, command, Some(&token), &body)?;
        if answer.status == 403 {
            // oxd may have been restarted, or have dropped the token early: one new one, one more try.
            cell.refuse(&token);
            let token = self.client.client_token(server, &cell, credentials)?;
            answer = self.client.send(server, command, Some(&token), &body)?;
        }
        typed(server, command, &answer)
    }
}

fn text_of(answer: &Answer) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&answer.body)
}

/// Reads an answer, or says which refusal it stands for.
fn typed<A: DeserializeOwned>(server: &Server<'_>, command: &str, answer: &Answer) -> Result<A, Failure> {
    let at = || server.command_url(command);
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|error| {
            // serde_json's message may quote the value, and with it a token; where it went wrong says enough.
            let what = if error.is_data() {
                "a member is missing or has the wrong type"
            } else {
                "not JSON"
            };
            let place = format!("line {}, column {}", error.line(), error.column());
            Failure::new(
                Reason::OxdAnswer,
                format!("{} answered 200, but {what} ({place})", at()),
            )
        });
    }
    let told: ErrorAnswer = serde_json::from_slice(&answer.body).unwrap_or_default();
    let description = told.error_description.to_ascii_lowercase();
    let reason = match answer.status {
        // oxd says it in its own words or in those of the provider (RFC 6749 section 5.2).
        _ if command == REFRESH && (answer.status == 400 || text_of(answer).contains("invalid_grant")) => {
            Reason::RefreshRefused
        }
        400 if description.contains("'code'") => Reason::CodeInvalid,
        400 if description.contains("'state'") => Reason::StateUnregistered,
        403 => Reason::ClientTokenRefused,
        _ => Reason::OxdAnswer,
    };
    let said = if told.error.is_empty() && told.error_description.is_empty() {
        "nothing that oxd would say".to_owned()
    } else {
        format!("'{}' ({})", told.error, told.error_description)
    };
    Err(Failure::new(
        reason,
        format!("{} answered {} with {said}", at(), answer.status),
    ))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl<T: Transport> Commands for SiteClient<'_, T> {
    fn authorization_url(&self, request: Map<String, Value>) -> Result<AuthorizationUrl, Failure> {
        self.call("get-authorization-url", request)
    }

    fn tokens_by_code(&self, code: &str, state: &str) -> Result<Tokens, Failure> {
        self.call(
            "get-tokens-by-code",
            object(json!({"code": code, "state": state})),
        )
    }

    fn user_info(&self, access_token: &str, id_token: &str) -> Result<Map<String, Value>, Failure> {
        self.call(
            "get-user-info",
            object(json!({"access_token": access_token, "id_token": id_token})),
        )
    }

    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        since: Seconds,
    ) -> Result<Map<String, Value>, Failure> {
        self.client
            .user_infos
            .share(&format!("{since} {access_token}"), || {
                self.user_info(access_token, id_token)
            })
    }

    fn logout_uri(&self, request: Map<String, Value>) -> Result<LogoutUri, Failure> {
        self.call("get-logout-uri", request)
    }

    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Failure> {
        self.client.refreshes.share(refresh_token, || {
            let request = json!({"refresh_token": refresh_token, "scope": scope});
            self.call(REFRESH, object(request))
        })
    }

    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Failure> {
        let provider = self.site.provider.map(Provider::name).unwrap_or_default();
        let cell = lock(&self.client.keys)
            .entry(format!("{} {provider}", self.site.server.url))
            .or_default()
            .clone();
        cell.get(anew, || self.jwks())
    }
}

impl<T: Transport> SiteClient<'_, T> {
    /// `get-jwks`, which is about the provider and not about the site.
    fn jwks(&self) -> Result<Vec<Value>, Failure> {
        let mut request = Map::new();
        for (name, value) in self.site.provider.into_iter().flat_map(Provider::members) {
            request.insert(name.into(), value.into());
        }
        let answer: Jwks = self.call("get-jwks", request)?;
        Ok(answer.keys)
    }
}

#[cfg(test)]
mod tests;
