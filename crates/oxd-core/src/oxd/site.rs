//! One site that is registered with oxd, as the settings of a place name it.

use super::commands::client_token::GetClientToken;
use super::error::Error;
use super::server::Server;
use crate::base::{SiteId, Trace};
use crate::config::{ClientAuth, Provider, RawSettings, ServerSettings, Settings};
use crate::shm::health::SiteKey;

/// One site at one oxd server, with everything that a call needs.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The server.
    pub server: Server<'a>,
    /// `oxd_id`
    pub id: SiteId<'a>,
    /// The site's provider, where it is named.
    pub provider: Option<Provider<'a>>,
    /// The credentials for `get-client-token`; `None` with `OxdProtectedCommands Off`.
    pub credentials: Option<GetClientToken<'a>>,
    /// The site whose client the client token belongs to, where it is not this one (`AuthorizationOxdId`).
    pub authorization_site: Option<SiteId<'a>>,
}

impl<'a> Site<'a> {
    /// The site in the settings of a location. The error names the first missing directive and the requested `path`.
    pub fn of(settings: &Settings<'a>, path: &str) -> Result<Self, Error> {
        Self::named(settings.server(), settings.site, path)
    }

    /// The site in settings that are not resolved yet, to say which one it is: how many calls may be under way is not known
    /// here.
    pub fn in_raw(settings: &RawSettings<'a>) -> Result<Self, Error> {
        Self::named(settings.server_settings(1), settings.site_id(), "")
    }

    fn named(named: ServerSettings<'a>, id: Option<SiteId<'a>>, path: &str) -> Result<Self, Error> {
        let missing =
            |directive: &str| Error::NotConfigured(format!("{path}: this place has no {directive}"));
        let server = Server {
            url: named.url.ok_or_else(|| missing("OxdServer"))?,
            timeouts: named.timeouts,
            verify: named.verify,
            ca: named.ca,
            proxy: named.proxy,
            max_calls: named.max_calls,
            trace: None,
        };
        let id = id.ok_or_else(|| missing("OxdId (or OxdSite)"))?;
        let credentials = if named.protected_commands {
            if named.provider.is_none() {
                return Err(missing("OxdOpHost (or OxdOpConfigurationEndpoint, or OxdSite)"));
            }
            let client_id = named
                .client_id
                .ok_or_else(|| missing("OxdClientId (or OxdSite)"))?;
            let secret = named.client_secret;
            if secret.is_none() && named.client_auth.is_none_or(ClientAuth::needs_secret) {
                return Err(missing("OxdClientSecret (or OxdSite)"));
            }
            let request = GetClientToken::new(client_id, secret, named.provider);
            Some(request.authenticated_by(named.client_auth))
        } else {
            None
        };
        Ok(Self {
            server,
            id,
            provider: named.provider,
            credentials,
            authorization_site: named.authorization_site,
        })
    }

    /// The site in shared memory.
    pub fn key(&self) -> SiteKey {
        SiteKey::of(self.server.address(), self.id)
    }

    /// The same for calls of a request that belongs to a trace.
    #[must_use]
    pub fn traced(mut self, trace: Option<Trace<'a>>) -> Self {
        self.server.trace = trace;
        self
    }

    /// The error for a place whose settings name no site.
    pub fn missing(settings: &Settings<'_>, path: &str) -> Error {
        match Site::of(settings, path) {
            Err(error) => error,
            Ok(_) => Error::NotConfigured(format!("{path}: this place has no site")),
        }
    }
}
