//! A site in httpd's configuration: its handler, its virtual host, its files with secrets, its log level.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use oxd_core::base::Level;

use super::below_root;
use super::sites::{Site, bare};
use crate::base::Base;
use crate::check::report::Report;
use crate::httpd::log_level::LogLevel;
use crate::httpd::running::Host;
use crate::screen::plain;

/// Directives whose values are secrets, unless they say where the secret is.
pub const SECRETS: [&str; 4] = [
    "OxdClientSecret",
    "OxdCryptoKey",
    "OxdStorePassword",
    "OxdStoreSentinelPassword",
];

/// Whether the handler is where the registered addresses lead.
pub fn handler(report: &mut Report<'_>, site: &Site<'_>, base: Option<&Base>) {
    let at = plain(&site.at);
    match (site.location(), base) {
        (Some(path), Some(base)) if base.path() != path => report.fail(
            "handler",
            "handler_elsewhere",
            format!(
                "SetHandler oxd is at {} ({at}), but the site is registered at {base}",
                plain(&path)
            ),
            format!(
                "put it into <Location {}>, or register the address that it has: oxdctl update --base",
                base.path()
            ),
        ),
        (Some(path), _) => report.ok("handler", format!("SetHandler oxd is at {} ({at})", plain(&path))),
        (None, _) => report.ok("handler", format!("SetHandler oxd is at {at}")),
    }
}

/// Whether requests for the address of the handler come to the server that has it.
pub fn virtual_host(report: &mut Report<'_>, site: &Site<'_>, base: Option<&Base>) {
    let Some(base) = base else {
        return report.skip(
            "host",
            "it is not known at which address the handler is: name it with --base",
        );
    };
    let (name, port) = (base.host().to_ascii_lowercase(), base.port());
    if !listens(site, port) {
        return report.warn(
            "host",
            "port_elsewhere",
            format!("httpd does not listen on port {port} of {base}"),
            "if a proxy in front of httpd does, let it set X-Forwarded-Proto and X-Forwarded-Host, and say so with \
             OxdTrustForwarded; if not, add Listen and a <VirtualHost> for it",
        );
    }
    let hosts = &site.running.hosts;
    let on_port: Vec<&Host> = hosts
        .iter()
        .filter(|host| has_port(&host.address, port))
        .collect();
    let named = on_port
        .iter()
        .find(|host| host.names.iter().any(|pattern| matches(&bare(pattern), &name)));
    let serving = named.or(on_port.first());
    let own = site.names();
    // What stands outside of all virtual hosts applies to each.
    let is_own = site.host.is_none()
        || serving.is_some_and(|serving| match &site.host_at {
            Some(at) if hosts.iter().any(|host| host.at == *at) => serving.at == *at,
            // Where httpd names the places otherwise (macros), the name must do.
            _ => {
                let first = serving.names.first();
                first.is_some_and(|first| own.contains(&bare(first)))
            }
        });
    let server = serving.map_or("the main server".to_owned(), |serving| {
        let name = serving.names.first().map_or("", String::as_str);
        format!("the virtual host {} ({})", plain(name), plain(&serving.at))
    });
    if is_own && (named.is_some() || site.host.is_none() || on_port.len() == 1) {
        report.ok("host", format!("{name}:{port} is {server}"));
    } else if is_own {
        report.warn(
            "host",
            "default_host",
            format!("{name}:{port} is {server}, but only because no other one has that name"),
            format!("write ServerName or ServerAlias {name} in it"),
        );
    } else {
        report.fail(
            "host",
            "another_host",
            format!("requests for {name}:{port} come to {server}, where this handler is not"),
            format!(
                "put the lines of mod_oxd into the <VirtualHost> for {name}, or write ServerName {name} in theirs"
            ),
        );
    }
}

fn listens(site: &Site<'_>, port: u16) -> bool {
    let mut ports = site
        .running
        .directives
        .iter()
        .filter(|one| one.is("Listen"))
        .filter_map(|one| one.first())
        .filter_map(|address| address.rsplit(':').next()?.parse::<u16>().ok())
        .peekable();
    // Where no Listen is known, nothing is.
    ports.peek().is_none() || ports.any(|one| one == port)
}

fn has_port(address: &str, port: u16) -> bool {
    match address.rsplit_once(':') {
        Some((_, "*")) | None => true,
        Some((_, own)) => own.parse() == Ok(port),
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, behind)) => {
            name.len() >= before.len() + behind.len() && name.starts_with(before) && name.ends_with(behind)
        }
        None => pattern == name,
    }
}

