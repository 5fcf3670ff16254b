//! The limit of threads that wait for oxd, in one process.
//!
//! Whoever waits for oxd takes one place for as long as it waits, whatever it waits for: a call of its own, another
//! thread's call for the same thing, a refresh of the same session. A thread that finds no place is refused at once, so
//! that requests which need no oxd find free threads.

use std::sync::atomic::{AtomicU32, Ordering};

/// The places of one process.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicU32);

/// One place; dropping it frees it.
#[derive(Debug)]
pub struct Place<'b>(Option<&'b Budget>);

impl Budget {
    /// Takes a place; `None` when `most` are taken.
    pub(super) fn enter(&self, most: u32) -> Option<Place<'_>> {
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < most).then_some(taken + 1)
        });
        // Made only when it is taken: dropping it frees it.
        taken.is_ok().then(|| Place(Some(self)))
    }
}

#[cfg(test)]
impl Place<'_> {
    /// A place where nothing is limited.
    pub(crate) fn unlimited() -> Self {
        Place(None)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(Budget(taken)) = self.0 {
            taken.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_than_allowed_and_a_freed_one_is_taken_again() {
        let budget = Budget::default();
        let first = budget.enter(2).unwrap();
        let _second = budget.enter(2).unwrap();
        for _ in 0..3 {
            assert!(
                budget.enter(2).is_none(),
                "refused at once, and nobody else's place with it"
            );
        }
        drop(first);
        assert!(budget.enter(2).is_some());
    }
}
