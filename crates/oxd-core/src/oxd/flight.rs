//! One call for all threads that want the same: the first makes it, the others wait for its result, a failure too.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Error, lock};

/// What threads share about one thing.
#[derive(Debug)]
pub(super) struct Flight<S> {
    state: Mutex<State<S>>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State<S> {
    /// Whether a thread makes the call now.
    is_under_way: bool,
    /// Counts the calls that have ended.
    ended: u64,
    /// The failure of the last call, if it failed.
    failure: Option<Error>,
    /// What is known.
    known: S,
}

impl<S: Default> Default for Flight<S> {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            ended: Condvar::new(),
        }
    }
}

/// What a thread finds.
pub(super) enum Found<A> {
    /// An answer that needs no call.
    Known(A),
    /// An answer that still works, and should be replaced by one thread.
    Aging(A),
    /// Nothing that works.
    Nothing,
}

/// The right to make the call; dropping it lets the next thread make one, also after a panic.
struct Turn<'f, S>(&'f Flight<S>);

impl<S> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        lock(&self.0.state).is_under_way = false;
        self.0.ended.notify_all();
    }
}

impl<S> Flight<S> {
    /// Looks at what is known.
    pub(super) fn with<A>(&self, look: impl FnOnce(&mut S) -> A) -> A {
        look(&mut lock(&self.state).known)
    }

    /// Whether a call is under way.
    pub(super) fn is_under_way(&self) -> bool {
        lock(&self.state).is_under_way
    }

    /// The answer: what is known, or what a call brings. A thread that finds another one's call under way waits for it,
    /// `patience` at the most, and takes its failure as its own.
    ///
    /// `find` reads the answer from what is known; `call` makes the call; `keep` stores its answer.
    pub(super) fn get<A, C>(
        &self,
        patience: Duration,
        find: impl Fn(&S) -> Found<A>,
        call: impl FnOnce() -> Result<C, Error>,
        keep: impl FnOnce(&mut S, C) -> A,
    ) -> Result<A, Error> {
        let mut state = lock(&self.state);
        let seen = state.ended;
        let deadline = Instant::now() + patience;
        let aging = loop {
            let aging = match find(&state.known) {
                Found::Known(answer) => return Ok(answer),
                Found::Aging(answer) if state.is_under_way => return Ok(answer),
                Found::Aging(answer) => Some(answer),
                Found::Nothing => None,
            };
            if let Some(failure) = state.failure.as_ref().filter(|_| state.ended != seen) {
                return aging.ok_or_else(|| failure.clone());
            }
            if !state.is_under_way {
                break aging;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Waited { patience });
            }
            state = wait(&self.ended, state, left);
        };
        state.is_under_way = true;
        drop(state);
        let turn = Turn(self);
        let outcome = call();
        let answer = {
            let mut state = lock(&self.state);
            state.ended += 1;
            match outcome {
                Ok(new) => {
                    state.failure = None;
                    Ok(keep(&mut state.known, new))
                }
                Err(failure) => {
                    state.failure = Some(failure.clone());
                    aging.ok_or(failure)
                }
            }
        };
        drop(turn);
        answer
    }
}

fn wait<'m, S>(ended: &Condvar, state: MutexGuard<'m, S>, left: Duration) -> MutexGuard<'m, S> {
    ended
        .wait_timeout(state, left)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(60);

    fn get(
        flight: &Flight<Option<u32>>,
        patience: Duration,
        call: impl FnOnce() -> Result<u32, Error>,
    ) -> Result<u32, Error> {
        let find = |known: &Option<u32>| known.map_or(Found::Nothing, Found::Known);
        flight.get(patience, find, call, |known, new| {
            *known = Some(new);
            new
        })
    }

    /// A call that is under way in another thread while `body` runs, and fails after it.
    fn during(flight: &Flight<Option<u32>>, body: impl FnOnce()) {
        let (begun, end) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                get(flight, LONG, || {
                    begun.wait();
                    end.wait();
                    Err(Error::NotConfigured("why".into()))
                })
            });
            begun.wait();
            body();
            end.wait();
            assert!(call.join().unwrap().is_err());
        });
    }

    #[test]
    fn threads_share_one_call() {
        let (flight, calls) = (Flight::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let answer = get(&flight, LONG, || {
                        calls.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        Ok(7)
                    });
                    assert_eq!(answer.unwrap(), 7);
                });
            }
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_that_waited_share_the_failure_and_the_next_one_calls_again() {
        let (flight, looked) = (Flight::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            let mut waits = None;
            during(&flight, || {
                waits = Some(scope.spawn(|| {
                    // Called under the lock that the waiting thread gives up only when it waits.
                    let find = |_: &Option<u32>| {
                        looked.fetch_add(1, Ordering::SeqCst);
                        Found::Nothing
                    };
                    let call = || -> Result<u32, Error> { panic!("it waits for the other call") };
                    flight.get::<u32, u32>(LONG, find, call, |_, new| new)
                }));
                while looked.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
            });
            let failure = waits.unwrap().join().unwrap().unwrap_err();
            assert_eq!(failure.to_string(), "why");
        });
        assert_eq!(get(&flight, LONG, || Ok(7)).unwrap(), 7);
    }

    #[test]
    fn nobody_waits_longer_than_its_patience() {
        let flight = Flight::default();
        during(&flight, || {
            let waited = get(&flight, Duration::from_millis(5), || {
                panic!("another call is under way")
            });
            assert!(matches!(waited, Err(Error::Waited { .. })));
        });
    }

    #[test]
    fn a_panic_in_a_call_lets_the_next_one_make_it() {
        let flight = Flight::default();
        let panics = std::panic::AssertUnwindSafe(|| get(&flight, LONG, || panic!("on purpose")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(get(&flight, LONG, || Ok(7)).unwrap(), 7);
    }
}
