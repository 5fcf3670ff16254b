//! `oxd-dev`: the stand-in for oxd-server as a program, for demonstrations and development.

#![forbid(unsafe_code)]

use clap::Parser;
use oxd_dev::{
    Addresses, DevServer, Error, Like, Options, Provider, ProviderOptions, Tls, UmaOptions, UmaSite, User,
};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// A stand-in for oxd-server with a small OpenID Provider, for development only.
///
/// It is not oxd-server. It answers oxd's REST API well enough to develop against, keeps
/// everything in memory and protects nobody: never let it face a network that matters.
#[derive(Parser)]
#[command(name = "oxd-dev", version)]
struct Arguments {
    /// Where the oxd API listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Speak https with a self-signed certificate made at start
    #[arg(long)]
    tls: bool,
    /// Write that certificate as PEM, so that a client can trust it
    #[arg(long, value_name = "FILE", requires = "tls")]
    cert_out: Option<PathBuf>,
    /// A further name or address in the certificate (repeat)
    #[arg(long, value_name = "NAME", requires = "tls")]
    tls_name: Vec<String>,
    /// Where the built-in provider listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8445")]
    provider_listen: SocketAddr,
    /// JSON file with the built-in provider's users: [{"name", "password", "claims": {"sub"}}]
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    users: Option<PathBuf>,
    /// Do not ask users for consent
    #[arg(long, conflicts_with = "issuer")]
    no_consent: bool,
    /// Use this OpenID Provider instead of the built-in one
    #[arg(long, value_name = "URL", conflicts_with = "provider_listen")]
    issuer: Option<String>,
    /// PEM certificates to trust for that provider
    #[arg(long, value_name = "FILE", requires = "issuer")]
    issuer_ca: Option<PathBuf>,
    /// A client known to that provider; without it the client is registered dynamically
    #[arg(long, value_name = "ID", requires = "issuer", requires = "client_secret")]
    client_id: Option<String>,
    /// The secret of that client
    #[arg(long, value_name = "SECRET", requires = "client_id")]
    client_secret: Option<String>,
    /// Do not ask for client tokens (protect_commands_with_access_token: false)
    #[arg(long)]
    no_protect: bool,
    /// Answer like this version of oxd where versions differ: 4.1, 4.2, 4.3 or 4.5
    #[arg(long, value_name = "VERSION", default_value = "4.5")]
    like: Like,
    /// Register a site at start and write what register-site answers to FILE (mode 0600)
    #[arg(long, value_name = "FILE", requires = "redirect_uri")]
    register_site: Option<PathBuf>,
    /// A redirect URI of that site (repeat; the first one is the one oxd uses)
    #[arg(long, value_name = "URI", requires = "register_site")]
    redirect_uri: Vec<String>,
    /// A post-logout redirect URI of that site (repeat)
    #[arg(long, value_name = "URI", requires = "register_site")]
    post_logout_redirect_uri: Vec<String>,
    /// What the provider loads in a frame when a user signs out there
    #[arg(long, value_name = "URI", requires = "register_site")]
    frontchannel_logout_uri: Option<String>,
    /// Where the provider sends logout tokens when a user signs out there
    #[arg(long, value_name = "URI", requires = "register_site")]
    backchannel_logout_uri: Option<String>,
    /// Where claims gathering returns to (UMA): gives that site the scope uma_protection (repeat)
    #[arg(long, value_name = "URI", requires = "register_site")]
    claims_redirect_uri: Vec<String>,
    /// Give that site RPTs that are JWTs
    #[arg(long, requires = "claims_redirect_uri")]
    rpt_as_jwt: bool,
    /// Write both URLs as JSON once everything is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("oxd-dev: {why}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| format!("cannot start: {why}"))?;
    // Installed before anything is announced, so that no signal comes too early.
    let signals = runtime
        .block_on(async { Signals::new() })
        .map_err(|why| why.to_string())?;
    let server = DevServer::start(options(&arguments)?).map_err(|why: Error| why.to_string())?;
    announce(&server, &arguments)?;
    runtime.block_on(signals.wait());
    eprintln!("oxd-dev: stopping");
    Ok(())
}

