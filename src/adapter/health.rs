//! The check of all sites, for `oxd-health`, the status page and the metrics: begun by a request that asks and finds the
//! last one too old, run by one thread of one process, and read by all.
//!
//! A thread of its own, and not the request's: a check may wait for several servers that hang, and a request must not.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use oxd_core::base::{Failure, Level, Reason, Seconds, Store, probe, wall, wall_millis};
use oxd_core::config::{RawSettings, Settings, check};
use oxd_core::oxd::Site;
use oxd_core::session::feed;
use oxd_core::shm::health::{Known, Readiness, SITES, SiteKey, Turn};
use oxd_core::shm::stats::metrics::SiteState;

use super::places::settings_at;
use super::redis::RedisStores;
use super::{child, revocations};
use crate::ffi::log::ChildLog;
use crate::ffi::server::{ChildServers, PlaceSettings, Server, ServerSettings, Servers};
use crate::ffi::{guard, process};

/// How long a request waits for a check that it has begun: a scrape and a probe have a time limit of their own. The check
/// goes on, and the next request reads what it finds.
const WAITS: Duration = Duration::from_secs(2);
/// How long the end of a child waits for a check, which ends after the question that it is at: longer than oxd is waited
/// for (`oxd::client::check`).
const PATIENCE: Duration = Duration::from_secs(4);
/// How long an entry stays in a store that shows whether it can be written.
const ENTRY_LASTS: Seconds = Seconds(60);

/// A site that is checked.
#[derive(Clone, Debug)]
struct Watched {
    /// Its place in shared memory.
    key: SiteKey,
    /// The first virtual host that uses it.
    host: String,
    /// `oxd_id`
    site: String,
    /// `OxdServer`
    server: String,
}

/// The sites of the configuration, set by the parent at each start.
static WATCHED: RwLock<Vec<Watched>> = RwLock::new(Vec::new());
/// Whether a place of the configuration has `SetHandler oxd-health`: only then requests for the status page and for
/// metrics have the sites checked.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// The configuration and the log of a child.
static CHILD: OnceLock<(ChildServers, ChildLog)> = OnceLock::new();
/// The checks of this child.
static CHECKS: Mutex<Checks> = Mutex::new(Checks {
    under_way: 0,
    last: None,
    threads: Vec::new(),
    is_closed: false,
});
static ENDED: Condvar = Condvar::new();

struct Checks {
    /// Usually one at most; a check that takes longer than its turn is joined by another.
    under_way: u32,
    /// The turn of the last one that has begun.
    last: Option<Turn>,
    /// Their threads, and some that have ended.
    threads: Vec<JoinHandle<()>>,
    /// The child exits.
    is_closed: bool,
}

fn checks() -> MutexGuard<'static, Checks> {
    CHECKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All places of a configuration: a server itself, its `<Location>` and its `<Directory>` sections, and the `<Files>` and
/// `<If>` in each of them.
fn places<'a, 'c: 'a>(
    servers: &'a [ServerSettings<'c>],
) -> impl Iterator<Item = (&'c str, RawSettings<'c>)> + use<'a, 'c> {
    servers.iter().flat_map(|server| {
        let locations = || server.locations.iter().map(|place| (place.path, place.own));
        let at = move |place: &'a PlaceSettings<'c>| {
            let settings = match place.path {
                Some(path) => settings_at(locations(), server.outer, path),
                None => server.outer.overlaid_with(&place.own),
            };
            (settings, &place.within)
        };
        std::iter::once((server.outer, &server.within))
            .chain(server.directories.iter().map(at))
            .chain(server.locations.iter().map(at))
            .flat_map(|(settings, within)| {
                let inner = within.iter().map(move |own| settings.overlaid_with(own));
                std::iter::once(settings).chain(inner)
            })
            .map(|settings| (server.name, settings))
    })
}

/// Takes the sites from the configuration, in the parent. The text is a remark for the log.
pub fn configure(servers: Servers<'_>) -> Option<String> {
    IS_ON.store(check::checks_health(&servers.tree()), Ordering::Relaxed);
    let servers: Vec<_> = servers.all().filter_map(Server::settings).collect();
    let mut watched: Vec<Watched> = Vec::new();
    for (host, settings) in places(&servers) {
        // What is complete only in a `.htaccess` file, or in several sections together, cannot be checked.
        let Ok(site) = Site::in_raw(&settings) else {
            continue;
        };
        let key = site.key();
        if watched.iter().all(|known| known.key != key) {
            watched.push(Watched {
                key,
                host: if host.is_empty() { "the main server" } else { host }.to_owned(),
                site: site.id.as_str().to_owned(),
                server: site.server.address().to_owned(),
            });
        }
    }
    child::health().assign(&keys(&watched));
    let count = watched.len();
    *WATCHED.write().unwrap_or_else(PoisonError::into_inner) = watched;
    (count > SITES).then(|| format!("oxd-health checks the first {SITES} of {count} sites"))
}

