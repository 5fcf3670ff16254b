//! HTTP to oxd: reqwest over rustls, keep-alive, one background thread per child process.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{ANSWER_LIMIT, Answer, Server, Transport, TransportError, lock};
use crate::config::types::Proxy;

/// The authorities that the operating system trusts, as data: loading them takes milliseconds, so it is done once by
/// the parent and not by every child.
#[derive(Clone)]
pub struct SystemRoots(Arc<RootCertStore>);

impl SystemRoots {
    /// Loads them; the second value counts the certificates that could not be read.
    pub fn load() -> (Self, usize) {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (_, unreadable) = store.add_parsable_certificates(found.certs);
        (Self(Arc::new(store)), unreadable + found.errors.len())
    }

    /// None at all.
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What makes two servers need clients of their own.
#[derive(PartialEq, Eq, Hash)]
struct Way {
    connect: Duration,
    verify: bool,
    ca: Option<String>,
    proxy: Proxy,
}

/// The transport of one child process. Make it after the fork: it has a thread and sockets.
pub struct HttpTransport {
    runtime: tokio::runtime::Runtime,
    roots: SystemRoots,
    crypto: Arc<CryptoProvider>,
    clients: Mutex<HashMap<Way, reqwest::Client>>,
}

impl HttpTransport {
    /// Starts the transport's thread. The thread inherits the caller's signal mask.
    pub fn start(roots: SystemRoots) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mod_oxd")
            .enable_all()
            .build()?;
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self {
            runtime,
            roots,
            crypto,
            clients: Mutex::default(),
        })
    }

    fn client(&self, server: &Server<'_>) -> Result<reqwest::Client, TransportError> {
        let way = Way {
            connect: server.timeouts.connect,
            verify: server.verify,
            ca: server.ca.map(|ca| ca.path.clone()),
            proxy: server.proxy.clone(),
        };
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&way) {
            return Ok(client.clone());
        }
        let broken =
            |why: String| TransportError::Broken(format!("the HTTP client could not be set up: {why}"));
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls(server).map_err(|e| broken(e.to_string()))?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(server.timeouts.connect)
            .pool_idle_timeout(Duration::from_secs(30))
            .no_proxy();
        if let Proxy::Http(url) = server.proxy {
            builder = builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|e| broken(e.to_string()))?);
        }
        let client = builder.build().map_err(|e| broken(e.to_string()))?;
        clients.insert(way, client.clone());
        Ok(client)
    }

    fn tls(&self, server: &Server<'_>) -> Result<ClientConfig, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(self.crypto.clone()).with_safe_default_protocol_versions()?;
        if !server.verify {
            let trusting = Arc::new(NoVerification(self.crypto.clone()));
            return Ok(builder
                .dangerous()
                .with_custom_certificate_verifier(trusting)
                .with_no_client_auth());
        }
        let roots = match server.ca {
            None => self.roots.0.clone(),
            Some(ca) => {
                let mut store = (*self.roots.0).clone();
                store.add_parsable_certificates(ca.certificates.iter().cloned());
                Arc::new(store)
            }
        };
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Transport for HttpTransport {
    fn post(
        &self,
        server: &Server<'_>,
        command: &str,
        client_token: Option<&str>,
        body: &serde_json::Value,
    ) -> Result<Answer, TransportError> {
        let client = self.client(server)?;
        let total = server.timeouts.total;
        let mut request = client
            .post(server.command_url(command))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body.to_string());
        if let Some(token) = client_token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| TransportError::Broken("oxd's client token is not fit for a header".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        self.runtime.block_on(async {
            // The time limit spans the whole answer, so that one that trickles in holds no thread for ever.
            tokio::time::timeout(total, exchange(request))
                .await
                .unwrap_or(Err(TransportError::Timeout(total)))
        })
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Result<Answer, TransportError> {
    let mut response = request.send().await.map_err(describe)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(describe)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(TransportError::Broken(format!(
                "the answer has more than {ANSWER_LIMIT} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

/// An error with its causes: the innermost one ("connection refused") is what helps.
fn describe(error: reqwest::Error) -> TransportError {
    let (connecting, error) = (error.is_connect(), error.without_url());
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
        cause = inner.source();
    }
    let why = words.join(": ");
    if connecting {
        TransportError::Unreachable(why)
    } else {
        TransportError::Broken(why)
    }
}

/// `OxdServerVerify Off`: any certificate will do, but the handshake must still be signed with its key.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
