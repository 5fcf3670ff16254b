//! Writes the configuration, the documents and the certificates of one httpd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;
use regex::Regex;
use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::freed;
use crate::httpd::Httpd;
use crate::install::Install;
use crate::port::Port;
use crate::store::Store;
use crate::test_name;
use crate::wait::WAIT;

/// The multi-processing modules that httpd can run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mpm {
    /// Threads, and a listener that keeps idle connections: httpd's default.
    Event,
    /// Threads, one per connection.
    Worker,
    /// One process per connection.
    Prefork,
}

/// Describes an httpd before it starts.
///
/// A fragment of configuration may use httpd's own `${NAME}` for what [`Builder::define`] defines;
/// `${ROOT}`, `${DOCROOT}`, `${PORT}` and, with [`Builder::tls`], `${TLS_PORT}` are always there.
pub struct Builder {
    pub(crate) name: String,
    pub(crate) root: TempDir,
    pub(crate) port: Port,
    pub(crate) tls_port: Option<Port>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) allowed: Vec<Regex>,
    pub(crate) mpm: Mpm,
    pub(crate) processes: Option<u32>,
    pub(crate) threads: u32,
    pub(crate) log_level: String,
    pub(crate) load_module: bool,
    pub(crate) wipe: bool,
    pub(crate) counted: bool,
    pub(crate) documents: bool,
    pub(crate) modules: Vec<String>,
    pub(crate) defines: Vec<(String, String)>,
    pub(crate) fragments: Vec<String>,
}

/// The result of `httpd -t`.
pub struct ConfigTest {
    /// Whether httpd would start.
    pub ok: bool,
    /// The output.
    pub output: String,
}

impl Builder {
    /// An httpd named after the running test, with the module loaded, under the event MPM.
    pub(crate) fn new() -> Builder {
        let name = test_name();
        // The path must leave room for sockets below it.
        let short: String = name.chars().take(40).collect();
        let root = tempfile::Builder::new()
            .prefix(&format!("oxd-{short}-"))
            .tempdir();
        let root = root.unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        Builder::in_directory(name, root, Port::reserve())
    }

    /// An httpd of this name, with its files in this directory and on this port.
    pub fn in_directory(name: String, root: TempDir, port: Port) -> Builder {
        Builder {
            name,
            root,
            port,
            tls_port: None,
            environment: freed::sanitizer()
                .map(|runtime| ("LD_PRELOAD".to_owned(), runtime))
                .into_iter()
                .collect(),
            allowed: Vec::new(),
            mpm: Mpm::Event,
            processes: None,
            threads: 32,
            log_level: "warn oxd:debug".to_owned(),
            load_module: true,
            wipe: true,
            counted: false,
            documents: true,
            modules: Vec::new(),
            defines: Vec::new(),
            fragments: Vec::new(),
        }
    }

    /// The MPM to run with.
    pub fn mpm(mut self, mpm: Mpm) -> Builder {
        self.mpm = mpm;
        self
    }

    /// At most this many child processes, each with so many threads (under prefork always one),
    /// instead of a few.
    pub fn processes(mut self, processes: u32, threads: u32) -> Builder {
        self.processes = Some(processes);
        self.threads = threads;
        // A small server can have all its hands full, and says so.
        self.allow_log("AH00(161|484|286): server reached MaxRequestWorkers")
    }

    /// The value of `LogLevel`, instead of `warn oxd:debug`.
    pub fn log_level(mut self, log_level: &str) -> Builder {
        log_level.clone_into(&mut self.log_level);
        self
    }

    /// Leaves the module under test out, for tests of the bed and for comparisons.
    pub fn without_module(mut self) -> Builder {
        self.load_module = false;
        // httpd takes no level for a module that is not there.
        self.log_level("warn")
    }

    /// Leaves freed memory as it is, for tests that measure what a request costs.
    ///
    /// Otherwise every pool that httpd destroys is overwritten at once, so that a module which goes on using
    /// what was in it reads rubbish.
    pub fn without_overwriting(mut self) -> Builder {
        self.wipe = false;
        self
    }

    /// Leaves the bed's documents out: the fragments say what is served, and as which types.
    pub fn without_documents(mut self) -> Builder {
        self.documents = false;
        self
    }

    /// Loads one more module of httpd's own, by its name without `mod_`.
    pub fn load(mut self, name: &str) -> Builder {
        self.modules.push(name.to_owned());
        self
    }

    /// Keeps sessions there.
    pub fn store(self, store: &Store) -> Builder {
        let builder = self.config(&store.directive());
        match store.kind().module() {
            Some(module) => builder.load(module),
            None => builder,
        }
    }

    /// Adds a fragment of configuration, at the level of the server.
    pub fn config(mut self, fragment: &str) -> Builder {
        self.fragments.push(fragment.to_owned());
        self
    }

    /// Adds a fragment of configuration in front of all others.
    pub(crate) fn first_config(mut self, fragment: &str) -> Builder {
        self.fragments.insert(0, fragment.to_owned());
        self
    }

