//! `OxdRevocations`: the stream of ends that machines tell each other, appended to by all children and read by one.

use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use oxd_core::base::{KeyRing, Level, Revocations, Seconds, Store, StoreError, wall, wall_millis};
use oxd_core::config::RawSettings;
use oxd_core::session::feed::{self, Feed};
use oxd_core::shm::stats::metrics::FeedGauges;
use oxd_core::shm::stats::{Action, Answered};
use oxd_store::{Machine, RedisStore, Task};

use super::child;
use super::redis::Counted;
use crate::ffi::log::ChildLog;
use crate::ffi::process;
use crate::ffi::server::Servers;

/// How long the end of a child waits for the thread that reads the stream.
const PATIENCE: Duration = Duration::from_secs(1);

/// The stream of a configuration.
#[derive(Debug)]
struct Stream {
    store: Counted,
    keys: KeyRing,
    /// The number of the configuration ([`oxd_core::shm::Memory::next_generation`]).
    generation: u64,
}

/// What the configuration says, set by the parent at each start. It is never freed, as the threads of a child use it.
static CONFIGURED: RwLock<Option<&'static Stream>> = RwLock::new(None);
/// The same in a child.
static CURRENT: OnceLock<Option<&'static Stream>> = OnceLock::new();
/// The reading of the stream in a child.
static READING: Mutex<Option<Task>> = Mutex::new(None);

/// Takes the stream from the configuration, in the parent. The text says what is wrong.
pub fn configure(servers: Servers<'_>) -> Result<(), String> {
    let generation = child::memory().next_generation();
    let settings = servers
        .all()
        .filter_map(|server| server.defaults())
        .map(|defaults| defaults.settings())
        .find(|settings| settings.revocations().is_some());
    let stream = match settings {
        None => None,
        Some(settings) => Some(Stream::of(&settings, generation)?),
    };
    let stream = stream.map(|stream| &*Box::leak(Box::new(stream)));
    *CONFIGURED.write().unwrap_or_else(PoisonError::into_inner) = stream;
    Ok(())
}

/// The stream of this child.
pub fn current() -> Option<&'static dyn Revocations> {
    let stream = (*CURRENT.get()?)?;
    Some(stream)
}

/// Begins to read the stream, in a child.
pub fn start(log: ChildLog) {
    let configured = *CONFIGURED.read().unwrap_or_else(PoisonError::into_inner);
    let Some(stream) = *CURRENT.get_or_init(|| configured) else {
        return;
    };
    let runtime = match child::runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            let line = format!("OxdRevocations: ends on other machines are not known here: {why}");
            return log.line(Level::Error, &line);
        }
    };
    let task = oxd_store::spawn(&runtime, move || {
        let reader = Reader {
            log,
            generation: stream.generation,
        };
        let feed = Feed {
            memory: *child::memory(),
            keys: &stream.keys,
        };
        async move { stream.store.0.follow(feed, &reader, longest).await }
    });
    *READING.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
}

/// Ends the reading, before the child exits: its log must not be used after that.
pub fn stop() {
    let task = READING.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(task) = task {
        if !task.end(PATIENCE) {
            process::end_now();
        }
        child::memory().leave_reader(std::process::id());
    }
}

/// For how long ends matter that are told late.
fn longest() -> Seconds {
    child::memory().longest_lifetime()
}

/// What the status page and the metrics say of the stream; `None` without one.
pub fn gauges() -> Option<FeedGauges> {
    let stream = (*CURRENT.get()?)?;
    let memory = child::memory();
    Some(FeedGauges {
        address: stream.store.0.name(),
        lag: feed::lag(memory, wall_millis()),
        untold: memory.untold(wall()).count(),
    })
}

impl Stream {
    fn of(settings: &RawSettings<'_>, generation: u64) -> Result<Self, String> {
        let store = settings.revocations().ok_or("OxdRevocations is missing")?;
        let keys = settings.crypto_key().ok_or_else(|| {
            format!(
                "OxdRevocations {} needs OxdCryptoKey beside it, the same on all machines",
                store.address
            )
        })?;
        Ok(Self {
            store: Counted(RedisStore::new("OxdRevocations", &store, child::runtime)),
            keys: keys.clone(),
            generation,
        })
    }
}

impl Revocations for Stream {
    fn append(&self, entry: &[u8], keep: Seconds) -> Result<(), StoreError> {
        let began = Instant::now();
        let answer = self.store.0.append(entry, keep);
        let answered = if answer.is_ok() {
            Answered::Ok
        } else {
            Answered::Failed
        };
        child::stats().store(Action::Tell, answered, began.elapsed());
        answer
    }

    fn keys(&self) -> &KeyRing {
        &self.keys
    }

    fn facts(&self) -> &dyn Store {
        &self.store
    }
}

/// This child as a reader.
#[derive(Debug)]
struct Reader {
    log: ChildLog,
    generation: u64,
}

impl Machine for Reader {
    fn reads(&self) -> bool {
        let memory = child::memory();
        memory.take_reader(std::process::id(), self.generation, wall(), process::lives)
    }

    fn log(&self, level: Level, line: &str) {
        self.log.line(level, line);
    }
}
