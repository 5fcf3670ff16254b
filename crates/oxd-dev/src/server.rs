//! The stand-in as one value: starts both listeners on a runtime of its own, and lets a
//! test look at and meddle with what goes on.

use crate::calls::Call;
use crate::listener::Listener;
use crate::oxd::{self, Http, Oxd};
use crate::provider::{self, Op};
use crate::util::Clock;
use crate::{Addresses, Error, Fault, Options, Provider, ProviderOptions, Site, Tls, UmaSite, tls};
use serde_json::Value;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// A running stand-in. It stops when dropped.
///
/// All methods block for the moment they take and may be called from any thread, inside
/// another tokio runtime too.
pub struct DevServer {
    oxd: Arc<Oxd>,
    pub(crate) op: Option<Arc<Op>>,
    url: String,
    provider_url: String,
    ca_pem: Option<String>,
    clock: Clock,
    listener: Arc<Mutex<Listener>>,
    provider_listener: Option<Arc<Mutex<Listener>>>,
    /// None only while dropping.
    runtime: Option<Runtime>,
}

impl DevServer {
    /// Starts it; returns when both listeners accept connections.
    ///
    /// Makes ring the process's default crypto provider for rustls if there is none yet.
    pub fn start(options: Options) -> Result<DevServer, Error> {
        check(&options)?;
        // Fails when there is one already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("oxd-dev")
            .enable_all()
            .build()
            .map_err(Error::Io)?;
        let mut started = on(&runtime, assemble(options))?;
        started.runtime = Some(runtime);
        Ok(started)
    }

    /// The oxd API: `http://127.0.0.1:PORT` or `https://...`, without a slash at the end.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The provider's issuer.
    pub fn provider_url(&self) -> String {
        self.provider_url.clone()
    }

    /// The self-signed certificate as PEM, for clients to trust; None without TLS.
    pub fn ca_pem(&self) -> Option<String> {
        self.ca_pem.clone()
    }

    /// Registers a site as `register-site` does, with the scopes openid, profile, email,
    /// address, phone and oxd. Not among the [`calls`](DevServer::calls), and met by no fault.
    ///
    /// # Panics
    /// When the provider refuses; [`try_register`](DevServer::try_register) does not.
    pub fn register(&self, redirect_uris: &[&str], post_logout_redirect_uris: &[&str]) -> Site {
        let owned = |list: &[&str]| list.iter().map(|uri| (*uri).to_owned()).collect();
        let addresses = Addresses {
            redirect_uris: owned(redirect_uris),
            post_logout_redirect_uris: owned(post_logout_redirect_uris),
            ..Addresses::default()
        };
        match self.try_register(&addresses) {
            Ok(site) => site,
            Err(why) => panic!("oxd-dev cannot register a site: {why}"),
        }
    }

    /// [`register`](DevServer::register) with all addresses, and with the reason why it failed.
    pub fn try_register(&self, addresses: &Addresses) -> Result<Site, String> {
        self.wait(self.oxd.clone().register(addresses.clone(), None))
    }

    /// The same for a site that has to do with UMA: with the scope `uma_protection`, which the `uma-rs-*` commands and
    /// `introspect-rpt` need.
    pub fn try_register_uma(&self, addresses: &Addresses, uma: &UmaSite) -> Result<Site, String> {
        self.wait(self.oxd.clone().register(addresses.clone(), Some(uma.clone())))
    }

    /// All calls to the oxd API since the start or [`clear_calls`](DevServer::clear_calls),
    /// in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.oxd.calls.all()
    }

    /// How many of them were for this command (`health-check` counts like one).
    pub fn count(&self, command: &str) -> usize {
        self.oxd.calls.count(command)
    }

    /// How many there were.
    pub fn total(&self) -> usize {
        self.oxd.calls.total()
    }

    /// Forgets the calls.
    pub fn clear_calls(&self) {
        self.oxd.calls.clear();
    }

    /// Sets a fault for a command; `*` is for every command that has none of its own.
    ///
    /// [`Fault::Times`] queue up; any other stays until it is replaced by the next one set,
    /// or until [`clear_faults`](DevServer::clear_faults).
    pub fn fault(&self, command: &str, fault: Fault) {
        self.oxd.faults.set(command, fault);
    }

    /// Behaves well again. What hangs already goes on hanging.
    pub fn clear_faults(&self) {
        self.oxd.faults.clear();
    }

    /// Closes the oxd listener and all its connections; connecting is refused from now on.
    /// The port stays reserved, the provider goes on, nothing is forgotten.
    pub fn stop(&mut self) {
        let listener = self.listener.clone();
        self.wait(async move { listener.lock().await.stop().await });
    }

    /// Listens again on the same port after [`stop`](DevServer::stop).
    ///
    /// # Panics
    /// When somebody else took the port, which only happens if reserving it failed.
    pub fn resume(&mut self) {
        let listener = self.listener.clone();
        let resumed = self.wait(async move { listener.lock().await.resume() });
        if let Err(why) = resumed {
            panic!("oxd-dev cannot listen again on {}: {why}", self.url);
        }
    }

    /// Makes every client token issued so far inactive.
    pub fn expire_client_tokens(&self) {
        self.oxd.expire_client_tokens();
    }

    /// Pushes the clock for lifetimes forward: client tokens, states and nonces at oxd;
    /// codes, access tokens and the age of sign-ins (`auth_time`, `max_age`) at the built-in
    /// provider, and there the tickets, RPTs, permissions and resources of UMA. `iat` and `exp` of new tokens stay true.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match &self.runtime {
            Some(runtime) => on(runtime, work),
            None => unreachable!("the runtime lives as long as the server"),
        }
    }
}

