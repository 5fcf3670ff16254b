//! The options for the way to oxd.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use oxd_core::config::value;
use oxd_core::config::{Proxy, Timeouts};
use url::Url;

use super::value::{complaint, server_url, time};
use crate::files;
use crate::problem::{Outcome, Problem};
use crate::route::Route;
use crate::site::SiteFile;

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

#[cfg(test)]
mod tests {
    use super::*;

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
