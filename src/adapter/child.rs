//! The state that all threads of one child process share: the oxd client and the keys.
//!
//! Nothing here is created before httpd forks, except what is plain data: the random key, the certificate roots and what
//! verifies certificates by them.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use once_cell::sync::OnceCell;
use oxd_core::base::{KeyRing, Random, Revocations, SystemRandom, wall};
use oxd_core::config::store::Stores;
use oxd_core::config::{CaFile, ServerDefaults};
use oxd_core::oxd::{Client, Error, HttpTransport, SystemRoots};
use oxd_core::shm::health::{self, Health};
use oxd_core::shm::stats::{self, Stats};
use oxd_core::shm::{Keeper, Memory, memory_words};
use oxd_core::tokens::TokenCache;
use oxd_store::Handle;

use crate::ffi::handlers::HandlerId;
use crate::ffi::request::Request;
use crate::ffi::server::Servers;
use crate::ffi::{process, shared};

/// The oxd client of one child process.
pub struct Child {
    /// Calls oxd.
    pub client: Client<HttpTransport>,
    /// The runtime of all connections of this child.
    runtime: Handle,
}

/// Created at the first call to oxd in a child; the parent never calls oxd.
static CHILD: OnceCell<Child> = OnceCell::new();
/// ThreadsPerChild
static THREADS: OnceLock<u32> = OnceLock::new();
/// Set by the parent at each start and restart, read by its children.
static ROOTS: RwLock<Option<SystemRoots>> = RwLock::new(None);
/// The shared memory of all processes of the server; mapped by the parent at its first start.
static MEMORY: OnceLock<Memory<'static>> = OnceLock::new();
/// What this process knows about access tokens.
static TOKENS: OnceLock<TokenCache> = OnceLock::new();
/// The counters of the server; graceful restarts keep them.
static STATS: OnceLock<Stats<'static>> = OnceLock::new();
/// What is known of the sites' health.
static HEALTH: OnceLock<Health<'static>> = OnceLock::new();
/// The names of all session cookies of the configuration.
static COOKIE_NAMES: RwLock<Vec<String>> = RwLock::new(Vec::new());
/// Warnings about the configuration that is being read.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Every `SetHandler` of the server's configuration.
static HANDLERS: RwLock<Vec<HandlerId>> = RwLock::new(Vec::new());
/// Whether a `Require not` of the configuration asks for a claim.
static NEGATED_CLAIMS: AtomicBool = AtomicBool::new(false);
/// The key for servers without `OxdCryptoKey`; it stays the same for the life of the parent process.
static RANDOM_KEYS: OnceLock<KeyRing> = OnceLock::new();

/// The oxd client of this child, created on first use.
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
            runtime: transport.runtime(),
            client: Client::new(transport, stats()).noting(health()),
        })
    })
}

/// The runtime that connections of this child belong to; the error says why there is none.
pub fn runtime() -> Result<Handle, String> {
    match current() {
        Ok(child) => Ok(child.runtime.clone()),
        Err(error) => Err(error.to_string()),
    }
}

/// Loads the system's certificates in the parent, and prepares the verification of servers by them and by the files of
/// the configuration. Returns how many were loaded and how many could not be read.
pub fn load_roots<'c>(files: impl Iterator<Item = Option<&'c CaFile>>) -> (usize, usize) {
    let (roots, unreadable) = SystemRoots::load();
    let count = roots.len();
    files.for_each(|file| roots.prepare(file));
    if let Ok(mut place) = ROOTS.write() {
        *place = Some(roots);
    }
    (count, unreadable)
}

/// The most bytes of the file that are read.
const MOST_KEPT: u64 = 2 << 30;

/// The file that marks of ended sessions are kept in. Children inherit the descriptor.
#[derive(Debug)]
struct MarksFile(File);

/// The file, before it has what it is to keep.
struct Opened {
    file: &'static MarksFile,
    /// What an earlier start has kept.
    kept: Vec<u64>,
    /// Where it is until it takes the place of the earlier one. A start that is killed leaves one of the two, and it is whole.
    beside: Option<PathBuf>,
}

impl MarksFile {
    /// Opens the file, and reads what it has: of a memory with as many marks, or with fewer or more.
    fn open(path: &Path, words: usize) -> std::io::Result<Opened> {
        let bytes_now = words * size_of::<u64>();
        let earlier = shared::open(path, bytes_now)?;
        let mut bytes = Vec::new();
        (&earlier).take(MOST_KEPT).read_to_end(&mut bytes)?;
        let kept = bytes
            .chunks_exact(size_of::<u64>())
            .map(|chunk| u64::from_ne_bytes(chunk.try_into().unwrap_or_default()))
            .collect();
        let beside = path.with_extension("new");
        // One that an earlier start has left; usually there is none.
        let _ = fs::remove_file(&beside);
        let (file, beside) = match shared::open(&beside, bytes_now) {
            Ok(file) => (file, Some(beside)),
            // There is room for one only.
            Err(_) => {
                let _ = fs::remove_file(&beside);
                earlier.set_len(bytes_now as u64)?;
                (earlier, None)
            }
        };
        let file = Box::leak(Box::new(Self(file)));
        Ok(Opened { file, kept, beside })
    }
}

impl Keeper for MarksFile {
    fn keep(&self, at: usize, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        // Without the file the marks last until httpd stops; the memory has them in any case.
        let _ = self.0.write_all_at(&bytes, (at * size_of::<u64>()) as u64);
    }
}

