//! Pauses: what is not to be done again for a while, on the whole machine.
//!
//! A mark alone is known for more than an hour longer than it was asked to be, as it ends in a coarse unit. The end of a
//! pause is a moment, to the millisecond; it may be forgotten early.

use super::{Mark, Memory};
use crate::base::{Millis, Seconds};

impl Memory<'_> {
    /// Begins a pause.
    pub(crate) fn pause(&self, mark: Mark, now: Millis, lasts: Seconds) {
        let until = now.saturating_add(lasts.millis());
        // The later of two moments would stay, and that may be of a clock that has been set back since.
        self.forget_moment(mark);
        self.note_moment(mark, until, now.seconds(), until.seconds());
    }

    /// Whether a pause is on. `longest` is the longest that it can last: a later end was noted by a clock that has been
    /// set back since.
    pub(crate) fn is_paused(&self, mark: Mark, now: Millis, longest: Seconds) -> bool {
        let until = self.noted_moment(mark, now.seconds());
        until.is_some_and(|until| now < until && until <= now.saturating_add(longest.millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SiteId;
    use crate::shm::About;
    use crate::testing::{NOW, memory};

    #[test]
    fn a_pause_ends_on_time_also_after_the_clock_was_set() {
        let memory = memory();
        let mark = Mark::of(About::Gathered, SiteId("s"), &["x"]);
        let (minute, now) = (Seconds(60), NOW.millis());
        let is_paused = |at: Seconds| memory.is_paused(mark, at.millis(), minute);
        assert!(!is_paused(NOW));
        memory.pause(mark, now, minute);
        assert!(is_paused(NOW) && is_paused(NOW + 59));
        assert!(!is_paused(NOW + 60));
        assert!(!is_paused(NOW - 1), "the clock was ahead");
        memory.pause(mark, (NOW - 100).millis(), minute);
        assert!(is_paused(NOW - 41) && !is_paused(NOW - 40), "a new pause counts");
        let other = Mark::of(About::Gathered, SiteId("t"), &["x"]);
        assert!(!memory.is_paused(other, (NOW - 50).millis(), minute));
    }
}
