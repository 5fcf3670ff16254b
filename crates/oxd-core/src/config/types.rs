//! The types of directives' values.

use std::any::Any;
use std::ffi::CString;
use std::fmt;
use std::time::Duration;

use regex::Regex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Serialize, Serializer};
use url::Url;

use crate::base::{Seconds, Secret, Store};

/// Total time for one call to oxd, and the time within it for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// From the first byte sent to the last byte read.
    pub total: Duration,
    /// TCP and TLS; also how long a call waits for its turn (`OxdServerMaxCalls`).
    pub connect: Duration,
}

/// Where calls to oxd go through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// Straight to oxd; the environment's proxy variables are ignored.
    Direct,
    /// Through this HTTP proxy.
    Http(Url),
}

/// Certificates trusted for oxd besides the system's roots.
#[derive(Debug)]
pub struct CaFile {
    /// The file as the directive names it; also what tells two of them apart.
    pub path: String,
    /// Its certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl CaFile {
    /// Reads the content of a PEM file. The error says why it holds no certificates that can be trusted.
    pub fn parse(path: &str, pem: &[u8]) -> Result<Self, String> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|e| e.to_string())?;
        if certificates.is_empty() {
            return Err("it holds no certificate".into());
        }
        let mut store = rustls::RootCertStore::empty();
        for certificate in &certificates {
            store.add(certificate.clone()).map_err(|e| e.to_string())?;
        }
        Ok(Self {
            path: path.to_owned(),
            certificates,
        })
    }
}

/// The members of a `register-site` answer that the module uses (`OxdSite`).
#[derive(Debug)]
pub struct SiteFile {
    /// `oxd_id`
    pub oxd_id: Option<String>,
    /// `client_id`
    pub client_id: Option<String>,
    /// `client_secret`
    pub client_secret: Option<Secret>,
    /// `op_host`
    pub op_host: Option<String>,
    /// `op_configuration_endpoint` (oxd 4.3 and later)
    pub op_configuration_endpoint: Option<String>,
}

/// The OpenID Provider, as oxd is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider<'a> {
    /// `op_host`
    Host(&'a str),
    /// `op_configuration_endpoint` (oxd 4.3 and later)
    ConfigurationEndpoint(&'a str),
    /// Both members, as a site file may have them.
    Both {
        /// `op_host`
        host: &'a str,
        /// `op_configuration_endpoint`
        endpoint: &'a str,
    },
}

impl<'a> Provider<'a> {
    /// The provider of two members; `None` when there is neither.
    pub fn of(host: Option<&'a str>, endpoint: Option<&'a str>) -> Option<Self> {
        match (host, endpoint) {
            (Some(host), Some(endpoint)) => Some(Provider::Both { host, endpoint }),
            (Some(host), None) => Some(Provider::Host(host)),
            (None, Some(endpoint)) => Some(Provider::ConfigurationEndpoint(endpoint)),
            (None, None) => None,
        }
    }

    /// The members that a command of oxd carries for it, by name.
    pub fn members(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        const HOST: &str = "op_host";
        const ENDPOINT: &str = "op_configuration_endpoint";
        let (first, second) = match self {
            Provider::Host(host) => ((HOST, host), None),
            Provider::ConfigurationEndpoint(endpoint) => ((ENDPOINT, endpoint), None),
            Provider::Both { host, endpoint } => ((HOST, host), Some((ENDPOINT, endpoint))),
        };
        std::iter::once(first).chain(second)
    }

    /// What tells two providers apart.
    pub fn name(self) -> &'a str {
        match self {
            Provider::Host(name) | Provider::ConfigurationEndpoint(name) => name,
            Provider::Both { host, .. } => host,
        }
    }
}

/// As members of a command.
impl Serialize for Provider<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members())
    }
}

/// `OxdUserInfo`: whether `get-user-info` is called, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UserInfo {
    /// Never.
    Off,
    /// At login.
    AtLogin,
    /// At login, and when a session's claims are older than this, in seconds.
    Every(Seconds),
}

/// `OxdTokenRefresh`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenRefresh {
    /// Access tokens are not refreshed.
    Off,
    /// They are, when they have less than this left, in seconds.
    Ahead(Seconds),
}

/// `OxdPostPreserve`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PostPreserve {
    /// Forms are not kept.
    Off,
    /// Forms up to this size are, in bytes.
    UpTo(usize),
}

/// One `OxdAuthParam`: the value is an httpd expression that the Apache layer has compiled.
#[derive(Clone, Copy, Debug)]
pub struct AuthParam<'a> {
    /// The parameter's name in the authorization request.
    pub name: &'a str,
    /// The compiled expression.
    pub value: Expression<'a>,
}

