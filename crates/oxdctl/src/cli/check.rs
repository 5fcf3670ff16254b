//! The commands that look at a set-up: check, doctor.

use std::path::PathBuf;

use clap::Args;
use oxd_core::config::ClientAuth;

use super::Connection;
use super::value::{absolute_url, client_auth};
use crate::base::Base;

/// `oxdctl check`
#[derive(Args)]
pub struct Check {
    /// The site file [default: oxd-site.json, or the one in /etc/apache2/oxd or /etc/httpd/oxd]
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

/// `oxdctl doctor`
#[derive(Args)]
pub struct Doctor {
    /// Only the site with this site file [default: every site of the configuration]
    #[arg(long, value_name = "FILE")]
    pub site_file: Option<PathBuf>,
    /// Address of the handler [default: as the site file has it]
    #[arg(long, value_name = "URL", value_parser = Base::parse)]
    pub base: Option<Base>,
    /// Write the report to this new file, too
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The program that runs httpd [default: apache2ctl, httpd, apachectl or apache2, the first that is found]
    #[arg(long, value_name = "PROGRAM", help_heading = "httpd")]
    pub httpd: Option<PathBuf>,
    /// httpd's configuration file [default: its own]
    #[arg(long, value_name = "FILE", help_heading = "httpd")]
    pub config: Option<PathBuf>,
    /// How to get to oxd.
    #[command(flatten)]
    pub connection: Connection,
}
