//! The configuration: the table of directives, their values, the settings of a location, and the checks of
//! `configtest`.

pub mod check;
pub mod directive;
mod raw;
mod settings;
mod types;
pub mod value;

pub use raw::RawSettings;
pub use settings::{AccessSettings, IdentitySettings, ServerDefaults, SessionSettings, Settings};
pub use types::{
    AuthParam, CaFile, CookieSecure, Expression, HeaderFormat, PassTokens, PostPreserve, Provider, Proxy,
    RemoteUser, SameSite, SessionStore, SiteFile, Timeouts, TokenRefresh, TrustForwarded, UnauthAction,
    UnautzAction, UserInfo,
};
