//! HTTP to oxd: reqwest over rustls, keep-alive, one background thread per process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION};
use serde_json::{Map, Value};

use super::answer::ANSWER_LIMIT;
use super::tls::{self, Certificate, Recorder, SystemRoots};
use super::{Answer, Cause, Command, Server, Trouble, lock};
use crate::base::{Secret, SiteId, SystemRandom};
use crate::config::Proxy;

/// What a protected command is allowed by.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    /// The client token, for `Authorization`.
    pub token: &'a Secret,
    /// The site whose client it belongs to, for `AuthorizationOxdId`, where that is another one (oxd 4.2 and later).
    pub site: Option<SiteId<'a>>,
}

impl<'a> Authorization<'a> {
    /// A token of the site's own client.
    pub fn of_own_client(token: &'a Secret) -> Self {
        Self { token, site: None }
    }
}

/// Sends one command.
pub trait Transport: Send + Sync {
    /// Sends the members as JSON to the command's address and reads the answer, whatever its status; never longer than
    /// the server's total time. Redirects are not followed.
    fn send(
        &self,
        server: &Server<'_>,
        command: Command,
        authorization: Option<Authorization<'_>>,
        members: &Map<String, Value>,
    ) -> Result<Answer, Trouble>;
}

/// The settings that determine an HTTP client: servers that differ in one need separate clients.
#[derive(PartialEq, Eq, Hash)]
struct Route {
    server: String,
    connect: Duration,
    verify: bool,
    ca: Option<String>,
    proxy: Proxy,
}

/// The HTTP client of one route, and the server's last certificate.
#[derive(Clone)]
struct RouteClient {
    http: reqwest::Client,
    recorder: Arc<Recorder>,
}

/// The transport of one process. Make it after the fork: it has a thread and sockets.
pub struct HttpTransport {
    runtime: tokio::runtime::Runtime,
    roots: SystemRoots,
    clients: Mutex<HashMap<Route, RouteClient>>,
}

impl HttpTransport {
    /// Starts the transport's thread. The thread inherits the caller's signal mask.
    pub fn start(roots: SystemRoots) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mod_oxd")
            .enable_all()
            .build()?;
        Ok(Self {
            runtime,
            roots,
            clients: Mutex::default(),
        })
    }

    /// The runtime of the connections, for those of other kinds.
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// The certificate that a server showed last; `None` before the first handshake with it.
    pub fn certificate(&self, server: &Server<'_>) -> Option<Certificate> {
        self.client(server).ok()?.recorder.certificate()
    }

    fn client(&self, server: &Server<'_>) -> Result<RouteClient, Trouble> {
        let route = Route {
            server: server.host_and_port(),
            connect: server.timeouts.connect,
            verify: server.verify,
            ca: server.ca.map(|ca| ca.path.clone()),
            proxy: server.proxy.clone(),
        };
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&route) {
            return Ok(client.clone());
        }
        let broken = |why: &dyn std::error::Error| {
            Trouble::new(
                Cause::NoClient,
                format!("the HTTP client could not be set up: {why}"),
            )
        };
        let (config, recorder) = tls::configure(&self.roots, server).map_err(|why| broken(&why))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(server.timeouts.connect)
            // oxd ends those that nobody has used for thirty seconds.
            .pool_idle_timeout(Duration::from_secs(25))
            // The proxy variables of the environment do not count.
            .no_proxy();
        if let Proxy::Http(url) = server.proxy {
            builder = builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|why| broken(&why))?);
        }
        let http = builder.build().map_err(|why| broken(&why))?;
        let client = RouteClient { http, recorder };
        clients.insert(route, client.clone());
        Ok(client)
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        server: &Server<'_>,
        command: Command,
        authorization: Option<Authorization<'_>>,
        members: &Map<String, Value>,
    ) -> Result<Answer, Trouble> {
        let client = self.client(server)?;
        let url = server.command_url(command.name);
        let mut request = if command.is_get {
            client.http.get(url)
        } else {
            let body = serde_json::to_vec(members).unwrap_or_default();
            client
                .http
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .body(body)
        };
        request = request.header(ACCEPT, "application/json");
        if let Some(Authorization { token, site }) = authorization {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| Trouble::new(Cause::OddToken, "oxd's client token is not fit for a header"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
            if let Some(site) = site {
                request = request.header("AuthorizationOxdId", site.as_str());
            }
        }
        if let Some(trace) = server.trace
            && let Some(parent) = trace.onward(&SystemRandom)
        {
            request = request.header("traceparent", parent);
            if let Some(state) = trace.state() {
                request = request.header("tracestate", state);
            }
        }
        // The time limit spans the whole answer, so that a slow response cannot block a thread indefinitely. All of it runs
        // in the transport's thread, which otherwise would be woken for each step: to send, for the time limit, and when
        // the answer has been read.
        let limit = server.timeouts.total;
        let task = self
            .runtime
            .spawn(async move { tokio::time::timeout(limit, exchange(request)).await });
        match self.runtime.block_on(task) {
            // oxd sees the proxy's address then.
            Ok(Ok(Ok(answer))) if server.has_proxy() => Ok(Answer {
                caller: None,
                ..answer
            }),
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(Broken::TooLarge))) => Err(Trouble::new(
                Cause::TooLarge,
                format!("the answer has more than {ANSWER_LIMIT} bytes"),
            )),
            Ok(Ok(Err(Broken::Http(error)))) => Err(Trouble::of_request(server, error, &client.recorder)),
            Ok(Err(_)) => Err(Trouble::timeout(server)),
            Err(error) => match error.try_into_panic() {
                // As if it had been in this thread.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(Trouble::new(
                    Cause::NoClient,
                    format!("the call was given up: {error}"),
                )),
            },
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

async fn exchange(request: reqwest::RequestBuilder) -> Result<Answer, Broken> {
    let mut response = request.send().await?;
    let text = |name: HeaderName| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let media_type = text(CONTENT_TYPE).unwrap_or_default();
    let connection = response.extensions().get::<HttpInfo>();
    let mut answer = Answer {
        status: response.status().as_u16(),
        media_type: media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
        date: text(DATE).and_then(|date| httpdate::parse_http_date(&date).ok()),
        location: text(LOCATION),
        caller: connection.map(|info| info.local_addr().ip()),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await? {
        if answer.body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Broken::TooLarge);
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}
