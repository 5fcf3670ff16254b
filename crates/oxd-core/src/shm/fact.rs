//! The value of a mark: one word of shared memory.

use crate::base::{Millis, Seconds};

/// The value of a mark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fact {
    /// [`NO_MOMENT`] where only the mark's presence matters.
    pub moment: Millis,
    /// Whether other machines know it.
    pub told: Told,
    /// Expiry, in units of [`UNIT`] since 1970.
    pub end: u64,
}

/// Whether the end that a mark stands for is known to other machines. The numbers are kept in a file.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Told {
    /// It is not for others, or came from one.
    Elsewhere = 0,
    /// This machine has told it.
    Here = 1,
    /// This machine has yet to tell it.
    NotYet = 2,
    /// There is no end: the slot is being given to a mark, whose hash may not be there yet.
    Taken = 3,
}

/// The moment of a fact without one.
pub(super) const NO_MOMENT: Millis = Millis(0);
/// The value of a mark that was removed: it has run out, and is not the 0 of a slot that was never used.
pub(super) const GONE: u64 = (Told::Here as u64) << END_BITS;
/// The bits of a fact's expiry, and those of expiry and [`Told`] together.
const END_BITS: u32 = 20;
const LOW_BITS: u32 = END_BITS + 2;
/// The unit of a fact's expiry.
const UNIT: Seconds = Seconds(4_096);

impl Fact {
    pub(super) fn new(moment: Millis, told: Told, until: Seconds) -> Self {
        Self {
            moment: moment.min(Millis((1 << (64 - LOW_BITS)) - 1)),
            told,
            end: (until.0 / UNIT.0 + 1).min((1 << END_BITS) - 1),
        }
    }

    pub(super) fn read(word: u64) -> Self {
        Self {
            moment: Millis(word >> LOW_BITS),
            told: match word >> END_BITS & 3 {
                0 => Told::Elsewhere,
                1 => Told::Here,
                2 => Told::NotYet,
                _ => Told::Taken,
            },
            end: word & ((1 << END_BITS) - 1),
        }
    }

    pub(super) fn word(self) -> u64 {
        self.moment.0 << LOW_BITS | (self.told as u64) << END_BITS | self.end
    }

    pub(super) fn is_over(self, now: Seconds) -> bool {
        self.end <= now.0 / UNIT.0
    }

    /// When it expires.
    pub(super) fn until(self) -> Seconds {
        Seconds(self.end * UNIT.0)
    }

    /// Combines two entries: the later time of each. What is not told of either is told again.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            moment: self.moment.max(other.moment),
            told: if self.told > other.told {
                self.told
            } else {
                other.told
            },
            end: self.end.max(other.end),
        }
    }
}
