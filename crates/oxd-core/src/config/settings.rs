//! The resolved configuration of one location, with all defaults applied.
//!
//! Three stages: directives fill a [`RawSettings`] for each section, httpd merges those that apply to a request, and
//! [`Settings::of`] resolves the result. Resolving copies references and numbers; it parses and allocates nothing,
//! because it runs for every request.

use std::fmt;

use url::Url;

use super::audit::{AuditSettings, AuditUser};
use super::bearer::{BearerMode, BearerSettings, ResourceMetadata};
use super::client_auth::ClientAuth;
use super::raw::RawSettings;
use super::raw::defaults;
use super::store::{SessionStore, StoreAddress, StoreSettings, Stores};
use super::types::*;
use super::uma::UmaSettings;
use crate::base::{KeyRing, Revocations, Seconds, Secret, SiteId, Store};
use crate::templates::Templates;
use crate::texts::Language;

/// Defaults that depend on the running server.
#[derive(Clone, Copy, Debug)]
pub struct ServerDefaults<'a> {
    /// In place of `OxdCryptoKey`: the random keys of this server.
    pub keys: &'a KeyRing,
    /// ThreadsPerChild. Half of them may wait for oxd, or as many as `OxdServerMaxCalls` says, but not more than three
    /// quarters.
    pub threads: u32,
    /// The Redis stores of this process.
    pub stores: &'a dyn Stores,
    /// The stream of `OxdRevocations`.
    pub revocations: Option<&'a dyn Revocations>,
    /// The path of the cookie with a session's tokens, where that is not the session cookie's
    /// ([`tokens_path`](super::check::tokens_path)).
    pub tokens_path: Option<&'a str>,
}

/// The settings of one location.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// `OxdId` or the site file's; `None` where the place has neither.
    pub site: Option<SiteId<'a>>,
    /// `OxdCryptoKey`
    pub keys: &'a KeyRing,
    /// `OxdTrustForwarded`
    pub trust_forwarded: TrustForwarded,
    /// `OxdSessionStore`; `None` where sessions live in cookies.
    pub store: Option<&'a dyn Store>,
    /// `OxdSessionStore`, its second value: where sessions were until now.
    pub older_store: Option<&'a dyn Store>,
    raw: &'a RawSettings<'a>,
    server: ServerDefaults<'a>,
}

/// The connection to oxd, and the site's registration there. Missing settings are found when oxd is called:
/// [`crate::oxd::Site::of`].
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings<'a> {
    /// `OxdServer`
    pub url: Option<&'a Url>,
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
    /// `OxdProtectedCommands`
    pub protected_commands: bool,
    /// `OxdClientId` or the site file's
    pub client_id: Option<&'a str>,
    /// `OxdClientSecret` or the site file's
    pub client_secret: Option<&'a Secret>,
    /// `OxdClientAuth`
    pub client_auth: Option<&'a ClientAuth>,
    /// `OxdAuthorizationSite`
    pub authorization_site: Option<SiteId<'a>>,
    /// `OxdOpHost` and `OxdOpConfigurationEndpoint`, or the site file's
    pub provider: Option<Provider<'a>>,
}

/// Signing in and out.
#[derive(Clone, Copy, Debug)]
pub struct LoginSettings<'a> {
    /// `OxdScope`
    pub scope: &'a [String],
    /// `OxdAcrValues`
    pub acr_values: &'a [String],
    /// `OxdPrompt`
    pub prompt: Option<&'a str>,
    /// `OxdAuthParam`
    pub auth_params: &'a [AuthParam<'a>],
    /// `OxdCustomParam`
    pub custom_params: &'a [(String, String)],
    /// `OxdRedirectUri`
    pub redirect_uri: Option<&'a str>,
    /// `OxdReturnTo`
    pub return_hosts: &'a [String],
    /// `OxdDefaultUrl`
    pub default_url: Option<&'a str>,
    /// `OxdStateTimeout`, in seconds
    pub state_timeout: Seconds,
    /// `OxdStateMax`
    pub state_max: u32,
    /// `OxdPostLogoutRedirectUri`
    pub post_logout_redirect_uri: Option<&'a str>,
}

/// Settings of access control.
#[derive(Clone, Copy, Debug)]
pub struct AccessSettings {
    /// `OxdUnauthAction`
    pub unauth_action: UnauthAction,
    /// `OxdUnautzAction`; without it, the unmet rule decides.
    pub unautz_action: Option<UnautzAction>,
    /// `OxdMaxAge`, in seconds
    pub max_age: Option<Seconds>,
    /// `OxdPostPreserve`
    pub post_preserve: PostPreserve,
}

/// Sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings<'a> {
    /// `OxdRevocations`
    pub revocations: Option<&'a dyn Revocations>,
    /// `OxdRevocationsMaxLag`, in seconds
    pub max_lag: Option<Seconds>,
    /// `OxdSessionLifetime`, in seconds
    pub lifetime: Seconds,
    /// `OxdSessionIdle`, in seconds
    pub idle: Seconds,
    /// `OxdSessionMax`
    pub max: Option<u32>,
    /// `OxdTokenRefresh`
    pub token_refresh: TokenRefresh,
    /// `OxdTokenRefresh`, its second value
    pub refused_refresh: RefusedRefresh,
    /// `OxdUserInfo`
    pub user_info: UserInfo,
}

/// Cookies.
#[derive(Clone, Copy, Debug)]
pub struct CookieSettings<'a> {
    /// `OxdCookieName`
    pub name: &'a str,
    /// `OxdCookiePath`
    pub path: &'a str,
    /// The path of the cookie with the tokens, where it is another one.
    pub tokens_path: Option<&'a str>,
    /// `OxdCookieDomain`
    pub domain: Option<&'a str>,
    /// `OxdCookieSameSite`
    pub same_site: SameSite,
    /// `OxdCookieSecure`
    pub secure: CookieSecure,
    /// `OxdCookieAttributes`
    pub attributes: &'a [String],
}

/// The identity passed to the application.
#[derive(Clone, Copy, Debug)]
pub struct IdentitySettings<'a> {
    /// `OxdRemoteUser`
    pub remote_user: &'a RemoteUser,
    /// `OxdClaims`
    pub claims_as: ClaimsAs,
    /// `OxdClaimNames`; `None`: all.
    pub claim_names: Option<&'a ClaimNames>,
    /// `OxdClaimHeader`
    pub claim_headers: &'a [ClaimHeader],
    /// `OxdPassTokens`
    pub pass_tokens: PassTokens,
}

/// The pages.
#[derive(Clone, Copy, Debug)]
pub struct PageSettings<'a> {
    /// `OxdPages`, or the built-in templates
    pub templates: &'a Templates,
    /// `OxdLanguages`
    pub languages: &'a [Language],
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("site", &self.site)
            .field("trust_forwarded", &self.trust_forwarded)
            .field("server", &self.server())
            .field("login", &self.login())
            .field("access", &self.access())
            .field("session", &self.session())
            .field("cookie", &self.cookie())
            .field("identity", &self.identity())
            .field("bearer", &self.bearer())
            .field("uma", &self.uma())
            .field("pages", &self.pages())
            .finish_non_exhaustive()
    }
}

fn list<T>(values: Option<&Vec<T>>) -> &[T] {
    values.map_or(&[], Vec::as_slice)
}

fn text(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str)
}

impl<'a> Settings<'a> {
    /// Resolves the directives that apply to a request.
    #[inline]
    pub fn of(raw: &'a RawSettings<'a>, server: ServerDefaults<'a>) -> Self {
        Self {
            site: raw.site_id(),
            keys: raw.crypto_key.unwrap_or(server.keys),
            trust_forwarded: raw.trust_forwarded.unwrap_or(defaults::TRUST_FORWARDED),
            store: raw
                .session_store
                .and_then(|named| opened(raw, named, server.stores)),
            older_store: raw
                .older_store
                .flatten()
                .and_then(|named| opened(raw, named, server.stores)),
            raw,
            server,
        }
    }

    /// Access rules. This and the following are resolved on demand: a request needs a few of their values, and only those
    /// cost it anything.
    #[inline]
    pub fn access(&self) -> AccessSettings {
        let raw = self.raw;
        AccessSettings {
            unauth_action: raw.unauth_action(),
            unautz_action: raw.unautz_action,
            max_age: raw.max_age,
            post_preserve: raw.post_preserve.unwrap_or(defaults::POST_PRESERVE),
        }
    }

