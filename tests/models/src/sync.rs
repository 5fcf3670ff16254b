//! What loom can follow, in place of what a processor and a system have.
// The methods are those of the standard library.
#![allow(missing_docs)]

use oxd_core::base::Seconds;

pub use loom::sync::atomic::Ordering;

/// An atomic of loom, and another one that each use of it writes to first.
///
/// Of each atomic loom remembers the last access only, to see which ones it has to try in another order. Between a load
/// of one thread and a write of another that has itself loaded the word before, it sees nothing, and tries one order
/// only. Two writes are always seen.
#[derive(Debug)]
pub struct AtomicU64 {
    word: loom::sync::atomic::AtomicU64,
    used: loom::sync::atomic::AtomicU64,
}

impl AtomicU64 {
    pub fn new(value: u64) -> Self {
        Self {
            word: loom::sync::atomic::AtomicU64::new(value),
            used: loom::sync::atomic::AtomicU64::new(0),
        }
    }

    fn word(&self) -> &loom::sync::atomic::AtomicU64 {
        // It passes nothing on between threads: what the accesses themselves order is what is ordered.
        self.used.store(0, Ordering::Relaxed);
        &self.word
    }

    pub fn load(&self, order: Ordering) -> u64 {
        self.word().load(order)
    }

    /// An exchange: between a store and the exchange of another thread loom keeps no order, and lets a later exchange
    /// find what was there before both.
    pub fn store(&self, value: u64, order: Ordering) {
        self.word().swap(value, order);
    }

    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.word().swap(value, order)
    }

    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.word().fetch_add(value, order)
    }

    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.word().fetch_max(value, order)
    }

    pub fn compare_exchange(
        &self,
        old: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.word().compare_exchange(old, new, success, failure)
    }

    /// As the standard library does it: a load, and exchanges until one succeeds.
    pub fn fetch_update(
        &self,
        success: Ordering,
        failure: Ordering,
        change: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        let mut old = self.load(failure);
        while let Some(new) = change(old) {
            match self.compare_exchange(old, new, success, failure) {
                Ok(_) => return Ok(old),
                Err(changed) => old = changed,
            }
        }
        Err(old)
    }
}

loom::lazy_static! {
    /// The clock of the machine, in seconds since 1970. It stands still unless a model sets it.
    pub static ref CLOCK: AtomicU64 = AtomicU64::new(1_800_000_000);
}

pub(super) fn wall() -> Seconds {
    Seconds(CLOCK.load(Ordering::Relaxed))
}

pub(super) fn wait() {
    loom::thread::yield_now();
}
