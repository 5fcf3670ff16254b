//! The certified OpenID Provider of npm's `oidc-provider`, in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use oxd_dev::ProviderOptions;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::npm::NpmPackage;

/// The provider's package, in `tests/provider`.
const PACKAGE: NpmPackage = NpmPackage {
    name: "oidc-provider",
    files: &[
        ("package.json", include_str!("../provider/package.json")),
        ("package-lock.json", include_str!("../provider/package-lock.json")),
        (PROGRAM, include_str!("../provider/provider.mjs")),
    ],
};
const PROGRAM: &str = "provider.mjs";

/// A running `oidc-provider`, which knows whom oxd-dev's own provider would know. Gone when dropped.
pub struct CertifiedProvider {
    node: Child,
    issuer: String,
    complaints: NamedTempFile,
}

impl CertifiedProvider {
    /// Starts it on a free port, installing it before if need be. Of the options, users, `acr`
    /// values and lifetimes count. `clients` is the metadata of clients that do not say otherwise
    /// when they register.
    #[track_caller]
    pub fn start(options: &ProviderOptions, clients: &Value) -> CertifiedProvider {
        let users = options
            .users
            .iter()
            .map(|user| json!({ "name": user.name, "password": user.password, "claims": user.claims }));
        let settings = json!({
            "users": users.collect::<Vec<_>>(),
            "acrs": options.acrs,
            "access_token_lifetime": options.access_token_lifetime.as_secs(),
            "id_token_lifetime": options.id_token_lifetime.as_secs(),
            "clients": clients,
        });
        let complaints = NamedTempFile::new().expect("a file for the provider's complaints");
        let node = Command::new("node")
            .arg(installed().join(PROGRAM))
            .arg(settings.to_string())
            // It ends with its standard input, even when this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.reopen().expect("the file for the complaints"))
            .spawn()
            .unwrap_or_else(|error| panic!("node (package nodejs, 18 or newer): {error}"));
        let mut provider = CertifiedProvider {
            node,
            issuer: String::new(),
            complaints,
        };
        let output = provider.node.stdout.take().expect("the provider's output");
        let mut line = String::new();
        // Ends without a line when the provider does.
        let read = BufReader::new(output).read_line(&mut line);
        read.expect("the provider's output");
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(issuer) = ready["issuer"].as_str() else {
            // What it complained about follows when it is dropped.
            panic!("the certified provider does not start: {line}");
        };
        issuer.clone_into(&mut provider.issuer);
        provider
    }

    /// Its issuer, which is where it listens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl Drop for CertifiedProvider {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
        if std::thread::panicking() {
            let complaints = fs::read_to_string(self.complaints.path()).unwrap_or_default();
            eprintln!("the certified provider said:\n{complaints}");
        }
    }
}

/// The directory with the provider and its packages, installed once.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| PACKAGE.install())
}
