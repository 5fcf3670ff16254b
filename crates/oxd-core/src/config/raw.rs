//! The directives of one location, each value set or unset. Defaults are applied in [`super::settings`].
//!
//! [`RawSettings`] is a plain table of copies and references, because httpd merges it for every request: nothing is
//! parsed, derived, compiled or allocated here. The values live in an [`Arena`](crate::base::Arena) as long as the
//! configuration does.

use url::Url;

use super::audit::AuditUser;
use super::bearer::{BearerCache, BearerMode, ResourceMetadata};
use super::client_auth::ClientAuth;
use super::resources::Resources;
use super::store::{PemFile, SessionStore, StoreAddress, StoreTimeouts};
use super::types::*;
use crate::base::{AuditSink, KeyRing, Seconds, Secret};
use crate::templates::Templates;
use crate::texts::Language;

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
    /// `OxdClientAuth`
    client_auth: &'a ClientAuth,
    /// `OxdAuthorizationSite`
    authorization_site: &'a String,
    /// `OxdBearer`
    bearer: BearerMode,
    /// `OxdBearerAudience`
    bearer_audience: &'a Vec<String>,
    /// `OxdBearerCache`
    bearer_cache: BearerCache,
    /// `OxdBearerPass`
    bearer_pass: bool,
    /// `OxdBearerRealm`
    bearer_realm: &'a String,
    /// `OxdResourceMetadata`
    resource_metadata: &'a ResourceMetadata,
    /// `OxdUmaResources`
    uma_resources: &'a Resources,
    /// `OxdUmaPath`
    uma_path: &'a String,
    /// `OxdUmaCache`
    uma_cache: Seconds,
    /// `OxdUmaClaims`: whether claims are gathered
    uma_gathers: bool,
    /// `OxdUmaUnprotected`: whether such paths are open
    uma_open_elsewhere: bool,
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
    /// `OxdCookieAttributes`
    cookie_attributes: &'a Vec<String>,
    /// `OxdTrustForwarded`
    trust_forwarded: TrustForwarded,
    /// `OxdSessionStore`
    session_store: SessionStore<'a>,
    /// `OxdSessionStore`, its second value
    older_store: Option<SessionStore<'a>>,
    /// `OxdStoreUser`
    store_user: &'a String,
    /// `OxdStorePassword`
    store_password: &'a Secret,
    /// `OxdStoreSentinelPassword`
    store_sentinel_password: &'a Secret,
    /// `OxdStoreCAFile`
    store_ca: &'a CaFile,
    /// `OxdStoreCert`
    store_certificate: &'a PemFile,
    /// `OxdStoreKey`
    store_key: &'a PemFile,
    /// `OxdStoreTimeout`
    store_timeouts: StoreTimeouts,
    /// `OxdStorePrefix`
    store_prefix: &'a String,
    /// `OxdRevocations`
    revocations: &'a StoreAddress,
    /// `OxdRevocationsMaxLag`, in seconds
    revocations_max_lag: Option<Seconds>,
    /// `OxdSessionMarks`
    session_marks: u32,
    /// `OxdSessionMax`
    session_max: u32,
    /// `OxdTokenRefresh`
    token_refresh: TokenRefresh,
    /// `OxdTokenRefresh`, its second value
    refused_refresh: RefusedRefresh,
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
    /// `OxdAuditLog`
    audit_log: Option<&'a dyn AuditSink>,
    /// `OxdAuditUser`
    audit_user: AuditUser,
    /// `OxdPages`
    pages: &'a Templates,
    /// `OxdLanguages`
    languages: &'a Vec<Language>,
}

/// The defaults of all directives. A test parses what the reference documents as a default and compares the two.
pub(super) mod defaults {
    use std::time::Duration;

    use once_cell::sync::Lazy;

    use crate::base::Seconds;
    use crate::config::audit::AuditUser;
    use crate::config::bearer::{BearerCache, BearerMode};
    use crate::config::store::StoreTimeouts;
    use crate::config::types::{
        ClaimsAs, CookieSecure, PassTokens, PostPreserve, Proxy, RefusedRefresh, RemoteUser, SameSite,
        Timeouts, TokenRefresh, TrustForwarded, UnauthAction, UserInfo,
    };
    use crate::texts::Language;

