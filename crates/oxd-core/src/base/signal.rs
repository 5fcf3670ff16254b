//! Wakes threads that wait for something that another thread of the process does.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Counts how often something has happened, and wakes those who wait for the next time.
pub(crate) struct Signal {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// A signal that has not been given yet.
    pub(crate) const fn new() -> Self {
        Self {
            count: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// How often it has been given.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives it.
    pub(crate) fn notify(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Waits until it has been given since `seen`, `patience` at the most.
    pub(crate) fn wait(&self, seen: u64, patience: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was given or the time is over is for the caller to find out.
        let _ = self
            .changed
            .wait_timeout_while(count, patience, |count| *count == seen);
    }
}
