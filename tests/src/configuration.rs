//! Puts the configuration of one httpd together.

use std::path::Path;

use crate::builder::{Builder, Mpm};
use crate::freed;
use crate::install::{Install, identity};
use crate::module::module;

impl Builder {
    /// `httpd.conf`.
    pub(crate) fn text(&self) -> String {
        let install = Install::get();
        let mut text = String::new();
        let mut line = |s: &str| {
            text.push_str(s);
            text.push('\n');
        };
        let root = self.root.path().display();
        line(&format!(
            "ServerRoot \"{root}\"\nDefine ROOT {root}\nDefine DOCROOT {root}/docroot"
        ));
        line(&format!("Define PORT {}", self.port.number()));
        for (name, value) in &self.defines {
            line(&format!("Define {name} \"{value}\""));
        }
        line("DefaultRuntimeDir run\nPidFile run/httpd.pid\nErrorLog error.log");
        line(&format!("LogLevel {}", self.log_level));
        line("ServerName 127.0.0.1:${PORT}\nListen 127.0.0.1:${PORT}");
        line(&identity());
        let mpm = match self.mpm {
            Mpm::Event => "mpm_event",
            Mpm::Worker => "mpm_worker",
            Mpm::Prefork => "mpm_prefork",
        };
        let basic = [
            mpm,
            "cgi",
            "unixd",
            "authn_core",
            "authz_core",
            "authz_host",
            "authz_user",
            "log_config",
            "mime",
            "dir",
            "alias",
            "env",
            "setenvif",
            "headers",
        ];
        let wanted = basic.into_iter().chain(self.modules.iter().map(String::as_str));
        let mut loaded: Vec<&str> = Vec::new();
        for name in wanted {
            if !loaded.contains(&name) {
                line(&install.load(name));
                loaded.push(name);
            }
        }
        if self.load_module {
            line(&format!("LoadModule oxd_module \"{}\"", module().display()));
        }
        line(&self.limits());
        if self.wipe {
            line(freed::CONFIG);
        }
        if freed::sanitizer().is_some() {
            line(freed::INSPECTED);
        }
        if self.documents {
            line(DOCUMENTS);
            // As httpd's own default: nobody delegates anything, unless a test does.
            if has_htaccess(&self.root.path().join("docroot")) {
                line("<Directory \"${DOCROOT}\">\nAllowOverride AuthConfig\n</Directory>");
            }
        }
        for fragment in &self.fragments {
            line(fragment);
        }
        text
    }

    fn limits(&self) -> String {
        let threads = self.threads;
        match (self.mpm, self.processes) {
            (Mpm::Prefork, None) => {
                "StartServers 3\nMinSpareServers 2\nMaxSpareServers 8\nMaxRequestWorkers 64".into()
            }
            (Mpm::Prefork, Some(n)) => format!(
                "StartServers {n}\nMinSpareServers {n}\nMaxSpareServers {}\nServerLimit {n}\n\
                 MaxRequestWorkers {n}",
                n + 1
            ),
            (_, None) => format!(
                "StartServers 1\nServerLimit 8\nThreadsPerChild {threads}\nThreadLimit {threads}\n\
                 MinSpareThreads 1\nMaxSpareThreads {}\nMaxRequestWorkers {}",
                threads * 4,
                threads * 8
            ),
            (_, Some(n)) => format!(
                "StartServers {n}\nServerLimit {n}\nThreadsPerChild {threads}\n\
                 ThreadLimit {threads}\nMinSpareThreads 1\nMaxSpareThreads {}\n\
                 MaxRequestWorkers {}",
                threads * n,
                threads * n
            ),
        }
    }
}

/// Whether a directory, or one below it, has a `.htaccess` file.
fn has_htaccess(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        entry.file_name() == ".htaccess"
            || entry.file_type().is_ok_and(|kind| kind.is_dir()) && has_htaccess(&entry.path())
    })
}

const DOCUMENTS: &str = r#"
Timeout 30
KeepAliveTimeout 5
TypesConfig mime.types
DocumentRoot "${DOCROOT}"
DirectoryIndex index.html
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "${DOCROOT}">
    AllowOverride None
    Require all granted
</Directory>
# The same program, once where a suite protects it and once where it does not.
ScriptAlias /app/env "${ROOT}/cgi-bin/env"
ScriptAlias /public/env "${ROOT}/cgi-bin/env"
<Directory "${ROOT}/cgi-bin">
    AllowOverride None
    Options +ExecCGI -MultiViews +SymLinksIfOwnerMatch
    Require all granted
</Directory>
"#;
