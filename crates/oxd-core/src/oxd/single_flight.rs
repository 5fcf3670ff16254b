//! One refresh of a session's tokens or claims, shared by all requests that want it.
//!
//! A provider that rotates refresh tokens takes each only once: a second use would end the whole grant. Requests that
//! still carry the old cookie therefore get the answer that the first of them got.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use crate::base::crypto::sha256_text;
use crate::base::reason::{Failure, Reason};

/// How long an answer is shared: longer than any request that was under way with the old cookie.
const SHARED_FOR: Duration = Duration::from_secs(60);
/// How long a failure is shared, so that a failing oxd is not asked again by each request.
const FAILED_FOR: Duration = Duration::from_secs(10);

type Outcome<A> = Result<A, (Reason, String)>;

struct Flight<A> {
    outcome: Mutex<Option<(Instant, Outcome<A>)>>,
}

/// The refreshes of one child process.
pub struct Flights<A> {
    by_token: Mutex<HashMap<String, Arc<Flight<A>>>>,
}

impl<A> Default for Flights<A> {
    fn default() -> Self {
        Self {
            by_token: Mutex::default(),
        }
    }
}

impl<A: Clone> Flights<A> {
    /// The answer for a token: that of an earlier request, or the one that `refresh` gets now.
    pub fn share(&self, token: &str, refresh: impl FnOnce() -> Result<A, Failure>) -> Result<A, Failure> {
        let flight = {
            let mut flights = lock(&self.by_token);
            flights.retain(|_, flight| match flight.outcome.try_lock() {
                Ok(outcome) => outcome.as_ref().is_none_or(is_fresh),
                // Under way just now.
                Err(_) => true,
            });
            flights
                .entry(sha256_text(token.as_bytes()))
                .or_insert_with(|| {
                    Arc::new(Flight {
                        outcome: Mutex::new(None),
                    })
                })
                .clone()
        };
        let mut place = lock(&flight.outcome);
        if let Some(known) = place.as_ref().filter(|known| is_fresh(known)) {
            return known
                .1
                .clone()
                .map_err(|(reason, detail)| Failure::new(reason, detail));
        }
        let outcome = refresh();
        let shared = outcome
            .as_ref()
            .map(A::clone)
            .map_err(|f| (f.reason, f.detail.clone()));
        *place = Some((Instant::now(), shared));
        outcome
    }
}

fn is_fresh<A>(known: &(Instant, Outcome<A>)) -> bool {
    known.0.elapsed() < if known.1.is_ok() { SHARED_FOR } else { FAILED_FOR }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::api::Refreshed;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn refreshed(token: &str) -> Refreshed {
        Refreshed {
            access_token: token.into(),
            expires_in: Some(300),
            refresh_token: None,
        }
    }

    #[test]
    fn many_requests_refresh_once_and_another_session_on_its_own() {
        let (flights, count) = (Flights::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    let answer = flights.share("old", || {
                        count.fetch_add(1, Ordering::SeqCst);
                        Ok(refreshed("new"))
                    });
                    assert_eq!(answer.unwrap().access_token, "new");
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(
            flights
                .share("other", || Ok(refreshed("other")))
                .unwrap()
                .access_token,
            "other"
        );
    }

    #[test]
    fn a_failure_is_shared_too() {
        let flights = Flights::default();
        let fail = || Err(Failure::new(Reason::OxdTimeout, "slow"));
        assert!(flights.share("t", fail).is_err());
        assert_eq!(
            flights.share("t", || Ok(refreshed("x"))).unwrap_err().reason,
            Reason::OxdTimeout
        );
    }
}
