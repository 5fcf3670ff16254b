//! The configuration: the table of directives, their values, the settings of a location, and the checks of
//! `configtest`.

mod audit;
mod bearer;
pub mod check;
mod client_auth;
pub mod directive;
mod raw;
pub mod resources;
mod settings;
pub mod store;
mod types;
mod uma;
pub mod value;

pub use audit::{AuditSettings, AuditUser};
pub use bearer::{BearerCache, BearerMode, BearerSettings, ResourceMetadata};
pub use client_auth::ClientAuth;
pub use raw::RawSettings;
pub(crate) use settings::{AccessSettings, ServerSettings, SessionSettings};
pub use settings::{IdentitySettings, ServerDefaults, Settings};
#[cfg(test)]
pub(crate) use store::SessionStore;
#[cfg(test)]
pub(crate) use types::RemoteUser;
pub use types::{
    AuthParam, CaFile, ClaimHeader, Expression, PassTokens, Provider, Proxy, SameSite, SiteFile, Timeouts,
    UnauthAction,
};
pub(crate) use types::{
    CookieSecure, HeaderFormat, PostPreserve, RefusedRefresh, TokenRefresh, TrustForwarded, UnautzAction,
    UserInfo,
};
pub use uma::UmaSettings;
