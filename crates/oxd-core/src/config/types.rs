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

use crate::base::{Seconds, Secret};

/// Total time for one call to oxd, and the time within it for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// From the first byte sent to the last byte read.
    pub total: Duration,
    /// TCP and TLS; also the longest time that a request waits for the same call of another one.
    pub connect: Duration,
}

/// The route of calls to oxd.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// Directly to oxd; the environment's proxy variables are ignored.
    Direct,
    /// Through this HTTP proxy.
    Http(Url),
}

/// Certificates trusted for oxd besides the system's roots.
#[derive(Debug)]
pub struct CaFile {
    /// The file as the directive names it; also the identity of the set.
    pub path: String,
    /// Its certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl CaFile {
    /// Reads the content of a PEM file. The error says why it has no usable certificates.
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
    /// The first of `redirect_uris`, to which oxd has the provider send the browser; `oxdctl register` writes them.
    pub redirect_uri: Option<String>,
}

/// The OpenID Provider, as named to oxd.
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
    /// The provider from two members; `None` without either.
    pub fn of(host: Option<&'a str>, endpoint: Option<&'a str>) -> Option<Self> {
        match (host, endpoint) {
            (Some(host), Some(endpoint)) => Some(Provider::Both { host, endpoint }),
            (Some(host), None) => Some(Provider::Host(host)),
            (None, Some(endpoint)) => Some(Provider::ConfigurationEndpoint(endpoint)),
            (None, None) => None,
        }
    }

    /// Whether an issuer is the provider's address as it is configured (OpenID Connect Discovery section 4.1).
    pub fn is_issuer(&self, issuer: &str) -> bool {
        let plain = |text: &str| text.trim_end_matches('/').to_owned();
        let of_endpoint = |endpoint: &str| {
            endpoint
                .strip_suffix("/.well-known/openid-configuration")
                .is_some_and(|base| plain(base) == plain(issuer))
        };
        match self {
            Provider::Host(host) => plain(host) == plain(issuer),
            Provider::ConfigurationEndpoint(endpoint) | Provider::Both { endpoint, .. } => {
                of_endpoint(endpoint)
            }
        }
    }

    /// Its members in a command of oxd, by name.
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

    /// A key that identifies the provider.
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

/// What happens when the provider has refused a refresh token and the access token has expired (`OxdTokenRefresh`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RefusedRefresh {
    /// The session ends, and the user signs in again.
    Login,
    /// 401; the session stays.
    Unauthorized,
    /// The session goes on.
    Keep,
}

/// `OxdTokenRefresh`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenRefresh {
    /// Access tokens are not refreshed.
    Off,
    /// They are refreshed when they expire in less than this, in seconds.
    Ahead(Seconds),
}

/// `OxdPostPreserve`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PostPreserve {
    /// Forms are not kept.
    Off,
    /// Forms up to this size are kept, in bytes.
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

/// A compiled httpd expression, opaque to this crate. It lives as long as its configuration.
#[derive(Clone, Copy)]
pub struct Expression<'a>(pub &'a (dyn Any + Send + Sync + 'static));

impl fmt::Debug for Expression<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression(..)")
    }
}

/// `OxdUnauthAction`: the answer to a request without a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnauthAction {
    /// Navigations are sent to log in, scripts get 401.
    Auto,
    /// Every GET and HEAD request is sent to log in.
    Login,
    /// This status: 401, 403, 404, 407 or 410.
    Status(u16),
    /// The request goes on without a user.
    Pass,
}

/// `OxdUnautzAction`: the answer to a signed-in user whom the rules do not admit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnautzAction {
    /// This status: 401 or 403.
    Status(u16),
    /// Another login, once, with the authentication that a rule requires, if any (step-up).
    Login,
}

/// `OxdClaimHeader`: a claim in a request header of the administrator's choice.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimHeader {
    /// The header's name, NUL-terminated.
    pub name: CString,
    /// The claim, or a path to a member of it.
    pub claim: String,
    /// Its encoding.
    pub format: HeaderFormat,
}

/// The encoding of a claim in a header.
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

/// `OxdPassTokens`: the tokens that the application gets.
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

impl PassTokens {
    /// Whether the application gets a token.
    pub fn has_any(self) -> bool {
        self.access_token || self.id_token || self.refresh_token
    }
}

/// `SameSite` of the session cookie (RFC 6265bis section 5.6.7).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SameSite {
    /// Sent with top-level navigations from other sites.
    Lax,
    /// Never sent with a request from another site.
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

/// `OxdTrustForwarded`: the trusted proxy headers.
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

/// `OxdRemoteUser`: the claim that becomes `REMOTE_USER`, and its rewriting.
#[derive(Clone, Debug)]
pub struct RemoteUser {
    /// The claim.
    pub claim: String,
    /// A regular expression and the replacement of its match (`$1` and so on).
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
    /// Neither; only `REMOTE_USER` is set.
    None,
}

/// `OxdClaimNames`: the claims that the application gets.
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
    /// Whether the application gets the claim.
    pub fn allow(&self, name: &[u8]) -> bool {
        let named = |list: &[String]| list.iter().any(|n| n.as_bytes() == name);
        !named(&self.never) && (self.only.is_empty() || named(&self.only))
    }
}
