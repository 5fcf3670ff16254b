//! The directives of one location, each value set or unset. Defaults are applied in [`super::settings`].
//!
//! [`RawSettings`] is a plain table of copies and references, because httpd merges it for every request: nothing is
//! parsed, derived, compiled or allocated here. The values live in an [`Arena`](crate::base::arena::Arena) as long as the
//! configuration does.

use url::Url;

use super::types::*;
use crate::base::clock::Seconds;
use crate::base::crypto::KeyRing;
use crate::base::secret::Secret;

macro_rules! settings {
    ($( $(#[$doc:meta])* $name:ident : $kind:ty, )*) => {
        /// The directives of one location; `None` is unset.
        #[derive(Clone, Copy, Default)]
        pub struct RawSettings<'a> { $( $(#[$doc])* pub $name: Option<$kind>, )* }

        impl<'a> RawSettings<'a> {
            /// These settings, overridden by those of a nested location.
            #[must_use]
            pub fn overlaid_with(&self, inner: &RawSettings<'a>) -> RawSettings<'a> {
                RawSettings { $( $name: inner.$name.or(self.$name), )* }
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
    state_timeout: Seconds,
    /// `OxdStateMax`
    state_max: u32,
    /// `OxdUserInfo`
    user_info: UserInfo,
    /// `OxdSessionLifetime`, in seconds
    session_lifetime: Seconds,
    /// `OxdSessionIdle`, in seconds
    session_idle: Seconds,
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
    /// `OxdTokenRefresh`
    token_refresh: TokenRefresh,
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
    max_age: Seconds,
    /// `OxdPostPreserve`
    post_preserve: PostPreserve,
    /// `OxdUnautzAction`
    unautz_action: UnautzAction,
    /// `OxdPostLogoutRedirectUri`
    post_logout_redirect_uri: &'a String,
    /// `OxdUnauthAction`
    unauth_action: UnauthAction,
}
