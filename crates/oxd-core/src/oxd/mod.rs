//! oxd's REST API: typed commands, and one keep-alive client per process.
//!
//! [`commands`] has one file per command of oxd. Senders implement [`Call`]; login,
//! refresh and logout use [`Oxd`]. [`Client`] is shared by all threads of a process (client tokens, the limit of
//! concurrent calls, the circuit breaker); [`HttpTransport`] does HTTP and TLS. Create these only in a child process,
//! after the fork.

mod answer;
mod breaker;
mod budget;
mod client;
mod command;
pub mod commands;
mod error;
mod flight;
mod handshake;
mod http;
mod keys;
#[cfg(test)]
mod machines_tests;
mod server;
mod single_flight;
mod site;
mod tls;
mod token;
mod trouble;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use answer::Answer;
pub use budget::Place;
pub use client::{Client, SiteClient};
pub use command::{BadAnswer, Command};
pub use commands::{Call, Oxd, Request};
pub use error::Error;
pub use handshake::{Handshake, fit_together, shake_hands};
pub use http::{Authorization, HttpTransport, Transport};
pub use server::Server;
pub use site::Site;
pub use tls::{Certificate, SystemRoots};
pub use trouble::{Cause, Stage, Trouble};

/// Locks a mutex and ignores poisoning: every guarded value stays consistent when a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// External text for one log line: without control characters, at most 1,000 characters.
fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(1_000).collect()
}
