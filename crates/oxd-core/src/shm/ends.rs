//! Ends of sessions in shared memory, and which of them other machines know ([`crate::session::feed`]).

use super::fact::{Fact, Told};
use super::mark::Mark;
use super::memory::{
    CAUGHT_UP, GENERATION, KNEW, LATE, LATE_AT, Memory, POSITION, READER, SLOTS_PER_MARK, UNREAD, UNTOLD,
};
use super::sync::{AtomicU64, Ordering};
use super::table::{exchange, read};
use crate::base::{Millis, Seconds};

/// An end of sessions: all with this mark that began until this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which sessions.
    pub mark: Mark,
    /// The last beginning that it covers.
    pub moment: Millis,
    /// When the last of these sessions has run out.
    pub until: Seconds,
}

/// How long a process reads the stream of ends without saying so again, in seconds.
const READER_LASTS: u64 = 3;

/// The process that reads the stream of ends for this machine, as one word.
#[derive(Clone, Copy, PartialEq)]
struct Reader {
    process: u32,
    /// The lower half of the time at which it loses this, in seconds since 1970.
    until: u32,
}

impl Reader {
    fn read(word: u64) -> Self {
        Self {
            process: (word >> 32) as u32,
            until: word as u32,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.process) << 32 | u64::from(self.until)
    }
}

impl<'m> Memory<'m> {
    /// Ends everything with this mark that began up to `moment`, on this machine. Stored until `until`.
    pub fn end(&self, mark: Mark, moment: Millis, now: Seconds, until: Seconds) {
        self.end_as(Told::Elsewhere, mark, moment, now, until);
    }

    /// The same for an end that this machine has yet to tell to others; what is told then.
    pub fn end_to_tell(&self, mark: Mark, moment: Millis, now: Seconds, until: Seconds) -> Ended {
        self.end_as(Told::NotYet, mark, moment, now, until);
        Ended {
            mark,
            moment: moment.max(Millis(1)),
            until,
        }
    }

    fn end_as(&self, told: Told, mark: Mark, moment: Millis, now: Seconds, until: Seconds) {
        let fact = Fact::new(moment.max(Millis(1)), told, until);
        self.remember(self.marks, mark, fact, now);
        self.keep_header();
    }

    /// Whether something with this mark that began at `began` has been ended.
    #[inline]
    pub fn has_ended(&self, mark: Mark, began: Millis, now: Seconds) -> bool {
        self.fact(self.marks, mark, now)
            .is_some_and(|fact| began <= fact.moment)
    }

    /// Takes down that there are ends to tell: [`Memory::untold`] has them.
    pub fn note_untold(&self) {
        self.words[UNTOLD].store(1, Ordering::Release);
    }

    /// Whether that was taken down since the last time.
    pub fn take_untold(&self) -> bool {
        self.words[UNTOLD].swap(0, Ordering::AcqRel) != 0
    }

    /// The ends that this machine has yet to tell. It looks at every mark.
    pub fn untold(&self, now: Seconds) -> impl Iterator<Item = Ended> {
        self.own(now, Told::NotYet).map(|(ended, ..)| ended)
    }

    /// Takes down that an end was told, unless a later one with its mark has come since.
    pub fn told(&self, ended: &Ended) {
        for (value, old) in self.values(self.marks, ended.mark) {
            let fact = Fact::read(old);
            if fact.told == Told::NotYet && fact.moment <= ended.moment {
                let new = Fact {
                    told: Told::Here,
                    ..fact
                };
                // It fails if the end has changed: then it is told again.
                exchange(value, old, new.word());
            }
        }
    }

    /// Takes down that an end of this moment is told late, now. The oldest since `recently` counts.
    pub fn note_told_late(&self, moment: Millis, recently: Millis, now: Millis) {
        let oldest = self.told_late(recently).unwrap_or(moment);
        self.words[LATE].store(oldest.min(moment).0, Ordering::Release);
        self.words[LATE_AT].store(now.0, Ordering::Release);
    }

    /// The oldest moment of the ends that were told late, if the last was told since then.
    pub fn told_late(&self, since: Millis) -> Option<Millis> {
        let at = self.words[LATE_AT].load(Ordering::Acquire);
        (at != 0 && at >= since.0).then(|| Millis(self.words[LATE].load(Ordering::Acquire)))
    }

