//! The shared memory of one server's processes: ended sessions, the last use of each session, used one-time values, the
//! lease of the process that refreshes a session, and the refreshed session.
//!
//! The memory is an array of 64-bit words that are read and written by atomic operations only: no reader waits, and a
//! process that dies leaves no lock behind. Marks are hashes and notes are encrypted, so nothing here is readable.
//!
//! ```text
//! 16 words of header | uses: USES x (hash, value) | locks: LOCKS x 1 | leases: LEASES x 1 |
//! notes of sessions, notes of logins: NOTES x NOTE_WORDS each | marks: 4 x OxdSessionMarks x (hash, value)
//! value: moment in milliseconds, 42 bits | whether it was told, 2 bits | end in units of 4096 seconds, 20 bits
//! ```

use std::ptr;

use super::Mark;
use super::fact::{Fact, GONE, NO_MOMENT, Told};
use super::lease::{Lease, take};
use super::sizes::{LEASES, LOCK_ATTEMPTS, LOCKS, NOTE_WORDS, NOTES, USES, WINDOW};
use super::sync::{AtomicU64, Ordering, wait, wall};
use super::table::{Slot, Table, exchange, give, read};
use crate::base::{Millis, Seconds};

/// `OxdSessionMarks` where the directive is missing.
pub const USUAL_MARKS: usize = 1 << 17;
/// The slots for each mark that is to fit in: with three quarters of them free, each mark finds one in its window.
pub(super) const SLOTS_PER_MARK: usize = 4;
const HEADER: usize = 16;
const USES_AT: usize = HEADER;
const LOCKS_AT: usize = USES_AT + 2 * USES;
const LEASES_AT: usize = LOCKS_AT + LOCKS;
pub(super) const NOTES_AT: usize = LEASES_AT + LEASES;
const MARKS_AT: usize = NOTES_AT + 2 * NOTES * NOTE_WORDS;

/// The size of the memory, in 64-bit words, with room for this many marks (`OxdSessionMarks`).
pub const fn memory_words(marks: usize) -> usize {
    MARKS_AT + 2 * SLOTS_PER_MARK * marks
}

/// Identifies the layout. Memory with another number is cleared.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"oxdmem\x00\x05");
/// The index of the counter of marks that were evicted before they expired.
const LOST: usize = 1;
/// The index of the longest lifetime of a session, in seconds.
const LONGEST: usize = 2;
/// The index of the time of the last report about evicted marks, in seconds since 1970.
const REPORTED: usize = 3;
/// The index of the counter's value at that report.
const REPORTED_LOST: usize = 4;

/// The index of the latest moment of this machine, in milliseconds since 1970 ([`Memory::moment`]).
const LATEST: usize = 5;
/// The index of the process that reads the stream of ends ([`Memory::take_reader`]).
pub(super) const READER: usize = 6;
/// The index of the number of the configuration that the youngest processes have.
pub(super) const GENERATION: usize = 7;
/// The index of the moment up to which the stream of ends was read, in milliseconds of the stream.
pub(super) const POSITION: usize = 8;
/// The index of the moment at which all ends of the stream were last known here, in milliseconds since 1970; 0: never.
pub(super) const CAUGHT_UP: usize = 9;
/// The index of the flag that an end could not be told.
pub(super) const UNTOLD: usize = 10;
/// The index of the oldest moment of the ends that were told late, and that of the time at which the last one was told, in
/// milliseconds since 1970.
pub(super) const LATE: usize = 11;
pub(super) const LATE_AT: usize = 12;
/// The index of the first number in the stream whose entry could not be read; 0: all could.
pub(super) const UNREAD: usize = 13;

/// The index of what [`CAUGHT_UP`] was when the server before this one has ended, as far as its file says.
pub(super) const KNEW: usize = 14;

/// The least time between two reports about evicted marks.
const REPORT_EVERY: Seconds = Seconds(60);
/// How long the holder of a lock has it at the most: it needs microseconds, unless it was killed.
const LOCK_LASTS: Seconds = Seconds(2);
/// The longest lease. One that seems to last longer was taken by a clock that was ahead, and counts as expired.
const LEASE_LASTS: Seconds = Seconds(3_600);

/// Keeps a copy of header and marks where it outlives the server. The memory itself is no mapped file: one that somebody
/// shortens would kill every process that reads it (SIGBUS).
pub trait Keeper: Sync + std::fmt::Debug {
    /// Writes words of the copy, from an index on.
    fn keep(&self, at: usize, words: &[u64]);
}