/// Maps the shared memory at the first start, with room for so many marks, and reads into it what an earlier start has kept in the file.
///
/// Returns the reason when the file could not be used; an error when no memory could be mapped at all.
pub fn prepare_memory(file: Option<PathBuf>, marks: usize) -> std::io::Result<Option<String>> {
    if MEMORY.get().is_some() {
        return Ok(None);
    }
    let too_few = || std::io::Error::other("too few words");
    let memory = Memory::over(shared::map(memory_words(marks))?).ok_or_else(too_few)?;
    let (memory, remark) = match file.map(|path| (MarksFile::open(&path, memory.kept_words()), path)) {
        None => (memory, Some("there is no DefaultRuntimeDir".to_owned())),
        Some((Ok(opened), path)) => {
            let memory = memory.kept_by(opened.file, &opened.kept, wall());
            let moved = opened.beside.map_or(Ok(()), |beside| fs::rename(beside, &path));
            (
                memory,
                moved.err().map(|error| format!("{}: {error}", path.display())),
            )
        }
        Some((Err(error), path)) => (memory, Some(format!("{}: {error}", path.display()))),
    };
    let stats = Stats::over(shared::map(stats::WORDS)?).ok_or_else(too_few)?;
    stats.begin(wall());
    MEMORY.get_or_init(|| memory);
    STATS.get_or_init(|| stats);
    let health = Health::over(shared::map(health::WORDS)?).ok_or_else(too_few)?;
    HEALTH.get_or_init(|| health);
    Ok(remark)
}

/// The shared memory.
pub fn memory() -> &'static Memory<'static> {
    match MEMORY.get() {
        Some(memory) => memory,
        None => unreachable!("httpd does not start when prepare_memory has failed"),
    }
}

/// Records the handlers that the server's configuration names, in the parent.
pub fn note_handlers(handlers: Vec<HandlerId>) {
    if let Ok(mut place) = HANDLERS.write() {
        *place = handlers;
    }
}

/// Whether the server's own configuration has chosen the handler of a request, and not a `.htaccess` file.
pub fn is_handler_of_server(request: Request<'_>) -> bool {
    HANDLERS
        .read()
        .is_ok_and(|handlers| request.handler_of_server(&handlers))
}

/// Records the names of all session cookies of the configuration, in the parent.
pub fn name_cookies(names: Vec<String>) {
    if let Ok(mut place) = COOKIE_NAMES.write() {
        *place = names;
    }
}

/// Whether a cookie is a session cookie, of this location or of another one on the server.
pub fn is_session_cookie(cookie: &[u8]) -> bool {
    let is_piece = |name: &String| {
        cookie
            .strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    COOKIE_NAMES.read().is_ok_and(|names| names.iter().any(is_piece))
}

/// Keeps a warning about the configuration that is being read, until it can be logged.
pub fn warn_later(line: String) {
    if let Ok(mut lines) = WARNINGS.lock()
        && !lines.contains(&line)
    {
        lines.push(line);
    }
}

/// Takes the warnings that were kept.
pub fn take_warnings() -> Vec<String> {
    WARNINGS
        .lock()
        .map(|mut lines| std::mem::take(&mut *lines))
        .unwrap_or_default()
}

/// What this process knows about access tokens.
pub fn tokens() -> &'static TokenCache {
    TOKENS.get_or_init(TokenCache::default)
}

/// The counters.
pub fn stats() -> Stats<'static> {
    match STATS.get() {
        Some(stats) => *stats,
        None => unreachable!("httpd does not start when prepare_memory has failed"),
    }
}

/// What is known of the sites' health.
pub fn health() -> Health<'static> {
    match HEALTH.get() {
        Some(health) => *health,
        None => unreachable!("httpd does not start when prepare_memory has failed"),
    }
}

/// Creates the random key at the first start. Returns whether it was created just now; `None` without randomness.
pub fn prepare_random_key(servers: Servers<'_>) -> Option<bool> {
    let (bytes, fresh) = process::retained_key(servers, |bytes| SystemRandom.fill(bytes).is_ok())?;
    RANDOM_KEYS.get_or_init(|| match KeyRing::derive([bytes.as_slice()]) {
        Some(ring) => ring,
        None => unreachable!("one key was given"),
    });
    Some(fresh)
}

/// Defaults that are only known in the running server.
pub fn defaults<'d>(
    stores: &'static dyn Stores,
    revocations: Option<&'static dyn Revocations>,
    tokens_path: Option<&'d str>,
) -> ServerDefaults<'d> {
    ServerDefaults {
        keys: random_keys(),
        threads: *THREADS.get_or_init(process::threads_per_child),
        stores,
        revocations,
        tokens_path,
    }
}

/// The random key.
fn random_keys() -> &'static KeyRing {
    match RANDOM_KEYS.get() {
        Some(keys) => keys,
        None => unreachable!("httpd does not start when prepare_random_key has failed"),
    }
}

/// Records whether a `Require not` asks for a claim, in the parent.
pub fn note_negated_claims(are_negated: bool) {
    NEGATED_CLAIMS.store(are_negated, Ordering::Relaxed);
}

/// Whether the absence of a claim may let a visitor in.
pub fn claims_are_negated() -> bool {
    NEGATED_CLAIMS.load(Ordering::Relaxed)
}
