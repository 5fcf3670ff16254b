//! The state that all threads of one child process share: the oxd client and the keys.
//!
//! Nothing here is created before httpd forks, except the certificate roots and the random key, which are plain data.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use once_cell::sync::OnceCell;
use oxd_core::base::{KeyRing, Random, SystemRandom, wall};
use oxd_core::config::ServerDefaults;
use oxd_core::oxd::{Client, Error, HttpTransport, SystemRoots};
use oxd_core::shm::stats::metrics::Gauges;
use oxd_core::shm::stats::{self, Stats};
use oxd_core::shm::{MEMORY_WORDS, Memory};

use crate::ffi::server::Servers;
use crate::ffi::{process, shared};

/// The client to oxd.
pub struct Child {
    /// The client.
    pub client: Client<HttpTransport>,
}

/// Filled at the first call to oxd in a child; the parent never calls.
static CHILD: OnceCell<Child> = OnceCell::new();
/// Half of ThreadsPerChild, at least 1.
static MAX_CALLS: OnceLock<u32> = OnceLock::new();
/// Half of ThreadsPerChild, at least 1.
static ROOTS: RwLock<Option<SystemRoots>> = RwLock::new(None);
/// What all processes of the server remember together; mapped by the parent at its first start.
static MEMORY: OnceLock<Memory<'static>> = OnceLock::new();
/// The counters of the server, kept over graceful restarts.
static STATS: OnceLock<Stats<'static>> = OnceLock::new();
/// The names of all session cookies of the configuration.
static COOKIE_NAMES: RwLock<Vec<String>> = RwLock::new(Vec::new());
/// The key of servers without `OxdCryptoKey`: the same for the life of the parent process.
static RANDOM_KEYS: OnceLock<KeyRing> = OnceLock::new();

/// The child's client, made when it is first wanted.
pub fn current() -> Result<&'static Child, Error> {
    CHILD.get_or_try_init(|| {
        let roots = ROOTS
            .read()
            .ok()
            .and_then(|roots| roots.clone())
            .unwrap_or_else(SystemRoots::none);
        let transport = process::with_signals_blocked(|| HttpTransport::start(roots))
            .map_err(|why| Error::NotStarted(Arc::new(why)))?;
        Ok(Child {
            client: Client::new(transport, stats()),
        })
    })
}

/// Loads the system's certificates in the parent; answers how many there are and how many could not be read.
pub fn load_roots() -> (usize, usize) {
    let (roots, unreadable) = SystemRoots::load();
    let count = roots.len();
    if let Ok(mut place) = ROOTS.write() {
        *place = Some(roots);
    }
    (count, unreadable)
}

/// Maps the shared memory at the first start: that of a file, so that it outlives the server, or else fresh memory. The
/// text says why it is not the file's; an error when there is no memory at all.
pub fn prepare_memory(file: Option<PathBuf>) -> std::io::Result<Option<String>> {
    if MEMORY.get().is_some() {
        return Ok(None);
    }
    let (words, remark) = match file {
        None => (
            shared::map(None, MEMORY_WORDS)?,
            Some("there is no DefaultRuntimeDir".to_owned()),
        ),
        Some(path) => match shared::map(Some(&path), MEMORY_WORDS) {
            Ok(words) => (words, None),
            Err(error) => {
                let remark = format!("{}: {error}", path.display());
                (shared::map(None, MEMORY_WORDS)?, Some(remark))
            }
        },
    };
    let too_few = || std::io::Error::other("too few words");
    let memory = Memory::over(words).ok_or_else(too_few)?;
    let stats = Stats::over(shared::map(None, stats::WORDS)?).ok_or_else(too_few)?;
    stats.begin(wall());
    MEMORY.get_or_init(|| memory);
    STATS.get_or_init(|| stats);
    Ok(remark)
}

/// The shared memory.
pub fn memory() -> Memory<'static> {
    match MEMORY.get() {
        Some(memory) => *memory,
        None => unreachable!("httpd does not start when prepare_memory has failed"),
    }
}

/// Notes the names of all session cookies of the configuration, in the parent.
pub fn name_cookies(names: Vec<String>) {
    if let Ok(mut place) = COOKIE_NAMES.write() {
        *place = names;
    }
}

/// Whether a cookie is a session's, of this place or of another one on the server.
pub fn is_session_cookie(cookie: &[u8]) -> bool {
    let is_piece = |name: &String| {
        cookie
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    COOKIE_NAMES.read().is_ok_and(|names| names.iter().any(is_piece))
}

/// The counters.
pub fn stats() -> Stats<'static> {
    match STATS.get() {
        Some(stats) => *stats,
        None => unreachable!("httpd does not start when prepare_memory has failed"),
    }
}

/// What is known besides the counters.
pub fn gauges() -> Gauges {
    Gauges {
        under_way: stats().all_under_way(process::lives),
        lost_marks: memory().lost(),
    }
}

/// Makes the random key at the first start; answers whether it was made just now, or `None` without randomness.
pub fn prepare_random_key(servers: Servers<'_>) -> Option<bool> {
    let (bytes, fresh) = process::retained_key(servers, |bytes| SystemRandom.fill(bytes).is_ok())?;
    RANDOM_KEYS.get_or_init(|| match KeyRing::derive([bytes.as_slice()]) {
        Some(ring) => ring,
        None => unreachable!("one key was given"),
    });
    Some(fresh)
}

/// Defaults of directives that only the running server knows.
pub fn defaults() -> ServerDefaults<'static> {
    ServerDefaults {
        keys: random_keys(),
        max_calls: *MAX_CALLS.get_or_init(|| (process::threads_per_child() / 2).max(1)),
    }
}

/// The random key.
fn random_keys() -> &'static KeyRing {
    match RANDOM_KEYS.get() {
        Some(keys) => keys,
        None => unreachable!("httpd does not start when prepare_random_key has failed"),
    }
}

/// Set when an expression with `oxd_claim` was read, and never unset: it only spares others a second look at rules.
static CLAIMS_IN_EXPRESSIONS: AtomicBool = AtomicBool::new(false);

/// Notes that an expression of the configuration asks for claims.
pub fn note_claims_in_expressions() {
    CLAIMS_IN_EXPRESSIONS.store(true, Ordering::Relaxed);
}

/// Whether any expression of the configuration asks for claims.
pub fn claims_in_expressions() -> bool {
    CLAIMS_IN_EXPRESSIONS.load(Ordering::Relaxed)
}
