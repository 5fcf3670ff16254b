//! Certificates for httpd's own TLS.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// An authority that a test's browser trusts.
pub struct Authority {
    /// The authority's certificate in PEM.
    pub certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and key, in PEM.
pub struct Certificate {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

impl Authority {
    /// A new authority, with a key of its own.
    pub fn new() -> Authority {
        let make = || -> Result<Authority, rcgen::Error> {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(Vec::new())?;
            // OpenSSL takes a certificate with the name of its authority for one that is signed by itself.
            params
                .distinguished_name
                .push(DnType::CommonName, "an authority of the tests");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let certificate = params.self_signed(&key)?;
            Ok(Authority {
                certificate_pem: certificate.pem(),
                issuer: Issuer::new(params, key),
            })
        };
        make().unwrap_or_else(|error| panic!("no certificate for the authority: {error}"))
    }

    /// A certificate for `localhost` and 127.0.0.1.
    pub fn certify(&self) -> Certificate {
        self.make(&["localhost", "127.0.0.1"], |_| {})
    }

    /// A certificate for another name.
    pub fn certify_name(&self, name: &str) -> Certificate {
        self.make(&[name], |_| {})
    }

    /// A certificate that ran out at the beginning of 2020.
    pub fn certify_the_past(&self) -> Certificate {
        self.make(&["localhost", "127.0.0.1"], |params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        })
    }

    fn make(&self, names: &[&str], change: fn(&mut CertificateParams)) -> Certificate {
        let make = || -> Result<Certificate, rcgen::Error> {
            let key = KeyPair::generate()?;
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names)?;
            change(&mut params);
            let certificate = params.signed_by(&key, &self.issuer)?;
            Ok(Certificate {
                certificate_pem: certificate.pem(),
                key_pem: key.serialize_pem(),
            })
        };
        make().unwrap_or_else(|error| panic!("no certificate for the server: {error}"))
    }
}
