//! The limit of threads that wait for oxd, in one process.
//!
//! Whoever waits for oxd takes one place for as long as it waits, whatever it waits for: a call of its own, another
//! thread's call for the same thing, a refresh of the same session. A thread that finds no place is refused at once, so
//! that requests which need no oxd find free threads.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    /// How many places this thread holds: it counts once, however many it takes within each other.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// The places of one process.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicU32);

/// One place; dropping it frees it. It stays in its thread.
#[derive(Debug)]
pub struct Place<'b> {
    /// `None` for a place within another one of the same thread.
    budget: Option<&'b Budget>,
    of_thread: PhantomData<*const ()>,
}

impl<'b> Place<'b> {
    fn new(budget: Option<&'b Budget>) -> Self {
        HELD.with(|held| held.set(held.get() + 1));
        Self {
            budget,
            of_thread: PhantomData,
        }
    }

    /// A place where nothing is limited.
    #[cfg(test)]
    pub(crate) fn unlimited() -> Self {
        Self::new(None)
    }
}

impl Budget {
    /// Takes a place; `None` when `most` are taken.
    pub(super) fn enter(&self, most: u32) -> Option<Place<'_>> {
        if HELD.with(Cell::get) > 0 {
            return Some(Place::new(None));
        }
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < most).then_some(taken + 1)
        });
        // Made only when it is taken: dropping it frees it.
        taken.is_ok().then(|| Place::new(Some(self)))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        HELD.with(|held| held.set(held.get().saturating_sub(1)));
        if let Some(Budget(taken)) = self.budget {
            taken.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether another thread finds a place.
    fn another(budget: &Budget, most: u32) -> bool {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| budget.enter(most).is_some());
            other.join().unwrap()
        })
    }

    #[test]
    fn no_more_places_than_allowed_and_a_freed_one_is_taken_again() {
        let budget = Budget::default();
        let first = budget.enter(1).unwrap();
        for _ in 0..3 {
            assert!(
                !another(&budget, 1),
                "refused at once, and nobody else's place with it"
            );
        }
        assert!(another(&budget, 2));
        drop(first);
        assert!(another(&budget, 1));
    }

    #[test]
    fn a_thread_counts_once() {
        let budget = Budget::default();
        let outer = budget.enter(1).unwrap();
        let inner = budget.enter(1).unwrap();
        drop(inner);
        assert!(!another(&budget, 1));
        drop(outer);
        assert!(another(&budget, 1));
    }
}
