//! Session stores for oxd-core on top of httpd's socache providers: time limits, size limits, the differences between
//! the providers, and telling a missing entry from an unreachable store.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use oxd_core::base::{Key, Seconds, Store, StoreError, sha256_of, wall};
use oxd_core::shm::stats::{Action, Answered};

use super::{child, worker_pool};
use crate::ffi::command::Command;
use crate::ffi::server::Servers;
use crate::ffi::socache::{Calls, Hints, LONGEST, NotOpened, Refusal, Socache};

/// How long a request waits for a store on the network. The providers have no limit of their own that holds: a stalled
/// server would keep a worker for minutes.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a store that has not answered in time is left alone, but for one request that tries, in milliseconds.
const REST: u64 = 1_000;
/// How long the module makes no calls to a store that timed out, except for one probing request, in milliseconds.
const DBM_PIECE: usize = 850;
/// Payload of one DBM entry, in bytes: an SDBM pair holds at most 1 KiB, and the provider adds to it.
const DBM_PIECES: usize = 16;

/// The size of a shmcb store that names none, in bytes: left to itself, shmcb takes half a megabyte, which is room for a
/// hundred sessions.
const SHMCB_BYTES: usize = 8 << 20;
/// What tells entries apart from those of other modules. The same on all machines.
const NAMESPACE: &std::ffi::CStr = c"mod_oxd";
/// Namespace that separates entries from those of other modules. The same on all machines.
const HINTS: Hints = Hints {
    key_bytes: 32,
    value_bytes: 1_500,
    expiry_interval: 60_000_000,
};

/// A store that a directive has named.
#[derive(Debug)]
struct ProviderStore {
    /// The store as the directive names it.
    text: String,
    /// The argument of the directive.
    provider: String,
    /// What calls it, as long as a configuration names the store.
    socache: Socache,
    /// The socache instance, present while a configuration names the store.
    suspect: AtomicBool,
    /// Whether a call of this child has failed since the last successful one.
    rests_until: AtomicU64,
}

/// The stores that any configuration of this process has named. They are few, and stay: a thread may still call one when
/// its configuration is gone.
static STORES: Mutex<Vec<&'static Lasting>> = Mutex::new(Vec::new());

