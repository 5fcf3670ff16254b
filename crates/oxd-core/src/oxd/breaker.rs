//! The circuit breaker for the calls to one oxd server: while oxd is down, requests that need it are refused at once
//! instead of waiting for it one by one.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// Calls in a row that must fail to connect, or bring no answer in time, before the breaker opens.
const FAILURES_TO_OPEN: u32 = 5;
/// How long the open breaker rejects all calls but one. Short, so that it protects threads without delaying the recovery.
const OPEN_FOR: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Condition {
    failures: u32,
    open_until: Option<Instant>,
}

/// The circuit breaker of one oxd server in one process.
#[derive(Default)]
pub(super) struct CircuitBreaker(Mutex<Condition>);

impl CircuitBreaker {
    /// Whether a call may be made now. While the breaker is open, one caller each [`OPEN_FOR`] may try (half-open).
    pub(super) fn admits(&self) -> bool {
        self.admits_at(Instant::now())
    }

    pub(super) fn admits_at(&self, now: Instant) -> bool {
        let mut condition = lock(&self.0);
        match condition.open_until {
            Some(until) if now < until => false,
            Some(_) => {
                condition.open_until = Some(now + OPEN_FOR);
                true
            }
            None => true,
        }
    }

    /// Takes the result of a call: whether oxd answered. Returns whether the breaker has opened with it.
    pub(super) fn report(&self, answered: bool) -> bool {
        self.report_at(answered, Instant::now())
    }

    pub(super) fn report_at(&self, answered: bool, now: Instant) -> bool {
        let mut condition = lock(&self.0);
        if answered {
            *condition = Condition::default();
            return false;
        }
        condition.failures = condition.failures.saturating_add(1);
        if condition.failures >= FAILURES_TO_OPEN {
            condition.open_until = Some(now + OPEN_FOR);
        }
        condition.failures == FAILURES_TO_OPEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_on_an_answer() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES_TO_OPEN - 1 {
            assert!(!breaker.report(false));
        }
        assert!(breaker.admits());
        assert!(breaker.report(false));
        assert!(!breaker.admits());
        breaker.report(true);
        assert!(breaker.admits());
    }

    #[test]
    fn while_it_is_open_one_call_at_a_time_probes() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            breaker.report(false);
        }
        lock(&breaker.0).open_until = Some(Instant::now());
        assert!(breaker.admits() && !breaker.admits());
    }
}
