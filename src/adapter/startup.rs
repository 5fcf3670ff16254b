//! Steps at start and restart: the checks of `configtest`, and what is created once for all children.

use oxd_core::base::{Level, Reason};
use oxd_core::config::check;
use oxd_core::config::check::mistakes::{self, SiteFacts};
use oxd_core::shm::USUAL_MARKS;
use oxd_core::templates::Templates;

use crate::adapter::places::settings_at;
use crate::adapter::{audit, child, health, identity, redis, revocations, store};
use crate::ffi::Status;
use crate::ffi::dir_config::{Handler, ServerFacts};
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
    let read_site = |path: &str| read_site(servers, path);
    wrong.extend(mistakes::certain(&tree, &read_site));
    for line in &wrong {
        servers
            .log()
            .line(Level::Error, &format!("not_configured: {line}"));
    }
    // httpd checks twice at a start; once is enough for a warning.
    if !process::is_dry_run() || process::is_config_test() {
        let mut doubtful = child::take_warnings();
        doubtful.extend(mistakes::doubtful(&tree, &read_site));
        doubtful.extend(check::unverified(&tree));
        doubtful.extend(check::unguarded(&tree));
        for line in doubtful {
            servers.log().line(Level::Warning, &line);
        }
    }
    if missing.is_empty() && wrong.is_empty() {
        Status::Ok
    } else {
        Status::Http(500)
    }
}

/// What a site file says; `None` when it cannot be read, which its directive has reported.
fn read_site(servers: Servers<'_>, path: &str) -> Option<SiteFacts> {
    let bytes = std::fs::read(servers.absolute(path)).ok()?;
    let file: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    Some(SiteFacts {
        has_secret: file["client_secret"]
            .as_str()
            .is_some_and(|secret| !secret.is_empty()),
        redirect_uri: file["redirect_uris"][0].as_str().map(str::to_owned),
    })
}

/// Opens the logs of the configuration.
pub fn open_logs(servers: Servers<'_>) -> Status {
    match audit::open(servers) {
        Ok(()) => Status::Ok,
        Err(why) => {
            servers
                .log()
                .line(Level::Error, &format!("not_configured: {why}"));
            Status::Http(500)
        }
    }
}

/// Prepares the state that the children share.
pub fn prepare(servers: Servers<'_>) -> Status {
    // httpd runs this hook twice at startup; the steps below are needed only once.
    if process::is_dry_run() {
        return Status::Ok;
    }
    let (log, tree) = (servers.log(), servers.tree());
    // Compiled here, the pages are there for all children.
    Templates::built_in();
    Reason::prepare_texts();
    identity::prepare(servers.pool());
    child::name_cookies(check::cookie_names(&tree));
    child::note_negated_claims(check::negates_claims(&tree));
    child::note_handlers(servers.all().flat_map(|server| server.handlers()).collect());
    let read_site = |path: &str| read_site(servers, path);
    let tokens_path = check::tokens_path(&tree, &read_site);
    mark_handlers(servers, &check::handler_paths(&tree), tokens_path.as_deref());
    let places = servers
        .all()
        .flat_map(|server| server.defaults().into_iter().chain(server.locations()));
    // Where no file is named, the system's authorities alone are trusted.
    let files = places.map(|place| place.settings().server_ca);
    let (roots, unreadable) = child::load_roots(std::iter::once(None).chain(files));
    if unreadable > 0 {
        log.line(
            Level::Info,
            &format!("{unreadable} of the system's certificates could not be read, {roots} could"),
        );
    }
    let marks = servers
        .all()
        .flat_map(|server| server.defaults().into_iter().chain(server.locations()))
        .filter_map(|place| place.settings().session_marks());
    let marks = marks.max().unwrap_or(USUAL_MARKS);
    match child::prepare_memory(servers.runtime_path(c"oxd-sessions"), marks) {
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
    redis::forget();
    if let Some(line) = health::configure(servers) {
        log.line(Level::Notice, &line);
    }
    if let Err(why) = revocations::configure(servers) {
        log.line(Level::Error, &format!("not_configured: {why}"));
        return Status::Http(500);
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
                     (a graceful restart keeps them); on several machines, they would not know each other's sessions; oxdctl key --out FILE makes a key",
                );
            }
            Status::Ok
        }
    }
}

/// Tells each location with `SetHandler oxd` its own path, and every other location of the server the paths and sites of
/// its handlers, so that it knows where to start a login: at the last one with its site, as a virtual host's own follow
/// those of the main server.
///
/// `handlers` are the paths of those locations, taken from the configuration tree. The merged configuration holds the
/// handler as an expression, and httpd does not expose whether that is a plain word.
fn mark_handlers(servers: Servers<'_>, handlers: &[String], tokens_path: Option<&str>) {
    let tokens_path = tokens_path.and_then(|path| servers.pool().text(path.as_bytes()).to_str().ok());
    for server in servers.all() {
        let Some(defaults) = server.defaults() else {
            continue;
        };
        let outer = defaults.settings();
        let mut found = Vec::new();
        for place in server.locations() {
            let own = place.path().filter(|path| handlers.iter().any(|h| h == path));
            if let Some(path) = own {
                place.change(|config| config.handler_base = Some(path));
                let locations = server.locations();
                let locations = locations.iter().map(|place| (place.path(), place.settings()));
                found.push(Handler {
                    path,
                    site: settings_at(locations, outer, path).site_id(),
                });
            }
        }
        let facts = servers.pool().keep(ServerFacts {
            handlers: servers.pool().list(&found),
            tokens_path,
        });
        defaults.change(|config| config.server = Some(facts));
    }
}
