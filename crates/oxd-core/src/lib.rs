//! The behaviour of mod_oxd: what a directive means, what a request is answered, what is said to oxd.
//!
//! Nothing in here knows httpd: the Apache layer (`src/` of the package `mod_oxd`) turns a request into
//! [`facts::Facts`], asks this crate for a [`respond::Decision`] and carries it out. The same code therefore runs in
//! the tables of the unit tests, in fuzz targets and in command-line tools.
#![forbid(unsafe_code)]

pub mod address;
pub mod arena;
pub mod authn;
pub mod callback;
pub mod claims;
pub mod clock;
pub mod cookie;
pub mod crypto;
pub mod directive;
pub mod endpoint;
pub mod facts;
pub mod login;
pub mod logout;
pub mod logout_token;
pub mod memory;
pub mod needs;
pub mod oxd;
pub mod page;
#[cfg(test)]
mod past_tests;
pub mod preserve;
pub mod reason;
pub mod record;
pub mod reference;
pub mod respond;
pub mod rule;
pub mod secret;
pub mod session;
pub mod settings;
pub mod state;
pub mod stats;
pub mod status;
pub mod store;
#[cfg(test)]
#[allow(missing_docs)]
mod testing;
pub mod value;