fn keys(watched: &[Watched]) -> Vec<SiteKey> {
    watched.iter().map(|site| site.key).collect()
}

/// Keeps what a check needs, in a child. [`stop`] ends what uses it.
pub fn begin(servers: ChildServers, log: ChildLog) {
    CHILD.get_or_init(|| (servers, log));
}

/// Ends the checks, before the child exits: configuration and log must not be used after that.
pub fn stop() {
    let mut checks = checks();
    checks.is_closed = true;
    let waited = ENDED.wait_timeout_while(checks, PATIENCE, |checks| checks.under_way > 0);
    let (mut checks, waited) = waited.unwrap_or_else(PoisonError::into_inner);
    if waited.timed_out() {
        // Another process need not wait until this one's turn has run out.
        if let Some(turn) = checks.last {
            child::health().end_turn(turn, wall());
        }
        process::end_now();
    }
    let threads = std::mem::take(&mut checks.threads);
    drop(checks);
    // Memory of APR's that a thread has used ends with the thread, and must do so before APR does.
    for thread in threads {
        // A panic was contained.
        let _ = thread.join();
    }
}

/// Whether a check should end before its next question.
fn is_closing() -> bool {
    checks().is_closed
}

/// The sites, and what is known of each.
pub fn sites() -> Vec<SiteState> {
    let health = child::health();
    let watched = WATCHED.read().unwrap_or_else(PoisonError::into_inner);
    let known = |site: &Watched| {
        let (known, checked) = health.known(site.key);
        SiteState {
            host: site.host.clone(),
            id: site.site.clone(),
            server: site.server.clone(),
            known,
            checked,
        }
    };
    watched.iter().take(SITES).map(known).collect()
}

/// The same as [`readiness`] where the configuration wants it.
pub fn readiness_if_on() -> Option<Readiness> {
    IS_ON.load(Ordering::Relaxed).then(readiness)
}

/// What is known of all sites, as it is.
fn known() -> Readiness {
    let watched = WATCHED.read().unwrap_or_else(PoisonError::into_inner);
    child::health().readiness(&keys(&watched))
}

/// What is known of all sites, checked now if it is time. Of all processes' requests one begins a check; the others get
/// what is known.
pub fn readiness() -> Readiness {
    if let Some(turn) = child::health().take_turn(wall()) {
        check_and_wait(turn);
    }
    known()
}

/// Begins a check, and waits for it for a while.
fn check_and_wait(turn: Turn) {
    let mut checks = checks();
    if checks.is_closed {
        child::health().end_turn(turn, wall());
        return;
    }
    checks.under_way += 1;
    checks.last = Some(turn);
    let thread = std::thread::Builder::new().name("mod_oxd health".into());
    let run = move || {
        guard::contained(check_all, |_| ());
        child::health().end_turn(turn, wall());
        self::checks().under_way -= 1;
        ENDED.notify_all();
    };
    let Ok(thread) = process::with_signals_blocked(|| thread.spawn(run)) else {
        checks.under_way -= 1;
        child::health().end_turn(turn, wall());
        return;
    };
    checks.threads.retain(|thread| !thread.is_finished());
    checks.threads.push(thread);
    let waited = ENDED.wait_timeout_while(checks, WAITS, |checks| checks.under_way > 0);
    drop(waited);
}

/// A site, its virtual host, and why it does not work.
type Finding<'c> = (SiteKey, &'c str, Option<Failure>);

/// What a check has found so far. Each oxd server and each store is asked once, however many sites have it.
#[derive(Default)]
struct Found<'c> {
    /// The sites that are checked: the first [`SITES`].
    watched: &'c [Watched],
    sites: Vec<Finding<'c>>,
    servers: Vec<(String, Option<Failure>)>,
    stores: Vec<(*const (), Option<Failure>)>,
}

