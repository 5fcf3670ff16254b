//! How much fits into the shared memory. The models (`tests/models`) have less of everything.

/// Capacity for last uses, apart from the marks: each session has one, and none may displace the mark of an end.
pub(super) const USES: usize = 1 << 17;
/// The slots that are searched for a mark, from its own slot on.
pub(super) const WINDOW: usize = 16;
/// Locks of one-time values. Two values with the same slot only wait for each other.
pub(super) const LOCKS: usize = 1 << 8;
/// Capacity for leases. Two sessions with the same slot only wait for each other.
pub(super) const LEASES: usize = 1 << 12;
/// Capacity for notes of each kind.
pub(super) const NOTES: usize = 256;
/// The slots that are searched for a note.
pub(super) const NOTE_WINDOW: usize = 4;
/// A note: its mark, its end, its length, its version, and the bytes.
pub(super) const NOTE_WORDS: usize = 4 + NOTE_BYTES / 8;
/// The longest note, in bytes: a session that fits into a browser's cookies.
pub(crate) const NOTE_BYTES: usize = 6 * 1024;
/// How often a lock is tried, a millisecond apart.
pub(super) const LOCK_ATTEMPTS: u32 = 200;
/// The minutes that are counted one by one. The page shows an hour.
pub(super) const MINUTES: usize = 64;
/// Child processes whose open calls are counted; the process id chooses the slot.
pub(super) const CHILDREN: usize = 512;
