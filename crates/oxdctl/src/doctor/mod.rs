//! `oxdctl doctor`: from httpd's running configuration to the start of a login, in one report.

mod login;
mod server;
mod setup;
mod sites;
mod target;
mod visit;

use std::path::Path;
use std::time::SystemTime;

use oxd_core::config::Proxy;
use serde_json::json;

use crate::base::Base;
use crate::check::report::Report;
use crate::check::{date_text, examine, places};
use crate::cli::Doctor;
use crate::files::{self, NewFile};
use crate::httpd::running::Running;
use crate::problem::Outcome;
use crate::route::Link;
use crate::screen::{Screen, plain};

use sites::Site;
use target::Found;

/// What is checked of each site after its way to oxd.
const OF_LOGIN: [&str; 5] = ["certificate", "start", "cookie", "headers", "op-clock"];

/// Examines a set-up; answers whether no check failed.
pub fn run(screen: &Screen, args: &Doctor) -> Outcome<bool> {
    for note in args.base.iter().flat_map(Base::notes) {
        screen.note(note);
    }
    let file = args
        .out
        .as_ref()
        .map(|path| NewFile::prepare(path, false))
        .transpose()?;
    screen.keep();
    let now = date_text(SystemTime::now());
    let version = env!("CARGO_PKG_VERSION");
    screen.say(format!("oxdctl {version}, {now}\n"));
    let mut report = Report::new(screen);
    let asked = {
        let _waiting = screen.progress("asking httpd for its configuration");
        Running::ask(args.httpd.as_deref(), args.config.as_deref())
    };
    let running = match asked {
        Ok(running) => {
            server::examine(&mut report, &running);
            running
        }
        Err(why) => {
            server::not_asked(&mut report, args, &why);
            Running::default()
        }
    };
    hide_secrets(screen, &running);
    let sites = sites::of(&running, args.site_file.as_deref());
    if sites.is_empty() {
        without_httpd(screen, &mut report, args, &running);
    }
    for site in &sites {
        of_site(screen, &mut report, args, site);
    }
    let fine = report.close(json!({
        "oxdctl": version,
        "time": now,
        "httpd": running.version,
    }));
    if let Some(file) = file {
        file.put(&screen.kept())?;
        if let Some(path) = &args.out {
            screen.note(format!("the report is in {}", files::absolute(path).display()));
        }
    }
    Ok(fine)
}

/// Values of directives that may be secrets are never printed, whatever quotes them.
fn hide_secrets(screen: &Screen, running: &Running) {
    let secret = running
        .directives
        .iter()
        .filter(|one| setup::SECRETS.iter().any(|name| one.is(name)));
    for word in secret.flat_map(|one| one.words()) {
        if !["file:", "env:", "exec:"]
            .iter()
            .any(|kind| word.starts_with(kind))
        {
            screen.hide(&word);
        }
    }
}

/// Where httpd tells of no site: its way to oxd can still be checked, if there is a site file.
fn without_httpd(screen: &Screen, report: &mut Report<'_>, args: &Doctor, running: &Running) {
    if !running.directives.is_empty() && !report.has_failed(&["modules", "httpd"]) {
        no_site(report, args.site_file.as_deref(), &sites::of(running, None));
    }
    let path = match &args.site_file {
        Some(path) => Some(path.clone()),
        None => match places::usual(screen, false) {
            Ok(path) => path,
            // The report so far is worth having.
            Err(problem) => {
                return report.fail("site-file", problem.cause, problem.message, problem.advice);
            }
        },
    };
    let Some(path) = path else { return };
    let site = Site::of_file(running, &path);
    report.part(format!("Site file {}", plain(&path.display().to_string())));
    let found = match target::of(screen, args, &site) {
        Ok(found) => found,
        Err(problem) => {
            report.fail("site-file", problem.cause, problem.message, problem.advice);
            return;
        }
    };
    to_oxd(screen, report, args, &site, &found);
}

