//! A stand-in for oxd-server, with a small OpenID Provider beside it, for
//! development and tests.
//!
//! This is *not* oxd-server and shares no code with it. It answers the part of
//! oxd's REST API (versions 4.1 to 4.5) that a sign-in and User-Managed Access need, closely enough
//! to develop and test a client of that API on one machine, and it can misbehave on
//! request (see [`Fault`]). It keeps everything in memory, knows demo users with
//! plain passwords and must never face a network that matters.
//!
//! ```no_run
//! let server = oxd_dev::DevServer::start(oxd_dev::Options::default()).unwrap();
//! let site = server.register(&["http://127.0.0.1:8080/oxd/callback"], &[]);
//! println!("{} serves {}", server.url(), site.oxd_id);
//! ```

#![forbid(unsafe_code)]

mod calls;
mod error;
mod fault;
mod knobs;
mod listener;
mod options;
mod oxd;
mod provider;
mod server;
mod tls;
mod uma;
mod util;

pub use calls::Call;
pub use error::Error;
pub use fault::Fault;
pub use knobs::Signer;
pub use options::{Like, Log, Options, Provider, ProviderOptions, Tls, User};
pub use oxd::{Addresses, Site};
pub use provider::LogoutNotice;
pub use server::DevServer;
pub use uma::{UmaEndpoint, UmaFault, UmaOptions, UmaOutcome, UmaRequest, UmaRule, UmaSite};