/// A compiled httpd expression, opaque to this crate. It lives as long as the configuration that it stands in.
#[derive(Clone, Copy)]
pub struct Expression<'a>(pub &'a (dyn Any + Send + Sync + 'static));

impl fmt::Debug for Expression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression(..)")
    }
}

/// `OxdSessionStore`: where sessions are.
#[derive(Clone, Copy, Debug)]
pub enum SessionStore<'a> {
    /// In the browser's cookies.
    Cookie,
    /// In one of httpd's socache providers.
    Shared(&'a dyn Store),
}

/// `OxdUnauthAction`: what a request without a session meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnauthAction {
    /// Navigations are sent to log in, scripts get 401.
    Auto,
    /// Everything that a login can bring back is sent to log in.
    Login,
    /// This status: 401, 403, 404, 407 or 410.
    Status(u16),
    /// The request goes on without a user.
    Pass,
}

/// `OxdUnautzAction`: what a signed-in user meets whom the rules do not let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnautzAction {
    /// This status: 401 or 403.
    Status(u16),
    /// Another login, once: with the authentication that a rule asks for, where one does (step-up).
    Login,
}

/// `OxdClaimHeader`: a claim in a request header of the administrator's choice.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimHeader {
    /// The header's name, NUL-terminated.
    pub name: CString,
    /// The claim, or a path into it.
    pub claim: String,
    /// How it is written.
    pub format: HeaderFormat,
}

/// How a claim is written into a header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeaderFormat {
    /// As in the environment.
    Text,
    /// As JSON.
    Json,
    /// The text in base64 (RFC 4648 section 4).
    Base64,
    /// The text in base64url without padding (RFC 4648 section 5).
    Base64Url,
}

/// `OxdPassTokens`: what the application gets of the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PassTokens {
    /// `OXD_ACCESS_TOKEN`
    pub access_token: bool,
    /// `OXD_ID_TOKEN`
    pub id_token: bool,
    /// `OXD_REFRESH_TOKEN`
    pub refresh_token: bool,
    /// `OXD_ACCESS_TOKEN_EXPIRES`
    pub expires: bool,
}

/// `SameSite` of the session cookie (RFC 6265bis section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SameSite {
    /// Sent with top-level navigations from elsewhere.
    Lax,
    /// Never sent with a request that began elsewhere.
    Strict,
    /// Always sent; browsers demand `Secure` with it.
    None,
}

/// `OxdCookieSecure`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CookieSecure {
    /// `Secure` when the request came over https.
    Auto,
    /// Always `Secure`.
    On,
    /// Never.
    Off,
}

/// `OxdTrustForwarded`: the proxy headers that are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrustForwarded {
    /// `X-Forwarded-Proto`
    pub proto: bool,
    /// `X-Forwarded-Host`
    pub host: bool,
    /// `X-Forwarded-Port`
    pub port: bool,
    /// `Forwarded` (RFC 7239)
    pub forwarded: bool,
}

/// `OxdRemoteUser`: which claim becomes `REMOTE_USER`, and how.
#[derive(Clone, Debug)]
pub struct RemoteUser {
    /// The claim.
    pub claim: String,
    /// A regular expression and what its match is replaced with (`$1` and so on).
    pub rewrite: Option<(Regex, String)>,
}

/// `OxdClaims`: how the application gets the claims.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClaimsAs {
    /// `OXD_CLAIM_<name>` in the environment.
    Env,
    /// `Oxd-Claim-<Name>` request headers.
    Headers,
    /// Both.
    Both,
    /// Not at all; `REMOTE_USER` stays.
    None,
}

/// `OxdClaimNames`: which claims are handed on.
#[derive(Clone, Debug, Default)]
pub struct ClaimNames {
    /// Only these, unless empty.
    pub only: Vec<String>,
    /// Never these (`!name`).
    pub never: Vec<String>,
}

impl ClaimsAs {
    /// Whether claims go into the environment.
    pub fn in_env(self) -> bool {
        matches!(self, ClaimsAs::Env | ClaimsAs::Both)
    }

    /// Whether claims go into request headers.
    pub fn in_headers(self) -> bool {
        matches!(self, ClaimsAs::Headers | ClaimsAs::Both)
    }
}

impl ClaimNames {
    /// Whether the claim is handed on.
    pub fn allow(&self, name: &[u8]) -> bool {
        let named = |list: &[String]| list.iter().any(|n| n.as_bytes() == name);
        !named(&self.never) && (self.only.is_empty() || named(&self.only))
    }
}
