//! The two servers of the demo: the development oxd server, in this process, and httpd.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use oxd_dev::{Addresses, DevServer, Options, Provider, ProviderOptions, Site, Tls, UmaSite};
use oxd_tests::{Browser, Builder, Httpd};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::Ports;

const CONFIGURATION: &str = include_str!("../../apache-conf/demo.conf");
const START_PAGE: &str = include_str!("../../apache-conf/demo/htdocs/index.html");
/// The other files of the site.
const DOCUMENTS: [(&str, &str); 6] = [
    (
        "style.css",
        include_str!("../../apache-conf/demo/htdocs/style.css"),
    ),
    (
        "staff/index.html",
        include_str!("../../apache-conf/demo/htdocs/staff/index.html"),
    ),
    (
        "vault/index.html",
        include_str!("../../apache-conf/demo/htdocs/vault/index.html"),
    ),
    (
        "form/index.html",
        include_str!("../../apache-conf/demo/htdocs/form/index.html"),
    ),
    (
        "photos/index.html",
        include_str!("../../apache-conf/demo/htdocs/photos/index.html"),
    ),
    (
        "photos/lake.svg",
        include_str!("../../apache-conf/demo/htdocs/photos/lake.svg"),
    ),
];
/// Its programs.
const PROGRAMS: [(&str, &str); 3] = [
    (
        "private/index.cgi",
        include_str!("../../apache-conf/demo/htdocs/private/index.cgi"),
    ),
    (
        "api/index.cgi",
        include_str!("../../apache-conf/demo/htdocs/api/index.cgi"),
    ),
    (
        "form/send/index.cgi",
        include_str!("../../apache-conf/demo/htdocs/form/send/index.cgi"),
    ),
];

/// The number of log lines shown after a failure.
const LOG_LINES: usize = 15;

/// The servers, running.
pub struct Servers {
    pub httpd: Httpd,
    oxd: DevServer,
}

impl Servers {
    /// Starts both. The error is the fault of the one that does not start, with its log.
    pub fn start(ports: Ports, directory: TempDir) -> Result<Servers, String> {
        let log = directory.path().join("oxd-dev.log");
        let builder = Builder::in_directory("demo".to_owned(), directory, ports.httpd);
        let options = Options {
            listen: ports.oxd.address(),
            tls: Tls::SelfSigned,
            provider: Provider::BuiltIn(ProviderOptions {
                listen: ports.provider.address(),
                ..ProviderOptions::default()
            }),
            log: Some(log_to(log)?),
            ..Options::default()
        };
        let oxd = DevServer::start(options).map_err(|why| format!("the development oxd server: {why}"))?;
        register(&oxd, &builder)?;
        builder.file("oxd-cert.pem", &oxd.ca_pem().unwrap_or_default());
        for (name, text) in DOCUMENTS {
            builder.file(&format!("htdocs/{name}"), text);
        }
        for (name, text) in PROGRAMS {
            set_mode(builder.file(&format!("htdocs/{name}"), text), 0o755)?;
        }
        let root = builder.file("htdocs/index.html", "");
        let files = root.ancestors().nth(2).unwrap_or(&root).display().to_string();
        let start_page = [
            ("@SITE@", builder.url("")),
            ("@OXD@", oxd.url()),
            ("@OWNERS_PAGE@", owners_page(&oxd)),
            ("@FILES@", files.replace('&', "&amp;").replace('<', "&lt;")),
        ];
        let start_page = start_page
            .iter()
            .fold(START_PAGE.to_owned(), |page, (name, value)| {
                page.replace(name, value)
            });
        builder.file("htdocs/index.html", &start_page);
        builder.file("resources.json", &resources().to_string());
        let httpd = builder
            .without_documents()
            .without_overwriting()
            .log_level("warn oxd:info")
            .define("OXD", &oxd.url())
            .config(CONFIGURATION)
            .try_start();
        match httpd {
            Ok(httpd) => Ok(Servers { httpd, oxd }),
            Err(log) => Err(format!(
                "httpd does not start; the end of its log:\n{}",
                last_lines(&log)
            )),
        }
    }

    /// The site's address, without a slash at the end.
    pub fn site(&self) -> String {
        self.httpd.url("")
    }

    /// The provider's address, without a slash at the end.
    pub fn provider(&self) -> String {
        self.oxd.provider_url()
    }

    /// The address of the oxd API.
    pub fn oxd(&self) -> String {
        self.oxd.url()
    }

