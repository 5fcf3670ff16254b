//! What oxd tells about the provider (its keys, its issuer), fetched once for a while and again at a bounded rate.

use std::time::{Duration, Instant};

use super::Error;
use super::flight::{Flight, Found};

/// How long fetched keys are used.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// The least time between two fetches for an unknown key: any client can send tokens that name one.
const RATE: Duration = Duration::from_secs(60);
/// The least time between two fetches that failed.
const RETRY: Duration = Duration::from_secs(2);

struct Known<V> {
    /// The value that was fetched last, and when.
    value: Option<(Instant, V)>,
    /// When it was last fetched because it lacked something.
    asked_anew: Option<Instant>,
    /// The last fetch, if it failed.
    failed: Option<(Instant, Error)>,
}

impl<V> Default for Known<V> {
    fn default() -> Self {
        Self {
            value: None,
            asked_anew: None,
            failed: None,
        }
    }
}

impl<V: Clone> Known<V> {
    /// The answer without another fetch.
    fn answer(&self, anew: bool) -> Option<Result<V, Error>> {
        match (&self.failed, &self.value) {
            (Some((_, failure)), value) if anew || value.is_none() => Some(Err(failure.clone())),
            (_, value) => value.as_ref().map(|(_, value)| Ok(value.clone())),
        }
    }

    /// Whether to fetch: the value is old, or lacks what is wanted (`anew`), and it was not tried a moment ago.
    fn wants_fetch(&self, anew: bool) -> bool {
        let rested = |at: Option<Instant>, rest| at.is_none_or(|at| at.elapsed() >= rest);
        let is_fresh = self.value.as_ref().is_some_and(|(at, _)| at.elapsed() < KEPT_FOR);
        (anew || !is_fresh)
            && rested(self.failed.as_ref().map(|(at, _)| *at), RETRY)
            && (!anew || rested(self.asked_anew, RATE))
    }
}

/// One value of one provider in one child process.
pub(super) struct ProviderCell<V>(Flight<Known<V>>);

impl<V> Default for ProviderCell<V> {
    fn default() -> Self {
        Self(Flight::default())
    }
}

impl<V: Clone> ProviderCell<V> {
    /// The value, if it needs no fetch.
    pub(super) fn known(&self, anew: bool) -> Option<Result<V, Error>> {
        self.0.with(|known| match known.wants_fetch(anew) {
            true => None,
            false => known.answer(anew),
        })
    }

    /// The value; `anew` when the known one lacks what is wanted. Concurrent threads share one fetch and wait for it,
    /// `patience` at the most. An expired value remains in use while oxd is unreachable.
    pub(super) fn get(
        &self,
        anew: bool,
        patience: Duration,
        fetch: impl FnOnce() -> Result<V, Error>,
    ) -> Result<V, Error> {
        let find = |known: &Known<V>| match known.answer(anew) {
            Some(answer) if !known.wants_fetch(anew) => Found::Known(answer),
            Some(Ok(value)) if !anew => Found::Aging(Ok(value)),
            _ => Found::Nothing,
        };
        let keep = |known: &mut Known<V>, fetched: Result<V, Error>| {
            let now = Instant::now();
            // A fetch that failed has told nothing about the key: it is tried again as soon as any other.
            if anew && fetched.is_ok() {
                known.asked_anew = Some(now);
            }
            known.failed = fetched.as_ref().err().map(|failure| (now, failure.clone()));
            if let Ok(value) = &fetched {
                known.value = Some((now, value.clone()));
            }
            known.answer(anew).unwrap_or(fetched)
        };
        self.0.get(patience, find, || Ok(fetch()), keep)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::cell::Cell;

    #[test]
    fn keys_are_fetched_once_and_for_an_unknown_one_at_a_bounded_rate() {
        let (cell, count) = (ProviderCell::<Vec<Value>>::default(), Cell::new(0));
        let fetch = || {
            count.set(count.get() + 1);
            Ok(vec![Value::from(count.get())])
        };
        for _ in 0..3 {
            assert_eq!(cell.get(false, Duration::ZERO, fetch).unwrap(), [Value::from(1)]);
        }
        // One that is not there is asked for at once, the next ones not before a minute has gone by.
        for _ in 0..3 {
            assert_eq!(cell.get(true, Duration::ZERO, fetch).unwrap(), [Value::from(2)]);
        }
        cell.0
            .with(|known| known.asked_anew = Instant::now().checked_sub(RATE));
        assert_eq!(cell.get(false, Duration::ZERO, fetch).unwrap(), [Value::from(2)]);
        for _ in 0..3 {
            assert_eq!(cell.get(true, Duration::ZERO, fetch).unwrap(), [Value::from(3)]);
        }
    }

    #[test]
    fn a_failed_fetch_for_an_unknown_key_is_tried_again_soon() {
        let cell = ProviderCell::<Vec<Value>>::default();
        let fail = || Err(Error::NotConfigured("why".into()));
        assert!(cell.get(false, Duration::ZERO, || Ok(vec![])).is_ok());
        assert!(cell.get(true, Duration::ZERO, fail).is_err());
        // oxd is back, and the provider has a new key: nobody waits a minute for it.
        let rested = Instant::now().checked_sub(RETRY).unwrap();
        cell.0.with(|known| known.failed.as_mut().unwrap().0 = rested);
        assert!(cell.known(true).is_none(), "it is to be fetched");
        let fetched = cell.get(true, Duration::ZERO, || Ok(vec![Value::Null]));
        assert_eq!(fetched.unwrap(), [Value::Null]);
        assert!(cell.known(true).is_some(), "and not again for a minute");
    }

    #[test]
    fn a_failure_is_not_kept_long_and_old_keys_outlive_it() {
        let cell = ProviderCell::<Vec<Value>>::default();
        let fail = || Err(Error::NotConfigured("why".into()));
        assert!(cell.get(false, Duration::ZERO, fail).is_err());
        assert!(
            cell.get(false, Duration::ZERO, || Ok(vec![])).is_err(),
            "asked again at once"
        );
        let a_while_ago = Instant::now().checked_sub(RETRY).unwrap();
        cell.0
            .with(|known| known.failed.as_mut().unwrap().0 = a_while_ago);
        assert!(cell.get(false, Duration::ZERO, || Ok(vec![Value::Null])).is_ok());
        assert!(cell.get(true, Duration::ZERO, fail).is_err());
        assert_eq!(cell.get(false, Duration::ZERO, fail).unwrap(), [Value::Null]);
    }
}
