//! oxd's REST API as the module uses it: typed commands over one keep-alive client per child process.
//!
//! [`client::Client`] holds what is shared by all threads of a child (client tokens, the bound on calls under way, the
//! breaker); [`http::HttpTransport`] does the HTTP. Nothing here may exist before httpd forks.

pub mod api;
pub mod client;
pub mod gate;
pub mod http;
pub mod keys;
pub mod refresh;
pub mod token;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use crate::base::reason::{Failure, Reason};
use crate::base::secret::Secret;
use crate::base::site::SiteId;
use crate::config::settings::Settings;
use crate::config::types::{CaFile, Provider, Proxy, Timeouts};

/// How to reach one oxd server; what makes a transport of its own necessary.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// `OxdServer`
    pub url: &'a Url,
    /// `OxdServerTimeout`
    pub timeouts: Timeouts,
    /// `OxdServerVerify`
    pub verify: bool,
    /// `OxdServerCAFile`
    pub ca: Option<&'a CaFile>,
    /// `OxdServerProxy`
    pub proxy: &'a Proxy,
    /// `OxdServerMaxCalls`
    pub max_calls: u32,
}

impl Server<'_> {
    /// The address of a command, below whatever path prefix `OxdServer` has.
    pub fn command_url(&self, command: &str) -> String {
        format!("{}/{command}", self.url.as_str().trim_end_matches('/'))
    }
}

/// One site at one oxd server, with everything that a call needs.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The server.
    pub server: Server<'a>,
    /// `oxd_id`
    pub id: SiteId<'a>,
    /// The provider, where it is named.
    pub provider: Option<Provider<'a>>,
    /// What `get-client-token` is told; `None` with `OxdProtectedCommands Off`.
    pub credentials: Option<Credentials<'a>>,
}

/// The members of a `get-client-token` request.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// `client_id`
    pub client_id: &'a str,
    /// `client_secret`
    pub client_secret: &'a Secret,
    /// `op_host` and `op_configuration_endpoint`
    pub provider: Provider<'a>,
}

impl<'a> Site<'a> {
    /// The site that a place's settings name, or the refusal that names the first missing directive.
    pub fn of(settings: &Settings<'a>, path: &str) -> Result<Self, Failure> {
        let missing = |directive: &str| {
            Failure::new(
                Reason::NotConfigured,
                format!("{path}: this place has no {directive}"),
            )
        };
        let named = settings.server();
        let server = Server {
            url: named.url.ok_or_else(|| missing("OxdServer"))?,
            timeouts: named.timeouts,
            verify: named.verify,
            ca: named.ca,
            proxy: named.proxy,
            max_calls: named.max_calls,
        };
        let id = settings.site.ok_or_else(|| missing("OxdId (or OxdSite)"))?;
        let credentials = if named.protected_commands {
            Some(Credentials {
                provider: named
                    .provider
                    .ok_or_else(|| missing("OxdOpHost (or OxdOpConfigurationEndpoint, or OxdSite)"))?,
                client_id: named
                    .client_id
                    .ok_or_else(|| missing("OxdClientId (or OxdSite)"))?,
                client_secret: named
                    .client_secret
                    .ok_or_else(|| missing("OxdClientSecret (or OxdSite)"))?,
            })
        } else {
            None
        };
        Ok(Self {
            server,
            id,
            provider: named.provider,
            credentials,
        })
    }

    /// The refusal for a place whose settings name no site.
    pub fn missing(settings: &Settings<'_>, path: &str) -> Failure {
        match Site::of(settings, path) {
            Err(failure) => failure,
            Ok(_) => Failure::new(Reason::NotConfigured, format!("{path}: this place has no site")),
        }
    }
}

/// What came back from oxd: a status and at most [`ANSWER_LIMIT`] bytes.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The most bytes that an answer of oxd may have; a larger one is refused unread.
pub const ANSWER_LIMIT: usize = 1 << 20;

/// Why no answer came back.
#[derive(Clone, Debug, PartialEq)]
pub enum TransportError {
    /// No connection: refused, no route, no name, TLS not to be trusted.
    Unreachable(String),
    /// Connected, but no whole answer within the total time.
    Timeout(Duration),
    /// The connection broke, or what came was not HTTP or too large.
    Broken(String),
}

/// Sends one command.
pub trait Transport: Send + Sync {
    /// `POST`s a JSON body to the command's address and reads the answer; never longer than the server's total time.
    fn post(
        &self,
        server: &Server<'_>,
        command: &str,
        client_token: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Answer, TransportError>;
}

/// A lock that a panic elsewhere has not made useless: what it guards is replaced whole, never half.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