    /// The page on which the owner of the photo album decides.
    pub fn owners_page(&self) -> String {
        owners_page(&self.oxd)
    }

    /// The certificate of the oxd API, in PEM.
    pub fn oxd_certificate(&self) -> String {
        self.oxd.ca_pem().unwrap_or_default()
    }

    /// Stops both and returns the faults of httpd's run. No file is left.
    pub fn end(self) -> Result<(), String> {
        self.httpd.verdict()
    }
}

fn owners_page(oxd: &DevServer) -> String {
    format!("{}/uma/requests", oxd.provider_url())
}

/// Registers the site of `/oxd`, and one whose redirect URIs are those of the oxd tutorial.
fn register(oxd: &DevServer, builder: &Builder) -> Result<(), String> {
    let urls = |paths: &[&str]| paths.iter().map(|path| builder.url(path)).collect();
    let site = Addresses {
        redirect_uris: urls(&["/oxd/callback"]),
        post_logout_redirect_uris: urls(&["/oxd/logout"]),
        backchannel_logout_uri: Some(builder.url("/oxd/backchannel-logout")),
        backchannel_logout_session_required: true,
        ..Addresses::default()
    };
    let tutorial = Addresses {
        redirect_uris: urls(&["/cgi-bin/oxd.py/login", "/cgi-bin/oxd.py/index"]),
        post_logout_redirect_uris: urls(&["/cgi-bin/oxd.py/logout"]),
        ..Addresses::default()
    };
    // There are secrets in them.
    let keep = |name: &str, text: Value| {
        let file = builder.file(name, "");
        set_mode(file.clone(), 0o600)?;
        fs::write(&file, text.to_string()).map_err(|why| format!("{}: {why}", file.display()))
    };
    for (file, addresses) in [("site.json", site), ("tutorial-site.json", tutorial)] {
        let uma = UmaSite {
            claims_redirect_uris: urls(&["/oxd/claims"]),
            // As oxdctl register --uma has it.
            rpt_as_jwt: true,
        };
        let registered = match file {
            "site.json" => oxd.try_register_uma(&addresses, &uma),
            _ => oxd.try_register(&addresses),
        };
        let site: Site =
            registered.map_err(|why| format!("the site of {file} cannot be registered: {why}"))?;
        if file == "site.json" {
            // What an API client asks for a token with.
            let client = json!({
                "client_id": site.client_id, "client_secret": site.client_secret, "op_host": site.op_host,
                "scope": ["openid", "oxd"],
            });
            protect(oxd, &site, &client);
            keep("client.json", client)?;
        }
        keep(file, json!(site))?;
    }
    Ok(())
}

/// The photo album, as `uma-rs-protect` wants it and as the module reads it.
fn resources() -> Value {
    json!({"resources": [{"path": "/photos/??", "conditions": [{"httpMethods": ["GET"], "scopes": ["see"]}]}]})
}

/// Registers the album at the authorization server, as `oxdctl uma protect` does. Fails by panicking.
fn protect(oxd: &DevServer, site: &Site, client: &Value) {
    let browser = Browser::trusting(&oxd.ca_pem().unwrap_or_default());
    let ask = |command: &str| {
        let ask = browser.ask("POST", format!("{}/{command}", oxd.url()));
        ask.header("content-type", "application/json")
    };
    let token = ask("get-client-token").body(client.to_string().into()).send();
    let token = token.expect(200).json();
    let mut members = resources();
    members["oxd_id"] = json!(site.oxd_id);
    let token = format!("Bearer {}", token["access_token"].as_str().unwrap_or_default());
    let answer = ask("uma-rs-protect")
        .header("authorization", &token)
        .body(members.to_string().into())
        .send();
    answer.expect(200);
}

fn set_mode(file: PathBuf, mode: u32) -> Result<(), String> {
    fs::set_permissions(&file, Permissions::from_mode(mode))
        .map_err(|why| format!("{}: {why}", file.display()))
}

fn log_to(file: PathBuf) -> Result<oxd_dev::Log, String> {
    let open = File::create(&file).map_err(|why| format!("{}: {why}", file.display()))?;
    Ok(Arc::new(move |line| {
        // A log that cannot be written stops nothing. One write for a line: there are two threads.
        let _ = (&open).write_all(format!("{line}\n").as_bytes());
    }))
}

/// The end of a log, indented.
pub fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    let lines = lines[from..].iter().map(|line| format!("    {line}"));
    lines.collect::<Vec<_>>().join("\n")
}
