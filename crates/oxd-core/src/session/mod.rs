//! Sessions: opened from a request's cookies, made at a login, renewed, ended.
//!
//! A session is a record ([`record`]) and its tokens ([`tokens`]), sealed apart, as few pages need tokens. With
//! `OxdSessionStore cookie` the browser holds both; with a store the browser holds an identifier and the store holds both.
//! Either way they are written only when something in them changes. The time of the last use is stored beside it (in a small cookie or entry), so
//! that concurrent requests cannot overwrite each other's changes.
//!
//! This layer knows neither oxd nor logins; all it needs is a [`SessionEnv`].

pub(crate) mod acr;
mod alive;
mod claim;
pub mod claims;
mod cookies;
mod create;
mod env;
pub mod feed;
mod identifier;
mod index;
mod memory;
mod moving;
mod open;
mod open_tokens;
mod record;
mod revoke;
mod store;
mod store_lock;
mod text;
mod tokens;
mod update;
mod who;
mod wire;

pub use claim::{ClaimView, Kind, NAMES, VARIABLE};
pub use cookies::clear;
pub use create::{Created, create};
pub(crate) use create::{NewSession, record_of_token};
pub use env::SessionEnv;
#[cfg(test)]
pub(crate) use memory::Leaked;
pub use memory::SessionMemory;
pub(crate) use open::with_own;
pub use open::{Opened, Via, open, person, user_name};
pub(crate) use open_tokens::NewTokens;
pub use record::SessionRecord;
pub(crate) use record::Strings;
pub use revoke::end_all;
pub(crate) use revoke::{end_marked, end_own, first_time, is_known, is_noted, is_used};
pub(crate) use store_lock::StoreLock;
pub(crate) use text::{keep_text, kept_text};
pub use tokens::{Tokens, TokensAt, Written};
pub(crate) use update::{adopted, is_replaced, touch};
pub use update::{newer, publish};
pub use wire::Terminated;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod ends_tests;

#[cfg(test)]
mod bound_tests;
#[cfg(test)]
mod store_tests;

#[cfg(test)]
mod atomic_tests;

#[cfg(test)]
mod moving_tests;

#[cfg(test)]
mod tokens_tests;
