//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oxd_core::config::value::{self, Complaint};
use oxd_core::config::{ClientAuth, Proxy, Timeouts};
use serde_json::Value;
use url::Url;

use crate::base::Base;
use crate::files;
use crate::members;
use crate::problem::{EXIT_STATUSES, Outcome, Problem};
use crate::route::Route;
use crate::site::SiteFile;
use crate::store::Store;
use crate::uma::Uma;

/// The site file that is meant when none is named.
pub const SITE_FILE: &str = "oxd-site.json";

/// The command line of mod_oxd, which signs users in to Apache httpd through oxd.
///
/// Registers a site with oxd, checks whether a set-up works and says what to do where it does not, and explains why
/// a request was refused.
#[derive(Parser)]
#[command(name = "oxdctl", version, after_help = exit_statuses(), max_term_width = 100)]
pub struct Cli {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Register a site with oxd and write the site file for OxdSite
    ///
    /// Asks oxd to register the site whose handler (SetHandler oxd) is at the address --base, writes oxd's answer to
    /// a file that only its owner can read, and prints the lines for httpd.
    Register(Box<Register>),
    /// Change what a site is registered with
    ///
    /// Sends only what is named. The redirect URIs and post-logout redirect URIs are lists that are sent whole: those
    /// of the base address (--base, or the one that the site file remembers), and those that are named here.
    Update(Box<Update>),
    /// Remove a site from oxd
    ///
    /// The site file is renamed, since it may be the only way left to the client that stays at the provider.
    Remove(Remove),
    /// Check a set-up, and say what to do where it does not work
    ///
    /// Goes the module's way to oxd step by step. Each check is one line: ok, warning, failed or skipped, what was
    /// found, and what to do. Checks that cannot run because of an earlier one are skipped.
    Check(Box<Check>),
    /// Register, check and show the UMA resources of a site
    ///
    /// Pages at places with Require oxd-uma are resources of their owners at the provider.
    Uma(Box<Uma>),
    /// Check the Redis store of sessions
    ///
    /// Goes the module's way to the servers of OxdSessionStore redis:// step by step.
    Store(Box<Store>),
    /// Make a key for OxdCryptoKey
    ///
    /// 32 random bytes in base64. Without --out the key itself is printed.
    Key(Key),
    /// Explain why a request was refused, from its reference number, or a reason code
    ///
    /// The reference number stands on the page that the user saw, and in the line of httpd's error log.
    Explain(Explain),
    /// Print a shell's completions for oxdctl
    Completions(Completions),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Manual(Manual),
}

/// How to get to oxd.
#[derive(Args, Default)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Address of oxd, as OxdServer has it (such as https://127.0.0.1:8443)
    #[arg(long, value_name = "URL", value_parser = server_url)]
    pub server: Option<Url>,
    /// PEM certificates to trust for oxd besides the system's, as OxdServerCAFile has it
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Do not verify oxd's certificate, as with OxdServerVerify Off
    #[arg(long)]
    pub no_verify: bool,
    /// HTTP proxy on the way to oxd, as OxdServerProxy has it; none for none
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Time for one call to oxd
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub timeout: Duration,
    /// Time within it for the connection
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = time)]
    pub connect_timeout: Duration,
}

impl Connection {
    /// The route to oxd: the options, or else the site file.
    pub fn route(&self, file: Option<&SiteFile>) -> Outcome<Route> {
        let remembered = |name: &str| file.and_then(|file| file.remembered(name));
        let server = match (&self.server, remembered("server")) {
            (Some(url), _) => url.clone(),
            (None, Some(text)) => server_url(text)
                .map_err(|why| Problem::usage(format!("the site file's server {text}: {why}")))?,
            (None, None) => {
                return Err(Problem::usage(
                    "--server is needed: the address of oxd, as OxdServer has it",
                ));
            }
        };
        let proxy = match self.proxy.as_deref().or(remembered("proxy")) {
            Some(text) if !text.eq_ignore_ascii_case("none") => Proxy::Http(
                value::http_url(text)
                    .map_err(|why| Problem::usage(format!("--proxy: {}", complaint(&why))))?,
            ),
            _ => Proxy::Direct,
        };
        // A certificate named on the command line is checked.
        let verify = self.ca_file.is_some()
            || file
                .and_then(|file| file.remembered_flag("verify"))
                .unwrap_or(true);
        let ca_file = self.ca_file.clone().or(remembered("ca_file").map(PathBuf::from));
        Ok(Route {
            server,
            ca_file: ca_file.map(|path| files::absolute(&path)),
            verify: verify && !self.no_verify,
            proxy,
            timeouts: Timeouts {
                total: self.timeout,
                connect: self.connect_timeout.min(self.timeout),
            },
        })
    }
}

