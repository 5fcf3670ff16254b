//! Calls to oxd: the client token, the circuit breaker, one retry for a refused token, answers that requests share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::breaker::CircuitBreaker;
use super::budget::{Budget, Place};
use super::commands::client_token::GetClientToken;
use super::commands::discovery::GetDiscovery;
use super::commands::jwks::GetJwks;
use super::commands::refresh::{self, GetAccessTokenByRefreshToken, Refreshed};
use super::commands::user_info::GetUserInfo;
use super::keys::ProviderCell;
use super::single_flight::SingleFlight;
use super::token::{Fetched, TokenCell};
use super::{Authorization, Call, Cause, Command, Error, Oxd, Request, Server, Site, Stage, Transport, lock};
use crate::base::{Seconds, Secret, wall};
use crate::config::Provider;
use crate::shm::health::Health;
use crate::shm::stats::{self, Event, Outcome, Stats};

mod check;

type Members = Map<String, Value>;

/// The oxd client of one process, shared by its threads.
pub struct Client<T> {
    transport: T,
    stats: Stats<'static>,
    /// Where it is noted whether oxd takes the client tokens of the sites.
    health: Option<Health<'static>>,
    /// One token per (server, site, client, provider); as many as the configuration has sites.
    tokens: Mutex<HashMap<String, Arc<TokenCell>>>,
    /// One circuit breaker per server.
    breakers: Mutex<HashMap<String, Arc<CircuitBreaker>>>,
    refreshes: SingleFlight<Refreshed>,
    user_infos: SingleFlight<Members>,
    /// The keys of each provider.
    keys: Mutex<HashMap<String, Arc<ProviderCell<Vec<Value>>>>>,
    /// The issuer of each provider.
    issuers: Mutex<HashMap<String, Arc<ProviderCell<Option<String>>>>>,
    /// The threads that wait for oxd.
    budget: Budget,
}

impl<T: Transport> Client<T> {
    /// A client over a transport.
    pub fn new(transport: T, stats: Stats<'static>) -> Self {
        stats.process_begins(std::process::id());
        Self {
            transport,
            stats,
            health: None,
            tokens: Mutex::default(),
            breakers: Mutex::default(),
            refreshes: SingleFlight::default(),
            user_infos: SingleFlight::default(),
            keys: Mutex::default(),
            issuers: Mutex::default(),
            budget: Budget::default(),
        }
    }

    /// The same client, which notes whether oxd takes the client tokens of the sites.
    #[must_use]
    pub fn noting(self, health: Health<'static>) -> Self {
        Self {
            health: Some(health),
            ..self
        }
    }

    /// A place among the threads that wait for oxd, for one that waits without a call of its own.
    pub fn wait_place(&self, max_calls: u32) -> Result<Place<'_>, Error> {
        self.budget.enter(max_calls).ok_or(Error::Busy {
            at: "another request's call".to_owned(),
            max_calls,
        })
    }

    /// The commands for one site.
    pub fn at<'c>(&'c self, site: Site<'c>) -> SiteClient<'c, T> {
        SiteClient { client: self, site }
    }

    fn breaker(&self, server: &Server<'_>) -> Arc<CircuitBreaker> {
        let mut breakers = lock(&self.breakers);
        match breakers.get(server.url.as_str()) {
            Some(breaker) => breaker.clone(),
            None => breakers.entry(server.url.to_string()).or_default().clone(),
        }
    }

    fn send(
        &self,
        server: &Server<'_>,
        command: Command,
        authorization: Option<Authorization<'_>>,
        members: &Members,
    ) -> Result<Members, Error> {
        let at = || server.command_url(command.name);
        let count = |outcome: Outcome, took: Duration| {
            let counted = stats::Command::of(command.name);
            self.stats.call(counted, outcome, took, wall());
        };
        let breaker = self.breaker(server);
        if !breaker.admits() {
            count(Outcome::BreakerOpen, Duration::ZERO);
            return Err(Error::BreakerOpen { at: at() });
        }
        let _counted = UnderWay::enter(self.stats);
        let began = Instant::now();
        let result = self.transport.send(server, command, authorization, members);
        let outcome = match &result {
            Ok(answer) if answer.status == 200 => Outcome::Ok,
            Ok(_) => Outcome::Refused,
            Err(trouble) => match (trouble.cause.stage(), trouble.cause) {
                (Stage::Name | Stage::Connection | Stage::Tls, _) => Outcome::Unreachable,
                (Stage::Answer, Cause::NoAnswer) => Outcome::Timeout,
                (Stage::Answer, _) => Outcome::Broken,
            },
        };
        count(outcome, began.elapsed());
        if breaker.report(!matches!(outcome, Outcome::Unreachable | Outcome::Timeout)) {
            self.stats.event(Event::BreakerOpened);
        }
        match result {
            Ok(answer) => answer.read(server, command),
            Err(trouble) => Err(Error::NoAnswer { at: at(), trouble }),
        }
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

/// The commands for one site; see [`Oxd`].
pub struct SiteClient<'c, T> {
    client: &'c Client<T>,
    site: Site<'c>,
}

