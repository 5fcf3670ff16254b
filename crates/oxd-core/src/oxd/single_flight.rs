//! One refresh of a session's tokens or claims, shared by all requests that want it.
//!
//! A provider that rotates refresh tokens takes each only once: a second use would end the whole grant. Requests that
//! still carry the old cookie therefore get the answer that the first of them got.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::flight::{Flight, Found};
use super::{Error, lock};
use crate::base::sha256_text;

/// How long an answer is shared: longer than any request that was under way with the old cookie.
const SHARED_FOR: Duration = Duration::from_secs(60);
/// How long a failure is shared by the requests that came with it. Shorter than the least back-off of a session, which
/// decides when oxd is asked again: that attempt must not be answered from here.
const FAILED_FOR: Duration = Duration::from_secs(2);

/// When an answer came, and what it was.
type Known<A> = (Instant, Result<A, Error>);
/// The call for one token.
type Shared<A> = Flight<Option<Known<A>>>;

/// The calls of one kind in one process, by the token that each uses up.
pub(super) struct SingleFlight<A> {
    by_token: Mutex<HashMap<String, Arc<Shared<A>>>>,
}

impl<A> Default for SingleFlight<A> {
    fn default() -> Self {
        Self {
            by_token: Mutex::default(),
        }
    }
}

impl<A: Clone> SingleFlight<A> {
    /// The answer for a token, if an earlier request has got one.
    pub(super) fn known(&self, token: &str) -> Option<Result<A, Error>> {
        let flight = lock(&self.by_token).get(&sha256_text(token.as_bytes()))?.clone();
        flight.with(|known| {
            let known = known.as_ref().filter(|known| is_fresh(known));
            known.map(|(_, outcome)| outcome.clone())
        })
    }

    /// The answer for a token: that of an earlier request, or the one that `send` gets now. A request that finds another
    /// one's call under way waits for it, `patience` at the most.
    pub(super) fn share(
        &self,
        token: &str,
        patience: Duration,
        send: impl FnOnce() -> Result<A, Error>,
    ) -> Result<A, Error> {
        let flight = {
            let mut flights = lock(&self.by_token);
            flights.retain(|_, flight| {
                flight.is_under_way() || flight.with(|known| known.as_ref().is_none_or(is_fresh))
            });
            flights.entry(sha256_text(token.as_bytes())).or_default().clone()
        };
        let find = |known: &Option<Known<A>>| match known.as_ref().filter(|known| is_fresh(known)) {
            Some((_, outcome)) => Found::Known(outcome.clone()),
            None => Found::Nothing,
        };
        let keep = |known: &mut Option<Known<A>>, outcome: Result<A, Error>| {
            *known = Some((Instant::now(), outcome.clone()));
            outcome
        };
        flight.get(patience, find, || Ok(send()), keep)?
    }
}

fn is_fresh<A>(known: &Known<A>) -> bool {
    known.0.elapsed() < if known.1.is_ok() { SHARED_FOR } else { FAILED_FOR }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn many_requests_refresh_once_and_another_session_on_its_own() {
        let (flights, count) = (SingleFlight::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    let answer = flights.share("old", LONG, || {
                        count.fetch_add(1, Ordering::SeqCst);
                        Ok("new")
                    });
                    assert_eq!(answer.unwrap(), "new");
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(flights.share("other", LONG, || Ok("other")).unwrap(), "other");
    }

    #[test]
    fn a_failure_is_shared_too() {
        let flights = SingleFlight::default();
        let fail = || Err(Error::NotConfigured("why".into()));
        assert!(flights.share("t", LONG, fail).is_err());
        assert!(flights.share("t", LONG, || Ok("x")).is_err());
    }
}
