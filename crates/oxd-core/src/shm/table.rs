//! Tables of hashes and values, which any number of processes read and write at the same time.
//!
//! A slot goes from one mark to another in three steps: its value says that it is taken, then the hash is replaced, then
//! the value. Whoever is killed in between leaves a slot that is passed over until its time is over.

use super::Mark;
use super::fact::{Fact, NO_MOMENT, Told};
use super::sync::{AtomicU64, Ordering};

/// The hash of a mark, and its value. The value is 0 until the slot is used for the first time, and never again: who
/// searches for a mark goes on behind a slot whose hash is still to come.
pub(super) type Slot = [AtomicU64; 2];

/// The hash and the value of a slot, if they belong together. They do not while the slot is given to another mark.
#[inline]
pub(super) fn read([hash, value]: &Slot) -> Option<(u64, u64)> {
    let mark = hash.load(Ordering::Acquire);
    let word = value.load(Ordering::Acquire);
    let is_whole = Fact::read(word).told != Told::Taken && hash.load(Ordering::Acquire) == mark;
    is_whole.then_some((mark, word))
}

/// Gives a slot with this value to a mark; `false` if another process was faster. In between, the slot is nobody's: were
/// the new value beside the old hash, it would be taken for that of the mark before, or that mark be renewed in it.
pub(super) fn give([hash, value]: &Slot, old: u64, mark: Mark, fact: Fact) -> bool {
    let taken = Fact {
        moment: NO_MOMENT,
        told: Told::Taken,
        ..fact
    };
    if !exchange(value, old, taken.word()) {
        return false;
    }
    hash.store(mark.word(), Ordering::Release);
    // It fails where a clock was so far ahead that the slot has been taken again.
    exchange(value, taken.word(), fact.word())
}

/// Replaces a value, unless it has changed.
pub(super) fn exchange(value: &AtomicU64, old: u64, new: u64) -> bool {
    value
        .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}

/// A table of hashes and values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'m> {
    /// Not empty.
    pub(super) slots: &'m [Slot],
    /// Whether they are those that a keeper has.
    pub(super) is_kept: bool,
}

impl<'m> Table<'m> {
    /// The slot that is the first one for a mark.
    #[inline]
    pub(super) fn first(self, mark: Mark) -> &'m Slot {
        &self.slots[mark.slot() % self.slots.len()]
    }
}
