//! A TLS handshake by itself, for checks of servers that speak something else than HTTP on it.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConnection, Error, ProtocolVersion};

use super::trouble::hung_up;
use super::{Cause, Certificate, Server, SystemRoots, Trouble, tls};

/// A handshake that went well.
#[derive(Debug)]
pub struct Handshake {
    /// The version that both use, such as `TLS 1.3`.
    pub version: &'static str,
    /// The server's certificate.
    pub certificate: Option<Certificate>,
}

/// Shakes hands over a connection to a server, with a client certificate and its key in PEM if there is one. The stream's
/// own time limits hold.
///
/// # Errors
/// There is no trust in the certificate, or no TLS.
pub fn shake_hands(
    server: &Server<'_>,
    system: &SystemRoots,
    own: Option<(&str, &str)>,
    mut stream: TcpStream,
) -> Result<Handshake, Trouble> {
    let whom = server.host_and_port();
    let no_way = |why: &dyn std::fmt::Display| {
        Trouble::new(
            Cause::Handshake,
            format!("{whom} and this machine found no way to speak TLS: {why}"),
        )
    };
    let (mut config, recorder) = tls::configure(system, server).map_err(|why| no_way(&why))?;
    if let Some((certificates, key)) = own {
        let key =
            certified(certificates, key).map_err(|why| no_way(&format!("the own certificate: {why}")))?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(key));
    }
    let name = ServerName::try_from(server.host()).map_err(|why| no_way(&why))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|why| no_way(&why))?;
    let why = loop {
        match connection.complete_io(&mut stream) {
            Ok(_) if connection.is_handshaking() => {}
            Ok(_) => {
                return Ok(Handshake {
                    version: version(connection.protocol_version()),
                    certificate: recorder.certificate(),
                });
            }
            Err(why) => break why,
        }
    };
    if let Some((certificate, flaw)) = recorder.refused() {
        return Err(Trouble::certificate(server, &certificate, &flaw));
    }
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    Err(match (inner, why.kind()) {
        (Some(Error::InvalidMessage(_)), _) => not_tls(&whom),
        (Some(other), _) => no_way(other),
        (None, kind) if hung_up(kind) => not_tls(&whom),
        (None, ErrorKind::WouldBlock | ErrorKind::TimedOut) => Trouble::new(
            Cause::NoAnswer,
            format!("{whom} was connected, but gave no answer to a TLS handshake"),
        ),
        (None, _) => no_way(&why),
    })
}

fn not_tls(whom: &str) -> Trouble {
    Trouble::new(
        Cause::NotTls,
        format!("what listens at {whom} does not speak TLS"),
    )
}

/// Whether a client certificate and a key, both in PEM, can be used together.
///
/// # Errors
/// They cannot, for this reason.
pub fn fit_together(certificates: &str, key: &str) -> Result<(), String> {
    certified(certificates, key).map(|_| ())
}

fn certified(certificates: &str, key: &str) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
    let chain = chain.map_err(|why| why.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|why| why.to_string())?;
    let crypto = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &crypto).map_err(|why| match why {
        Error::InconsistentKeys(_) => "it is not the key of the certificate".to_owned(),
        other => other.to_string(),
    })
}

fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}
