//! Why a stand-in could not start. Errors of single calls are answers, not errors.

use std::fmt;
use std::net::SocketAddr;

/// Why [`DevServer::start`](crate::DevServer::start) failed.
#[derive(Debug)]
pub enum Error {
    /// The address of the oxd listener cannot be bound.
    Listen(SocketAddr, std::io::Error),
    /// The address of the built-in provider cannot be bound.
    ProviderListen(SocketAddr, std::io::Error),
    /// Key, certificate or TLS set-up failed; the text says which.
    Crypto(String),
    /// Options that contradict each other or cannot work.
    Options(String),
    /// The operating system refused something else (threads, sockets).
    Io(std::io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Listen(address, why) => {
                write!(f, "cannot listen on {address} (--listen): {why}")
            }
            Error::ProviderListen(address, why) => {
                write!(f, "cannot listen on {address} (--provider-listen): {why}")
            }
            Error::Crypto(why) => write!(f, "cannot set up keys or TLS: {why}"),
            Error::Options(why) => write!(f, "bad options: {why}"),
            Error::Io(why) => write!(f, "cannot start: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Listen(_, why) | Error::ProviderListen(_, why) | Error::Io(why) => Some(why),
            Error::Crypto(_) | Error::Options(_) => None,
        }
    }
}
