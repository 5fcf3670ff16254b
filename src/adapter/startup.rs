//! Steps at start and restart: the checks of `configtest`, and what is created once for all children.

use oxd_core::base::Level;
use oxd_core::config::check;

use crate::adapter::{child, store};
use crate::ffi::Status;
use crate::ffi::process;
use crate::ffi::server::Servers;

/// The checks of `configtest`; httpd also runs them at each start.
pub fn check(servers: Servers<'_>) -> Status {
    let missing = check::missing(&servers.tree());
    for place in &missing {
        servers
            .log()
            .line(Level::Error, &format!("not_configured: {}", place.line()));
    }
    let tree = servers.tree();
    let mut wrong = check::uncounted(&tree);
    wrong.extend(check::unshared(&tree));
    for line in &wrong {
        servers
            .log()
            .line(Level::Error, &format!("not_configured: {line}"));
    }
    if missing.is_empty() && wrong.is_empty() {
        Status::Ok
    } else {
        Status::Http(500)
    }
}

/// Prepares the state that the children share.
pub fn prepare(servers: Servers<'_>) -> Status {
    // httpd runs this hook twice at startup; the steps below are needed only once.
    if process::is_dry_run() {
        return Status::Ok;
    }
    let (log, tree) = (servers.log(), servers.tree());
    child::name_cookies(check::cookie_names(&tree));
    child::note_negated_claims(check::negates_claims(&tree));
    child::note_handlers(servers.all().flat_map(|server| server.handlers()).collect());
    mark_handlers(servers, &check::handler_paths(&tree));
    for place in check::unverified(&tree) {
        log.line(
            Level::Warning,
            &format!("{place}: OxdServerVerify Off: anybody on the way to oxd can read secrets and sign in as anyone"),
        );
    }
    for place in check::unguarded(&tree) {
        log.line(
            Level::Warning,
            &format!(
                "{place}: SetHandler oxd-status without a Require of its own: anybody can end sessions there"
            ),
        );
    }
    let (roots, unreadable) = child::load_roots();
    if unreadable > 0 {
        log.line(
            Level::Info,
            &format!("{unreadable} of the system's certificates could not be read, {roots} could"),
        );
    }
    match child::prepare_memory(servers.runtime_path(c"oxd-sessions")) {
        Ok(None) => {}
        Ok(Some(why)) => log.line(
            Level::Notice,
            &format!(
                "sessions that have ended are remembered until httpd stops, and not beyond ({why}): a copied cookie \
                 may then be good again until its session runs out; DefaultRuntimeDir should be a directory of this \
                 server's own that it can write to"
            ),
        ),
        Err(error) => {
            log.line(Level::Error, &format!("internal: no shared memory: {error}"));
            return Status::Http(500);
        }
    }
    if let Err(why) = store::prepare(servers) {
        log.line(Level::Error, &format!("store_unavailable: {why}"));
        return Status::Http(500);
    }
    match child::prepare_random_key(servers) {
        None => {
            log.line(
                Level::Error,
                "internal: the system gave no random bytes for a key",
            );
            Status::Http(500)
        }
        Some(fresh) => {
            if fresh && check::lacks_crypto_key(&tree) {
                log.line(
                    Level::Notice,
                    "no OxdCryptoKey: cookies are encrypted with a random key, and sessions end when httpd stops \
                     (a graceful restart keeps them); on several machines, they would not know each other's sessions",
                );
            }
            Status::Ok
        }
    }
}

/// Tells each location with `SetHandler oxd` its own path, and every other location of the server such a path, so that
/// it knows where to start a login. If there are several, the last one wins: a virtual host's own follow those of the
/// main server.
///
/// `handlers` are the paths of those locations, taken from the configuration tree. The merged configuration holds the
/// handler as an expression, and httpd does not expose whether that is a plain word.
fn mark_handlers(servers: Servers<'_>, handlers: &[String]) {
    for server in servers.all() {
        let mut last = None;
        for place in server.locations() {
            let own = place.path().filter(|path| handlers.iter().any(|h| h == path));
            if let Some(path) = own {
                place.change(|config| config.handler_base = Some(path));
                last = Some(path);
            }
        }
        if let (Some(path), Some(defaults)) = (last, server.defaults()) {
            defaults.change(|config| config.handler_base = Some(path));
        }
    }
}
