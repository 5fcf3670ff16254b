//! Session stores for oxd-core on top of httpd's socache providers: time limits, size limits, the differences between
//! the providers, and telling a missing entry from an unreachable store.

use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use oxd_core::base::{Doubt, Key, Miss, Seconds, Store, StoreError, sha256_of, wall};
use oxd_core::shm::stats::{Action, Answered};

use super::{child, slot, worker_pool};
use crate::ffi::command::Command;
use crate::ffi::process;
use crate::ffi::server::Servers;
use crate::ffi::socache::{Calls, Hints, LONGEST, NotOpened, Refusal, Socache};

/// How long a request waits for a store on the network. The providers enforce no usable limit of their own: a stalled
/// server would block a worker for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the module makes no calls to a store that timed out, except for one probing request, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;
/// Payload of one DBM entry, in bytes: an SDBM pair holds at most 1 KiB, and the provider adds to it.
const DBM_PIECE: usize = 850;
/// The most DBM entries that one session entry is split into.
const DBM_PIECES: usize = 16;

/// The size of a shmcb store whose directive gives none, in bytes. shmcb's own default of half a megabyte holds only a
/// hundred sessions.
const SHMCB_BYTES: usize = 8 << 20;
/// Namespace that separates entries from those of other modules. The same on all machines.
const NAMESPACE: &std::ffi::CStr = c"mod_oxd";
/// Hints to the providers about the entries.
const HINTS: Hints = Hints {
    key_bytes: 32,
    value_bytes: 1_500,
    expiry_interval: 60_000_000,
};

/// A store that a directive names.
#[derive(Debug)]
struct ProviderStore {
    /// The argument of the directive.
    text: String,
    /// Whether it calls a server on the network.
    is_on_network: bool,
    /// Whether it takes short entries only.
    splits_entries: bool,
    /// The socache instance, present while a configuration names the store.
    socache: Socache,
    /// Whether this child may believe that there is no such entry.
    doubt: Doubt,
    /// Until when this child makes no calls to the store, in milliseconds since the child's start; 0: calls are
    /// allowed.
    retry_at: AtomicU64,
}

/// All stores that any configuration of this process has named. They are few and never freed, because a thread may
/// still call one after its configuration is gone.
static STORES: Mutex<Vec<&'static StoreHandle>> = Mutex::new(Vec::new());

