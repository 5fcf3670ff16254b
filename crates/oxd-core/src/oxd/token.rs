//! The client token of one site: fetched once per lifetime for the whole child, however many threads want it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Error, lock};
use crate::base::Secret;

/// A client token with its remaining lifetime.
#[derive(Clone)]
struct Held {
    token: Arc<Secret>,
    /// When it should be replaced although it still works.
    renew_at: Instant,
    /// When it stops working.
    ends: Instant,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    /// Counts the attempts to fetch, so that a thread that waited for one learns that it has happened.
    attempts: u64,
    /// How the last attempt failed, if it did.
    failure: Option<Error>,
}

/// The token of one site.
#[derive(Default)]
pub(super) struct TokenCell {
    slot: Mutex<Slot>,
    /// Held during the fetch itself, so that there is one at a time.
    flight: Mutex<()>,
}

/// A freshly fetched token and its lifetime.
pub(super) struct Fetched {
    /// The token.
    pub token: Secret,
    /// `expires_in`; `None` when oxd did not say.
    pub lifetime: Option<Duration>,
}

/// The lifetime of a token whose `expires_in` is unknown: oxd's own default.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(299);
/// The longest time before its end at which a token is replaced.
const RENEW_AHEAD: Duration = Duration::from_secs(30);

impl TokenCell {
    /// The token, fetched with `fetch` when there is none.
    ///
    /// Concurrent threads wait for one fetch and share its result, also a failure: a dead oxd is called once, not once
    /// per thread. A token that is about to expire is renewed by one thread while the others still use it.
    pub(super) fn get(&self, fetch: impl FnOnce() -> Result<Fetched, Error>) -> Result<Arc<Secret>, Error> {
        let (attempts_seen, usable) = {
            let slot = lock(&self.slot);
            let now = Instant::now();
            match &slot.held {
                Some(held) if now < held.renew_at => return Ok(held.token.clone()),
                Some(held) if now < held.ends => (slot.attempts, Some(held.token.clone())),
                _ => (slot.attempts, None),
            }
        };
        let _flight = match (&usable, self.flight.try_lock()) {
            (_, Ok(guard)) => guard,
            (Some(token), Err(_)) => return Ok(token.clone()),
            (None, Err(_)) => lock(&self.flight),
        };
        {
            let slot = lock(&self.slot);
            if slot.attempts != attempts_seen {
                match (&slot.held, &slot.failure) {
                    (Some(held), _) if Instant::now() < held.renew_at => return Ok(held.token.clone()),
                    (_, Some(failure)) => return Err(failure.clone()),
                    _ => {}
                }
            }
        }
        let fetched = fetch();
        let mut slot = lock(&self.slot);
        slot.attempts += 1;
        match fetched {
            Ok(fetched) => {
                let lifetime = fetched.lifetime.unwrap_or(DEFAULT_LIFETIME);
                let now = Instant::now();
                let token = Arc::new(fetched.token);
                slot.failure = None;
                slot.held = Some(Held {
                    token: token.clone(),
                    renew_at: now + lifetime.saturating_sub(RENEW_AHEAD.min(lifetime / 10)),
                    ends: now + lifetime,
                });
                Ok(token)
            }
            Err(failure) => {
                slot.failure = Some(failure.clone());
                usable.ok_or(failure)
            }
        }
    }

    /// Forgets a token that oxd no longer takes, unless another thread has replaced it already.
    pub(super) fn refuse(&self, token: &Arc<Secret>) {
        let mut slot = lock(&self.slot);
        if slot
            .held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(&held.token, token))
        {
            slot.held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn fetched(text: &str, seconds: u64) -> Result<Fetched, Error> {
        Ok(Fetched {
            token: Secret::new(text.into()),
            lifetime: Some(Duration::from_secs(seconds)),
        })
    }

    #[test]
    fn many_threads_fetch_once() {
        let (cell, fetches) = (TokenCell::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let token = cell.get(|| {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        fetched("t", 299)
                    });
                    assert_eq!(token.unwrap().expose(), "t");
                });
            }
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_that_waited_for_a_failed_fetch_share_the_failure() {
        let (cell, fetches) = (TokenCell::default(), AtomicUsize::new(0));
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    let result = cell.get(|| {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        // Long enough that the others are certain to be waiting for this one.
                        std::thread::sleep(Duration::from_millis(300));
                        Err(Error::NotConfigured("why".into()))
                    });
                    assert_eq!(result.unwrap_err().to_string(), "why");
                });
            }
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_refused_token_is_replaced_and_a_newer_one_is_not_forgotten() {
        let cell = TokenCell::default();
        let old = cell.get(|| fetched("old", 299)).unwrap();
        cell.refuse(&old);
        let new = cell.get(|| fetched("new", 299)).unwrap();
        cell.refuse(&old);
        assert!(Arc::ptr_eq(&new, &cell.get(|| fetched("third", 299)).unwrap()));
    }

    #[test]
    fn a_token_that_failed_to_renew_serves_until_its_end() {
        let cell = TokenCell::default();
        let first = cell.get(|| fetched("a", 1_000_000)).unwrap();
        lock(&cell.slot).held.as_mut().unwrap().renew_at = Instant::now();
        let again = cell.get(|| Err(Error::NotConfigured("why".into()))).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn a_lifetime_of_zero_is_used_once() {
        let cell = TokenCell::default();
        assert_eq!(cell.get(|| fetched("a", 0)).unwrap().expose(), "a");
        assert_eq!(cell.get(|| fetched("b", 0)).unwrap().expose(), "b");
    }
}