/// Whether the files with keys and passwords are their owners' alone.
pub fn secrets(report: &mut Report<'_>, site: &Site<'_>) {
    if site.directive("OxdCryptoKey").is_none() {
        report.warn(
            "secrets",
            "no_key",
            "there is no OxdCryptoKey: sessions end whenever httpd stops, and no other machine can read them",
            "oxdctl key --out /etc/apache2/oxd/oxd-key, and OxdCryptoKey file:/etc/apache2/oxd/oxd-key",
        );
    }
    let files: Vec<PathBuf> = SECRETS
        .iter()
        .filter_map(|name| site.directive(name))
        .flat_map(|directive| directive.words())
        .filter_map(|word| Some(below_root(site.running, word.strip_prefix("file:")?)))
        .collect();
    let mut fine = 0;
    for file in &files {
        fine += usize::from(is_kept(report, file, mode(file)));
    }
    if fine > 0 && fine == files.len() {
        let shown: Vec<String> = files
            .iter()
            .map(|file| plain(&file.display().to_string()))
            .collect();
        report.ok("secrets", format!("not for everybody: {}", shown.join(", ")));
    }
}

/// Whether a file with this mode is not for everybody; what else there is to say of it is reported.
fn is_kept(report: &mut Report<'_>, file: &Path, mode: io::Result<u32>) -> bool {
    let shown = plain(&file.display().to_string());
    match mode {
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => report.skip(
            "secrets",
            format!("{shown} cannot be seen by this user: run oxdctl doctor as root"),
        ),
        Err(why) => report.fail(
            "secrets",
            "secret_missing",
            format!("{shown}: {why}"),
            "httpd will not start again without it: put it back, or make a new key (oxdctl key --out)",
        ),
        Ok(mode) if mode & 0o007 != 0 => report.warn(
            "secrets",
            "secret_open",
            format!(
                "{shown} holds a secret, and everybody can read it (mode {mode:03o}): httpd will refuse it"
            ),
            format!("chmod 600 {shown}"),
        ),
        Ok(_) => return true,
    }
    false
}

fn mode(file: &Path) -> io::Result<u32> {
    Ok(std::fs::metadata(file)?.permissions().mode() & 0o777)
}

/// Whether the lines that a reference number leads to are written.
pub fn log_level(report: &mut Report<'_>, site: &Site<'_>) {
    let level = LogLevel::of(&site.running.directives, site.host);
    let at = level
        .at
        .as_ref()
        .map_or(String::new(), |at| format!(" ({})", plain(at)));
    if level.shows(Level::Info) {
        report.ok("log-level", format!("{} for the module{at}", level.name()));
    } else {
        report.warn(
            "log-level",
            "log_level_hides",
            format!(
                "{} for the module{at}: refusals that a visitor has caused are not in the log, and their reference \
                 numbers cannot be found",
                level.name()
            ),
            "write LogLevel warn oxd:info",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Screen;

    #[test]
    fn a_file_that_this_user_may_not_see_is_not_missing() {
        for (mode, words) in [
            (Err(io::ErrorKind::PermissionDenied.into()), "as root"),
            (Err(io::ErrorKind::NotFound.into()), "httpd will not start again"),
            (Ok(0o604), "chmod 600 /key"),
            (Ok(0o640), ""),
        ] {
            let screen = Screen::new(false);
            screen.keep();
            let mut report = Report::new(&screen);
            let is_missing = mode
                .as_ref()
                .is_err_and(|why: &io::Error| why.kind() == io::ErrorKind::NotFound);
            assert_eq!(is_kept(&mut report, Path::new("/key"), mode), words.is_empty());
            assert_eq!(report.has_failed(&["secrets"]), is_missing);
            let said = screen.kept();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn names_with_wildcards_match() {
        for (pattern, name, expected) in [
            ("*.a.example", "www.a.example", true),
            ("*.a.example", "a.example", false),
            ("a.example", "a.example", true),
            ("a*", "a", true),
            ("a.example", "b.example", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        for (address, expected) in [
            ("*:443", true),
            ("*:80", false),
            ("[::1]:443", true),
            ("*:*", true),
        ] {
            assert_eq!(has_port(address, 443), expected, "{address}");
        }
    }
}