    /// Makes `${name}` stand for `value` in the fragments.
    pub fn define(mut self, name: &str, value: &str) -> Builder {
        self.defines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable in httpd's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Builder {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Expects lines in the error log that would otherwise fail the test.
    #[track_caller]
    pub fn allow_log(mut self, pattern: &str) -> Builder {
        self.allowed
            .push(Regex::new(pattern).expect("a pattern for log lines"));
        self
    }

    /// Adds a virtual host that answers over TLS with this certificate and shares the fragments.
    pub fn tls(mut self, certificate: &Certificate) -> Builder {
        let port = Port::reserve();
        write(&self.path("tls.pem"), &certificate.certificate_pem);
        write(&self.path("tls.key"), &certificate.key_pem);
        self = self
            .define("TLS_PORT", &port.number().to_string())
            .load("ssl")
            .load("socache_shmcb");
        self.fragments.push(
            "Listen 127.0.0.1:${TLS_PORT}\n\
             SSLSessionCache shmcb:${ROOT}/run/tls(512000)\n\
             <VirtualHost 127.0.0.1:${TLS_PORT}>\n\
             ServerName localhost:${TLS_PORT}\n\
             SSLEngine on\n\
             SSLCertificateFile \"${ROOT}/tls.pem\"\n\
             SSLCertificateKeyFile \"${ROOT}/tls.key\"\n\
             </VirtualHost>\n"
                .to_owned(),
        );
        self.tls_port = Some(port);
        // What mod_ssl says where the installed OpenSSL is another one than it was built with.
        self.allow_log("AH01882: Init: this version of mod_ssl was compiled against")
    }

    /// A path below the server's root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file below the server's root, making its directory, and returns its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let directory = path.parent().unwrap_or(self.root.path());
        fs::create_dir_all(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        write(&path, text);
        let words = ["key", "secret", "password"];
        let is_secret = name.ends_with(".json") || words.iter().any(|word| name.contains(word));
        if is_secret && !name.starts_with("docroot/") {
            let mode = PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, mode).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        path
    }

    /// The URL of a path on this httpd.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    /// The URL of a path on the virtual host that answers over TLS.
    pub fn tls_url(&self, path: &str) -> String {
        let port = self.tls_port.as_ref().map(Port::number);
        format!("https://localhost:{}{path}", port.expect("tls() was called"))
    }

    /// Starts httpd and waits until it accepts connections.
    pub fn start(mut self) -> Httpd {
        if self.wipe {
            for (name, value) in freed::environment() {
                self = self.environment(name, &value);
            }
        }
        self.write_all();
        Httpd::launch(self)
    }

    /// The same without failing the test: the fault is returned.
    pub fn try_start(self) -> Result<Httpd, String> {
        self.write_all();
        Httpd::try_launch(self)
    }

    /// Starts httpd, which must fail, and returns its output.
    #[track_caller]
    pub fn start_fails(self) -> String {
        self.write_all();
        let output = self.run("-DFOREGROUND");
        assert!(
            !output.ok,
            "httpd started, and ended without an error: {}",
            output.output
        );
        output.output
    }

    /// Runs `httpd -t` on the configuration.
    pub fn configtest(self) -> ConfigTest {
        self.write_all();
        self.run("-t")
    }

    fn run(&self, option: &str) -> ConfigTest {
        // Should it start after all, it ends after a while.
        let output = Command::new("timeout")
            .arg(WAIT.as_secs().to_string())
            .arg(&Install::get().binary)
            .arg(option)
            .arg("-f")
            .arg(self.path("httpd.conf"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap_or_else(|error| panic!("cannot run httpd {option}: {error}"));
        let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        if let Ok(log) = fs::read_to_string(self.path("error.log")) {
            text.push_str(&log);
        }
        ConfigTest {
            ok: output.status.success(),
            output: text,
        }
    }

    fn write_all(&self) {
        // httpd's children run as somebody else when it is started as root.
        if geteuid().is_root() {
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(self.root.path(), open).expect("permissions of the root");
        }
        self.file("run/.keep", "");
        if self.documents {
            self.write_documents();
        }
        self.file("httpd.conf", &self.text());
    }

    fn write_documents(&self) {
        self.file(
            "mime.types",
            "text/html html\ntext/plain txt\napplication/octet-stream bin\n",
        );
        self.file(
            "docroot/index.html",
            "<!DOCTYPE html><title>public</title><p>public page",
        );
        self.file("docroot/1k.bin", &"k".repeat(1024));
        self.file(
            "docroot/app/index.html",
            "<!DOCTYPE html><title>app</title><p>application",
        );
        self.file("docroot/app/1k.bin", &"k".repeat(1024));
        self.file(
            "docroot/app/other.html",
            "<!DOCTYPE html><title>other</title><p>other page",
        );
        // NUL between the variables: a claim may hold a line break.
        let script = "#!/bin/sh\ncat >/dev/null\nprintf 'Content-Type: text/plain\\n\\n'\nexec env -0\n";
        let script = self.file("cgi-bin/env", script);
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .expect("permissions of the CGI script");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
