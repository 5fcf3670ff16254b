//! The self-signed certificate of the oxd listener.

use crate::Error;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;

/// The server's TLS configuration, and the certificate that clients must trust.
pub(crate) struct SelfSigned {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) pem: String,
}

/// A fresh key and certificate for these names; an expired one ran out yesterday.
pub(crate) fn self_signed(names: &[String], expired: bool) -> Result<SelfSigned, Error> {
    let crypto = |why: &dyn std::fmt::Display| Error::Crypto(why.to_string());
    let signing_key = rcgen::KeyPair::generate().map_err(|why| crypto(&why))?;
    let mut wanted = rcgen::CertificateParams::new(names.to_vec()).map_err(|why| crypto(&why))?;
    if expired {
        wanted.not_after = (SystemTime::now() - Duration::from_secs(86_400)).into();
    }
    let cert = wanted.self_signed(&signing_key).map_err(|why| crypto(&why))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| crypto(&why))?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .map_err(|why| crypto(&why))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(SelfSigned {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        pem: cert.pem(),
    })
}
