//! HTTP to oxd as the module speaks it, with what a check wants to see besides: the certificate, the `Date`, the way.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oxd_core::base::secret::Secret;
use oxd_core::oxd::ANSWER_LIMIT;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LOCATION};
use serde_json::Value;
use url::{Host, Url};

use crate::problem::{Outcome, Problem};
use crate::screen::plain;
use crate::tls::{self, Recorder};
use crate::trouble::{Stage, Trouble, chain};

/// How to get to oxd.
#[derive(Clone, Debug)]
pub struct Way {
    /// `OxdServer`
    pub server: Url,
    /// `OxdServerCAFile`
    pub ca_file: Option<PathBuf>,
    /// `OxdServerVerify`
    pub verify: bool,
    /// `OxdServerProxy`
    pub proxy: Option<Url>,
    /// The total time of one call.
    pub total: Duration,
    /// The time within it for the connection.
    pub connect: Duration,
}

impl Way {
    /// The address of a command.
    pub fn command_url(&self, command: &str) -> String {
        format!("{}/{command}", self.server.as_str().trim_end_matches('/'))
    }

    /// The address without a slash at the end, as it stands in the configuration.
    pub fn address(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Whether oxd is called over TLS.
    pub fn is_https(&self) -> bool {
        self.server.scheme() == "https"
    }

    /// oxd's host.
    pub fn host(&self) -> String {
        host_of(&self.server)
    }

    /// Host and port of oxd.
    pub fn oxd(&self) -> String {
        host_and_port(&self.server)
    }

    /// Host and port that are connected: oxd's, or those of the proxy in front of it.
    pub fn whom(&self) -> String {
        host_and_port(self.next())
    }

    /// The machine that is connected: oxd's, or the proxy's.
    pub fn next_host(&self) -> String {
        host_of(self.next())
    }

    /// The machine and port that are connected.
    pub fn next_socket(&self) -> (String, u16) {
        (
            self.next_host(),
            self.next().port_or_known_default().unwrap_or_default(),
        )
    }

    /// The address as which oxd sees this machine, as far as that can be known from here.
    pub fn own_address(&self, oxd: Option<SocketAddr>) -> Option<IpAddr> {
        if self.proxy.is_some() {
            return None;
        }
        let oxd = match oxd {
            Some(address) => address,
            None => self.server.socket_addrs(|| None).ok()?.into_iter().next()?,
        };
        let any: IpAddr = match oxd {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting a UDP socket sends nothing; it only asks the system which way it would go.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(oxd).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }

    fn next(&self) -> &Url {
        self.proxy.as_ref().unwrap_or(&self.server)
    }
}

fn host_and_port(url: &Url) -> String {
    format!(
        "{}:{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default()
    )
}

fn host_of(url: &Url) -> String {
    match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => String::new(),
    }
}

/// What came back.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, in lower case and without parameters.
    pub media_type: String,
    /// `Date`
    pub date: Option<SystemTime>,
    /// `Location`
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// This machine's clock in the middle between question and answer.
    pub local: SystemTime,
}

impl Reply {
    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Whether it is a page for a browser.
    pub fn is_html(&self) -> bool {
        let body = self.body.trim_ascii_start();
        self.media_type.contains("html") || body.first() == Some(&b'<')
    }

    /// The beginning of the body, for messages.
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        plain(text.trim())
    }
}

/// A client for one oxd server.
pub struct Link {
    /// How it gets there.
    pub way: Way,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    recorder: Arc<Recorder>,
}

