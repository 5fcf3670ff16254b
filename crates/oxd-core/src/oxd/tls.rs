//! TLS to oxd: trusted roots, and the server's certificate.
//!
//! The verification is rustls's own. The certificate is only remembered here, since the error that comes up through
//! the layers of an HTTP client no longer says which certificate it was about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{Server, lock};
use crate::config::CaFile;

/// The authorities that the operating system trusts, and what verifies certificates by them and by files of
/// `OxdServerCAFile`. All of it is data, without sockets or threads: loading the system's authorities takes milliseconds,
/// and each set of trusted ones some hundred kilobytes, so the parent does it once for all of its children.
#[derive(Clone)]
pub struct SystemRoots(Arc<Roots>);

struct Roots {
    system: Arc<RootCertStore>,
    crypto: Arc<CryptoProvider>,
    /// By the path of the file whose authorities are trusted, too.
    verifiers: Mutex<HashMap<Option<String>, Verifier>>,
}

/// `None` when nothing at all is trusted.
type Verifier = Option<Arc<WebPkiServerVerifier>>;

impl SystemRoots {
    /// Loads them; the second value counts the certificates that could not be read.
    pub fn load() -> (Self, usize) {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (_, unreadable) = store.add_parsable_certificates(found.certs);
        (Self::of(store), unreadable + found.errors.len())
    }

    /// None at all.
    pub fn none() -> Self {
        Self::of(RootCertStore::empty())
    }

    fn of(system: RootCertStore) -> Self {
        Self(Arc::new(Roots {
            system: Arc::new(system),
            crypto: Arc::new(rustls::crypto::ring::default_provider()),
            verifiers: Mutex::default(),
        }))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.system.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.system.is_empty()
    }

    /// Makes what verifies certificates with the further authorities of a file, so that a call finds it made.
    pub fn prepare(&self, ca: Option<&CaFile>) {
        self.verifier(ca);
    }

    fn verifier(&self, ca: Option<&CaFile>) -> Verifier {
        let path = ca.map(|ca| ca.path.clone());
        let mut verifiers = lock(&self.0.verifiers);
        let verifier = verifiers.entry(path).or_insert_with(|| {
            let roots = match ca {
                None => self.0.system.clone(),
                Some(ca) => {
                    let mut store = (*self.0.system).clone();
                    store.add_parsable_certificates(ca.certificates.iter().cloned());
                    Arc::new(store)
                }
            };
            let builder = WebPkiServerVerifier::builder_with_provider(roots, self.0.crypto.clone());
            builder.build().ok()
        });
        verifier.clone()
    }
}

/// The certificate that a server showed.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` writes it.
    pub fingerprint: String,
    /// The fault of the certificate, if any; also set when verification is off.
    pub flaw: Option<CertificateError>,
    /// When it expires, unless it has another fault.
    pub not_after: Option<SystemTime>,
}

/// The certificates of a handshake.
#[derive(Debug)]
struct Shown {
    certificate: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
}

/// Verifies as rustls does, and remembers the certificate of the last handshake.
#[derive(Debug)]
pub(super) struct Recorder {
    /// None when nothing at all is trusted.
    inner: Option<Arc<WebPkiServerVerifier>>,
    crypto: Arc<CryptoProvider>,
    /// Off with `OxdServerVerify Off`: any certificate will do, but the handshake must still be signed with its key.
    verify: bool,
    shown: Mutex<Option<Shown>>,
}

impl Recorder {
    /// The certificate of the last handshake, if it came that far.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let shown = lock(&self.shown);
        let shown = shown.as_ref()?;
        let judge = |now| self.judge(&shown.certificate, &shown.others, &shown.name, &[], now);
        let flaw = match judge(UnixTime::now()) {
            Ok(_) => None,
            Err(Error::InvalidCertificate(flaw)) => Some(flaw),
            Err(_) => Some(CertificateError::BadEncoding),
        };
        // Asked whether the certificate will do at the end of time, rustls answers with the day that it runs out.
        let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(253_402_300_799));
        let not_after = match judge(end_of_time) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
            }
            _ => None,
        };
        Some(Certificate {
            fingerprint: fingerprint(&shown.certificate),
            flaw,
            not_after,
        })
    }

    /// The last certificate with its flaw, if that was the reason why there is no connection.
    pub(super) fn refused(&self) -> Option<(Certificate, CertificateError)> {
        let certificate = self.certificate().filter(|_| self.verify)?;
        let flaw = certificate.flaw.clone()?;
        Some((certificate, flaw))
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
        *lock(&self.shown) = Some(Shown {
            certificate: certificate.clone().into_owned(),
            others: others.iter().map(|other| other.clone().into_owned()).collect(),
            name: name.to_owned(),
        });
        if self.verify {
            self.judge(certificate, others, name, ocsp, now)
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

/// The TLS configuration for a server: the system's roots and those of `OxdServerCAFile`.
pub(super) fn configure(
    system: &SystemRoots,
    server: &Server<'_>,
) -> Result<(ClientConfig, Arc<Recorder>), Error> {
    let crypto = system.0.crypto.clone();
    let recorder = Arc::new(Recorder {
        inner: system.verifier(server.ca),
        crypto: crypto.clone(),
        verify: server.verify,
        shown: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    Ok((config, recorder))
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let bytes: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