fn options(arguments: &Arguments) -> Result<Options, String> {
    let provider = match &arguments.issuer {
        Some(issuer) => {
            let client = arguments.client_id.clone().zip(arguments.client_secret.clone());
            Provider::External {
                issuer: issuer.clone(),
                client,
            }
        }
        None => {
            let mut provider = ProviderOptions {
                listen: arguments.provider_listen,
                consent: !arguments.no_consent,
                ..ProviderOptions::default()
            };
            if let Some(file) = &arguments.users {
                provider.users = users(file)?;
                let owner = provider.users.first().map(|user| user.name.as_str());
                provider.uma = owner.map(UmaOptions::owned_by);
            }
            Provider::BuiltIn(provider)
        }
    };
    let mut options = Options {
        listen: arguments.listen,
        tls: if arguments.tls { Tls::SelfSigned } else { Tls::Off },
        provider,
        protect_commands: !arguments.no_protect,
        like: arguments.like,
        log: Some(Arc::new(|line| eprintln!("oxd-dev: {line}"))),
        ..Options::default()
    };
    options.tls_names.extend(arguments.tls_name.iter().cloned());
    if let Some(file) = &arguments.issuer_ca {
        options.provider_ca = Some(read(file)?);
    }
    Ok(options)
}

fn users(file: &Path) -> Result<Vec<User>, String> {
    let bad = |why: &str| format!("{}: {why}", file.display());
    let list: Vec<Value> = serde_json::from_str(&read(file)?).map_err(|why| bad(&why.to_string()))?;
    let text = |user: &Value, member: &str| user.get(member)?.as_str().map(str::to_owned);
    list.iter()
        .map(|user| {
            let name = text(user, "name").ok_or_else(|| bad("a user without a name"))?;
            let password =
                text(user, "password").ok_or_else(|| bad(&format!("the user {name} has no password")))?;
            let claims = user.get("claims").cloned().unwrap_or_default();
            Ok(User::new(&name, &password, claims))
        })
        .collect()
}

fn announce(server: &DevServer, arguments: &Arguments) -> Result<(), String> {
    if let (Some(file), Some(pem)) = (&arguments.cert_out, server.ca_pem()) {
        write(file, &pem, 0o644)?;
    }
    if let Some(file) = &arguments.register_site {
        let addresses = Addresses {
            redirect_uris: arguments.redirect_uri.clone(),
            post_logout_redirect_uris: arguments.post_logout_redirect_uri.clone(),
            frontchannel_logout_uri: arguments.frontchannel_logout_uri.clone(),
            backchannel_logout_uri: arguments.backchannel_logout_uri.clone(),
            backchannel_logout_session_required: true,
        };
        let uma = UmaSite {
            claims_redirect_uris: arguments.claims_redirect_uri.clone(),
            rpt_as_jwt: arguments.rpt_as_jwt,
        };
        let site = match arguments.claims_redirect_uri[..] {
            [] => server.try_register(&addresses),
            _ => server.try_register_uma(&addresses, &uma),
        };
        let site = site.map_err(|why| format!("cannot register the site (--register-site): {why}"))?;
        let json = serde_json::to_string_pretty(&site).map_err(|why| why.to_string())?;
        write(file, &(json + "\n"), 0o600)?;
    }
    eprintln!("oxd-dev: a stand-in for oxd-server, for development only");
    eprintln!("oxd-dev: oxd API at {}", server.url());
    eprintln!("oxd-dev: provider at {}", server.provider_url());
    if let Some(file) = &arguments.ready_file {
        let urls = json!({ "url": server.url(), "provider_url": server.provider_url() });
        write(file, &format!("{urls}\n"), 0o644)?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|why| format!("cannot read {}: {why}", file.display()))
}

/// Writes beside the file and renames, so that a reader that waits for the file never sees
/// half of it, and so that the mode holds even if the file was there.
fn write(file: &Path, content: &str, mode: u32) -> Result<(), String> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut open| open.write_all(content.as_bytes()))
        .and_then(|()| fs::rename(&beside, file));
    written.map_err(|why| {
        // It may never have come to be.
        let _ = fs::remove_file(&beside);
        format!("cannot write {}: {why}", file.display())
    })
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
