//! What `oxdctl check` would be told of a site, from httpd's configuration and the site file.

use std::path::Path;
use std::{fs, io};

use oxd_core::base::Secret;
use oxd_core::config::ClientAuth;
use url::Url;

use super::below_root;
use super::sites::{Site, bare};
use crate::base::Base;
use crate::check::Target;
use crate::cli::{Connection, Doctor};
use crate::httpd::running::Running;
use crate::oxd::Credentials;
use crate::problem::{Outcome, Problem};
use crate::route::Route;
use crate::screen::{Screen, plain};
use crate::secret_source;
use crate::site::SiteFile;
use crate::uma;

/// The subject of the checks, and the address of the handler.
pub struct Found {
    /// What is checked at oxd.
    pub target: Target,
    /// The handler's address, as far as it is known.
    pub base: Option<Base>,
}

/// What is known of a site.
pub fn of(screen: &Screen, args: &Doctor, site: &Site<'_>) -> Outcome<Found> {
    let file = site
        .site_file()
        .map(|path| SiteFile::load(&path, screen))
        .transpose()?;
    let of_file = |member: &str| {
        file.as_ref()
            .and_then(|file| file.text(member))
            .map(str::to_owned)
    };
    let value = |directive: &str, member: &str| site.value(directive).or_else(|| of_file(member));
    let (secret, secret_unknown) = match site.value("OxdClientSecret") {
        Some(source) => match secret(screen, site.running, &source)? {
            Ok(secret) => (Some(secret), None),
            Err(why) => (None, Some(why)),
        },
        None => (of_file("client_secret").map(Secret::new), None),
    };
    let provider = match (site.value("OxdOpHost"), site.value("OxdOpConfigurationEndpoint")) {
        (None, None) => (of_file("op_host"), of_file("op_configuration_endpoint")),
        named => named,
    };
    let auth = match site.directive("OxdClientAuth") {
        Some(directive) => {
            let words = directive.words();
            ClientAuth::parse(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok()
        }
        None => file.as_ref().and_then(SiteFile::client_auth),
    };
    let client_id = value("OxdClientId", "client_id");
    let secret_unknown = secret_unknown.filter(|_| client_id.is_some());
    let credentials = Credentials::of(client_id, secret, auth, &provider);
    let registered = file.as_ref().and_then(SiteFile::first_redirect_uri);
    let base = args
        .base
        .clone()
        .or_else(|| {
            file.as_ref()?
                .remembered("base")
                .and_then(|text| Base::parse(text).ok())
        })
        .or_else(|| Base::of_redirect_uri(registered.as_deref()?))
        .or_else(|| of_server(site));
    let wanted = site
        .value("OxdRedirectUri")
        .filter(|uri| Url::parse(uri).is_ok())
        .or_else(|| args.base.as_ref().map(|base| base.below("login")))
        .or(registered);
    let resources = match site.value("OxdUmaResources") {
        Some(path) => {
            let path = below_root(site.running, &path);
            Some((path.clone(), uma::read(&path)?))
        }
        None => None,
    };
    Ok(Found {
        target: Target {
            oxd_id: value("OxdId", "oxd_id"),
            credentials,
            secret_unknown,
            provider,
            protected: !site.says("OxdProtectedCommands", "Off"),
            redirect_uri: wanted,
            resources,
            secret_expires: file.as_ref().and_then(SiteFile::secret_expires),
            file,
        },
        base,
    })
}

/// A secret of the configuration, or why it is known to httpd alone. Its command is not run: what httpd does with it
/// when it starts is no reason to do it again as whoever asks for a report, with another environment.
fn secret(screen: &Screen, running: &Running, source: &str) -> Outcome<Result<Secret, String>> {
    let found = match source.split_once(':') {
        Some(("env", _)) => {
            return Ok(Err(
                "the secret is in httpd's environment (OxdClientSecret env:)".into()
            ));
        }
        Some(("exec", _)) => {
            return Ok(Err(
                "the secret comes from a command (OxdClientSecret exec:), which the doctor does not run"
                    .into(),
            ));
        }
        Some(("file", path)) => {
            let path = below_root(running, path);
            if is_forbidden(&path) {
                return Ok(Err(format!(
                    "{} cannot be read by this user: run oxdctl doctor as root",
                    plain(&path.display().to_string())
                )));
            }
            secret_source::read("OxdClientSecret", &format!("file:{}", path.display()))?
        }
        _ => Secret::new(source.to_owned()),
    };
    screen.hide(found.expose());
    Ok(Ok(found))
}

fn is_forbidden(path: &Path) -> bool {
    fs::File::open(path).is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
}

/// The address that the configuration itself tells: name and port of the server, path of the handler.
fn of_server(site: &Site<'_>) -> Option<Base> {
    let named = site.directive("ServerName")?;
    let name = named.first()?;
    let scheme = if site.says("SSLEngine", "On") {
        "https"
    } else {
        "http"
    };
    let port = match name.rsplit_once(':') {
        Some((_, port)) if port.chars().all(|c| c.is_ascii_digit()) => format!(":{port}"),
        _ => String::new(),
    };
    Base::parse(&format!("{scheme}://{}{port}{}", bare(&name), site.location()?)).ok()
}

/// The route to oxd: what was typed, then the configuration, then the site file.
pub fn route(args: &Doctor, site: &Site<'_>, file: Option<&SiteFile>) -> Outcome<Route> {
    let typed = &args.connection;
    let server = match (&typed.server, site.value("OxdServer")) {
        (Some(url), _) => Some(url.clone()),
        (None, Some(text)) => Some(
            Url::parse(&text)
                .map_err(|_| Problem::usage("OxdServer of httpd's configuration is no address"))?,
        ),
        (None, None) => None,
    };
    let of_configuration = site
        .value("OxdServerCAFile")
        .map(|path| below_root(site.running, &path));
    let connection = Connection {
        ca_file: typed.ca_file.clone().or(of_configuration),
        no_verify: typed.no_verify || site.says("OxdServerVerify", "Off"),
        proxy: typed.proxy.clone().or_else(|| site.value("OxdServerProxy")),
        timeout: typed.timeout,
        connect_timeout: typed.connect_timeout,
        server,
    };
    // Where the configuration names oxd, it also says how to get there.
    connection.route(file.filter(|_| connection.server.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_below_the_server_root_and_no_command_is_run() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "in the file\n").unwrap();
        let running = Running {
            root: Some(folder.path().to_owned()),
            ..Running::default()
        };
        let screen = Screen::new(false);
        let read = |source: &str| secret(&screen, &running, source);
        assert_eq!(read("file:secret").unwrap().unwrap().expose(), "in the file");
        assert_eq!(read("as text").unwrap().unwrap().expose(), "as text");
        let ran = folder.path().join("ran");
        let why = read(&format!("exec:touch {}", ran.display()))
            .unwrap()
            .unwrap_err();
        assert!(
            why.contains("does not run") && !why.contains("touch") && !ran.exists(),
            "{why}"
        );
        assert!(read("env:SECRET").unwrap().unwrap_err().contains("environment"));
        assert_eq!(read("file:none").unwrap_err().cause, "secret_file_unreadable");
    }
}