/// The shared memory of a server.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'m> {
    pub(super) words: &'m [AtomicU64],
    /// Ends, one-time values and the like.
    pub(super) marks: Table<'m>,
    /// Last uses of sessions.
    uses: Table<'m>,
    keeper: Option<&'m dyn Keeper>,
}

impl<'m> Memory<'m> {
    /// The memory in these words, with as many marks as fit in; `None` where none do. Words of another layout are cleared.
    pub fn over(words: &'m [AtomicU64]) -> Option<Self> {
        let marks = words.get(MARKS_AT..)?.as_chunks::<2>().0;
        let uses = words.get(USES_AT..LOCKS_AT)?.as_chunks::<2>().0;
        if marks.len() < WINDOW {
            return None;
        }
        if words[0].load(Ordering::Acquire) != MAGIC {
            for word in words {
                // Pages that were never written cost no memory as long as they are only read.
                if word.load(Ordering::Relaxed) != 0 {
                    word.store(0, Ordering::Relaxed);
                }
            }
            words[0].store(MAGIC, Ordering::Release);
        }
        let table = |slots, is_kept| Table { slots, is_kept };
        Some(Self {
            words,
            marks: table(marks, true),
            uses: table(uses, false),
            keeper: None,
        })
    }

    /// The length of the copy that a keeper has, in words.
    pub fn kept_words(&self) -> usize {
        HEADER + 2 * self.marks.slots.len()
    }

    /// Takes over what a keeper of an earlier start has kept, unless it is of another layout, and lets this one keep the
    /// rest. The copy may be of a memory with fewer or more marks. Only before other processes use the memory.
    #[must_use]
    pub fn kept_by(self, keeper: &'m dyn Keeper, kept: &[u64], now: Seconds) -> Self {
        let memory = Self {
            keeper: Some(keeper),
            ..self
        };
        if kept.len() >= HEADER && kept[0] == MAGIC {
            let (header, marks) = kept.split_at(HEADER);
            for (at, word) in header.iter().enumerate() {
                // Who reads the stream, and how far it was read, is of the server that has ended.
                let value = if (READER..=CAUGHT_UP).contains(&at) {
                    0
                } else {
                    *word
                };
                self.words[at].store(value, Ordering::Relaxed);
            }
            let knew = header[CAUGHT_UP].max(header[KNEW]);
            self.words[KNEW].store(knew, Ordering::Relaxed);
            // Those that have run out come last, and take no place from others: a clock that is ahead may be set back.
            for are_over in [false, true] {
                for [mark, value] in marks.as_chunks::<2>().0 {
                    let fact = Fact::read(*value);
                    let is_wanted =
                        fact.told != Told::Taken && *value != GONE && fact.is_over(now) == are_over;
                    match Mark::stored(*mark).filter(|_| is_wanted) {
                        Some(mark) if are_over => self.lay_by(mark, fact),
                        Some(mark) => self.remember(self.marks, mark, fact, now),
                        None => {}
                    }
                }
            }
            let all: Vec<u64> = self.words[MARKS_AT..MARKS_AT + 2 * self.marks.slots.len()]
                .iter()
                .map(|word| word.load(Ordering::Relaxed))
                .collect();
            keeper.keep(HEADER, &all);
        }
        memory.keep(0, HEADER);
        memory
    }

    /// Stores a fact that is over where nothing else was ever stored. Only before other processes use the memory.
    fn lay_by(&self, mark: Mark, fact: Fact) {
        let mut slots = self.window(self.marks, mark);
        if let Some([hash, value]) = slots.find(|[_, value]| value.load(Ordering::Relaxed) == 0) {
            value.store(fact.word(), Ordering::Relaxed);
            hash.store(mark.word(), Ordering::Relaxed);
        }
    }

    fn keep(&self, at: usize, count: usize) {
        let Some(keeper) = self.keeper else { return };
        let read = || -> Vec<u64> {
            let words = self.words[at..at + count].iter();
            words.map(|word| word.load(Ordering::Acquire)).collect()
        };
        let mut words = read();
        loop {
            // The copy has the marks after the header.
            keeper.keep(at.checked_sub(MARKS_AT).map_or(at, |at| HEADER + at), &words);
            // Another process may have kept what came later before this one has written.
            let now = read();
            if now == words {
                return;
            }
            words = now;
        }
    }

    /// Keeps a mark, by its value's word.
    pub(super) fn keep_mark(&self, table: Table<'_>, value: &AtomicU64) {
        if table.is_kept && self.keeper.is_some() {
            let offset = ptr::from_ref(value).addr() - self.words.as_ptr().addr();
            self.keep(offset / size_of::<AtomicU64>() - 1, 2);
        }
    }

