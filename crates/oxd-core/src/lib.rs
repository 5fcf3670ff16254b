//! The behaviour of mod_oxd: what a directive means, what a request is answered, what is said to oxd.
//!
//! Nothing in here knows httpd. The Apache layer (`src/` of the package `mod_oxd`) hands in a request, carries out the
//! answer, and provides the host's services. `docs/ARCHITECTURE.md` has the layers; a test holds the imports to them.
//!
//! What reads bytes from outside (cookies, forms, tokens, answers of oxd, entries of a store, the configuration) has a
//! fuzz target in `fuzz/`; `docs/RELIABILITY.md` has the figures.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub mod access;
pub mod base;
mod bearer;
pub mod config;
pub mod flow;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod handler;
pub mod http;
mod login;
mod logout;
pub mod oxd;
pub mod pages;
pub mod session;
pub mod shm;
pub mod templates;
#[cfg(test)]
#[allow(missing_docs)]
mod testing;
pub mod texts;
pub mod tokens;
pub mod uma;
