//! The settings of a store, kept as long as it.

use oxd_core::base::Secret;
use oxd_core::config::store::{PemFile, StoreAddress, StoreSettings, StoreTimeouts};
use redis::{ClientTlsConfig, TlsCertificates};

use crate::tls;

/// [`StoreSettings`] with values of its own.
pub(crate) struct Settings {
    pub address: StoreAddress,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub sentinel_password: Option<Secret>,
    pub timeouts: StoreTimeouts,
    pub prefix: String,
    /// `None` where the system's roots suffice, and for connections without TLS.
    pub certificates: Option<TlsCertificates>,
    /// The files of the certificates, as the directives name them.
    files: [Option<String>; 3],
}

fn files<'a>(settings: &StoreSettings<'a>) -> [Option<&'a str>; 3] {
    let path = |file: Option<&'a PemFile>| file.map(|file| file.path.as_str());
    let ca = settings.ca.map(|ca| ca.path.as_str());
    [ca, path(settings.certificate), path(settings.key)]
}

impl Settings {
    pub(crate) fn of(settings: &StoreSettings<'_>) -> Self {
        let client_tls = settings.certificate.zip(settings.key).map(|(certificate, key)| {
            let bytes = |file: &PemFile| file.text.expose().as_bytes().to_vec();
            ClientTlsConfig {
                client_cert: bytes(certificate),
                client_key: bytes(key),
            }
        });
        let root_cert = settings.ca.map(tls::with_system_roots);
        let needed = settings.address.tls && (client_tls.is_some() || root_cert.is_some());
        Self {
            address: settings.address.clone(),
            user: settings.user.map(str::to_owned),
            password: settings.password.cloned(),
            sentinel_password: settings.sentinel_password.cloned(),
            timeouts: settings.timeouts,
            prefix: settings.prefix.to_owned(),
            certificates: needed.then_some(TlsCertificates {
                client_tls,
                root_cert,
            }),
            files: files(settings).map(|file| file.map(str::to_owned)),
        }
    }

    /// Whether they are these. Files are compared by their names: a process reads them once.
    pub(crate) fn are(&self, settings: &StoreSettings<'_>) -> bool {
        self.address == *settings.address
            && self.prefix == settings.prefix
            && self.timeouts == settings.timeouts
            && self.user.as_deref() == settings.user
            && self.password.as_ref() == settings.password
            && self.sentinel_password.as_ref() == settings.sentinel_password
            && files(settings)
                .iter()
                .zip(&self.files)
                .all(|(theirs, ours)| *theirs == ours.as_deref())
    }
}
