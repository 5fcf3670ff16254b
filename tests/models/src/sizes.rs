//! As little of everything as shows what goes wrong between two processes: each word is one more for loom to follow.

pub(super) const USES: usize = 4;
pub(super) const WINDOW: usize = 3;
pub(super) const LOCKS: usize = 1;
pub(super) const LEASES: usize = 1;
pub(super) const NOTES: usize = 1;
pub(super) const NOTE_WINDOW: usize = 1;
pub(super) const NOTE_WORDS: usize = 4 + NOTE_BYTES / 8;
pub(crate) const NOTE_BYTES: usize = 16;
pub(super) const LOCK_ATTEMPTS: u32 = 3;
pub(super) const MINUTES: usize = 1;
pub(super) const CHILDREN: usize = 1;
