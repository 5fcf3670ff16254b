//! The circuit breaker for the calls to one oxd server, with a limit of concurrent calls.
//!
//! Both exist so that a slow or dead oxd costs the threads of httpd as little as possible: requests that need no oxd
//! must not wait behind requests that do.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock;

/// Calls in a row that must fail to connect before the breaker opens.
const FAILURES_TO_OPEN: u32 = 5;
/// How long the open breaker rejects all calls. Short, so that it protects threads without delaying the recovery.
const OPEN_FOR: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Condition {
    under_way: u32,
    failures: u32,
    open_until: Option<Instant>,
}

/// The circuit breaker of one oxd server in one process.
#[derive(Default)]
pub(super) struct CircuitBreaker {
    condition: Mutex<Condition>,
    freed: Condvar,
}

/// The reason for a rejected call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Denied {
    /// The limit of concurrent calls is reached, and none ended in time.
    Busy,
    /// The breaker is open.
    Open,
}

/// Permission for one call; dropping it admits the next one.
pub(super) struct Permit<'b>(&'b CircuitBreaker);

impl CircuitBreaker {
    /// Waits for permission to make a call, at most `patience`.
    ///
    /// The flag says whether the call had to wait at all.
    pub(super) fn enter(&self, most: u32, patience: Duration) -> (Result<Permit<'_>, Denied>, bool) {
        let mut queued = false;
        (self.wait(most, patience, &mut queued), queued)
    }

    fn wait(&self, most: u32, patience: Duration, queued: &mut bool) -> Result<Permit<'_>, Denied> {
        let deadline = Instant::now() + patience;
        let mut condition = lock(&self.condition);
        loop {
            let now = Instant::now();
            match condition.open_until {
                Some(until) if now < until => return Err(Denied::Open),
                // Half-open: one caller probes; the others are rejected until it succeeds or the time is over again.
                Some(_) => condition.open_until = Some(now + OPEN_FOR),
                None => {}
            }
            if condition.under_way < most {
                condition.under_way += 1;
                return Ok(Permit(self));
            }
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Err(Denied::Busy);
            }
            *queued = true;
            condition = self
                .freed
                .wait_timeout(condition, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Tells how connecting went; answers whether the breaker has opened with it.
    pub(super) fn report(&self, connected: bool) -> bool {
        let mut condition = lock(&self.condition);
        if connected {
            condition.failures = 0;
            condition.open_until = None;
            return false;
        }
        condition.failures = condition.failures.saturating_add(1);
        if condition.failures >= FAILURES_TO_OPEN {
            condition.open_until = Some(Instant::now() + OPEN_FOR);
        }
        condition.failures == FAILURES_TO_OPEN
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        lock(&self.0.condition).under_way -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_than_allowed_and_the_next_one_when_one_ends() {
        let breaker = CircuitBreaker::default();
        let first = breaker.enter(1, Duration::ZERO).0.unwrap();
        assert_eq!(
            breaker.enter(1, Duration::from_millis(5)).0.err().unwrap(),
            Denied::Busy
        );
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| breaker.enter(1, Duration::from_secs(60)).0.is_ok());
            drop(first);
            assert!(waiter.join().unwrap());
        });
    }

    #[test]
    fn the_breaker_opens_after_failures_in_a_row_and_closes_on_success() {
        let breaker = CircuitBreaker::default();
        for _ in 0..FAILURES_TO_OPEN - 1 {
            breaker.report(false);
        }
        assert!(breaker.enter(1, Duration::ZERO).0.is_ok());
        breaker.report(false);
        assert_eq!(breaker.enter(1, Duration::ZERO).0.err().unwrap(), Denied::Open);
        breaker.report(true);
        assert!(breaker.enter(1, Duration::ZERO).0.is_ok());
    }
}