    /// Has all ends of this machine since a moment told again: a server that took over may not have heard them.
    pub fn tell_again(&self, since: Millis, now: Seconds) {
        for (ended, value, old) in self.own(now, Told::Here) {
            if ended.moment >= since {
                let new = Fact {
                    told: Told::NotYet,
                    ..Fact::read(old)
                };
                // It fails if the end has changed: a later one is told by whoever has ordered it.
                if exchange(value, old, new.word()) {
                    // A server that ends before it has told them must not take them for told.
                    self.keep_mark(self.marks, value);
                }
                self.note_untold();
            }
        }
    }

    fn own(&self, now: Seconds, told: Told) -> impl Iterator<Item = (Ended, &'m AtomicU64, u64)> {
        let is_wanted = move |word: u64| {
            let fact = Fact::read(word);
            fact.told == told && !fact.is_over(now)
        };
        self.marks.slots.iter().filter_map(move |slot| {
            let [_, value] = slot;
            // Most slots are empty, and their pages were never written.
            if !is_wanted(value.load(Ordering::Acquire)) {
                return None;
            }
            let (hash, word) = read(slot).filter(|(_, word)| is_wanted(*word))?;
            let fact = Fact::read(word);
            let ended = Ended {
                mark: Mark::stored(hash)?,
                moment: fact.moment,
                // The last second that is stored as the same end: it neither grows nor shrinks from machine to machine.
                until: fact.until().saturating_sub(Seconds(1)),
            };
            Some((ended, value, word))
        })
    }

    /// The number of marks that have not run out, and the room for them.
    pub fn marks_in_use(&self, now: Seconds) -> (usize, usize) {
        let slots = self.marks.slots;
        let is_used = |value: &AtomicU64| !Fact::read(value.load(Ordering::Relaxed)).is_over(now);
        let used = slots.iter().filter(|[_, value]| is_used(value)).count();
        (used, slots.len() / SLOTS_PER_MARK)
    }

    /// Begins a new configuration, in the parent; its number, which its processes read the stream with.
    pub fn next_generation(&self) -> u64 {
        self.words[GENERATION].fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Takes or keeps the reading of the stream for a process; whether it has it. A process of an older configuration
    /// loses it, as does one that has not said so for three seconds, or does not live.
    pub fn take_reader(&self, process: u32, generation: u64, now: Seconds, lives: fn(u32) -> bool) -> bool {
        if self.words[GENERATION].load(Ordering::Acquire) != generation {
            self.leave_reader(process);
            return false;
        }
        let word = &self.words[READER];
        let held = word.load(Ordering::Acquire);
        let holder = Reader::read(held);
        let left = u64::from(holder.until).saturating_sub(now.0 & u64::from(u32::MAX));
        // One second more: this process may have read its clock just before the second was over.
        let is_held = held != 0 && holder.process != process && (1..=READER_LASTS + 1).contains(&left);
        if is_held && lives(holder.process) {
            return false;
        }
        let ours = Reader {
            process,
            until: (now.0 + READER_LASTS) as u32,
        };
        word.compare_exchange(held, ours.word(), Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Gives the reading up, if the process has it.
    pub fn leave_reader(&self, process: u32) {
        let word = &self.words[READER];
        let held = word.load(Ordering::Acquire);
        if Reader::read(held).process == process {
            let _ = word.compare_exchange(held, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// The moment, in milliseconds of the stream, up to which it was read; 0 at first.
    pub fn position(&self) -> u64 {
        self.words[POSITION].load(Ordering::Acquire)
    }

    /// Takes down how far the stream was read.
    pub fn set_position(&self, milliseconds: u64) {
        self.words[POSITION].store(milliseconds, Ordering::Release);
    }

    /// Takes down that an entry with this number could not be read; the first one counts.
    pub fn note_unread(&self, number: u64) {
        let word = &self.words[UNREAD];
        let _ = word.compare_exchange(0, number.max(1), Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The number of the first entry that could not be read, and no more than once.
    pub fn take_unread(&self) -> Option<u64> {
        Some(self.words[UNREAD].swap(0, Ordering::AcqRel)).filter(|number| *number != 0)
    }

    /// When this machine last knew all ends of the stream; `None` before the first time.
    #[inline]
    pub fn caught_up(&self) -> Option<Millis> {
        let at = self.words[CAUGHT_UP].load(Ordering::Acquire);
        (at != 0).then_some(Millis(at))
    }

    /// The same, or else when the server before this one did; `None` where neither ever has.
    pub fn knew(&self) -> Option<Millis> {
        let before = || Some(Millis(self.words[KNEW].load(Ordering::Acquire)));
        self.caught_up()
            .or_else(before)
            .filter(|moment| *moment != Millis(0))
    }

    /// Takes down that all ends of the stream are known here now.
    pub fn set_caught_up(&self, now: Millis) {
        self.words[CAUGHT_UP].store(now.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
