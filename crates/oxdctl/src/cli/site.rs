//! The commands that change a site at oxd: register, update, remove.

use std::path::PathBuf;

use clap::Args;
use oxd_core::config::ClientAuth;
use serde_json::Value;

use super::value::{absolute_url, client_auth};
use super::{Connection, SITE_FILE};
use crate::base::Base;
use crate::members;

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
