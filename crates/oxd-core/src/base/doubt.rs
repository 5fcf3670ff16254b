//! Whether "there is no such entry" may be believed of a store whose client says so as well when it has given up a server.

use std::sync::atomic::{AtomicU64, Ordering};

/// The doubt of one process about one store. A failed call begins it; an answer to a call that was made after the last
/// failure ends it. An answer to an earlier call does not, even if it is seen later: the server may have died since.
#[derive(Debug, Default)]
pub struct Doubt {
    /// How many calls have failed.
    failures: AtomicU64,
    /// How many of them lie before a call that was answered.
    answered: AtomicU64,
    /// How many calls are under way.
    under_way: AtomicU64,
}

/// A call that is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay<'d>(&'d Doubt);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a miss may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is no such entry.
    Certain,
    /// Another call is under way. It may have failed, and not have said so yet: the server is then given up since.
    Unsure,
    /// A call has failed since the last one that was answered.
    Doubtful,
}

/// When a call was made: how many others had failed by then.
#[derive(Clone, Copy, Debug)]
pub struct Asked(u64);

impl Doubt {
    /// A call begins. It is under way until it has said that it has failed, if it has.
    pub fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(self)
    }

    /// To be noted before a call.
    pub fn ask(&self) -> Asked {
        Asked(self.failures.load(Ordering::Acquire))
    }

    /// A call has failed.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
    }

    /// A call was answered with more than a miss.
    pub fn answered(&self, asked: Asked) {
        self.answered.fetch_max(asked.0, Ordering::AcqRel);
    }

    /// Whether a miss may mean that the server is given up.
    pub fn is_doubtful(&self) -> bool {
        self.answered.load(Ordering::Acquire) < self.failures.load(Ordering::Acquire)
    }

    /// How far a miss may be believed that a call has met which is still under way itself.
    pub fn of_miss(&self) -> Miss {
        // In this order: a call that fails says so before it is not under way any more.
        let has_others = self.under_way.load(Ordering::Acquire) > 1;
        match self.is_doubtful() {
            true => Miss::Doubtful,
            false if has_others => Miss::Unsure,
            false => Miss::Certain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_ends_no_doubt_that_has_begun_since() {
        let doubt = Doubt::default();
        assert!(!doubt.is_doubtful());
        let before = doubt.ask();
        doubt.failed();
        assert!(doubt.is_doubtful());
        doubt.answered(before);
        assert!(doubt.is_doubtful(), "the server has died since");
        let after = doubt.ask();
        doubt.answered(after);
        doubt.answered(before);
        assert!(!doubt.is_doubtful());
        doubt.failed();
        doubt.answered(after);
        assert!(doubt.is_doubtful());
    }

    #[test]
    fn a_miss_is_not_certain_while_another_call_may_have_failed() {
        let doubt = Doubt::default();
        let ours = doubt.begin();
        assert_eq!(doubt.of_miss(), Miss::Certain);
        let other = doubt.begin();
        assert_eq!(doubt.of_miss(), Miss::Unsure);
        doubt.failed();
        assert_eq!(doubt.of_miss(), Miss::Doubtful);
        drop(other);
        assert_eq!(doubt.of_miss(), Miss::Doubtful);
        doubt.answered(doubt.ask());
        assert_eq!(doubt.of_miss(), Miss::Certain);
        drop(ours);
    }
}