/// A store that is never freed, so that threads may hold it.
#[derive(Debug)]
struct StoreHandle(&'static ProviderStore);

fn stores() -> MutexGuard<'static, Vec<&'static StoreHandle>> {
    STORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store that a directive names, created unless the configuration has already named it. The error text describes
/// the allowed values.
pub fn open(command: Command<'_>, provider: &str, details: &str) -> Result<&'static dyn Store, String> {
    let text = format!("{provider}:{details}");
    let mut stores = stores();
    let known = stores.iter().find(|store| store.0.text == text).copied();
    let handle = known.unwrap_or_else(|| {
        let store = Box::leak(Box::new(ProviderStore {
            text,
            is_on_network: matches!(provider, "redis" | "memcache"),
            splits_entries: provider == "dbm",
            socache: Socache::new(),
            doubt: Doubt::default(),
            retry_at: AtomicU64::new(0),
        }));
        let handle: &'static StoreHandle = Box::leak(Box::new(StoreHandle(store)));
        stores.push(handle);
        handle
    });
    let store = handle.0;
    if store.socache.is_open() {
        return Ok(handle);
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
        Ok(()) => Ok(handle),
        Err(NotOpened::NoProvider) => Err(format!(
            "{} once mod_socache_{provider} is loaded: LoadModule socache_{provider}_module \
             modules/mod_socache_{provider}.so (Debian: a2enmod socache_{provider})",
            store.text
        )),
        Err(NotOpened::Refused(complaint)) => {
            Err(format!("what mod_socache_{provider} takes; it says: {complaint}"))
        }
    }
}

/// Ends all calls before the child exits. A call that a stalled server holds up would use memory that is gone; the child
/// then ends without the rest of its cleanup.
pub fn close() {
    if !worker_pool::close(CALL_TIMEOUT) {
        process::end_now();
    }
}

/// Initialises the stores of the configuration, in the parent. The error message names the store that failed.
pub fn prepare(servers: Servers<'_>) -> Result<(), String> {
    for StoreHandle(store) in stores().iter() {
        let ready = store.socache.prepare(servers, NAMESPACE, &HINTS);
        ready.map_err(|why| format!("OxdSessionStore {}: {why}", store.text))?;
    }
    Ok(())
}

impl Store for StoreHandle {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let key = *key;
        match self.0.counted(Action::Get, move |store| get(store, &key)) {
            Ok(value) => Ok(Some(value)),
            Err(Refusal::NotFound) => Ok(None),
            Err(refusal) => Err(self.0.error(refusal)),
        }
    }

    fn read(&self, key: &Key, take: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        if self.0.is_on_network || self.0.splits_entries {
            if let Some(value) = self.get(key)? {
                take(&value);
            }
            return Ok(());
        }
        let began = Instant::now();
        let read = self
            .0
            .socache
            .calls()
            .and_then(|calls| calls.retrieve_then(key, take));
        self.0.count(Action::Get, &read, began);
        match read {
            Ok(()) | Err(Refusal::NotFound) => Ok(()),
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
        self.0.is_on_network
    }
}

impl ProviderStore {
    fn error(&self, refusal: Refusal) -> StoreError {
        let why = match refusal {
            Refusal::Failed(why) | Refusal::General(why) => why,
            // A miss on a write means the provider has no live server.
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
        self.count(action, &answer, began);
        answer
    }

    fn count<A>(&self, action: Action, answer: &Result<A, Refusal>, began: Instant) {
        let answered = match answer {
            Ok(_) => Answered::Ok,
            Err(Refusal::NotFound) => Answered::Absent,
            Err(_) => Answered::Failed,
        };
        child::stats().store(action, answered, began.elapsed());
    }

    /// Calls the store directly or, where it may stall, in another thread with the time limit [`CALL_TIMEOUT`].
    fn ask<A: Send + 'static>(
        &'static self,
        action: impl Fn(&ProviderStore) -> Result<A, Refusal> + Send + Sync + 'static,
    ) -> Result<A, Refusal> {
        if !self.is_on_network {
            return action(self);
        }
        let resting = self.retry_at.load(Ordering::Acquire);
        if resting != 0 {
            let now = millis();
            // One request probes the store; the others fail immediately instead of waiting.
            let next = now + RETRY_AFTER_MS;
            let tries = now >= resting
                && self
                    .retry_at
                    .compare_exchange(resting, next, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok();
            if !tries {
                return Err(Refusal::Failed("it did not answer in time a moment ago".into()));
            }
        }
        let (answerer, slot) = slot::new();
        let job = Box::new(move || {
            if answerer.is_awaited() {
                answerer.answer(confirm_miss(self, &action));
            }
        });
        worker_pool::run(job)
            .map_err(|error| Refusal::Failed(format!("no thread for its calls: {error}")))?;
        match slot.wait(CALL_TIMEOUT) {
            Some(answer) => {
                self.retry_at.store(0, Ordering::Release);
                answer
            }
            None => {
                self.retry_at.store(millis() + RETRY_AFTER_MS, Ordering::Release);
                Err(Refusal::Failed(format!("no answer after {CALL_TIMEOUT:?}")))
            }
        }
    }
}

/// Calls a store on the network, and confirms a miss.
///
/// After a failure, the providers mark the server dead for some seconds and report «not found» meanwhile. So after a
/// failure, «not found» is only trusted once a probe entry could be written; until then it means that the store is
/// unavailable.
fn confirm_miss<A>(
    store: &ProviderStore,
    action: &impl Fn(&ProviderStore) -> Result<A, Refusal>,
) -> Result<A, Refusal> {
    let doubt = &store.doubt;
    let _under_way = doubt.begin();
    let ask = || {
        let asked = doubt.ask();
        let answer = action(store);
        note_failure(store, &answer);
        (asked, answer)
    };
    // A server that is given up takes no entry.
    let takes_entries = || {
        let asked = doubt.ask();
        let probe = sha256_of(&[b"mod_oxd probe"]);
        let put = put(store, &probe, b"alive", wall().saturating_add(Seconds(60)));
        note_failure(store, &put);
        if put.is_ok() {
            doubt.answered(asked);
        }
        put.is_ok()
    };
    let no_server = || Err(Refusal::Failed("no server is left".into()));
    let miss = |answer: &Result<A, Refusal>| matches!(answer, Err(Refusal::NotFound)).then_some(());
    let (mut asked, mut answer) = ask();
    if is_failure(&answer) {
        // A connection that stayed open across a restart of the server fails once.
        (asked, answer) = ask();
    }
    let mut certainty = miss(&answer).map(|()| doubt.of_miss());
    if certainty == Some(Miss::Doubtful) {
        if !takes_entries() {
            return no_server();
        }
        (asked, answer) = ask();
        certainty = miss(&answer).map(|()| doubt.of_miss());
    }
    match certainty {
        // It has died again meanwhile.
        Some(Miss::Doubtful) => return no_server(),
        // It is given up for longer than this takes.
        Some(Miss::Unsure) if !takes_entries() => return no_server(),
        _ => {}
    }
    if answer.is_ok() {
        doubt.answered(asked);
    }
    answer
}

/// Whether a call has failed, after which the provider gives the server up for some seconds.
fn is_failure<A>(answer: &Result<A, Refusal>) -> bool {
    matches!(answer, Err(Refusal::Failed(_) | Refusal::General(_)))
}

fn note_failure<A>(store: &ProviderStore, answer: &Result<A, Refusal>) {
    if is_failure(answer) {
        store.doubt.failed();
    }
}

fn piece(key: &Key, number: usize) -> Key {
    match u8::try_from(number) {
        Ok(0) | Err(_) => *key,
        Ok(number) => sha256_of(&[b"mod_oxd piece", &[number], key]),
    }
}

/// Reads one entry as the provider stores it.
fn retrieve(store: &ProviderStore, calls: &Calls<'_>, key: &Key) -> Result<Vec<u8>, Refusal> {
    calls.retrieve(key).map_err(|refusal| match refusal {
        // With Berkeley DB, mod_socache_dbm reports a missing entry as APR_EGENERAL.
        Refusal::General(_) if store.splits_entries => Refusal::NotFound,
        other => other,
    })
}

/// The expiry time as providers take it, in microseconds. They convert it to whole seconds from now, rounded down; an
/// entry with less than a second left would be refused or never expire.
fn expiry(until: Seconds) -> i64 {
    let until = until.max(wall()).saturating_add(Seconds(2));
    i64::try_from(until.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
}

fn get(store: &ProviderStore, key: &Key) -> Result<Vec<u8>, Refusal> {
    let calls = store.socache.calls()?;
    let mut value = retrieve(store, &calls, key)?;
    if store.splits_entries {
        // The first byte of the first piece is the number of pieces.
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
    if !store.splits_entries {
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
    if store.splits_entries
        && let Ok(head) = retrieve(store, &calls, key)
    {
        for number in 1..usize::from(head.first().copied().unwrap_or(1)).min(DBM_PIECES) {
            // A piece that stays behind expires by itself.
            let _ = calls.remove(&piece(key, number));
        }
    }
    calls.remove(key)
}

fn millis() -> u64 {
    static STARTED: Lazy<Instant> = Lazy::new(Instant::now);
    // Never 0, which means that calls are allowed.
    u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX - RETRY_AFTER_MS - 1) + 1
}