/// The registration of a site.
#[derive(Args, Default)]
#[command(next_help_heading = "Site")]
pub struct Profile {
    /// A further redirect URI, such as the tutorial's CGI script (repeat)
    #[arg(long, value_name = "URL", value_parser = absolute_url)]
    pub redirect_uri: Vec<String>,
    /// A further post-logout redirect URI (repeat)
    #[arg(long, value_name = "URL", value_parser = absolute_url)]
    pub post_logout_redirect_uri: Vec<String>,
    /// Scopes, separated by spaces (repeat); openid and oxd are always among them [default: openid profile email oxd]
    #[arg(long, value_name = "SCOPES")]
    pub scope: Vec<String>,
    /// Name of the client, which users may read when they sign in
    #[arg(long, value_name = "NAME")]
    pub client_name: Option<String>,
    /// E-mail address of somebody in charge of the site (repeat)
    #[arg(long = "contact", value_name = "ADDRESS")]
    pub contacts: Vec<String>,
    /// How users should authenticate when nothing else is asked for (repeat)
    #[arg(long = "acr", value_name = "ACR")]
    pub acr_values: Vec<String>,
    /// How oxd proves to the provider to be the client, as OxdClientAuth has it: "private_key_jwt RS256"
    #[arg(long, value_name = "METHOD", value_parser = client_auth)]
    pub client_auth: Option<ClientAuth>,
    /// Where the provider finds oxd's public keys, for private_key_jwt
    #[arg(long, value_name = "URL", value_parser = absolute_url)]
    pub client_jwks_uri: Option<String>,
    /// Any other member of oxd's register-site, such as require_auth_time=true (repeat)
    #[arg(long, value_name = "NAME=JSON", value_parser = members::member)]
    pub set: Vec<(String, Value)>,
}

/// `oxdctl register`
#[derive(Args)]
pub struct Register {
    /// Address of the handler: where SetHandler oxd is, such as https://app.example/oxd
    #[arg(long, value_name = "URL", value_parser = Base::parse)]
    pub base: Base,
    /// Where to write the site file
    #[arg(long, value_name = "FILE", default_value = SITE_FILE)]
    pub site_file: PathBuf,
    /// Replace a site file that exists; the site in it stays at oxd
    #[arg(long)]
    pub force: bool,
    /// Print the client secret too
    #[arg(long)]
    pub show_secret: bool,
    /// The OpenID Provider, unless oxd has one by default
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "op_configuration_endpoint",
        help_heading = "Site"
    )]
    pub op_host: Option<String>,
    /// The provider's configuration endpoint, in place of --op-host (oxd 4.2 and later)
    #[arg(long, value_name = "URL", value_parser = absolute_url, help_heading = "Site")]
    pub op_configuration_endpoint: Option<String>,
    /// Use a client that exists at the provider; oxd then changes nothing there
    #[arg(long, value_name = "ID", help_heading = "Site")]
    pub client_id: Option<String>,
    /// Where its secret is: file:PATH, env:NAME, "exec:PATH ARGUMENTS", prompt, or - for standard input
    #[arg(long, value_name = "SOURCE", requires = "client_id", help_heading = "Site")]
    pub client_secret: Option<String>,
    /// Do not register an address for front-channel logout
    #[arg(long, help_heading = "Site")]
    pub no_frontchannel_logout: bool,
    /// Register for UMA: the scope uma_protection, the way back from claims gathering, RPTs that name their user
    #[arg(long, help_heading = "Site")]
    pub uma: bool,
    /// What the site is registered with.
    #[command(flatten)]
    pub profile: Profile,
    /// How to get to oxd.
    #[command(flatten)]
    pub connection: Connection,
}

/// `oxdctl update`
#[derive(Args)]
pub struct Update {
    /// The site file
    #[arg(long, value_name = "FILE", default_value = SITE_FILE)]
    pub site_file: PathBuf,
    /// New address of the handler
    #[arg(long, value_name = "URL", value_parser = Base::parse)]
    pub base: Option<Base>,
    /// What to change.
    #[command(flatten)]
    pub profile: Profile,
    /// How to get to oxd.
    #[command(flatten)]
    pub connection: Connection,
}

/// `oxdctl remove`
#[derive(Args)]
pub struct Remove {
    /// The site file
    #[arg(long, value_name = "FILE", default_value = SITE_FILE)]
    pub site_file: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Delete the site file instead of renaming it
    #[arg(long)]
    pub delete: bool,
    /// How to get to oxd.
    #[command(flatten)]
    pub connection: Connection,
}