    /// Sessions.
    #[inline]
    pub fn session(&self) -> SessionSettings<'a> {
        let raw = self.raw;
        SessionSettings {
            revocations: raw.revocations.and(self.server.revocations),
            max_lag: raw.revocations_max_lag.flatten(),
            lifetime: raw.session_lifetime.unwrap_or(defaults::SESSION_LIFETIME),
            idle: raw.session_idle.unwrap_or(defaults::SESSION_IDLE),
            max: raw.session_max,
            token_refresh: raw.token_refresh.unwrap_or(defaults::TOKEN_REFRESH),
            refused_refresh: raw.refused_refresh.unwrap_or(defaults::REFUSED_REFRESH),
            user_info: raw.user_info.unwrap_or(defaults::USER_INFO),
        }
    }

    /// Cookies.
    #[inline]
    pub fn cookie(&self) -> CookieSettings<'a> {
        let raw = self.raw;
        CookieSettings {
            name: text(raw.cookie_name).unwrap_or(defaults::COOKIE_NAME),
            path: text(raw.cookie_path).unwrap_or(defaults::COOKIE_PATH),
            tokens_path: self.server.tokens_path,
            domain: text(raw.cookie_domain),
            same_site: raw.cookie_same_site.unwrap_or(defaults::COOKIE_SAME_SITE),
            secure: raw.cookie_secure.unwrap_or(defaults::COOKIE_SECURE),
            attributes: list(raw.cookie_attributes),
        }
    }

    /// The identity passed to the application.
    #[inline]
    pub fn identity(&self) -> IdentitySettings<'a> {
        let raw = self.raw;
        IdentitySettings {
            remote_user: raw.remote_user.unwrap_or_else(|| &*defaults::REMOTE_USER),
            claims_as: raw.claims_as.unwrap_or(defaults::CLAIMS_AS),
            claim_names: raw.claim_names,
            claim_headers: raw.claim_headers(),
            pass_tokens: raw.pass_tokens.unwrap_or(defaults::PASS_TOKENS),
        }
    }

    /// The connection to oxd, and the site's registration there; resolved on demand, as few requests call oxd.
    pub fn server(&self) -> ServerSettings<'a> {
        self.raw.server_settings(self.server.threads)
    }

    /// The address to which the provider sends the browser, as far as it is known here.
    pub fn registered_redirect_uri(&self) -> Option<&'a str> {
        text(self.raw.redirect_uri).or_else(|| self.raw.site?.redirect_uri.as_deref())
    }

    /// Bearer tokens; `None` where they mean nothing.
    #[inline]
    pub fn bearer(&self) -> Option<BearerSettings<'a>> {
        self.raw.bearer()
    }

    /// The audit trail; `None` where there is none.
    pub fn audit(&self) -> Option<AuditSettings<'a>> {
        Some(AuditSettings {
            sink: self.raw.audit_log.flatten()?,
            user: self.raw.audit_user.unwrap_or(defaults::AUDIT_USER),
        })
    }

    /// How the error log names a user who is refused: as httpd's own lines and the access log do, unless `OxdAuditUser`
    /// says otherwise.
    pub fn user_in_error_log(&self) -> AuditUser {
        self.raw.audit_user.unwrap_or(AuditUser::Sub)
    }

    /// UMA; `None` where the place names neither resources nor a path.
    pub fn uma(&self) -> Option<UmaSettings<'a>> {
        let raw = self.raw;
        if raw.uma_resources.is_none() && raw.uma_path.is_none() {
            return None;
        }
        Some(UmaSettings {
            resources: raw.uma_resources,
            path: text(raw.uma_path),
            cache: raw.uma_cache.unwrap_or(defaults::UMA_CACHE),
            tokens: raw.bearer_cache.unwrap_or(defaults::BEARER_CACHE).tokens,
            gathers: raw.uma_gathers.unwrap_or(defaults::UMA_GATHERS),
            open_elsewhere: raw.uma_open_elsewhere.unwrap_or(defaults::UMA_OPEN_ELSEWHERE),
        })
    }

    /// The pages; resolved on demand.
    pub fn pages(&self) -> PageSettings<'a> {
        PageSettings {
            templates: self.raw.pages.unwrap_or_else(|| Templates::built_in()),
            languages: self.raw.languages.unwrap_or_else(|| &*defaults::LANGUAGES),
        }
    }

    /// Signing in and out; resolved on demand.
    pub fn login(&self) -> LoginSettings<'a> {
        let raw = self.raw;
        LoginSettings {
            scope: raw.scope.unwrap_or(&*defaults::SCOPE),
            acr_values: list(raw.acr_values),
            prompt: text(raw.prompt),
            auth_params: raw.auth_params.unwrap_or_default(),
            custom_params: list(raw.custom_params),
            redirect_uri: text(raw.redirect_uri),
            return_hosts: list(raw.return_hosts),
            default_url: text(raw.default_url),
            state_timeout: raw.state_timeout.unwrap_or(defaults::STATE_TIMEOUT),
            state_max: raw.state_max.unwrap_or(defaults::STATE_MAX),
            post_logout_redirect_uri: text(raw.post_logout_redirect_uri),
        }
    }
}