/// A store that threads may be given.
#[derive(Debug)]
struct Lasting(&'static ProviderStore);

fn stores() -> MutexGuard<'static, Vec<&'static Lasting>> {
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store that a directive names, made where the configuration has not named it before. What is wrong with it is said
/// as what would be allowed.
pub fn open(command: Command<'_>, provider: &str, details: &str) -> Result<&'static dyn Store, String> {
    let text = format!("{provider}:{details}");
    let mut stores = stores();
    let known = stores.iter().find(|store| store.0.text == text).copied();
    let lasting = known.unwrap_or_else(|| {
        let store = Box::leak(Box::new(ProviderStore {
            text,
            provider: provider.to_owned(),
            socache: Socache::new(),
            suspect: AtomicBool::new(false),
            rests_until: AtomicU64::new(0),
        }));
        let lasting: &'static Lasting = Box::leak(Box::new(Lasting(store)));
        stores.push(lasting);
        lasting
    });
    let store = lasting.0;
    if store.socache.is_open() {
        return Ok(lasting);
    }
    let name = CString::new(provider).map_err(|e| e.to_string())?;
    let arguments = match (provider, details) {
        ("shmcb", "") => format!("oxd-session-store({SHMCB_BYTES})"),
        ("shmcb", path) if !path.contains('(') => format!("{path}({SHMCB_BYTES})"),
        _ => details.to_owned(),
    };
    let arguments = CString::new(arguments).map_err(|e| e.to_string())?;
    let arguments = Some(arguments.as_c_str()).filter(|text| !text.is_empty());
    match store.socache.open(command, &name, arguments) {
        Ok(()) => Ok(lasting),
        Err(NotOpened::NoProvider) => Err(format!(
            "{} once mod_socache_{provider} is loaded: LoadModule socache_{provider}_module \
             modules/mod_socache_{provider}.so",
            store.text
        )),
        Err(NotOpened::Refused(complaint)) => {
            Err(format!("what mod_socache_{provider} takes; it says: {complaint}"))
        }
    }
}

/// Initialises the stores of the configuration, in the parent; a message names the one that failed.
pub fn prepare(servers: Servers<'_>) -> Result<(), String> {
    for Lasting(store) in stores().iter() {
        let ready = store.socache.prepare(servers, NAMESPACE, &HINTS);
        ready.map_err(|why| format!("OxdSessionStore {}: {why}", store.text))?;
    }
    Ok(())
}

impl Store for Lasting {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let key = *key;
        match self.0.counted(Action::Get, move |store| get(store, &key)) {
            Ok(value) => Ok(Some(value)),
            Err(Refusal::NotFound) => Ok(None),
            Err(refusal) => Err(self.0.error(refusal)),
        }
    }

    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError> {
        let (key, length) = (*key, value.len());
        let value = value.to_vec();
        self.0
            .counted(Action::Put, move |store| put(store, &key, &value, until))
            .map_err(|refusal| match refusal {
                Refusal::TooLarge => StoreError::TooLarge(format!(
                    "OxdSessionStore {}: an entry of {length} bytes does not fit",
                    self.0.text
                )),
                other => self.0.error(other),
            })
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let key = *key;
        match self.0.counted(Action::Remove, move |store| remove(store, &key)) {
            Ok(()) | Err(Refusal::NotFound) => Ok(()),
            Err(refusal) => Err(self.0.error(refusal)),
        }
    }

    fn is_shared(&self) -> bool {
        self.0.is_on_network()
    }
}

impl ProviderStore {
    fn is_on_network(&self) -> bool {
        matches!(self.provider.as_str(), "redis" | "memcache")
    }

    fn error(&self, refusal: Refusal) -> StoreError {
        let why = match refusal {
            Refusal::Failed(why) | Refusal::General(why) => why,
            // What is not there after all is a server.
            Refusal::NotFound | Refusal::TooLarge => "no server is left".into(),
        };
        StoreError::Unavailable(format!("OxdSessionStore {}: {why}", self.text))
    }

    fn counted<A: Send + 'static>(
        &'static self,
        action: Action,
        call: impl Fn(&ProviderStore) -> Result<A, Refusal> + Send + Sync + 'static,
    ) -> Result<A, Refusal> {
        let began = Instant::now();
        let answer = self.ask(call);
        let answered = match &answer {
            Ok(_) => Answered::Ok,
            Err(Refusal::NotFound) => Answered::Absent,
            Err(_) => Answered::Failed,
        };
        child::stats().store(action, answered, began.elapsed());
        answer
    }

    /// Calls the store: here, or where it may stall in another thread and not longer than [`PATIENCE`].
    fn ask<A: Send + 'static>(
        &'static self,
        action: impl Fn(&ProviderStore) -> Result<A, Refusal> + Send + Sync + 'static,
    ) -> Result<A, Refusal> {
        if !self.is_on_network() {
            return action(self);
        }
        let resting = self.rests_until.load(Ordering::Acquire);
        let now = millis();
        if resting != 0 {
            // One goes ahead and tries; the others are not kept waiting.
            let next = now + REST;
            let tries = now >= resting
                && self
                    .rests_until
                    .compare_exchange(resting, next, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok();
            if !tries {
                return Err(Refusal::Failed("it did not answer in time a moment ago".into()));
            }
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let is_given_up = given_up.clone();
        let job = Box::new(move || {
            if !is_given_up.load(Ordering::Acquire) {
                // Nobody listens any more when the time is over.
                let _ = sender.send(surely(self, &action));
            }
        });
        worker_pool::run(job)
            .map_err(|error| Refusal::Failed(format!("no thread for its calls: {error}")))?;
        match receiver.recv_timeout(PATIENCE) {
            Ok(answer) => {
                self.rests_until.store(0, Ordering::Release);
                answer
            }
            Err(_) => {
                given_up.store(true, Ordering::Release);
                self.rests_until.store(millis() + REST, Ordering::Release);
                Err(Refusal::Failed(format!("no answer after {PATIENCE:?}")))
            }
        }
    }
}

/// Calls a store on the network, and makes sure of what it says.
///
/// After a failure, the providers take the server out for some seconds and say «not found» meanwhile. So from a failure
/// on until an entry of our own could be written, «not found» means that the store cannot be asked.
fn surely<A>(
    store: &ProviderStore,
    action: &impl Fn(&ProviderStore) -> Result<A, Refusal>,
) -> Result<A, Refusal> {
    let mut answer = action(store);
    if matches!(answer, Err(Refusal::Failed(_) | Refusal::General(_))) {
        store.suspect.store(true, Ordering::Release);
        // A connection that was kept open across a restart of the server fails once.
        answer = action(store);
    }
    let is_doubtful = matches!(answer, Err(Refusal::NotFound)) && store.suspect.load(Ordering::Acquire);
    if is_doubtful {
        let probe = sha256_of(&[b"mod_oxd probe"]);
        if put(store, &probe, b"alive", wall().saturating_add(Seconds(60))).is_err() {
            return Err(Refusal::Failed("no server is left".into()));
        }
        store.suspect.store(false, Ordering::Release);
        answer = action(store);
    } else if answer.is_ok() {
        store.suspect.store(false, Ordering::Release);
    }
    answer
}

fn piece(key: &Key, number: usize) -> Key {
    match u8::try_from(number) {
        Ok(0) | Err(_) => *key,
        Ok(number) => sha256_of(&[b"mod_oxd piece", &[number], key]),
    }
}

fn is_cut(store: &ProviderStore) -> bool {
    store.provider == "dbm"
}

/// Reads one entry as the provider has it.
fn retrieve(store: &ProviderStore, calls: &Calls<'_>, key: &Key) -> Result<Vec<u8>, Refusal> {
    calls.retrieve(key).map_err(|refusal| match refusal {
        // With Berkeley DB below, mod_socache_dbm has this word for an entry that is not there.
        Refusal::General(_) if store.provider == "dbm" => Refusal::NotFound,
        other => other,
    })
}

/// The time at which an entry runs out as providers take it, in microseconds. They turn it into whole seconds from now,
/// cut off; what has no second left they refuse or keep for ever.
fn expiry(until: Seconds) -> i64 {
    let until = until.max(wall()).saturating_add(Seconds(2));
    i64::try_from(until.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
}

fn get(store: &ProviderStore, key: &Key) -> Result<Vec<u8>, Refusal> {
    let calls = store.socache.calls()?;
    let mut value = retrieve(store, &calls, key)?;
    if is_cut(store) {
        // The first byte of the first piece says how many there are.
        let count = usize::from(value.first().copied().unwrap_or(1));
        if !value.is_empty() {
            value.remove(0);
        }
        for number in 1..count.min(DBM_PIECES) {
            value.extend(retrieve(store, &calls, &piece(key, number))?);
        }
    }
    Ok(value)
}

fn put(store: &ProviderStore, key: &Key, value: &[u8], until: Seconds) -> Result<(), Refusal> {
    if value.len() > LONGEST {
        return Err(Refusal::TooLarge);
    }
    let (calls, until) = (store.socache.calls()?, expiry(until));
    if !is_cut(store) {
        return calls.store(key, value, until);
    }
    let count = value.len().div_ceil(DBM_PIECE).max(1);
    let first = u8::try_from(count)
        .ok()
        .filter(|_| count <= DBM_PIECES)
        .ok_or(Refusal::TooLarge)?;
    for (number, part) in value.chunks(DBM_PIECE).enumerate().skip(1) {
        calls.store(&piece(key, number), part, until)?;
    }
    let mut head = vec![first];
    head.extend_from_slice(&value[..value.len().min(DBM_PIECE)]);
    calls.store(key, &head, until)
}

fn remove(store: &ProviderStore, key: &Key) -> Result<(), Refusal> {
    let calls = store.socache.calls()?;
    if is_cut(store)
        && let Ok(head) = retrieve(store, &calls, key)
    {
        for number in 1..usize::from(head.first().copied().unwrap_or(1)).min(DBM_PIECES) {
            // What stays there runs out by itself.
            let _ = calls.remove(&piece(key, number));
        }
    }
    calls.remove(key)
}

fn millis() -> u64 {
    static STARTED: Lazy<Instant> = Lazy::new(Instant::now);
    // Never 0, which means that nobody rests.
    u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX - REST - 1) + 1
}