    /// `OxdServerTimeout`; its connect time also applies where only the total time is given.
    pub(crate) const SERVER_TIMEOUT: Timeouts = Timeouts {
        total: Duration::from_secs(10),
        connect: Duration::from_secs(3),
    };
    /// `OxdServerVerify`
    pub(crate) const SERVER_VERIFY: bool = true;
    /// `OxdServerProxy`
    pub(crate) const SERVER_PROXY: &Proxy = &Proxy::Direct;
    /// `OxdProtectedCommands`
    pub(crate) const PROTECTED_COMMANDS: bool = true;

    /// `OxdBearer`
    pub(crate) const BEARER: BearerMode = BearerMode::Off;
    /// `OxdBearerCache`
    pub(crate) const BEARER_CACHE: BearerCache = BearerCache {
        time: Seconds(60),
        tokens: 10_000,
    };
    /// `OxdBearerPass`
    pub(crate) const BEARER_PASS: bool = false;

    /// `OxdStoreTimeout`
    pub(crate) const STORE_TIMEOUTS: StoreTimeouts = StoreTimeouts {
        operation: Duration::from_millis(500),
        connect: Duration::from_millis(250),
    };
    /// `OxdStorePrefix`
    pub(crate) const STORE_PREFIX: &str = "mod_oxd:";

    /// `OxdUmaCache`
    pub(crate) const UMA_CACHE: Seconds = Seconds(10);
    /// `OxdUmaClaims`
    pub(crate) const UMA_GATHERS: bool = true;
    /// `OxdUmaUnprotected`
    pub(crate) const UMA_OPEN_ELSEWHERE: bool = false;

    /// `OxdAuditUser`
    pub(crate) const AUDIT_USER: AuditUser = AuditUser::Hash;

    /// `OxdScope`
    pub(crate) static SCOPE: Lazy<Vec<String>> =
        Lazy::new(|| ["openid", "profile", "email"].map(str::to_owned).to_vec());
    /// `OxdStateTimeout`
    pub(crate) const STATE_TIMEOUT: Seconds = Seconds(300);
    /// `OxdStateMax`
    pub(crate) const STATE_MAX: u32 = 8;
    /// `OxdUserInfo`
    pub(crate) const USER_INFO: UserInfo = UserInfo::AtLogin;
    /// `OxdUnauthAction`
    pub(crate) const UNAUTH_ACTION: UnauthAction = UnauthAction::Auto;
    /// `OxdPostPreserve`
    pub(crate) const POST_PRESERVE: PostPreserve = PostPreserve::Off;
    /// The size of `OxdPostPreserve On` without one, in bytes.
    pub(crate) const POST_PRESERVE_SIZE: usize = 64 * 1024;

    /// `OxdLanguages`
    pub(crate) static LANGUAGES: Lazy<Vec<Language>> = Lazy::new(|| Language::all().collect());

    /// `OxdSessionLifetime`
    pub(crate) const SESSION_LIFETIME: Seconds = Seconds(8 * 3_600);
    /// `OxdSessionIdle`
    pub(crate) const SESSION_IDLE: Seconds = Seconds(3_600);
    /// `OxdTokenRefresh`
    pub(crate) const TOKEN_REFRESH: TokenRefresh = TokenRefresh::Off;
    /// `OxdTokenRefresh`, its second value
    pub(crate) const REFUSED_REFRESH: RefusedRefresh = RefusedRefresh::Login;
    /// `OxdCookieName`
    pub(crate) const COOKIE_NAME: &str = "oxd_session";
    /// `OxdCookiePath`
    pub(crate) const COOKIE_PATH: &str = "/";
    /// `OxdCookieSameSite`
    pub(crate) const COOKIE_SAME_SITE: SameSite = SameSite::Lax;
    /// `OxdCookieSecure`
    pub(crate) const COOKIE_SECURE: CookieSecure = CookieSecure::Auto;
    /// `OxdTrustForwarded`
    pub(crate) const TRUST_FORWARDED: TrustForwarded = TrustForwarded {
        proto: false,
        host: false,
        port: false,
        forwarded: false,
    };

    /// `OxdRemoteUser`
    pub(crate) static REMOTE_USER: Lazy<RemoteUser> = Lazy::new(|| RemoteUser {
        claim: "sub".to_owned(),
        rewrite: None,
    });
    /// `OxdClaims`
    pub(crate) const CLAIMS_AS: ClaimsAs = ClaimsAs::Env;
    /// `OxdPassTokens`
    pub(crate) const PASS_TOKENS: PassTokens = PassTokens {
        access_token: false,
        id_token: false,
        refresh_token: false,
        expires: false,
    };
}