/// Settings that every request needs, protected or not; available without resolving the rest.
impl<'a> RawSettings<'a> {
    /// `OxdId` or the site file's.
    pub fn site_id(&self) -> Option<SiteId<'a>> {
        let named = text(self.oxd_id).or_else(|| self.site?.oxd_id.as_deref());
        named.map(SiteId)
    }

    /// `OxdUnauthAction`
    pub fn unauth_action(&self) -> UnauthAction {
        self.unauth_action.unwrap_or(defaults::UNAUTH_ACTION)
    }

    /// The settings for bearer tokens; `None` with `OxdBearer Off`.
    #[inline]
    pub fn bearer(&self) -> Option<BearerSettings<'a>> {
        let mode = self.bearer.unwrap_or(defaults::BEARER);
        if mode == BearerMode::Off {
            return None;
        }
        Some(BearerSettings {
            mode,
            audience: self.bearer_audience.map_or(&[], Vec::as_slice),
            cache: self.bearer_cache.unwrap_or(defaults::BEARER_CACHE),
            pass: self.bearer_pass.unwrap_or(defaults::BEARER_PASS),
            realm: self.bearer_realm.map(String::as_str),
            resource: match self.resource_metadata {
                Some(ResourceMetadata::At(path)) => Some(path),
                Some(ResourceMetadata::Off) | None => None,
            },
        })
    }

    /// `OxdClaimHeader`
    pub fn claim_headers(&self) -> &'a [ClaimHeader] {
        list(self.claim_headers)
    }
}

/// The store of a directive; `None` for cookies.
fn opened<'a>(
    raw: &RawSettings<'a>,
    named: SessionStore<'a>,
    stores: &'a dyn Stores,
) -> Option<&'a dyn Store> {
    match named {
        SessionStore::Cookie => None,
        SessionStore::Shared(store) => Some(store),
        SessionStore::Redis(address) => Some(stores.redis(&store_settings(raw, address))),
    }
}

/// All that determines the connections to a Redis store.
fn store_settings<'a>(raw: &RawSettings<'a>, address: &'a StoreAddress) -> StoreSettings<'a> {
    StoreSettings {
        address,
        user: text(raw.store_user),
        password: raw.store_password,
        sentinel_password: raw.store_sentinel_password,
        ca: raw.store_ca,
        certificate: raw.store_certificate,
        key: raw.store_key,
        timeouts: raw.store_timeouts.unwrap_or(defaults::STORE_TIMEOUTS),
        prefix: text(raw.store_prefix).unwrap_or(defaults::STORE_PREFIX),
    }
}

/// The whole server's, from the settings of its main part or of a virtual host.
impl<'a> RawSettings<'a> {
    /// `OxdRevocations` with all that belongs to its connections.
    pub fn revocations(&self) -> Option<StoreSettings<'a>> {
        self.revocations.map(|address| store_settings(self, address))
    }

    /// `OxdSessionMarks`, where it is given.
    pub fn session_marks(&self) -> Option<usize> {
        self.session_marks.map(|marks| marks as usize)
    }

    /// `OxdCryptoKey`
    pub fn crypto_key(&self) -> Option<&'a KeyRing> {
        self.crypto_key
    }
}

/// How many threads of a child process may wait for oxd: a quarter always stays free.
fn max_calls(configured: Option<u32>, threads: u32) -> u32 {
    let most = threads.saturating_sub(threads.div_ceil(4));
    configured.unwrap_or(threads / 2).min(most).max(1)
}

impl<'a> RawSettings<'a> {
    /// oxd and the client, for a process with so many threads.
    ///
    /// Single directives override the members of the site file. Either provider directive overrides both provider members:
    /// the administrator named another provider.
    pub(crate) fn server_settings(&self, threads: u32) -> ServerSettings<'a> {
        let named = Provider::of(text(self.op_host), text(self.op_configuration_endpoint));
        let of_file = || {
            Provider::of(
                self.site?.op_host.as_deref(),
                self.site?.op_configuration_endpoint.as_deref(),
            )
        };
        ServerSettings {
            url: self.server,
            timeouts: self.server_timeout.unwrap_or(defaults::SERVER_TIMEOUT),
            verify: self.server_verify.unwrap_or(defaults::SERVER_VERIFY),
            ca: self.server_ca,
            proxy: self.server_proxy.unwrap_or(defaults::SERVER_PROXY),
            max_calls: max_calls(self.server_max_calls, threads),
            protected_commands: self.protected_commands.unwrap_or(defaults::PROTECTED_COMMANDS),
            client_id: text(self.client_id).or_else(|| self.site?.client_id.as_deref()),
            client_secret: self.client_secret.or_else(|| self.site?.client_secret.as_ref()),
            client_auth: self.client_auth,
            authorization_site: text(self.authorization_site).map(SiteId),
            provider: named.or_else(of_file),
        }
    }
}

#[cfg(test)]
mod tests;
