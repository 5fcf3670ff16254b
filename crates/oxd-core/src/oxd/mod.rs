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
use crate::config::settings::{CaFile, Proxy, Settings, Timeouts};

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
    pub oxd_id: &'a str,
    /// The provider: `op_host` and `op_configuration_endpoint`.
    pub provider: (Option<&'a str>, Option<&'a str>),
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
    /// `op_host`
    pub op_host: Option<&'a str>,
    /// `op_configuration_endpoint`
    pub op_configuration_endpoint: Option<&'a str>,
}

impl<'a> Site<'a> {
    /// The site that a place's settings name, or the refusal that names the missing directive.
    pub fn of(settings: &Settings<'a>, default_max_calls: u32) -> Result<Self, Failure> {
        let missing =
            |directive: &str| Failure::new(Reason::NotConfigured, format!("this place has no {directive}"));
        let server = Server {
            url: settings.server.ok_or_else(|| missing("OxdServer"))?,
            timeouts: settings.timeouts(),
            verify: settings.server_verify.unwrap_or(true),
            ca: settings.server_ca,
            proxy: settings.server_proxy.unwrap_or(&Proxy::Direct),
            max_calls: settings.server_max_calls.unwrap_or(default_max_calls).max(1),
        };
        let oxd_id = settings
            .effective_oxd_id()
            .ok_or_else(|| missing("OxdId (or OxdSite)"))?;
        let credentials = if settings.protected_commands.unwrap_or(true) {
            let (op_host, op_configuration_endpoint) = settings.effective_provider();
            if op_host.is_none() && op_configuration_endpoint.is_none() {
                return Err(missing("OxdOpHost (or OxdOpConfigurationEndpoint, or OxdSite)"));
            }
            Some(Credentials {
                client_id: settings
                    .effective_client_id()
                    .ok_or_else(|| missing("OxdClientId (or OxdSite)"))?,
                client_secret: settings
                    .effective_client_secret()
                    .ok_or_else(|| missing("OxdClientSecret (or OxdSite)"))?,
                op_host,
                op_configuration_endpoint,
            })
        } else {
            None
        };
        Ok(Self {
            server,
            oxd_id,
            provider: settings.effective_provider(),
            credentials,
        })
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
