//! The place for one answer, which another thread gives.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The place, and whether its answer is there.
struct Slot<A> {
    state: Mutex<State<A>>,
    changed: Condvar,
}

enum State<A> {
    Awaited,
    Here(A),
    /// Nobody waits any more, or nobody answers.
    Over,
}

/// The right to give the answer. Dropping it without one ends the waiting.
pub struct Answerer<A>(Arc<Slot<A>>);

/// The right to wait for the answer.
pub struct Waiter<A>(Arc<Slot<A>>);

/// A new place.
pub fn new<A>() -> (Answerer<A>, Waiter<A>) {
    let slot = Arc::new(Slot {
        state: Mutex::new(State::Awaited),
        changed: Condvar::new(),
    });
    (Answerer(slot.clone()), Waiter(slot))
}

impl<A> Slot<A> {
    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Answerer<A> {
    /// Whether somebody still waits.
    pub fn is_awaited(&self) -> bool {
        matches!(*self.0.lock(), State::Awaited)
    }

    /// Gives the answer, if somebody still waits.
    pub fn answer(&self, answer: A) {
        self.set(State::Here(answer));
    }

    fn set(&self, new: State<A>) {
        let mut state = self.0.lock();
        if matches!(*state, State::Awaited) {
            *state = new;
            self.0.changed.notify_one();
        }
    }
}

impl<A> Drop for Answerer<A> {
    fn drop(&mut self) {
        // A call that has panicked answers nothing.
        self.set(State::Over);
    }
}

impl<A> Waiter<A> {
    /// Waits so long; `None` without an answer, which is then not awaited any more.
    pub fn wait(self, limit: Duration) -> Option<A> {
        let is_open = |state: &mut State<A>| matches!(state, State::Awaited);
        let waited = self.0.changed.wait_timeout_while(self.0.lock(), limit, is_open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Over) {
            State::Here(answer) => Some(answer),
            State::Awaited | State::Over => None,
        }
    }
}