impl Link {
    /// Sets the client up; nothing is connected yet.
    pub fn new(way: Way) -> Outcome<Self> {
        let cannot = |why: &dyn std::error::Error| {
            Problem::usage(format!("the HTTP client cannot be set up: {}", chain(why)))
        };
        let (config, recorder) = tls::configure(way.ca_file.as_deref(), way.verify)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(way.connect)
            // As the module does: proxy variables of the environment do not count.
            .no_proxy();
        if let Some(url) = &way.proxy {
            builder = builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|why| cannot(&why))?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| cannot(&why))?;
        Ok(Self {
            client: builder.build().map_err(|why| cannot(&why))?,
            way,
            runtime,
            recorder,
        })
    }

    /// What is known of the server's certificate.
    pub fn certificate(&self) -> Option<tls::Seen> {
        self.recorder.seen()
    }

    /// The addresses of the machine that is to be connected.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, Trouble> {
        let (host, port) = self.way.next_socket();
        let looked_up = self.runtime.block_on(async {
            let lookup = tokio::net::lookup_host((host.as_str(), port));
            tokio::time::timeout(self.way.total, lookup).await
        });
        match looked_up {
            Ok(Ok(addresses)) => Ok(addresses.collect()),
            Ok(Err(why)) => Err(Trouble::no_address(&self.way, &why.to_string())),
            Err(_) => Err(Trouble::no_address(&self.way, "the name service does not answer")),
        }
    }

    /// Connects and hangs up again; answers with the address that could be connected.
    pub fn connect(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, Trouble> {
        let mut last = std::io::ErrorKind::AddrNotAvailable.into();
        for address in addresses {
            let connected = self.runtime.block_on(async {
                let connect = tokio::net::TcpStream::connect(address);
                tokio::time::timeout(self.way.connect, connect).await
            });
            match connected {
                Ok(Ok(_)) => return Ok(*address),
                Ok(Err(why)) => last = why,
                Err(_) => last = std::io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Trouble::not_connected(&self.way, &last))
    }

    /// `GET`s an address below oxd's.
    pub fn get(&self, path: &str) -> Result<Reply, Trouble> {
        self.send(self.client.get(self.way.command_url(path)))
    }

    /// `POST`s a command.
    pub fn post(&self, command: &str, token: Option<&Secret>, body: &Value) -> Result<Reply, Trouble> {
        let mut request = self
            .client
            .post(self.way.command_url(command))
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                Trouble::new(
                    Stage::Answer,
                    "odd_token",
                    "oxd gave a client token that is not fit for a header",
                    "see oxd's own log",
                )
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        self.send(request)
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Trouble> {
        let request = request.header(ACCEPT, "application/json");
        let total = self.way.total;
        let begun = SystemTime::now();
        let outcome = self
            .runtime
            .block_on(async { tokio::time::timeout(total, exchange(request)).await });
        match outcome {
            Err(_) => Err(Trouble::timeout(&self.way, total)),
            Ok(Ok(mut reply)) => {
                let took = begun.elapsed().unwrap_or_default();
                reply.local = begun + took / 2;
                Ok(reply)
            }
            Ok(Err(Broken::TooLarge)) => Err(Trouble::new(
                Stage::Answer,
                "answer_too_large",
                format!("the answer has more than {ANSWER_LIMIT} bytes"),
                "something else than oxd listens there",
            )),
            Ok(Err(Broken::Http(error))) => Err(match self.recorder.refused() {
                Some((seen, flaw)) if error.is_connect() => Trouble::certificate(&self.way, &seen, &flaw),
                _ => Trouble::from_request(&self.way, error),
            }),
        }
    }
}

enum Broken {
    Http(reqwest::Error),
    TooLarge,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        Broken::Http(error)
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Reply, Broken> {
    let mut response = request.send().await?;
    let text = |name: reqwest::header::HeaderName| {
        let value = response.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let media_type = text(CONTENT_TYPE).unwrap_or_default();
    let mut reply = Reply {
        status: response.status().as_u16(),
        media_type: media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
        date: text(DATE).and_then(|date| httpdate::parse_http_date(&date).ok()),
        location: text(LOCATION).map(|location| plain(&location)),
        body: Vec::new(),
        local: SystemTime::UNIX_EPOCH,
    };
    while let Some(chunk) = response.chunk().await? {
        if reply.body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Broken::TooLarge);
        }
        reply.body.extend_from_slice(&chunk);
    }
    Ok(reply)
}