/// Of the sites of the configuration, none is wanted.
fn no_site(report: &mut Report<'_>, wanted: Option<&Path>, sites: &[Site<'_>]) {
    let (Some(wanted), false) = (wanted, sites.is_empty()) else {
        return report.fail(
            "sites",
            "no_site",
            "httpd's configuration has no place with SetHandler oxd",
            "oxdctl register prints the lines for it; see that the file with them is enabled (a2ensite), and inside \
             the <VirtualHost> of the site",
        );
    };
    let wanted = plain(&files::absolute(wanted).display().to_string());
    let others = sites.iter().map(|site| match site.site_file() {
        Some(file) => plain(&format!("{} at {}", file.display(), site.at)),
        None => format!("none at {}", plain(&site.at)),
    });
    report.fail(
        "sites",
        "no_site",
        format!("no SetHandler oxd has OxdSite {wanted}"),
        format!(
            "name a site file that one has, or correct OxdSite: {}",
            others.collect::<Vec<_>>().join(", ")
        ),
    );
}

fn of_site(screen: &Screen, report: &mut Report<'_>, args: &Doctor, site: &Site<'_>) {
    let found = target::of(screen, args, site);
    let base = found.as_ref().ok().and_then(|found| found.base.clone());
    report.part(match &base {
        Some(base) => format!("Site {base} ({})", plain(&site.at)),
        None => format!("Site at {}", plain(&site.at)),
    });
    let found = match found {
        Ok(found) => found,
        Err(problem) => {
            report.fail("site-file", problem.cause, problem.message, problem.advice);
            return;
        }
    };
    setup::handler(report, site, base.as_ref());
    setup::virtual_host(report, site, base.as_ref());
    setup::secrets(report, site);
    setup::log_level(report, site);
    to_oxd(screen, report, args, site, &found);
    match &base {
        Some(base) => login::examine(screen, report, site, base, &found),
        None => report.skip(
            "start",
            "it is not known at which address the handler is: name it with --base",
        ),
    }
    report.skip_rest(&OF_LOGIN);
}

/// The checks of `oxdctl check`, on the way that the configuration names.
fn to_oxd(screen: &Screen, report: &mut Report<'_>, args: &Doctor, site: &Site<'_>, found: &Found) {
    let route = target::route(args, site, found.target.file.as_ref());
    let link = route.and_then(Link::new);
    match link {
        Ok(link) => {
            if let Proxy::Http(url) = &link.route.proxy
                && let Some(password) = url.password()
            {
                screen.hide(password);
            }
            examine(report, screen, &link, &found.target);
        }
        Err(problem) => report.fail("connection", problem.cause, problem.message, problem.advice),
    }
}

/// A path of the configuration as it is named from anywhere.
fn below_root(running: &Running, path: &str) -> std::path::PathBuf {
    match &running.root {
        Some(root) => root.join(path),
        None => files::absolute(Path::new(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::httpd::source::of_text;
    use crate::httpd::tree::{Conditions, directives};

    #[test]
    fn a_site_file_that_no_place_has_is_named_beside_those_that_are_there() {
        let text = "OxdSite /a.json\n<Location /oxd>\nSetHandler oxd\n</Location>\n";
        let running = running(text);
        let screen = Screen::new(false);
        screen.keep();
        let mut report = Report::new(&screen);
        let sites = sites::of(&running, None);
        no_site(&mut report, Some(Path::new("/b.json")), &sites);
        no_site(&mut report, Some(Path::new("/b.json")), &[]);
        let said = screen.kept();
        for words in [
            "no SetHandler oxd has OxdSite /b.json",
            "/a.json at f:3",
            "has no place with",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }

    fn running(text: &str) -> Running {
        let conditions = Conditions {
            modules: &[],
            defined: &|_| false,
        };
        Running {
            directives: directives(
                &of_text(text, "f", &std::collections::HashMap::new()),
                &conditions,
            ),
            ..Running::default()
        }
    }

    #[test]
    fn secrets_of_the_configuration_are_never_printed() {
        let text = "OxdClientSecret hunter2-hunter2\nOxdCryptoKey \"key one\" file:/etc/key\nOxdStorePassword pass-word\n";
        let running = running(text);
        let screen = Screen::new(false);
        screen.keep();
        hide_secrets(&screen, &running);
        screen.say("quoted: hunter2-hunter2, key one, file:/etc/key, pass-word");
        assert_eq!(
            screen.kept(),
            "quoted: [secret], [secret], file:/etc/key, [secret]\n"
        );
    }
}