    /// Keeps the header, with the latest moment.
    pub(super) fn keep_header(&self) {
        self.keep(0, HEADER);
    }

    /// The number of marks that were evicted before they expired, for lack of room.
    pub fn lost(&self) -> u64 {
        self.words[LOST].load(Ordering::Relaxed)
    }

    /// Announces sessions with this lifetime, so that the marks of ends last as long as any of them.
    pub fn cover(&self, lifetime: Seconds) {
        if self.words[LONGEST].fetch_max(lifetime.0, Ordering::AcqRel) < lifetime.0 {
            self.keep(0, HEADER);
        }
    }

    /// The longest lifetime of a session at this server, of any location.
    pub fn longest_lifetime(&self) -> Seconds {
        Seconds(self.words[LONGEST].load(Ordering::Acquire))
    }

    /// The number of evicted marks, if it has grown since the last report; at most once a minute.
    pub fn lost_to_report(&self, now: Seconds) -> Option<u64> {
        let lost = self.lost();
        if lost == self.words[REPORTED_LOST].load(Ordering::Relaxed) {
            return None;
        }
        let last = self.words[REPORTED].load(Ordering::Relaxed);
        let is_recent = Seconds(last) <= now && now < Seconds(last).saturating_add(REPORT_EVERY);
        let won = !is_recent
            && self.words[REPORTED]
                .compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        won.then(|| {
            self.words[REPORTED_LOST].store(lost, Ordering::Relaxed);
            lost
        })
    }

