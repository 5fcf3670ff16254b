//! The client token of one site: fetched once per lifetime for the whole child, however many threads want it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::flight::{Flight, Found};
use crate::base::Secret;

/// A client token with its remaining lifetime.
#[derive(Clone)]
struct Held {
    token: Arc<Secret>,
    /// When it should be replaced although it still works.
    renew_at: Instant,
    /// When it stops working.
    ends: Instant,
    /// When it was fetched.
    since: Instant,
}

/// The token of one site.
#[derive(Default)]
pub(super) struct TokenCell(Flight<Option<Held>>);

/// A freshly fetched token and its lifetime.
pub(super) struct Fetched {
    /// The token.
    pub token: Secret,
    /// `expires_in`; `None` when oxd did not say.
    pub lifetime: Option<Duration>,
}

/// How long a token counts as just fetched. Short, as a provider may break down right after it has issued one; not
/// zero, as many sessions may be refused a refresh in the same moment.
const NEW_FOR: Duration = Duration::from_secs(2);
/// The lifetime of a token whose `expires_in` is unknown: oxd's own default.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(299);
/// The longest time before its end at which a token is replaced.
const RENEW_AHEAD: Duration = Duration::from_secs(30);
/// How long nobody tries again to replace a token that works, once that has failed: it may have taken the whole
/// `OxdServerTimeout`.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

impl TokenCell {
    /// The token, fetched with `fetch` when there is none.
    ///
    /// Concurrent threads wait for one fetch, `patience` at the most, and share its result, also a failure: a dead oxd is
    /// called once, not once per thread. A token that is about to expire is renewed by one thread while the others still
    /// use it, as that one does where the renewal fails.
    pub(super) fn get(
        &self,
        patience: Duration,
        fetch: impl FnOnce() -> Result<Fetched, Error>,
    ) -> Result<Arc<Secret>, Error> {
        let find = |held: &Option<Held>| {
            let now = Instant::now();
            match held {
                Some(held) if now < held.renew_at => Found::Known(held.token.clone()),
                Some(held) if now < held.ends => Found::Aging(held.token.clone()),
                _ => Found::Nothing,
            }
        };
        let fetch = || fetch().inspect_err(|_| self.renew_in(RENEW_AGAIN));
        self.0.get(patience, find, fetch, |slot, fetched| {
            let lifetime = fetched.lifetime.unwrap_or(DEFAULT_LIFETIME);
            let now = Instant::now();
            let token = Arc::new(fetched.token);
            *slot = Some(Held {
                token: token.clone(),
                renew_at: now + lifetime.saturating_sub(RENEW_AHEAD.min(lifetime / 10)),
                ends: now + lifetime,
                since: now,
            });
            token
        })
    }

    /// Whether there is a token that nobody needs to replace yet.
    pub(super) fn is_known(&self) -> bool {
        self.0
            .with(|slot| slot.as_ref().is_some_and(|held| Instant::now() < held.renew_at))
    }

    /// Whether the token was fetched a moment ago.
    pub(super) fn is_new(&self) -> bool {
        self.0
            .with(|slot| slot.as_ref().is_some_and(|held| held.since.elapsed() < NEW_FOR))
    }

    /// Makes the token one that was fetched a while ago.
    #[cfg(test)]
    pub(super) fn grow_old(&self) {
        self.0.with(|slot| {
            if let (Some(held), Some(since)) = (slot, Instant::now().checked_sub(NEW_FOR)) {
                held.since = since;
            }
        });
    }

    /// Lets the next thread fetch a new token, while the others still use the old one.
    pub(super) fn renew(&self) {
        self.renew_in(Duration::ZERO);
    }

    fn renew_in(&self, delay: Duration) {
        self.0.with(|slot| {
            if let Some(held) = slot {
                held.renew_at = held.ends.min(Instant::now() + delay);
            }
        });
    }

    /// Forgets a token that oxd no longer takes, unless another thread has replaced it already.
    pub(super) fn refuse(&self, token: &Arc<Secret>) {
        self.0.with(|slot| {
            slot.take_if(|held| Arc::ptr_eq(&held.token, token));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(60);

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
                    let token = cell.get(LONG, || {
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
    fn a_refused_token_is_replaced_and_a_newer_one_is_not_forgotten() {
        let cell = TokenCell::default();
        let old = cell.get(LONG, || fetched("old", 299)).unwrap();
        cell.refuse(&old);
        let new = cell.get(LONG, || fetched("new", 299)).unwrap();
        cell.refuse(&old);
        assert!(Arc::ptr_eq(
            &new,
            &cell.get(LONG, || fetched("third", 299)).unwrap()
        ));
    }

    #[test]
    fn a_token_that_failed_to_renew_serves_until_its_end() {
        let cell = TokenCell::default();
        let first = cell.get(LONG, || fetched("a", 1_000_000)).unwrap();
        cell.0
            .with(|held| held.as_mut().unwrap().renew_at = Instant::now());
        let again = cell
            .get(LONG, || Err(Error::NotConfigured("why".into())))
            .unwrap();
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn a_token_that_could_not_be_renewed_is_not_used_after_its_end() {
        let cell = TokenCell::default();
        cell.get(LONG, || fetched("a", 1_000_000)).unwrap();
        let ends = Instant::now() + RENEW_AGAIN / 2;
        cell.0.with(|held| held.as_mut().unwrap().ends = ends);
        cell.renew();
        let mut has_tried = false;
        let _ = cell.get(LONG, || {
            has_tried = true;
            Err(Error::NotConfigured("why".into()))
        });
        assert!(has_tried);
        cell.0
            .with(|held| assert_eq!(held.as_ref().unwrap().renew_at, ends));
    }

    #[test]
    fn a_lifetime_of_zero_is_used_once() {
        let cell = TokenCell::default();
        assert_eq!(cell.get(LONG, || fetched("a", 0)).unwrap().expose(), "a");
        assert_eq!(cell.get(LONG, || fetched("b", 0)).unwrap().expose(), "b");
    }
}
