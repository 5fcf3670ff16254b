//! oxd as this program calls it: the typed commands of oxd-core over one link.

use oxd_core::base::Secret;
use oxd_core::config::{ClientAuth, Provider};
use oxd_core::oxd::commands::client_token::{ClientToken, GetClientToken};
use oxd_core::oxd::{Authorization, Call, Command, Error, Request as _};
use serde_json::{Map, Value};

use crate::route::Link;
use crate::screen::Screen;

/// A client, with its provider.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`; none where oxd signs for the client.
    pub client_secret: Option<Secret>,
    /// How oxd proves to be the client.
    pub auth: Option<ClientAuth>,
    /// `op_host`
    pub op_host: Option<String>,
    /// `op_configuration_endpoint`
    pub op_configuration_endpoint: Option<String>,
}

impl Credentials {
    /// The credentials of a client at a provider (`op_host` and `op_configuration_endpoint`), unless there is no client, or
    /// no secret although one is needed.
    pub fn of(
        client_id: Option<String>,
        client_secret: Option<Secret>,
        auth: Option<ClientAuth>,
        provider: &(Option<String>, Option<String>),
    ) -> Option<Self> {
        let needed = auth.as_ref().is_none_or(ClientAuth::needs_secret);
        if needed && client_secret.is_none() {
            return None;
        }
        let (op_host, op_configuration_endpoint) = provider.clone();
        Some(Self {
            client_id: client_id?,
            client_secret,
            auth,
            op_host,
            op_configuration_endpoint,
        })
    }
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
        if let Some(secret) = &credentials.client_secret {
            self.screen.hide(secret.expose());
        }
        let provider = Provider::of(
            credentials.op_host.as_deref(),
            credentials.op_configuration_endpoint.as_deref(),
        );
        let secret = credentials.client_secret.as_ref();
        let request = GetClientToken::new(&credentials.client_id, secret, provider);
        let token = request.authenticated_by(credentials.auth.as_ref()).send(self)?;
        self.screen.hide(token.access_token.expose());
        self.token = Some(token);
        Ok(())
    }
}

impl Call for Oxd<'_> {
    fn call(&self, command: Command, mut members: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let mut authorization = None;
        if command.of_site {
            authorization = self
                .token
                .as_ref()
                .map(|token| Authorization::of_own_client(&token.access_token));
            members.extend(self.oxd_id.clone().map(|id| ("oxd_id".to_owned(), id.into())));
        }
        let answer = {
            let _waiting = self.screen.progress(&format!("asking oxd: {}", command.name));
            self.link.ask(command, authorization, &members)?
        };
        answer.read(&self.link.server(), command)
    }
}