impl<T: Transport> Call for SiteClient<'_, T> {
    fn call(&self, command: Command, members: Members) -> Result<Members, Error> {
        let _place = self.enter(command)?;
        Inside(self).call(command, members)
    }
}

/// Calls of a thread that has its place in the budget.
struct Inside<'s, 'c, T>(&'s SiteClient<'c, T>);

impl<T: Transport> Call for Inside<'_, '_, T> {
    fn call(&self, command: Command, mut members: Members) -> Result<Members, Error> {
        let SiteClient { client, site } = self.0;
        if command.of_site {
            members.insert("oxd_id".into(), site.id.as_str().into());
        }
        let send = |token: Option<&Secret>| {
            let authorization = token.map(|token| Authorization {
                token,
                site: site.authorization_site,
            });
            client.send(&site.server, command, authorization, &members)
        };
        let Some(credentials) = site.credentials.as_ref().filter(|_| command.of_site) else {
            return send(None);
        };
        let cell = self.0.token_cell(credentials);
        let token = self.client_token(&cell, credentials)?;
        let outcome = match send(Some(&token)) {
            Err(error) if error.is_about_client_token() => {
                // oxd may have been restarted, or have dropped the token early: one new one, one more try.
                cell.refuse(&token);
                send(Some(&*self.client_token(&cell, credentials)?))
            }
            outcome => outcome,
        };
        if let Some(health) = &client.health {
            match &outcome {
                Ok(_) => health.note_call(site.key(), false, wall()),
                Err(error) if error.is_about_client_token() => health.note_call(site.key(), true, wall()),
                Err(_) => {}
            }
        }
        outcome
    }
}

impl<T: Transport> Oxd for SiteClient<'_, T> {
    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Error> {
        if let Some(known) = self.client.refreshes.known(refresh_token) {
            return known;
        }
        let _place = self.enter(GetAccessTokenByRefreshToken::COMMAND)?;
        let request = GetAccessTokenByRefreshToken { refresh_token, scope };
        let send = || {
            let inside = Inside(self);
            request.send(&inside).map_err(|error| {
                if !refresh::may_be_refused(&error) {
                    return error;
                }
                // oxd does not say whether the token was refused or the provider is broken. A client token that the
                // provider has just issued shows that its token endpoint works.
                match inside.provider_answers() {
                    Ok(true) => refresh::refused(error),
                    Ok(false) => error,
                    Err(silence) => silence,
                }
            })
        };
        self.client.refreshes.share(refresh_token, self.patience(), send)
    }

    fn user_info_again(&self, access_token: &str, id_token: &str, since: Seconds) -> Result<Members, Error> {
        let once = format!("{since} {access_token}");
        if let Some(known) = self.client.user_infos.known(&once) {
            return known;
        }
        let _place = self.enter(GetUserInfo::COMMAND)?;
        let request = GetUserInfo {
            access_token,
            id_token,
        };
        let send = || request.send(&Inside(self));
        self.client.user_infos.share(&once, self.patience(), send)
    }

    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Error> {
        let cell = self.of_provider(&self.client.keys);
        if let Some(known) = cell.known(anew) {
            return known;
        }
        let _place = self.enter(GetJwks::COMMAND)?;
        let provider = self.site.provider;
        let fetch = || Ok(GetJwks { provider }.send(&Inside(self))?.keys);
        cell.get(anew, self.patience(), fetch)
    }

    fn issuer(&self) -> Result<Option<String>, Error> {
        let cell = self.of_provider(&self.client.issuers);
        if let Some(known) = cell.known(false) {
            return known;
        }
        let _place = self.enter(GetDiscovery::COMMAND)?;
        let provider = self.site.provider;
        let fetch = || Ok(GetDiscovery { provider }.send(&Inside(self))?.issuer);
        cell.get(false, self.patience(), fetch)
    }

    fn wait_place(&self) -> Result<Place<'_>, Error> {
        self.client.wait_place(self.site.server.max_calls)
    }
}

