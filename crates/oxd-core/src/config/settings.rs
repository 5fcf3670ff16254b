//! The merged configuration of one place: every value set or unset, and the defaults that stand in for the unset ones.
//!
//! [`Settings`] is a plain table of copies and references, because httpd merges it for every request: nothing is
//! parsed, derived, compiled or allocated here. The values live in an [`Arena`](crate::base::arena::Arena) as long as the
//! configuration does.

pub use super::types::*;

use std::time::Duration;

use url::Url;

use crate::base::crypto::KeyRing;
use crate::base::secret::Secret;

macro_rules! settings {
    ($( $(#[$doc:meta])* $name:ident : $kind:ty, )*) => {
        /// What the directives of one place say; `None` is unset.
        #[derive(Clone, Copy, Default)]
        pub struct Settings<'a> { $( $(#[$doc])* pub $name: Option<$kind>, )* }

        impl<'a> Settings<'a> {
            /// This place's settings with those of a place within it laid over them.
            #[must_use]
            pub fn overlaid_with(&self, inner: &Settings<'a>) -> Settings<'a> {
                Settings { $( $name: inner.$name.or(self.$name), )* }
            }

        }
    };
}

settings! {
    /// `OxdServer`
    server: &'a Url,
    /// `OxdSite`
    site: &'a SiteFile,
    /// `OxdId`
    oxd_id: &'a String,
    /// `OxdClientId`
    client_id: &'a String,
    /// `OxdClientSecret`
    client_secret: &'a Secret,
    /// `OxdOpHost`
    op_host: &'a String,
    /// `OxdOpConfigurationEndpoint`
    op_configuration_endpoint: &'a String,
    /// `OxdServerCAFile`
    server_ca: &'a CaFile,
    /// `OxdServerVerify`
    server_verify: bool,
    /// `OxdServerTimeout`
    server_timeout: Timeouts,
    /// `OxdServerProxy`
    server_proxy: &'a Proxy,
    /// `OxdServerMaxCalls`
    server_max_calls: u32,
    /// `OxdProtectedCommands`
    protected_commands: bool,
    /// `OxdScope`
    scope: &'a Vec<String>,
    /// `OxdAcrValues`
    acr_values: &'a Vec<String>,
    /// `OxdPrompt`
    prompt: &'a String,
    /// `OxdAuthParam`
    auth_params: &'a [AuthParam<'a>],
    /// `OxdCustomParam`
    custom_params: &'a Vec<(String, String)>,
    /// `OxdRedirectUri`
    redirect_uri: &'a String,
    /// `OxdReturnTo`
    return_hosts: &'a Vec<String>,
    /// `OxdDefaultUrl`
    default_url: &'a String,
    /// `OxdStateTimeout`, in seconds
    state_timeout: u64,
    /// `OxdStateMax`
    state_max: u32,
    /// `OxdUserInfo`
    user_info: bool,
    /// The interval of `OxdUserInfo`, in seconds; `Some(None)` is an explicit lack of one
    user_info_every: Option<u64>,
    /// `OxdSessionLifetime`, in seconds
    session_lifetime: u64,
    /// `OxdSessionIdle`, in seconds
    session_idle: u64,
    /// `OxdCryptoKey`
    crypto_key: &'a KeyRing,
    /// `OxdCookieName`
    cookie_name: &'a String,
    /// `OxdCookiePath`
    cookie_path: &'a String,
    /// `OxdCookieDomain`
    cookie_domain: &'a String,
    /// `OxdCookieSameSite`
    cookie_same_site: SameSite,
    /// `OxdCookieSecure`
    cookie_secure: CookieSecure,
    /// `OxdTrustForwarded`
    trust_forwarded: TrustForwarded,
    /// `OxdSessionStore`
    session_store: SessionStore<'a>,
    /// `OxdSessionMax`
    session_max: u32,
    /// `OxdTokenRefresh`, in seconds; `Some(None)` is an explicit `Off`
    token_refresh: Option<u64>,
    /// `OxdRemoteUser`
    remote_user: &'a RemoteUser,
    /// `OxdClaims`
    claims_as: ClaimsAs,
    /// `OxdClaimNames`
    claim_names: &'a ClaimNames,
    /// `OxdClaimHeader`
    claim_headers: &'a Vec<ClaimHeader>,
    /// `OxdPassTokens`
    pass_tokens: PassTokens,
    /// `OxdMaxAge`, in seconds
    max_age: u64,
    /// `OxdPostPreserve`: the largest form, in bytes; `Some(None)` is an explicit `Off`
    post_preserve: Option<usize>,
    /// `OxdUnautzAction`
    unautz_action: UnautzAction,
    /// `OxdPostLogoutRedirectUri`
    post_logout_redirect_uri: &'a String,
    /// `OxdUnauthAction`
    unauth_action: UnauthAction,
    /// Not a directive: the path of the innermost `<Location>` with `SetHandler oxd`, or of the server's first one
    handler_base: &'a String,
}

impl<'a> Settings<'a> {
    /// `oxd_id`: the directive's, else the site file's.
    pub fn effective_oxd_id(&self) -> Option<&'a str> {
        self.oxd_id
            .map(String::as_str)
            .or_else(|| self.site?.oxd_id.as_deref())
    }

    /// `client_id`: the directive's, else the site file's.
    pub fn effective_client_id(&self) -> Option<&'a str> {
        self.client_id
            .map(String::as_str)
            .or_else(|| self.site?.client_id.as_deref())
    }

    /// `client_secret`: the directive's, else the site file's.
    pub fn effective_client_secret(&self) -> Option<&'a Secret> {
        self.client_secret.or_else(|| self.site?.client_secret.as_ref())
    }

    /// What `get-client-token` is told about the provider: (`op_host`, `op_configuration_endpoint`).
    ///
    /// A directive of either kind silences both members of the site file: the administrator named another provider.
    pub fn effective_provider(&self) -> (Option<&'a str>, Option<&'a str>) {
        let direct = (
            self.op_host.map(String::as_str),
            self.op_configuration_endpoint.map(String::as_str),
        );
        match (direct, self.site) {
            ((None, None), Some(site)) => {
                (site.op_host.as_deref(), site.op_configuration_endpoint.as_deref())
            }
            _ => direct,
        }
    }

    /// `OxdServerTimeout` or its default.
    pub fn timeouts(&self) -> Timeouts {
        self.server_timeout.unwrap_or(Timeouts {
            total: Duration::from_secs(10),
            connect: Duration::from_secs(3),
        })
    }

    /// `OxdCookieName` or its default.
    pub fn session_cookie(&self) -> &'a str {
        self.cookie_name.map_or("oxd_session", String::as_str)
    }

    /// `OxdCookiePath` or its default.
    pub fn cookie_path_or_root(&self) -> &'a str {
        self.cookie_path.map_or("/", String::as_str)
    }

    /// `OxdSessionLifetime` or its default, in seconds.
    pub fn lifetime(&self) -> u64 {
        self.session_lifetime.unwrap_or(8 * 3600)
    }

    /// `OxdSessionIdle` or its default, in seconds.
    pub fn idle(&self) -> u64 {
        self.session_idle.unwrap_or(3600)
    }

    /// `OxdStateTimeout` or its default, in seconds.
    pub fn state_timeout_or_default(&self) -> u64 {
        self.state_timeout.unwrap_or(300)
    }

    /// `OxdScope` or its default.
    pub fn scopes(&self) -> Vec<&'a str> {
        match self.scope {
            Some(list) => list.iter().map(String::as_str).collect(),
            None => vec!["openid", "profile", "email"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_place_overrides_only_what_it_sets() {
        let (outer_id, inner_id) = ("outer".to_owned(), "inner".to_owned());
        let outer = Settings {
            oxd_id: Some(&outer_id),
            session_idle: Some(60),
            ..Settings::default()
        };
        let inner = Settings {
            oxd_id: Some(&inner_id),
            server_verify: Some(false),
            ..Settings::default()
        };
        let merged = outer.overlaid_with(&inner);
        assert_eq!(merged.effective_oxd_id(), Some("inner"));
        assert_eq!(merged.idle(), 60);
        assert_eq!(merged.server_verify, Some(false));
    }

    #[test]
    fn single_directives_override_the_site_file() {
        let site = SiteFile {
            oxd_id: Some("from-file".into()),
            client_id: Some("client-from-file".into()),
            client_secret: Some(Secret::new("s".into())),
            op_host: Some("https://op".into()),
            op_configuration_endpoint: None,
        };
        let own = "own".to_owned();
        let settings = Settings {
            site: Some(&site),
            oxd_id: Some(&own),
            ..Settings::default()
        };
        assert_eq!(settings.effective_oxd_id(), Some("own"));
        assert_eq!(settings.effective_client_id(), Some("client-from-file"));
        assert_eq!(settings.effective_provider(), (Some("https://op"), None));
    }

    #[test]
    fn claim_names_select_and_leave_out() {
        let names = ClaimNames {
            only: vec!["sub".into(), "email".into()],
            never: vec![],
        };
        assert!(names.allow(b"email") && !names.allow(b"name"));
        let names = ClaimNames {
            only: vec![],
            never: vec!["email".into()],
        };
        assert!(!names.allow(b"email") && names.allow(b"name"));
    }
}
