//! The TLS side of a connection to oxd: what is trusted, and what was wrong with the certificate that came.
//!
//! The verification is rustls's own; here it is only remembered, since the error that comes up through the layers of
//! an HTTP client no longer says which certificate it was about.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::problem::{Outcome, Problem};

/// The certificate that a server showed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it.
    pub fingerprint: String,
    /// What is wrong with it, if anything; also known where it is not asked for.
    pub flaw: Option<CertificateError>,
    /// When it runs out.
    pub not_after: Option<SystemTime>,
}

/// Verifies as rustls does, and remembers the certificate.
#[derive(Debug)]
pub struct Recorder {
    /// None when nothing at all is trusted.
    inner: Option<Arc<WebPkiServerVerifier>>,
    crypto: Arc<CryptoProvider>,
    verify: bool,
    seen: Mutex<Option<Seen>>,
}

impl Recorder {
    /// The certificate of the last handshake, if it came that far.
    pub fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last certificate, if it was the reason why there is no connection.
    pub fn refused(&self) -> Option<(Seen, CertificateError)> {
        let seen = self.seen().filter(|_| self.verify)?;
        let flaw = seen.flaw.clone()?;
        Some((seen, flaw))
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.inner {
            Some(inner) => inner.verify_server_cert(certificate, others, name, ocsp, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let outcome = self.judge(certificate, others, name, ocsp, now);
        let flaw = match &outcome {
            Ok(_) => None,
            Err(Error::InvalidCertificate(flaw)) => Some(flaw.clone()),
            Err(_) => Some(CertificateError::BadEncoding),
        };
        // Asked whether the certificate will do at the end of time, rustls answers with the day that it runs out.
        let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799));
        let not_after = match self.judge(certificate, others, name, ocsp, end_of_time) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
            }
            _ => None,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen {
            fingerprint: fingerprint(certificate),
            flaw,
            not_after,
        });
        if self.verify {
            outcome
        } else {
            Ok(ServerCertVerified::assertion())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}

/// What a connection to oxd is made with: the system's roots and those of a file, as the module does.
pub fn configure(ca_file: Option<&Path>, verify: bool) -> Outcome<(ClientConfig, Arc<Recorder>)> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        for certificate in read_certificates(path)? {
            roots
                .add(certificate)
                .map_err(|why| Problem::file("ca_file", path, why))?;
        }
    }
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto.clone())
        .build()
        .ok();
    let recorder = Arc::new(Recorder {
        inner,
        crypto: crypto.clone(),
        verify,
        seen: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|why| Problem::usage(format!("TLS cannot be set up: {why}")))?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    Ok((config, recorder))
}

fn read_certificates(path: &Path) -> Outcome<Vec<CertificateDer<'static>>> {
    let bad = |why: &dyn std::fmt::Display| {
        Problem::file("ca_file", path, format!("no PEM file with certificates: {why}"))
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|why| bad(&why))?;
    if certificates.is_empty() {
        return Err(bad(&"it holds none"));
    }
    Ok(certificates)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let bytes: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