impl fmt::Debug for DevServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevServer")
            .field("url", &self.url)
            .field("provider_url", &self.provider_url)
            .finish_non_exhaustive()
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        let listeners = [Some(self.listener.clone()), self.provider_listener.clone()];
        on(&runtime, async move {
            for listener in listeners.into_iter().flatten() {
                listener.lock().await.stop().await;
            }
        });
        // Unlike a plain drop this may be done inside another runtime.
        runtime.shutdown_background();
    }
}

/// Runs something on the runtime and waits for it, without `block_on`, which would panic
/// inside another runtime.
fn on<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    runtime.spawn(async move {
        // Nobody waits any more only if the waiting thread is gone.
        let _ = done.send(work.await);
    });
    result.recv().expect("the stand-in's own work does not panic")
}

fn check(options: &Options) -> Result<(), Error> {
    let bad = |why: String| Err(Error::Options(why));
    match &options.provider {
        Provider::BuiltIn(provider) => {
            for user in &provider.users {
                if !user.claims.get("sub").is_some_and(Value::is_string) {
                    return bad(format!("the claims of user {:?} lack a `sub`", user.name));
                }
            }
        }
        Provider::External { issuer, .. } => {
            if !url::Url::parse(issuer).is_ok_and(|url| url.has_host()) {
                return bad(format!("the issuer {issuer:?} is no absolute URL"));
            }
        }
    }
    Ok(())
}

/// Everything but the runtime, on the runtime.
async fn assemble(options: Options) -> Result<DevServer, Error> {
    let clock = Clock::default();
    let listen = |why| Error::Listen(options.listen, why);
    let socket = Listener::bind(options.listen).map_err(listen)?;
    let (op, provider_listener) = match &options.provider {
        Provider::BuiltIn(provider) => {
            let (op, listener) = built_in(provider, &clock)?;
            (Some(op), Some(listener))
        }
        Provider::External { .. } => (None, None),
    };
    let provider_url = match (&options.provider, &op) {
        (Provider::External { issuer, .. }, _) => issuer.clone(),
        (Provider::BuiltIn(_), op) => op.as_ref().map(|op| op.issuer.clone()).unwrap_or_default(),
    };
    let (acceptor, ca_pem, scheme) = match options.tls {
        Tls::Off => (None, None, "http"),
        Tls::SelfSigned | Tls::Expired => {
            let made = tls::self_signed(&options.tls_names, options.tls == Tls::Expired)?;
            (Some(made.acceptor), Some(made.pem), "https")
        }
    };
    let http = Http::new(options.provider_ca.as_deref(), op.is_none()).map_err(Error::Options)?;
    let oxd = Arc::new(Oxd::new(
        options.clone(),
        provider_url.clone(),
        clock.clone(),
        http,
        op.clone(),
    ));
    let listener = Listener::open(socket, oxd::router(oxd.clone()), acceptor).map_err(listen)?;
    Ok(DevServer {
        url: format!("{scheme}://{}", reachable(listener.address())),
        oxd,
        op,
        provider_url,
        ca_pem,
        clock,
        listener: Arc::new(Mutex::new(listener)),
        provider_listener,
        runtime: None,
    })
}

fn built_in(options: &ProviderOptions, clock: &Clock) -> Result<(Arc<Op>, Arc<Mutex<Listener>>), Error> {
    let listen = |why| Error::ProviderListen(options.listen, why);
    let socket = Listener::bind(options.listen).map_err(listen)?;
    let address = reachable(socket.local_addr().map_err(listen)?);
    let op = Arc::new(Op::new(address, options.clone(), clock.clone())?);
    let listener = Listener::open(socket, provider::router(op.clone()), None).map_err(listen)?;
    Ok((op, Arc::new(Mutex::new(listener))))
}

/// The address to name in URLs: one cannot connect to "all addresses" everywhere.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
