//! The defaults of all directives, each defined once. A test parses the defaults in the reference and compares them.

use std::time::Duration;

use once_cell::sync::Lazy;

use super::types::{
    ClaimsAs, CookieSecure, PassTokens, PostPreserve, Proxy, RemoteUser, SameSite, Timeouts, TokenRefresh,
    TrustForwarded, UnauthAction, UserInfo,
};
use crate::base::clock::Seconds;

/// `OxdServerTimeout`; its connect time also applies where only the total time is given.
pub const SERVER_TIMEOUT: Timeouts = Timeouts {
    total: Duration::from_secs(10),
    connect: Duration::from_secs(3),
};
/// `OxdServerVerify`
pub const SERVER_VERIFY: bool = true;
/// `OxdServerProxy`
pub const SERVER_PROXY: &Proxy = &Proxy::Direct;
/// `OxdProtectedCommands`
pub const PROTECTED_COMMANDS: bool = true;

/// `OxdScope`
pub static SCOPE: Lazy<Vec<String>> =
    Lazy::new(|| ["openid", "profile", "email"].map(str::to_owned).to_vec());
/// `OxdStateTimeout`
pub const STATE_TIMEOUT: Seconds = 300;
/// `OxdStateMax`
pub const STATE_MAX: u32 = 8;
/// `OxdUserInfo`
pub const USER_INFO: UserInfo = UserInfo::AtLogin;
/// `OxdUnauthAction`
pub const UNAUTH_ACTION: UnauthAction = UnauthAction::Auto;
/// `OxdPostPreserve`
pub const POST_PRESERVE: PostPreserve = PostPreserve::Off;
/// The size of `OxdPostPreserve On` without one, in bytes.
pub const POST_PRESERVE_SIZE: usize = 64 * 1024;

/// `OxdSessionLifetime`
pub const SESSION_LIFETIME: Seconds = 8 * 3_600;
/// `OxdSessionIdle`
pub const SESSION_IDLE: Seconds = 3_600;
/// `OxdTokenRefresh`
pub const TOKEN_REFRESH: TokenRefresh = TokenRefresh::Off;
/// `OxdCookieName`
pub const COOKIE_NAME: &str = "oxd_session";
/// `OxdCookiePath`
pub const COOKIE_PATH: &str = "/";
/// `OxdCookieSameSite`
pub const COOKIE_SAME_SITE: SameSite = SameSite::Lax;
/// `OxdCookieSecure`
pub const COOKIE_SECURE: CookieSecure = CookieSecure::Auto;
/// `OxdTrustForwarded`
pub const TRUST_FORWARDED: TrustForwarded = TrustForwarded {
    proto: false,
    host: false,
    port: false,
    forwarded: false,
};

/// `OxdRemoteUser`
pub static REMOTE_USER: Lazy<RemoteUser> = Lazy::new(|| RemoteUser {
    claim: "sub".to_owned(),
    rewrite: None,
});
/// `OxdClaims`
pub const CLAIMS_AS: ClaimsAs = ClaimsAs::Env;
/// `OxdPassTokens`
pub const PASS_TOKENS: PassTokens = PassTokens {
    access_token: false,
    id_token: false,
    refresh_token: false,
    expires: false,
};
