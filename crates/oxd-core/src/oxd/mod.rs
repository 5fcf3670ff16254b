//! oxd's REST API: typed commands, and one keep-alive client per process.
//!
//! [`commands`] has one file per command of oxd. What sends them implements [`Call`]; [`Oxd`] is what the rules of
//! login, session and logout need. [`Client`] holds what all threads of a process share (client tokens, the bound on
//! calls under way, the circuit breaker); [`HttpTransport`] does HTTP and TLS. Nothing here may exist before httpd
//! forks.

mod answer;
mod breaker;
mod client;
mod command;
pub mod commands;
mod error;
mod http;
mod keys;
mod server;
mod single_flight;
mod site;
mod tls;
mod token;
mod trouble;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use answer::Answer;
pub use client::{Client, SiteClient};
pub use command::{BadAnswer, Command};
pub use commands::{Call, Oxd, Request};
pub use error::Error;
pub use http::{HttpTransport, Transport};
pub use server::Server;
pub use site::Site;
pub use tls::{Certificate, SystemRoots};
pub use trouble::{Cause, Stage, Trouble};

/// A lock that a panic elsewhere has not made useless: what it guards is replaced whole, never half.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text from outside on one line: without control characters, and with 1,000 characters at most.
fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(1_000).collect()
}
