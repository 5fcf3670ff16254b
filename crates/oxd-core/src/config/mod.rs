//! The configuration: the table of directives, their values, the settings of a place, and what `configtest` checks.

pub mod check;
pub mod defaults;
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
