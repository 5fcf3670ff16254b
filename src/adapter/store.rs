//! Session stores for oxd-core on top of httpd's socache providers, with time limits.

use std::cell::RefCell;
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use oxd_core::base::{Doubt, Key, Seconds, Store, StoreError};
use oxd_core::shm::stats::{Action, Answered};

use super::provider::{Operation, ProviderStore};
use super::slot::Slot;
use super::worker_pool::Job;
use super::{child, worker_pool};
use crate::ffi::command::Command;
use crate::ffi::process;
use crate::ffi::server::Servers;
use crate::ffi::socache::{Hints, NotOpened, Refusal, Room, Socache};

/// How long a request waits for a store on the network. The providers enforce no usable limit of their own: a stalled
/// server would block a worker for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the module makes no calls to a store that timed out, except for one probing request, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;
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

/// A call to a store, made by another thread than the one that waits for it.
struct Call {
    store: &'static ProviderStore,
    key: Key,
    operation: Operation,
    /// Where the entry is, once the answer is there.
    room: Mutex<Room>,
    answer: Slot<Result<(), Refusal>>,
}

impl Call {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job for Call {
    fn run(&self) {
        if self.answer.is_awaited() {
            let mut room = self.room();
            let answer = self.store.perform_surely(&self.key, &self.operation, &mut room);
            drop(room);
            self.answer.answer(answer);
        }
    }

    fn give_up(&self) {
        self.answer.give_up();
    }
}

thread_local! {
    /// The last call of this thread, whose memory the next one uses: what one thread allocates and another one frees is dear.
    static CALL: RefCell<Option<Arc<Call>>> = const { RefCell::new(None) };
    /// Where this thread reads entries itself.
    static ROOM: RefCell<Room> = RefCell::default();
}

impl Store for StoreHandle {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.read(key, &mut |value| found = Some(value.to_vec()))?;
        Ok(found)
    }

    fn read(&self, key: &Key, take: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match self.0.counted(key, Operation::Get, take) {
            Ok(()) | Err(Refusal::NotFound) => Ok(()),
            Err(refusal) => Err(self.0.error(refusal)),
        }
    }

    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError> {
        let put = Operation::Put(value.to_vec(), until);
        match self.0.counted(key, put, &mut |_| ()) {
            Ok(()) => Ok(()),
            Err(Refusal::TooLarge) => Err(StoreError::TooLarge(format!(
                "OxdSessionStore {}: an entry of {} bytes does not fit",
                self.0.text,
                value.len()
            ))),
            Err(other) => Err(self.0.error(other)),
        }
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        match self.0.counted(key, Operation::Remove, &mut |_| ()) {
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

    /// Asks the store directly or, where it may stall, in another thread with the time limit [`CALL_TIMEOUT`]. `take` gets
    /// the entry where one is asked for.
    fn counted(
        &'static self,
        key: &Key,
        operation: Operation,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Refusal> {
        let (action, began) = (operation.action(), Instant::now());
        if !self.is_on_network {
            return ROOM.with_borrow_mut(|room| {
                let answer = self.perform(key, &operation, room);
                self.count(action, &answer, began);
                if action == Action::Get && answer.is_ok() {
                    take(room.bytes());
                }
                answer
            });
        }
        let call = self.call(key, operation);
        let answer = self.ask(&call, began + CALL_TIMEOUT);
        self.count(action, &answer, began);
        if action == Action::Get && answer.is_ok() {
            take(call.room().bytes());
        }
        CALL.set(Some(call));
        answer
    }

    /// A call in memory of this thread.
    fn call(&'static self, key: &Key, operation: Operation) -> Arc<Call> {
        if let Some(mut call) = CALL.take()
            // Another thread may not have let go of it yet, or may be stuck with it.
            && let Some(own) = Arc::get_mut(&mut call)
        {
            (own.store, own.key, own.operation) = (self, *key, operation);
            own.answer.renew();
            return call;
        }
        Arc::new(Call {
            store: self,
            key: *key,
            operation,
            room: Mutex::default(),
            answer: Slot::new(),
        })
    }

    fn count(&self, action: Action, answer: &Result<(), Refusal>, began: Instant) {
        let answered = match answer {
            Ok(_) => Answered::Ok,
            Err(Refusal::NotFound) => Answered::Absent,
            Err(_) => Answered::Failed,
        };
        child::stats().store(action, answered, began.elapsed());
    }

    /// Has another thread make the call, and waits until then.
    fn ask(&self, call: &Arc<Call>, until: Instant) -> Result<(), Refusal> {
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
        worker_pool::run(call.clone())
            .map_err(|error| Refusal::Failed(format!("no thread for its calls: {error}")))?;
        match call.answer.wait(until) {
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

fn millis() -> u64 {
    static STARTED: Lazy<Instant> = Lazy::new(Instant::now);
    // Never 0, which means that calls are allowed.
    u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX - RETRY_AFTER_MS - 1) + 1
}