impl<T: Transport> SiteClient<'_, T> {
    /// How long a thread waits for another one's call.
    fn patience(&self) -> Duration {
        self.site.server.timeouts.connect
    }

    /// The cell of the site's provider at this oxd.
    fn of_provider<V: Clone>(
        &self,
        cells: &Mutex<HashMap<String, Arc<ProviderCell<V>>>>,
    ) -> Arc<ProviderCell<V>> {
        let name = self.site.provider.map(Provider::name).unwrap_or_default();
        lock(cells)
            .entry(format!("{} {name}", self.site.server.url))
            .or_default()
            .clone()
    }

    /// A place among the threads that wait for oxd.
    fn enter(&self, command: Command) -> Result<Place<'_>, Error> {
        let Server { max_calls, .. } = self.site.server;
        self.client.budget.enter(max_calls).ok_or_else(|| {
            let counted = stats::Command::of(command.name);
            let stats = self.client.stats;
            stats.call(counted, Outcome::Busy, Duration::ZERO, wall());
            Error::Busy {
                at: self.site.server.command_url(command.name),
                max_calls,
            }
        })
    }

    fn token_cell(&self, credentials: &GetClientToken<'_>) -> Arc<TokenCell> {
        let key = [
            self.site.server.url.as_str(),
            self.site.authorization_site.unwrap_or(self.site.id).as_str(),
            credentials.client_id,
            credentials.provider.map(Provider::name).unwrap_or_default(),
        ];
        lock(&self.client.tokens)
            .entry(key.join("\n"))
            .or_default()
            .clone()
    }
}

impl<T: Transport> Inside<'_, '_, T> {
    /// Whether the provider's token endpoint answers: whether it has issued a client token just now. Nobody knows where
    /// oxd asks for none.
    ///
    /// # Errors
    /// This thread has waited for oxd in vain.
    fn provider_answers(&self) -> Result<bool, Error> {
        let Some(credentials) = self.0.site.credentials.as_ref() else {
            return Ok(false);
        };
        let cell = self.0.token_cell(credentials);
        if !cell.is_new() {
            cell.renew();
        }
        match self.client_token(&cell, credentials) {
            Ok(_) => Ok(cell.is_new()),
            Err(error) if error.is_silence() => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// The client token, a new one where it is time. Who has waited for that in vain gets the failure even where the old
    /// one still works: oxd would not answer the command either, and nobody waits twice.
    fn client_token(&self, cell: &TokenCell, request: &GetClientToken<'_>) -> Result<Arc<Secret>, Error> {
        let mut silence = None;
        let token = cell.get(self.0.patience(), || {
            let token = request.send(self).inspect_err(|error| {
                silence = Some(error.clone()).filter(Error::is_silence);
            })?;
            let lifetime = token
                .expires_in
                .and_then(|s| u64::try_from(s).ok())
                .filter(|s| *s > 0);
            Ok(Fetched {
                token: token.access_token,
                // A lifetime of centuries would overflow the clock; a day is as good.
                lifetime: lifetime.map(|s| Duration::from_secs(s.min(86_400))),
            })
        });
        silence.map_or(token, Err)
    }
}

#[cfg(test)]
mod tests;
