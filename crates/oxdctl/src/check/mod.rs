//! `oxdctl check`: the module's way to oxd, step by step, with what to do where it ends.

pub mod places;
pub mod reach;
pub mod redirect;
mod registration;
pub mod report;
mod resources;
mod site;
mod token;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxd_core::config::resources::Resources;
use serde_json::json;

use crate::base::Base;
use crate::cli::{Check, SITE_FILE};
use crate::oxd::{Credentials, Oxd};
use crate::problem::{Outcome, Problem};
use crate::route::Link;
use crate::screen::Screen;
use crate::secret_source;
use crate::site::SiteFile;
use crate::uma;

use report::Report;
use site::Examination;

/// All checks, in the order in which they run.
const CHECKS: [&str; 15] = [
    "site-file",
    "name",
    "connection",
    "tls",
    "oxd",
    "version",
    "clock",
    "address",
    "provider",
    "credentials",
    "scope",
    "site",
    "redirect",
    "registered",
    "resources",
];

/// A client that expires within this time should be seen to now.
const EXPIRY_WORTH_A_WORD: Duration = Duration::from_secs(14 * 86_400);

/// The subject of the check.
pub struct Target {
    /// The site file, where there is one.
    pub file: Option<SiteFile>,
    /// `oxd_id`
    pub oxd_id: Option<String>,
    /// Client id, secret and provider.
    pub credentials: Option<Credentials>,
    /// Why there are none, where only httpd knows the client's secret.
    pub secret_unknown: Option<String>,
    /// `op_host` and `op_configuration_endpoint`.
    pub provider: (Option<String>, Option<String>),
    /// Whether oxd wants client tokens.
    pub protected: bool,
    /// The redirect URI that should be registered.
    pub redirect_uri: Option<String>,
    /// The file of `OxdUmaResources`, and what is in it.
    pub resources: Option<(PathBuf, Resources)>,
    /// When the provider lets the client expire.
    pub secret_expires: Option<SystemTime>,
}

/// Checks a set-up; answers whether no check failed.
pub fn run(screen: &Screen, args: &Check) -> Outcome<bool> {
    let target = gather(screen, args)?;
    let link = Link::new(args.connection.route(target.file.as_ref())?)?;
    let mut report = Report::new(screen);
    screen.say(format!("Checking oxd at {}\n", link.route.address()));
    examine(&mut report, screen, &link, &target);
    Ok(report.close(json!({"server": link.route.address()})))
}

/// Runs all checks of a set-up.
pub fn examine(report: &mut Report<'_>, screen: &Screen, link: &Link, target: &Target) {
    site_file(report, target);
    if let Some(reached) = reach::examine(report, screen, link) {
        Examination {
            report,
            oxd: Oxd::new(link, screen),
            target,
            connected: reached.connected,
        }
        .run();
    }
    report.skip_rest(&applying(target));
}

/// The checks that apply to a set-up.
fn applying(target: &Target) -> Vec<&'static str> {
    CHECKS
        .into_iter()
        .filter(|check| match *check {
            "site-file" | "registered" => target.file.is_some(),
            "credentials" | "scope" => target.protected,
            "resources" => target.resources.is_some(),
            _ => true,
        })
        .collect()
}

fn gather(screen: &Screen, args: &Check) -> Outcome<Target> {
    for note in args.base.iter().flat_map(Base::notes) {
        screen.note(note);
    }
    let path = match &args.site_file {
        Some(path) => Some(path.clone()),
        None if args.oxd_id.is_some() => None,
        None => places::usual(screen, args.connection.server.is_some())?,
    };
    let file = path.map(|path| SiteFile::load(&path, screen)).transpose()?;
    let of_file = |name: &str| file.as_ref().and_then(|file| file.text(name)).map(str::to_owned);
    let oxd_id = args.oxd_id.clone().or_else(|| of_file("oxd_id"));
    if oxd_id.is_none() && file.is_none() && args.connection.server.is_none() {
        return Err(Problem::usage(
            "--site-file is needed, or --server with --oxd-id and the client's members",
        )
        .advise(format!(
            "there is no {SITE_FILE} in this folder, and no site file in {}",
            places::FOLDERS.join(" or ")
        )));
    }
    let client_id = args.client_id.clone().or_else(|| of_file("client_id"));
    let secret = match &args.client_secret {
        Some(source) => Some(secret_source::read("--client-secret", source)?),
        None => of_file("client_secret").map(oxd_core::base::Secret::new),
    };
    // As with the directives: a named provider replaces the file's.
    let provider = match (&args.op_host, &args.op_configuration_endpoint) {
        (None, None) => (of_file("op_host"), of_file("op_configuration_endpoint")),
        (host, endpoint) => (host.clone(), endpoint.clone()),
    };
    let of_file = || file.as_ref().and_then(SiteFile::client_auth);
    let auth = args.client_auth.clone().or_else(of_file);
    let credentials = Credentials::of(client_id, secret, auth, &provider);
    let remembered = file.as_ref().and_then(SiteFile::first_redirect_uri);
    let redirect_uri = args
        .redirect_uri
        .clone()
        .or_else(|| args.base.as_ref().map(|base| base.below("login")))
        .or(remembered);
    let read = |path: &PathBuf| Ok((path.clone(), uma::read(path)?));
    let resources = args.resources.as_ref().map(read).transpose()?;
    Ok(Target {
        oxd_id,
        credentials,
        secret_unknown: None,
        provider,
        protected: !args.unprotected,
        redirect_uri,
        resources,
        secret_expires: file.as_ref().and_then(SiteFile::secret_expires),
        file,
    })
}

/// Whether the site file is its owner's alone, and its client lives on.
fn site_file(report: &mut Report<'_>, target: &Target) {
    let Some(file) = &target.file else { return };
    let soon = SystemTime::now() + EXPIRY_WORTH_A_WORD;
    if let Some(mode) = file.is_open_to_others() {
        report.warn(
            "site-file",
            "site_file_open",
            format!(
                "{} holds a secret, and others can read it (mode {mode:03o})",
                file.path.display()
            ),
            format!("chmod 600 {}", file.path.display()),
        );
    } else if let Some(end) = target.secret_expires.filter(|end| *end < soon) {
        report.warn(
            "site-file",
            "client_expires_soon",
            format!("the provider lets the client expire on {}", date_text(end)),
            "ask the provider's administrator to let the client live longer",
        );
    } else {
        report.ok(
            "site-file",
            format!("{} is for its owner alone", file.path.display()),
        );
    }
}

/// A day, as certificates and clients end on.
pub fn date_text(time: SystemTime) -> String {
    // Beyond the year 9999 HTTP knows no dates, and nobody needs one.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    if !(UNIX_EPOCH..=last).contains(&time) {
        return "a day that is far away".to_owned();
    }
    httpdate::fmt_http_date(time)
}

/// A span of time in words.
pub fn time_text(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let said: Vec<String> = parts
        .iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if said.is_empty() {
        "less than a second".to_owned()
    } else {
        said.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_two_units_at_most() {
        for (seconds, text) in [
            (0, "less than a second"),
            (30, "30 s"),
            (90, "1 min 30 s"),
            (3_600, "1 h"),
            (7_384, "2 h 3 min"),
            (86_400 * 400 + 60, "400 d"),
        ] {
            assert_eq!(time_text(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn days_are_written_even_when_they_are_nonsense() {
        assert_eq!(date_text(UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            date_text(UNIX_EPOCH + Duration::from_secs(1 << 60)),
            "a day that is far away"
        );
    }
}
