//! Sessions: opened from a request's cookies, made at a login, renewed, ended.
//!
//! A session is a record ([`record`]). With `OxdSessionStore cookie` the browser holds it, sealed; with a store the
//! browser holds an identifier and the store holds the record. Either way the record itself is written only when
//! something in it changes. When the session was last used stands beside it (a small cookie, or a small entry), so that
//! two requests at once cannot undo what the other has written.
//!
//! Nothing in here knows oxd or a login: what it needs is a [`SessionEnv`].

pub mod claims;
mod cookies;
mod create;
mod env;
mod index;
mod open;
mod record;
mod revoke;
mod store;
mod store_lock;
mod update;

pub use cookies::{LAST_USED_SUFFIX, clear};
pub use create::{NewSession, create};
pub use env::SessionEnv;
pub use open::{NewTokens, Opened, open, reopen, user_name, with_own};
pub use record::{ClaimView, Kind, SessionRecord, Strings};
pub use revoke::{Ended, end_all, end_marked, end_own, first_time, forget, is_known};
pub use store_lock::StoreLock;
pub use update::{adopted, is_replaced, newer, publish, touch};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod store_tests;