    #[inline]
    fn window(&self, table: Table<'m>, mark: Mark) -> impl Iterator<Item = &'m Slot> {
        // From the first one on, and from the beginning once the end is reached.
        let (before, after) = table.slots.split_at(mark.slot() % table.slots.len());
        after.iter().chain(before).take(WINDOW)
    }

    /// The values of a mark, each with its word: usually one, two when two processes wrote it at the same time.
    #[inline]
    pub(super) fn values(&self, table: Table<'m>, mark: Mark) -> impl Iterator<Item = (&'m AtomicU64, u64)> {
        self.window(table, mark)
            .take_while(|[_, value]| value.load(Ordering::Acquire) != 0)
            .filter(move |[hash, _]| hash.load(Ordering::Acquire) == mark.word())
            .filter_map(move |slot| {
                let (hash, word) = read(slot)?;
                (hash == mark.word()).then_some((&slot[1], word))
            })
    }

    /// The fact of a mark that has not run out.
    #[inline]
    pub(super) fn fact(&self, table: Table<'m>, mark: Mark, now: Seconds) -> Option<Fact> {
        // Nearly always the first place of a mark was never taken: then it has no value.
        if table.first(mark)[1].load(Ordering::Acquire) == 0 {
            return None;
        }
        self.fact_of_values(table, mark, now)
    }

    #[inline(never)]
    fn fact_of_values(&self, table: Table<'m>, mark: Mark, now: Seconds) -> Option<Fact> {
        self.values(table, mark)
            .map(|(_, word)| Fact::read(word))
            .filter(|fact| !fact.is_over(now))
            .reduce(Fact::with)
    }

    /// Stores a fact.
    pub(super) fn remember(&self, table: Table<'m>, mark: Mark, fact: Fact, now: Seconds) {
        while let Some((value, old)) = self.values(table, mark).next() {
            let known = Fact::read(old);
            let new = if known.is_over(now) {
                fact
            } else {
                known.with(fact)
            };
            // It fails if another process has changed it, or given the slot to another mark.
            if exchange(value, old, new.word()) {
                return self.keep_mark(table, value);
            }
        }
        for slot in self.window(table, mark) {
            let old = slot[1].load(Ordering::Acquire);
            if Fact::read(old).is_over(now) && give(slot, old, mark, fact) {
                return self.keep_mark(table, &slot[1]);
            }
        }
        // No slot is free: evict a mark without a moment, which is only a hint, or else the one that expires first.
        for _ in 0..WINDOW {
            let slots = self.window(table, mark).filter_map(|slot| {
                let word = slot[1].load(Ordering::Acquire);
                let fact = Fact::read(word);
                (fact.told != Told::Taken).then_some((slot, word, (fact.moment != NO_MOMENT, fact.end)))
            });
            let Some((slot, old, _)) = slots.min_by_key(|(_, _, rank)| *rank) else {
                break;
            };
            if give(slot, old, mark, fact) {
                self.count_lost(table);
                return self.keep_mark(table, &slot[1]);
            }
        }
        // Others have been faster each time.
        self.count_lost(table);
    }

    fn count_lost(&self, table: Table<'_>) {
        if table.is_kept {
            self.words[LOST].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes a mark from a table.
    fn remove(&self, table: Table<'m>, mark: Mark) {
        while let Some((value, old)) = self.values(table, mark).find(|(_, word)| *word != GONE) {
            // It fails if another process has changed it, or given the slot to another mark, whose it is now.
            if exchange(value, old, GONE) {
                self.keep_mark(table, value);
            }
        }
    }

    /// A moment for a session that begins or an end that is ordered: now, but later than all moments before it. So an end
    /// covers exactly the sessions that began before it, also after a clock that was ahead has been set back (a hybrid
    /// logical clock).
    pub fn moment(&self, now: Millis) -> Millis {
        let next = |latest: u64| now.0.max(latest.saturating_add(1));
        let before =
            self.words[LATEST].fetch_update(Ordering::AcqRel, Ordering::Acquire, |latest| Some(next(latest)));
        Millis(next(before.unwrap_or_else(|latest| latest)))
    }

    /// Takes note of a moment of another machine: those of this one will be later.
    #[inline]
    pub fn observe(&self, moment: Millis) {
        if moment.0 > self.words[LATEST].load(Ordering::Relaxed) {
            self.words[LATEST].fetch_max(moment.0, Ordering::AcqRel);
        }
    }

    /// Stores the mark's presence until `until`.
    pub fn know(&self, mark: Mark, now: Seconds, until: Seconds) {
        self.remember(
            self.marks,
            mark,
            Fact::new(NO_MOMENT, Told::Elsewhere, until),
            now,
        );
    }

    /// Whether the mark is present.
    pub fn knows(&self, mark: Mark, now: Seconds) -> bool {
        self.fact(self.marks, mark, now).is_some()
    }

    /// Stores a one-time event. Returns whether this was the first: `true` for exactly one of many callers in all
    /// processes, `false` for all where the lock cannot be had, or is lost.
    pub fn first_time(&self, mark: Mark, now: Seconds, until: Seconds) -> bool {
        let Some(lock) = self.lock(mark) else {
            return false;
        };
        let is_first = !self.knows(mark, now);
        self.know(mark, now, until);
        // From a holder that stood still for too long the lock was taken, and what the other one did was not seen here.
        lock.give_back() && is_first
    }

    /// Takes the lock of a mark. One whose holder was killed, or whose clock has been set, is taken from it.
    fn lock(&self, mark: Mark) -> Option<Lease<'m>> {
        let word = &self.words[LOCKS_AT + mark.slot() % LOCKS];
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(lock) = take(word, wall(), LOCK_LASTS, LOCK_LASTS) {
                return Some(lock);
            }
            wait();
        }
        None
    }

    /// Removes a mark.
    pub fn forget(&self, mark: Mark) {
        self.remove(self.marks, mark);
    }

    /// Stores the last use of a session.
    pub fn touch(&self, id: &[u8; 16], now: Seconds, until: Seconds) {
        self.remember(
            self.uses,
            Mark::of_use(id),
            Fact::new(now.millis(), Told::Elsewhere, until),
            now,
        );
    }

    /// The last use of a session on this machine.
    #[inline]
    pub fn touched(&self, id: &[u8; 16], now: Seconds) -> Option<Seconds> {
        self.fact(self.uses, Mark::of_use(id), now)
            .map(|fact| fact.moment.seconds())
    }

    /// Stores a moment of a mark beside the last uses: it is a hint, and may be forgotten.
    pub fn note_moment(&self, mark: Mark, moment: Millis, now: Seconds, until: Seconds) {
        self.remember(
            self.uses,
            mark,
            Fact::new(moment.max(Millis(1)), Told::Elsewhere, until),
            now,
        );
    }

    /// That moment.
    pub fn noted_moment(&self, mark: Mark, now: Seconds) -> Option<Millis> {
        self.fact(self.uses, mark, now).map(|fact| fact.moment)
    }

    /// Forgets it.
    pub fn forget_moment(&self, mark: Mark) {
        self.remove(self.uses, mark);
    }

    /// Takes the lease of a mark; `None` when it is taken. It expires at `until`.
    pub fn lease(&self, mark: Mark, now: Seconds, until: Seconds) -> Option<Lease<'m>> {
        let word = &self.words[LEASES_AT + mark.slot() % LEASES];
        take(word, now, until.saturating_sub(now), LEASE_LASTS)
    }
}

#[cfg(test)]
mod tests;
