//! oxd as this program calls it: the typed commands of oxd-core over one link.

use oxd_core::base::Secret;
use oxd_core::config::Provider;
use oxd_core::oxd::commands::client_token::{ClientToken, GetClientToken};
use oxd_core::oxd::{Call, Command, Error, Request as _};
use serde_json::{Map, Value};

use crate::route::Link;
use crate::screen::Screen;

/// A client, with its provider.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: Secret,
    /// `op_host`
    pub op_host: Option<String>,
    /// `op_configuration_endpoint`
    pub op_configuration_endpoint: Option<String>,
}

/// The oxd client, and the screen that shows progress.
pub struct Oxd<'a> {
    /// The way there.
    pub link: &'a Link,
    /// The screen for progress.
    pub screen: &'a Screen,
    /// The site that commands are about.
    pub oxd_id: Option<String>,
    /// The client token that they carry.
    pub token: Option<ClientToken>,
}

impl<'a> Oxd<'a> {
    /// oxd, for commands without a site and without a client token.
    pub fn new(link: &'a Link, screen: &'a Screen) -> Self {
        Self {
            link,
            screen,
            oxd_id: None,
            token: None,
        }
    }

    /// Gets a client token, for the commands that follow.
    pub fn authenticate(&mut self, credentials: &Credentials) -> Result<(), Error> {
        self.screen.hide(credentials.client_secret.expose());
        let provider = Provider::of(
            credentials.op_host.as_deref(),
            credentials.op_configuration_endpoint.as_deref(),
        );
        let request = GetClientToken::new(&credentials.client_id, &credentials.client_secret, provider);
        let token = request.send(self)?;
        self.screen.hide(token.access_token.expose());
        self.token = Some(token);
        Ok(())
    }
}

impl Call for Oxd<'_> {
    fn call(&self, command: Command, mut members: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let mut token = None;
        if command.of_site {
            token = self.token.as_ref().map(|token| &token.access_token);
            members.extend(self.oxd_id.clone().map(|id| ("oxd_id".to_owned(), id.into())));
        }
        let answer = {
            let _waiting = self.screen.progress(&format!("asking oxd: {}", command.name));
            self.link.ask(command, token, &members)?
        };
        answer.read(&self.link.server(), command)
    }
}
