//! Words of shared memory that one process holds at a time.

use std::mem;

use super::sync::{AtomicU64, Ordering};
use crate::base::Seconds;

/// How far the clocks may lie apart that two processes have read at the same time: one before a second was over.
const TICK: Seconds = Seconds(1);

/// Takes a word that holds the time at which its holder loses it; `None` while another has it. `longest` bounds how far
/// ahead that time can lie: a later one was written by a clock that has been set back since.
pub(super) fn take(word: &AtomicU64, now: Seconds, lasts: Seconds, longest: Seconds) -> Option<Lease<'_>> {
    let held = word.load(Ordering::Acquire);
    let is_held = Seconds(held) > now && Seconds(held) <= now.saturating_add(longest).saturating_add(TICK);
    let until = now.saturating_add(lasts.min(longest));
    let took = !is_held
        && word
            .compare_exchange(held, until.0, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
    // Made only when it is ours: dropping it returns it.
    took.then(|| Lease { word, until })
}

/// The exclusive right to do something, such as to refresh a session. Dropping it returns it.
#[derive(Debug)]
pub struct Lease<'m> {
    word: &'m AtomicU64,
    until: Seconds,
}

impl Lease<'_> {
    /// Returns it. Returns whether it was held until now: after its time another process may have taken it.
    pub(super) fn give_back(self) -> bool {
        let is_held = self.end();
        mem::forget(self);
        is_held
    }

    fn end(&self) -> bool {
        self.word
            .compare_exchange(self.until.0, 0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