fn check_all() {
    let Some((servers, log)) = CHILD.get() else {
        return;
    };
    let watched = WATCHED.read().unwrap_or_else(PoisonError::into_inner).clone();
    let watched = watched.get(..SITES).unwrap_or(&watched);
    servers.during(|servers| {
        let mut found = Found {
            watched,
            ..Found::default()
        };
        for (host, settings) in places(servers) {
            if is_closing() {
                break;
            }
            let settings = Settings::of(
                &settings,
                child::defaults(&RedisStores, revocations::current(), None),
            );
            if let Some((key, host, failure)) = found.look_at(host, &settings) {
                // A failure is final, and not told late because other sites hold the check up.
                tell(*log, *key, host, failure.as_ref());
            }
        }
        if is_closing() {
            // What was not asked is no news.
            return;
        }
        for (key, host, failure) in &found.sites {
            tell(*log, *key, host, failure.as_ref());
        }
    });
}

/// Notes what was found of a site, and logs it where it is news.
fn tell(log: ChildLog, key: SiteKey, host: &str, failure: Option<&Failure>) {
    let health = child::health();
    let (before, _) = health.known(key);
    if !health.note(key, failure.map(|failure| failure.reason), wall()) {
        return;
    }
    match (failure, before) {
        (Some(failure), _) => log.line(
            Level::Warning,
            &format!("not ready: the site of {host}: {}", failure.log_line()),
        ),
        (None, Known::Fails(..)) => {
            log.line(Level::Notice, &format!("ready: the site of {host} works again"))
        }
        (None, _) => {}
    }
}

impl<'c> Found<'c> {
    /// Asks what was not asked yet about the site of a place; the site, if it fails.
    fn look_at(&mut self, host: &'c str, settings: &Settings<'_>) -> Option<&Finding<'c>> {
        // A place that is not complete is refused by configtest, or belongs to no site.
        let site = Site::of(settings, "").ok()?;
        let key = site.key();
        if self.watched.iter().all(|watched| watched.key != key) {
            return None;
        }
        let known = self.sites.iter().position(|(of, ..)| *of == key);
        let at = known.unwrap_or_else(|| {
            let failure = self.of_oxd(&site).or_else(|| of_token(&site));
            self.sites.push((key, host, failure));
            self.sites.len() - 1
        });
        // Each place of a site may have a store of its own, and its own bound on what is not heard.
        if self.sites[at].2.is_none() {
            let failure = settings.store.and_then(|store| self.of_store(store));
            self.sites[at].2 = failure.or_else(|| heard(settings));
        }
        self.sites.get(at).filter(|(.., failure)| failure.is_some())
    }

    fn of_oxd(&mut self, site: &Site<'_>) -> Option<Failure> {
        // The same server may be trusted here and not there.
        let (server, ca) = (&site.server, site.server.ca.map(ptr::from_ref));
        let address = format!("{} {ca:?} {:?} {}", server.address(), server.proxy, server.verify);
        if let Some((_, known)) = self.servers.iter().find(|(of, _)| *of == address) {
            return known.clone();
        }
        if is_closing() {
            return None;
        }
        let asked = child::current().and_then(|child| child.client.at(*site).runs());
        let failure = asked.err().map(Failure::from);
        self.servers.push((address, failure.clone()));
        failure
    }

    fn of_store(&mut self, store: &dyn Store) -> Option<Failure> {
        let address = ptr::from_ref(store).cast::<()>();
        if let Some((_, known)) = self.stores.iter().find(|(of, _)| *of == address) {
            return known.clone();
        }
        let asked = probe(store, wall().saturating_add(ENTRY_LASTS));
        let failure = asked.err().map(Failure::from);
        self.stores.push((address, failure.clone()));
        failure
    }
}

/// Whether oxd gives the site a client token, and has taken it.
fn of_token(site: &Site<'_>) -> Option<Failure> {
    if is_closing() {
        return None;
    }
    let asked = child::current().and_then(|child| child.client.at(*site).has_client_token());
    if let Err(error) = asked {
        return Some(error.into());
    }
    let refused = child::health().was_refused(site.key(), wall());
    refused.then(|| {
        Failure::new(
            Reason::ClientTokenRefused,
            "oxd has refused the token of the last call",
        )
    })
}

/// Whether ends of sessions on other machines are heard, where sessions depend on it (`OxdRevocationsMaxLag`).
fn heard(settings: &Settings<'_>) -> Option<Failure> {
    let session = settings.session();
    let most = session.revocations.and(session.max_lag)?;
    let lag = feed::lag(child::memory(), wall_millis());
    let is_heard = lag.is_some_and(|lag| lag <= most.millis());
    (!is_heard).then(|| {
        Failure::new(
            Reason::RevocationsLag,
            "the stream of OxdRevocations is not heard",
        )
    })
}
