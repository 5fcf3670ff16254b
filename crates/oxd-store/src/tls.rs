//! Whom to trust.

use oxd_core::config::CaFile;

/// The system's roots and those of `OxdStoreCAFile`, as PEM: the client takes one list in place of the system's.
pub(crate) fn with_system_roots(ca: &CaFile) -> Vec<u8> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut pem = String::new();
    for certificate in system.iter().chain(&ca.certificates) {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        base64_simd::STANDARD.encode_append(certificate.as_ref(), &mut pem);
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}