/// `oxdctl check`
#[derive(Args)]
pub struct Check {
    /// The site file [default: oxd-site.json, if there is one and --oxd-id is not given]
    #[arg(long, value_name = "FILE")]
    pub site_file: Option<PathBuf>,
    /// The site's oxd_id, as OxdId has it
    #[arg(long, value_name = "ID", help_heading = "Site")]
    pub oxd_id: Option<String>,
    /// The site's client_id, as OxdClientId has it
    #[arg(long, value_name = "ID", help_heading = "Site")]
    pub client_id: Option<String>,
    /// Where its secret is: file:PATH, env:NAME, "exec:PATH ARGUMENTS", prompt, or - for standard input
    #[arg(long, value_name = "SOURCE", help_heading = "Site")]
    pub client_secret: Option<String>,
    /// The OpenID Provider, as OxdOpHost has it
    #[arg(long, value_name = "URL", help_heading = "Site")]
    pub op_host: Option<String>,
    /// The provider's configuration endpoint, as OxdOpConfigurationEndpoint has it
    #[arg(long, value_name = "URL", value_parser = absolute_url, help_heading = "Site")]
    pub op_configuration_endpoint: Option<String>,
    /// How oxd proves to the provider to be the client, as OxdClientAuth has it
    #[arg(long, value_name = "METHOD", value_parser = client_auth, help_heading = "Site")]
    pub client_auth: Option<ClientAuth>,
    /// oxd wants no client tokens (OxdProtectedCommands Off)
    #[arg(long, help_heading = "Site")]
    pub unprotected: bool,
    /// Address of the handler, to see whether its redirect URI is registered
    #[arg(long, value_name = "URL", value_parser = Base::parse, help_heading = "Site")]
    pub base: Option<Base>,
    /// The redirect URI that should be registered, if it is not that of the handler
    #[arg(long, value_name = "URL", value_parser = absolute_url, help_heading = "Site")]
    pub redirect_uri: Option<String>,
    /// The file with the UMA resources, as OxdUmaResources has it, to see whether they are registered
    #[arg(long, value_name = "FILE", help_heading = "Site")]
    pub resources: Option<PathBuf>,
    /// How to get to oxd.
    #[command(flatten)]
    pub connection: Connection,
}

/// `oxdctl key`
#[derive(Args)]
pub struct Key {
    /// Write the key to this new file, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `oxdctl explain`
#[derive(Args)]
pub struct Explain {
    /// A reference number (XXXX-XXXX), or a reason code such as state_unknown
    #[arg(value_name = "REFERENCE|CODE")]
    pub what: String,
    /// A log to look in, also one that is compressed (.gz), - for standard input (repeat) [default: httpd's own]
    #[arg(long, value_name = "FILE")]
    pub log: Vec<PathBuf>,
}

/// `oxdctl completions`
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The shells that completions are made for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// fish
    Fish,
}

/// `oxdctl manual`
#[derive(Args)]
pub struct Manual {
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

fn exit_statuses() -> String {
    let mut text = String::from("Exit status:");
    for (status, meaning) in EXIT_STATUSES {
        text.push_str(&format!("\n  {status}  {meaning}"));
    }
    text
}

pub fn complaint(complaint: &Complaint) -> String {
    format!("must be {}", complaint.allowed)
}

fn server_url(text: &str) -> Result<Url, String> {
    let url = value::http_url(text).map_err(|why| complaint(&why))?;
    if url.query().is_some() {
        return Err("must have no query".to_owned());
    }
    Ok(url)
}

fn client_auth(text: &str) -> Result<ClientAuth, String> {
    let args: Vec<&str> = text.split_ascii_whitespace().collect();
    ClientAuth::parse(&args).map_err(|why| complaint(&why))
}

fn absolute_url(text: &str) -> Result<String, String> {
    value::http_url(text).map_err(|why| complaint(&why))?;
    Ok(text.to_owned())
}

pub fn time(text: &str) -> Result<Duration, String> {
    value::time(text, Duration::from_millis(10), Duration::from_secs(600)).map_err(|why| complaint(&why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_typed_counts_more_than_what_is_remembered() {
        let mut file = SiteFile::new(std::path::Path::new("x"), serde_json::Map::new());
        assert!(Connection::default().route(Some(&file)).is_err());
        file.remember("server", "https://one:1".into());
        file.remember("ca_file", "/one.pem".into());
        file.remember("proxy", "http://proxy:3128".into());
        file.remember("verify", false.into());
        let route = Connection::default().route(Some(&file)).unwrap();
        assert_eq!((route.address(), route.verify), ("https://one:1", false));
        assert_eq!(route.ca_file, Some(PathBuf::from("/one.pem")));
        assert_eq!(route.server(None).peer(), "proxy:3128");
        let typed = Connection {
            server: Some(server_url("https://two/oxd/").unwrap()),
            ca_file: Some("/two.pem".into()),
            proxy: Some("none".into()),
            ..Connection::default()
        };
        let route = typed.route(Some(&file)).unwrap();
        assert_eq!(
            (route.address(), route.server(None).peer().as_str()),
            ("https://two/oxd", "two:443")
        );
        assert_eq!(route.server(None).command_url("x"), "https://two/oxd/x");
        assert_eq!(
            (route.ca_file, route.verify),
            (Some(PathBuf::from("/two.pem")), true)
        );
    }
}
