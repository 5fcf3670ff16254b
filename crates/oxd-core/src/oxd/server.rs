//! Where oxd is and how it is reached.

use std::net::IpAddr;

use url::{Host, Url};

use crate::base::Trace;
use crate::config::{CaFile, Proxy, Timeouts};

/// How to reach one oxd server.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// `OxdServer`
    pub url: &'a Url,
    /// `OxdServerTimeout`
    pub timeouts: Timeouts,
    /// `OxdServerVerify`
    pub verify: bool,
    /// `OxdServerCAFile`
    pub ca: Option<&'a CaFile>,
    /// `OxdServerProxy`
    pub proxy: &'a Proxy,
    /// `OxdServerMaxCalls`
    pub max_calls: u32,
    /// The trace of the request that calls it.
    pub trace: Option<Trace<'a>>,
}

impl<'a> Server<'a> {
    /// The address without a slash at the end, as it stands in the configuration.
    pub fn address(&self) -> &'a str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The address of a command, below whatever path prefix `OxdServer` has.
    pub fn command_url(&self, command: &str) -> String {
        format!("{}/{command}", self.address())
    }

    /// Whether oxd is called over TLS.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether a proxy stands in between.
    pub fn has_proxy(&self) -> bool {
        *self.proxy != Proxy::Direct
    }

    /// oxd's host, an IPv6 address without brackets.
    pub fn host(&self) -> String {
        host_of(self.url)
    }

    /// Host and port of oxd.
    pub fn host_and_port(&self) -> String {
        host_and_port(self.url)
    }

    /// Host and port that are connected to: oxd's, or those of the proxy in front of it.
    pub fn peer(&self) -> String {
        host_and_port(self.peer_url())
    }

    /// The same as two values, the host without brackets.
    pub fn peer_socket(&self) -> (String, u16) {
        let port = self.peer_url().port_or_known_default();
        (host_of(self.peer_url()), port.unwrap_or_default())
    }

    fn peer_url(&self) -> &'a Url {
        match self.proxy {
            Proxy::Direct => self.url,
            Proxy::Http(url) => url,
        }
    }
}

fn host_and_port(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

fn host_of(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => IpAddr::from(address).to_string(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;

    /// A server without a proxy, with a second for each call and none for its turn.
    pub(crate) fn server(url: &Url) -> Server<'_> {
        Server {
            url,
            timeouts: Timeouts {
                total: Duration::from_secs(1),
                connect: Duration::ZERO,
            },
            verify: true,
            ca: None,
            proxy: &Proxy::Direct,
            max_calls: 2,
            trace: None,
        }
    }

    #[test]
    fn the_peer_is_the_proxy_where_there_is_one() {
        let url = Url::parse("https://[::1]/pre/").unwrap();
        let proxy = Proxy::Http(Url::parse("http://proxy:3128").unwrap());
        let mut one = server(&url);
        assert_eq!((one.peer().as_str(), one.host().as_str()), ("[::1]:443", "::1"));
        assert_eq!(one.command_url("x"), "https://[::1]/pre/x");
        one.proxy = &proxy;
        assert_eq!(
            (one.peer(), one.peer_socket()),
            ("proxy:3128".into(), ("proxy".into(), 3128))
        );
        assert_eq!(one.host_and_port(), "[::1]:443");
    }
}
