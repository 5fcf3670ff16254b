//! The behaviour of mod_oxd: what a directive means, what a request is answered, what is said to oxd.
//!
//! Nothing in here knows httpd. The Apache layer (`src/` of the package `mod_oxd`) hands in a request, carries out the
//! answer, and provides the host's services. `docs/ARCHITECTURE.md` has the layers; a test holds the imports to them.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub mod access;
pub mod base;
mod bearer;
pub mod config;
pub mod flow;
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
