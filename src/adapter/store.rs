//! Session stores as oxd-core sees them, on httpd's socache providers: time limits, sizes, and the difference between
//! an entry that is not there and a store that is not.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use oxd_core::base::clock::{Seconds, wall};
use oxd_core::base::crypto::sha256_of;
use oxd_core::base::store::{Key, Store, StoreError};
use oxd_core::shm::stats::{Action, Answered};

use crate::adapter::child;
use crate::ffi::process;
use crate::ffi::socache::{self, Socache};
use crate::ffi::socache::{LONGEST, Refusal};

/// How long a request waits for a store on the network. The providers have no limit of their own that holds: a stalled
/// server would keep a worker for minutes.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a store that has not answered in time is left alone, but for one request that tries, in milliseconds.
const REST: u64 = 1_000;
/// The most threads that call stores in one child.
const MOST_THREADS: u32 = 16;
/// What one entry of a DBM file holds, in bytes: SDBM's pairs have at most 1 KiB, and the provider adds to it.
const DBM_PIECE: usize = 850;
/// The most entries of a DBM file that one of ours is cut into.
const DBM_PIECES: usize = 16;

impl Store for Socache {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let key = *key;
        match self.counted(Action::Get, move |store| get(store, &key)) {
            Ok(value) => Ok(Some(value)),
            Err(Refusal::NotFound) => Ok(None),
            Err(refusal) => Err(self.error(refusal)),
        }
    }

    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError> {
        let (key, length) = (*key, value.len());
        let value = value.to_vec();
        self.counted(Action::Put, move |store| put(store, &key, &value, until))
            .map_err(|refusal| match refusal {
                Refusal::TooLarge => StoreError::TooLarge(format!(
                    "OxdSessionStore {}: an entry of {length} bytes does not fit",
                    self.text
                )),
                other => self.error(other),
            })
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let key = *key;
        match self.counted(Action::Remove, move |store| remove(store, &key)) {
            Ok(()) | Err(Refusal::NotFound) => Ok(()),
            Err(refusal) => Err(self.error(refusal)),
        }
    }

    fn is_shared(&self) -> bool {
        matches!(self.provider.as_str(), "redis" | "memcache")
    }
}

impl Socache {
    fn error(&self, refusal: Refusal) -> StoreError {
        let why = match refusal {
            Refusal::Failed(why) => why,
            // What is not there after all is a server.
            Refusal::NotFound | Refusal::TooLarge => "no server is left".into(),
        };
        StoreError::Unavailable(format!("OxdSessionStore {}: {why}", self.text))
    }

    fn counted<A: Send + 'static>(
        &self,
        action: Action,
        call: impl Fn(&Socache) -> Result<A, Refusal> + Send + Sync + 'static,
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
        &self,
        action: impl Fn(&Socache) -> Result<A, Refusal> + Send + Sync + 'static,
    ) -> Result<A, Refusal> {
        if !self.is_shared() {
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
        let store = self.lasting();
        let (sender, receiver) = mpsc::sync_channel(1);
        let given_up = Arc::new(AtomicBool::new(false));
        let is_given_up = given_up.clone();
        HELPERS.call(Box::new(move || {
            if !is_given_up.load(Ordering::Acquire) {
                // Nobody listens any more when the time is over.
                let _ = sender.send(surely(store, &action));
            }
        }))?;
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
fn surely<A>(store: &Socache, action: &impl Fn(&Socache) -> Result<A, Refusal>) -> Result<A, Refusal> {
    let mut answer = action(store);
    if matches!(answer, Err(Refusal::Failed(_))) {
        store.suspect.store(true, Ordering::Release);
        // A connection that was kept open across a restart of the server fails once.
        answer = action(store);
    }
    let is_doubtful = matches!(answer, Err(Refusal::NotFound)) && store.suspect.load(Ordering::Acquire);
    if is_doubtful {
        let probe = sha256_of(&[b"mod_oxd probe"]);
        if put(store, &probe, b"alive", wall().saturating_add(60)).is_err() {
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

fn is_cut(store: &Socache) -> bool {
    store.provider == "dbm"
}

fn get(store: &Socache, key: &Key) -> Result<Vec<u8>, Refusal> {
    let calls = store.calls()?;
    let mut value = calls.retrieve(key)?;
    if is_cut(store) {
        // The first byte of the first piece says how many there are.
        let count = usize::from(value.first().copied().unwrap_or(1));
        if !value.is_empty() {
            value.remove(0);
        }
        for number in 1..count.min(DBM_PIECES) {
            value.extend(calls.retrieve(&piece(key, number))?);
        }
    }
    Ok(value)
}

fn put(store: &Socache, key: &Key, value: &[u8], until: Seconds) -> Result<(), Refusal> {
    if value.len() > LONGEST {
        return Err(Refusal::TooLarge);
    }
    let calls = store.calls()?;
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

fn remove(store: &Socache, key: &Key) -> Result<(), Refusal> {
    let calls = store.calls()?;
    if is_cut(store)
        && let Ok(head) = calls.retrieve(key)
    {
        for number in 1..usize::from(head.first().copied().unwrap_or(1)).min(DBM_PIECES) {
            // What stays there runs out by itself.
            let _ = calls.remove(&piece(key, number));
        }
    }
    calls.remove(key)
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: u32,
    idle: u32,
}

/// The threads that call stores on the network, as many as were ever wanted at once.
struct Helpers {
    queue: Mutex<Queue>,
    wanted: Condvar,
}

static HELPERS: Lazy<Helpers> = Lazy::new(|| Helpers {
    queue: Mutex::default(),
    wanted: Condvar::new(),
});

impl Helpers {
    fn call(&'static self, job: Job) -> Result<(), Refusal> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.jobs.push_back(job);
        let most = process::threads_per_child().clamp(2, MOST_THREADS);
        if queue.idle < u32::try_from(queue.jobs.len()).unwrap_or(u32::MAX) && queue.threads < most {
            queue.threads += 1;
            if let Err(error) = socache::spawn(|| self.work()) {
                queue.threads -= 1;
                if queue.threads == 0 {
                    queue.jobs.clear();
                    return Err(Refusal::Failed(format!("no thread for its calls: {error}")));
                }
            }
        }
        drop(queue);
        self.wanted.notify_one();
        Ok(())
    }

    fn work(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match queue.jobs.pop_front() {
                Some(job) => {
                    drop(queue);
                    // A job that panics loses its answer, and its caller runs into the time limit.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                    queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    queue.idle += 1;
                    queue = self.wanted.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }
}

fn millis() -> u64 {
    static STARTED: Lazy<Instant> = Lazy::new(Instant::now);
    // Never 0, which means that nobody rests.
    u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX - REST - 1) + 1
}
