//! The provider's keys, fetched once for a while and again at a bounded rate.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Error, lock};

/// How long fetched keys are used.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// The least time between two fetches for an unknown key: any client can send tokens that name one.
const RATE: Duration = Duration::from_secs(60);
/// The least time between two fetches that failed.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Known {
    /// The keys that were fetched last, and when.
    keys: Option<(Instant, Vec<Value>)>,
    /// When keys were last fetched because of an unknown key.
    asked_anew: Option<Instant>,
    /// When the last fetch failed.
    failed: Option<Instant>,
    /// The error of the last fetch, if it failed.
    failure: Option<Error>,
}

/// The keys of one provider in one child process.
#[derive(Default)]
pub(super) struct KeyCell(Mutex<Known>);

impl KeyCell {
    /// The keys; `anew` when the known keys lack the wanted one. Concurrent threads share one fetch. Expired keys
    /// remain in use while oxd is unreachable.
    pub(super) fn get(
        &self,
        anew: bool,
        fetch: impl FnOnce() -> Result<Vec<Value>, Error>,
    ) -> Result<Vec<Value>, Error> {
        let mut known = lock(&self.0);
        let is_fresh = known.keys.as_ref().is_some_and(|(at, _)| at.elapsed() < KEPT_FOR);
        let rested = |at: Option<Instant>, rest| at.is_none_or(|at| at.elapsed() >= rest);
        let may_ask = rested(known.failed, RETRY) && (!anew || rested(known.asked_anew, RATE));
        if may_ask && (anew || !is_fresh) {
            let fetched = fetch();
            if anew {
                known.asked_anew = Some(Instant::now());
            }
            known.failed = fetched.is_err().then(Instant::now);
            known.failure = fetched.as_ref().err().cloned();
            if let Ok(keys) = fetched {
                known.keys = Some((Instant::now(), keys));
            }
        }
        match (&known.failure, &known.keys) {
            (Some(failure), keys) if anew || keys.is_none() => Err(failure.clone()),
            (_, Some((_, keys))) => Ok(keys.clone()),
            (_, None) => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn keys_are_fetched_once_and_for_an_unknown_one_at_a_bounded_rate() {
        let (cell, count) = (KeyCell::default(), Cell::new(0));
        let fetch = || {
            count.set(count.get() + 1);
            Ok(vec![Value::from(count.get())])
        };
        for _ in 0..3 {
            assert_eq!(cell.get(false, fetch).unwrap(), [Value::from(1)]);
        }
        // One that is not there is asked for at once, the next ones not before a minute has gone by.
        for _ in 0..3 {
            assert_eq!(cell.get(true, fetch).unwrap(), [Value::from(2)]);
        }
        lock(&cell.0).asked_anew = Instant::now().checked_sub(RATE);
        assert_eq!(cell.get(false, fetch).unwrap(), [Value::from(2)]);
        for _ in 0..3 {
            assert_eq!(cell.get(true, fetch).unwrap(), [Value::from(3)]);
        }
    }

    #[test]
    fn a_failure_is_not_kept_long_and_old_keys_outlive_it() {
        let cell = KeyCell::default();
        let fail = || Err(Error::NotConfigured("why".into()));
        assert!(cell.get(false, fail).is_err());
        assert!(cell.get(false, || Ok(vec![])).is_err(), "asked again at once");
        lock(&cell.0).failed = Instant::now().checked_sub(RETRY);
        assert!(cell.get(false, || Ok(vec![Value::Null])).is_ok());
        assert!(cell.get(true, fail).is_err());
        assert_eq!(cell.get(false, fail).unwrap(), [Value::Null]);
    }
}
