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
}

/// When a call was made: how many others had failed by then.
#[derive(Clone, Copy, Debug)]
pub struct Asked(u64);

impl Doubt {
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
}
