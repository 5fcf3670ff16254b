//! httpd itself: whether it takes its configuration, its modules.

use std::io;

use crate::check::report::Report;
use crate::cli::Doctor;
use crate::httpd::running::Running;
use crate::httpd::tree::is_loaded;
use crate::screen::plain;

/// Modules of httpd without which no place can be protected, and what loads each on Debian.
const NEEDED: [(&str, &str); 3] = [
    ("mod_authn_core.c", "authn_core"),
    ("mod_authz_core.c", "authz_core"),
    ("mod_authz_user.c", "authz_user"),
];
const LOAD: &str = "enable the module: a2enmod oxd and systemctl restart apache2 (Debian), or LoadModule oxd_module \
                    modules/mod_oxd.so before the first line with one of its directives";

/// Whether httpd takes its configuration, and has what the module needs.
pub fn examine(report: &mut Report<'_>, running: &Running) {
    let about = match running.modules.iter().find_map(|name| {
        let name = name.strip_prefix("mpm_")?;
        name.strip_suffix("_module")
    }) {
        Some(mpm) => format!("{}, MPM {mpm}", plain(&running.version)),
        None => plain(&running.version),
    };
    let has_oxd = is_loaded(&running.modules, "mod_oxd.c");
    match &running.refusal {
        // The directive of a module that is not there.
        Some(why) if !has_oxd && why.contains("Invalid command 'Oxd") => {
            report.warn(
                "httpd",
                "configuration_refused",
                format!("{about} refuses its configuration: {}", plain(why)),
                "what comes next is why",
            );
        }
        Some(why) => report.fail(
            "httpd",
            "configuration_refused",
            format!("{about} refuses its configuration: {}", plain(why)),
            "mend the line that is named; apachectl configtest says whether that was all. A httpd that runs keeps the \
             configuration that it has",
        ),
        None => report.ok("httpd", format!("{about}; the configuration is taken")),
    }
    unread(report, running);
    if running.modules.is_empty() {
        report.skip("modules", "httpd does not list its modules");
        return;
    }
    if !has_oxd {
        report.fail("modules", "module_not_loaded", "mod_oxd is not loaded", LOAD);
        return;
    }
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(file, _)| !is_loaded(&running.modules, file))
        .map(|(_, name)| *name)
        .collect();
    if missing.is_empty() {
        report.ok("modules", "mod_oxd is loaded, with the modules that it needs");
    } else {
        report.fail(
            "modules",
            "modules_missing",
            format!("mod_oxd is loaded, but not {}", missing.join(", ")),
            format!(
                "a2enmod {} and systemctl restart apache2 (Debian), or LoadModule lines",
                missing.join(" ")
            ),
        );
    }
}

/// httpd could not be asked.
pub fn not_asked(report: &mut Report<'_>, args: &Doctor, why: &io::Error) {
    let name = args.httpd.as_ref().map(|path| plain(&path.display().to_string()));
    match (why.kind(), name) {
        (io::ErrorKind::NotFound, None) => report.fail(
            "httpd",
            "httpd_not_found",
            "there is none of apache2ctl, httpd, apachectl and apache2 on this machine",
            "run oxdctl doctor on httpd's machine, or name the program with --httpd",
        ),
        (_, name) => report.fail(
            "httpd",
            "httpd_not_asked",
            format!(
                "{} cannot be asked: {why}",
                name.as_deref().unwrap_or("httpd")
            ),
            "name the program that starts httpd with --httpd, such as /usr/sbin/apache2ctl (Debian) or /usr/sbin/httpd",
        ),
    }
    report.skip("modules", "cannot be checked, because httpd failed");
}

fn unread(report: &mut Report<'_>, running: &Running) {
    if let Some(first) = running.unread.first() {
        let more = match running.unread.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        report.warn(
            "files",
            "configuration_unreadable",
            format!(
                "{}{more} cannot be read: directives in it are missing below",
                plain(&first.display().to_string())
            ),
            "run oxdctl doctor as root",
        );
    }
}
