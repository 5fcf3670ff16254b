//! The options of a stand-in. Plain data; checked in `DevServer::start`.

use crate::UmaOptions;
use serde_json::{Map, Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Everything [`DevServer::start`](crate::DevServer::start) wants to know.
#[derive(Clone)]
pub struct Options {
    /// Where the oxd API listens. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether the oxd API speaks https. The real one does, out of the box with a
    /// self-signed certificate.
    pub tls: Tls,
    /// Names and addresses in the self-signed certificate.
    pub tls_names: Vec<String>,
    /// The OpenID Provider behind the oxd API.
    pub provider: Provider,
    /// PEM certificates trusted for an external provider besides the system's roots.
    pub provider_ca: Option<String>,
    /// oxd's `bind_ip_addresses`: who may call; `*` stands for everybody. The real one's
    /// own default is the empty list, which lets in 127.0.0.1 alone.
    pub bind_ip_addresses: Vec<String>,
    /// oxd's `protect_commands_with_access_token`: whether commands want a client token.
    pub protect_commands: bool,
    /// `expires_in` of a client token; 299 seconds is what oxd's usual provider says.
    pub client_token_lifetime: Duration,
    /// How long oxd knows a `state` and a `nonce`: five minutes in 4.1, in practice until they are used from 4.2 on, where
    /// only an hourly clean-up looks at their age.
    pub state_lifetime: Option<Duration>,
    /// Answer with a `state` of the stand-in's own instead of the caller's, as some
    /// versions of oxd and some gateways do.
    pub own_state: bool,
    /// As the real one does under load: of two `uma-rp-get-rpt` of one site at the same time, the earlier is answered
    /// with the RPT of the later.
    pub mixes_up_callers: bool,
    /// Whether it can work with the `scope_expression` of a resource. The real one cannot on Java 15 and later.
    pub scope_expressions: bool,
    /// Which version of oxd to answer like, where versions differ.
    pub like: Like,
    /// Takes one line per call, without secrets or tokens.
    pub log: Option<Log>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: loopback(),
            tls: Tls::Off,
            tls_names: ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec(),
            provider: Provider::BuiltIn(ProviderOptions::default()),
            provider_ca: None,
            bind_ip_addresses: vec!["*".to_owned()],
            protect_commands: true,
            client_token_lifetime: Duration::from_secs(299),
            state_lifetime: None,
            own_state: false,
            mixes_up_callers: false,
            scope_expressions: true,
            like: Like::V4_5,
            log: None,
        }
    }
}

/// A version of oxd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Like {
    /// The tutorial's: no `nonce` of the caller's, no `id_token` in `get-user-info`, no `id_token_hint`, no
    /// `op_configuration_endpoint`, no `AuthorizationOxdId`; `update-site` and `remove-site` ask for a client token; no
    /// `uma-rs-modify`, no `scopes` in `uma-rs-check-access`, no `custom_parameters` for claims gathering.
    V4_1,
    /// Without `authentication_method` at `get-tokens-by-code` (since 4.2.3).
    V4_2,
    /// As 4.5 in what is played here.
    V4_3,
    /// The last one, which the recorded answers come from.
    V4_5,
}

impl Like {
    /// How long it knows a `state` and a `nonce`.
    pub(crate) fn state_lifetime(self) -> Duration {
        match self {
            Like::V4_1 => Duration::from_secs(300),
            _ => Duration::from_secs(3_600),
        }
    }

    /// Whether it has what oxd 4.2 brought.
    pub(crate) fn is_since_4_2(self) -> bool {
        self > Like::V4_1
    }
}

impl std::fmt::Display for Like {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Like::V4_1 => "4.1",
            Like::V4_2 => "4.2",
            Like::V4_3 => "4.3",
            Like::V4_5 => "4.5",
        })
    }
}

impl std::str::FromStr for Like {
    type Err = String;

    fn from_str(text: &str) -> Result<Like, String> {
        [Like::V4_1, Like::V4_2, Like::V4_3, Like::V4_5]
            .into_iter()
            .find(|like| like.to_string() == text)
            .ok_or_else(|| format!("{text} is not one of 4.1, 4.2, 4.3, 4.5"))
    }
}

