//! The place for one answer, which another thread gives.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The place, and whether its answer is there.
pub struct Slot<A> {
    state: Mutex<State<A>>,
    changed: Condvar,
}

enum State<A> {
    Awaited,
    Here(A),
    /// Nobody waits any more, or nobody answers.
    Over,
}

impl<A> Slot<A> {
    /// A place whose answer is awaited.
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State::Awaited),
            changed: Condvar::new(),
        }
    }

    /// The same in place of one that nobody else has any more.
    pub fn renew(&mut self) {
        *self.state.get_mut().unwrap_or_else(PoisonError::into_inner) = State::Awaited;
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody still waits.
    pub fn is_awaited(&self) -> bool {
        matches!(*self.lock(), State::Awaited)
    }

    /// Gives the answer, if somebody still waits.
    pub fn answer(&self, answer: A) {
        self.set(State::Here(answer));
    }

    /// Ends the waiting without an answer.
    pub fn give_up(&self) {
        self.set(State::Over);
    }

    fn set(&self, new: State<A>) {
        let mut state = self.lock();
        if matches!(*state, State::Awaited) {
            *state = new;
            // Whoever wakes up finds it free.
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Waits until then; `None` without an answer, which is then not awaited any more.
    pub fn wait(&self, until: Instant) -> Option<A> {
        let mut state = self.lock();
        while matches!(*state, State::Awaited) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        match std::mem::replace(&mut *state, State::Over) {
            State::Here(answer) => Some(answer),
            State::Awaited | State::Over => None,
        }
    }
}
