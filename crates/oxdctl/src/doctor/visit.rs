//! A visitor of one's own httpd: one request, no redirect followed, whatever certificate there is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, SystemTime};

use oxd_core::config::{Proxy, Timeouts};
use oxd_core::oxd::{Handshake, Server, SystemRoots, Trouble, shake_hands};
use reqwest::header::HeaderMap;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::base::Base;
use crate::screen::{Screen, plain};

/// What a request may take: it waits for oxd, and oxd for the provider.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(3);
/// What is read of a page.
const LARGEST: usize = 64 * 1024;

/// An answer.
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body.
    pub body: String,
    /// This machine's clock in the middle between question and answer.
    pub asked: SystemTime,
}

impl Page {
    /// A header's value, where it is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).collect()
    }
}

/// The visitor.
pub struct Visitor<'s> {
    screen: &'s Screen,
    runtime: Runtime,
    client: reqwest::Client,
}

impl<'s> Visitor<'s> {
    /// A visitor that finds a host at an address.
    ///
    /// # Errors
    /// The system gives no runtime, or the client cannot be made.
    pub fn new(screen: &'s Screen, at: (&str, SocketAddr)) -> Result<Self, String> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| why.to_string())?;
        // The certificate is looked at by itself; here a login shall start whatever it is. Another part of the program
        // may have installed the provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .no_proxy()
            .resolve(at.0, at.1);
        let client = builder.build().map_err(|why| why.to_string())?;
        Ok(Self {
            screen,
            runtime,
            client,
        })
    }

    /// Gets a page.
    ///
    /// # Errors
    /// There is no answer, for this reason.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Page, String> {
        let shown = url.split('?').next().unwrap_or_default();
        let _waiting = self.screen.progress(&format!("visiting {}", plain(shown)));
        let begun = SystemTime::now();
        self.runtime.block_on(async {
            let mut request = self.client.get(url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut answer = request.send().await.map_err(|why| chain(&why))?;
            let asked = begun + begun.elapsed().unwrap_or_default() / 2;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let mut body = Vec::new();
            while body.len() < LARGEST
                && let Ok(Some(part)) = answer.chunk().await
            {
                body.extend_from_slice(&part);
            }
            body.truncate(LARGEST);
            Ok(Page {
                status,
                headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                asked,
            })
        })
    }
}

/// An error with its causes, but for the address, which may hold a state.
fn chain(why: &reqwest::Error) -> String {
    let mut cause = std::error::Error::source(why);
    let mut last = String::from(if why.is_timeout() {
        "no answer in time"
    } else {
        "no answer"
    });
    while let Some(inner) = cause {
        last = inner.to_string();
        cause = inner.source();
    }
    last
}

/// Where httpd answers for an address: on this machine, or where the name leads.
///
/// `listening` are the addresses of `Listen`.
///
/// # Errors
/// Nothing accepts connections there, for this reason.
pub fn reach(screen: &Screen, base: &Base, listening: &[SocketAddr]) -> Result<SocketAddr, String> {
    let _waiting = screen.progress(&format!("connecting {base}"));
    let on_port = listening.iter().filter(|address| address.port() == base.port());
    let mut addresses: Vec<SocketAddr> = on_port
        .filter(|address| !address.ip().is_unspecified())
        .copied()
        .collect();
    if addresses.is_empty() {
        addresses.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), base.port()));
    }
    let named = (
        base.url().host_str().unwrap_or_default().trim_matches(['[', ']']),
        base.port(),
    );
    let why = match named.to_socket_addrs() {
        Ok(found) => {
            addresses.extend(found);
            String::from("no address")
        }
        Err(why) => why.to_string(),
    };
    let mut last = why;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => return Ok(address),
            Err(why) => last = format!("{address}: {why}"),
        }
    }
    Err(last)
}

/// The TLS handshake with httpd, whose certificate is judged but not refused.
pub fn handshake(url: &Url, address: SocketAddr) -> Result<Handshake, Trouble> {
    let server = Server {
        url,
        timeouts: Timeouts {
            total: PATIENCE,
            connect: CONNECT,
        },
        verify: false,
        ca: None,
        proxy: &Proxy::Direct,
        max_calls: 1,
        trace: None,
    };
    let (_, stream) = crate::route::connect(&server, &[address])?;
    // Without limits a server that says nothing would be waited for without end.
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    shake_hands(&server, &SystemRoots::load().0, None, stream)
}