/// Where log lines go.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Plain http or https for the oxd API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain http.
    Off,
    /// https with a certificate made at start; [`ca_pem`](crate::DevServer::ca_pem) hands it out.
    SelfSigned,
    /// The same with a certificate that ran out yesterday.
    Expired,
}

/// Which OpenID Provider the stand-in talks to.
#[derive(Clone)]
pub enum Provider {
    /// The small one in this crate, on a listener of its own, in plain http.
    BuiltIn(ProviderOptions),
    /// Any other, found by OpenID Connect Discovery.
    External {
        /// The issuer, as its discovery document spells it.
        issuer: String,
        /// Client id and secret known to the provider; without them the stand-in
        /// registers dynamically, once for each site.
        client: Option<(String, String)>,
    },
}

/// The options of the built-in provider.
#[derive(Clone)]
pub struct ProviderOptions {
    /// Where it listens. Its issuer is `http://` and this address.
    pub listen: SocketAddr,
    /// The users.
    pub users: Vec<User>,
    /// Whether users are asked before their claims are passed on.
    pub consent: bool,
    /// `exp` minus `iat` of ID tokens.
    pub id_token_lifetime: Duration,
    /// How long an access token works.
    pub access_token_lifetime: Duration,
    /// Whether there is an end-session endpoint; without one oxd's `get-logout-uri`
    /// fails with `no_end_session_endpoint_at_op`.
    pub end_session: bool,
    /// Whether refresh tokens are issued; without them oxd answers `null`.
    pub refresh_tokens: bool,
    /// Whether the user's claims go into the ID token too, not only into user info.
    pub claims_in_id_token: bool,
    /// `acr` values the provider supports; the first one is used when none is requested.
    pub acrs: Vec<String>,
    /// User-Managed Access; None: the provider has no `uma2-configuration`.
    pub uma: Option<UmaOptions>,
}

impl Default for ProviderOptions {
    fn default() -> ProviderOptions {
        ProviderOptions {
            listen: loopback(),
            users: vec![User::demo(), User::other()],
            consent: true,
            id_token_lifetime: Duration::from_secs(3600),
            access_token_lifetime: Duration::from_secs(300),
            end_session: true,
            refresh_tokens: true,
            claims_in_id_token: false,
            acrs: ["basic", "otp", "u2f", "super_gluu"].map(String::from).to_vec(),
            uma: Some(UmaOptions::default()),
        }
    }
}

/// A person who can sign in at the built-in provider.
#[derive(Clone)]
pub struct User {
    /// The value of the form's `username`.
    pub name: String,
    /// What goes into the form's `password`. Kept in plain text: demo users only.
    pub password: String,
    /// Claims, which must hold `sub`. Those of OpenID Connect Core 5.1 are released by
    /// scope (5.4), all others always.
    pub claims: Map<String, Value>,
}

impl User {
    /// The demo user: `test_user` with the password `secret`.
    pub fn demo() -> User {
        let claims = json!({
            "sub": "7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11",
            "name": "Test User",
            "given_name": "Test",
            "family_name": "User",
            "preferred_username": "test_user",
            "user_name": "test_user",
            "email": "test_user@example.org",
            "email_verified": true,
            "locale": "en",
            "zoneinfo": "Europe/Vienna",
            "updated_at": 1_700_000_000,
            "phone_number": "+43 1 0000000",
            "phone_number_verified": false,
            "address": { "locality": "Vienna", "country": "Austria" },
            "groups": ["staff", "demo"],
        });
        User::new("test_user", "secret", claims)
    }

    /// A second one, `other_user` with the password `secret`, for whom something is the demo user's.
    pub fn other() -> User {
        let claims = json!({
            "sub": "2e9a84c6-55b1-4a0f-8d27-6b1f0c3e7a52",
            "name": "Other User",
            "given_name": "Other",
            "family_name": "User",
            "preferred_username": "other_user",
            "user_name": "other_user",
            "email": "other_user@example.org",
            "email_verified": true,
            "locale": "en",
        });
        User::new("other_user", "secret", claims)
    }

    /// A user with the claims of a JSON object; anything else leaves the claims empty,
    /// which `DevServer::start` refuses.
    pub fn new(name: &str, password: &str, claims: Value) -> User {
        let claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        User {
            name: name.to_owned(),
            password: password.to_owned(),
            claims,
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
