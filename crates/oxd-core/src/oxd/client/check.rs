//! Whether logins of a site could work now, found out without one.

use std::time::Duration;

use super::{GetClientToken, Inside, Members, SiteClient};
use crate::config::Timeouts;
use crate::oxd::commands::Request as _;
use crate::oxd::commands::health_check::HealthCheck;
use crate::oxd::{Error, Server, Transport};

/// How long oxd has to say that it runs. It needs neither the provider nor its database for that.
const PATIENCE: Duration = Duration::from_secs(3);

impl<T: Transport> SiteClient<'_, T> {
    /// Whether oxd runs (`health-check`). It is not counted as a call, and the circuit breaker does not hold it back.
    pub fn runs(&self) -> Result<(), Error> {
        let timeouts = self.site.server.timeouts;
        let server = Server {
            timeouts: Timeouts {
                total: timeouts.total.min(PATIENCE),
                ..timeouts
            },
            ..self.site.server
        };
        let command = HealthCheck::COMMAND;
        let answer = self
            .client
            .transport
            .send(&server, command, None, &Members::new());
        let answer = answer.map_err(|trouble| Error::NoAnswer {
            at: server.command_url(command.name),
            trouble,
        })?;
        let unusable = |what: String| Error::Unusable { command, what };
        let health = HealthCheck::read(answer.read(&server, command)?).map_err(unusable)?;
        if health.is_oxds() {
            Ok(())
        } else {
            Err(unusable("what answered is not oxd".to_owned()))
        }
    }

    /// Whether oxd gives the site a client token. One that this process has counts, so that oxd and the provider are
    /// asked once in its lifetime by each child process; nor does it need one of the places that calls have.
    pub fn has_client_token(&self) -> Result<(), Error> {
        let Some(credentials) = self.site.credentials.as_ref() else {
            return Ok(());
        };
        let cell = self.token_cell(credentials);
        if cell.is_known() {
            return Ok(());
        }
        let _place = self.enter(GetClientToken::COMMAND)?;
        Inside(self).client_token(&cell, credentials).map(drop)
    }
}
