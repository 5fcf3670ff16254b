//! What is known about access tokens: bounded, and one question at a time for each token.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::{Cache, GuardResult};

use crate::base::{Failure, Millis};

/// What an entry may take on average, in bytes: the bound on the number of entries bounds the memory, too.
const ENTRY: u64 = 4 * 1024;

/// The name of a token in the cache: a hash over it and over everything else that the answer depends on.
pub(crate) type TokenKey = [u8; 32];

/// What is known about a token.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// It works: its record, in the form of a session's, without the token itself.
    Active(Arc<[u8]>),
    /// It does not.
    Refused(Refusal),
    /// It could not be checked.
    Failed(Failure),
}

/// Why a token is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What the client may know (RFC 6750 section 3, `error_description`).
    pub told: &'static str,
    /// The whole reason, for the log.
    pub detail: Arc<str>,
    /// What an administrator can do about it; empty where the client is the cause.
    pub remedy: &'static str,
}

/// A finding, and the moment until which it may be used again.
#[derive(Clone)]
pub(crate) struct Answer {
    /// The finding.
    pub finding: Finding,
    /// Until when it is kept.
    pub until: Millis,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<TokenKey, Answer> for ByBytes {
    fn weight(&self, _: &TokenKey, answer: &Answer) -> u64 {
        match &answer.finding {
            Finding::Active(record) => ENTRY.max(record.len() as u64),
            Finding::Refused(_) | Finding::Failed(_) => ENTRY,
        }
    }
}

type Answers = Cache<TokenKey, Answer, ByBytes>;

/// The answers of one process. Places may allow different numbers of them; each number has answers of its own.
#[derive(Default)]
pub struct TokenCache(RwLock<HashMap<u32, Arc<Answers>>>);

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache")
    }
}

/// Another thread's question has not ended in time.
#[derive(Debug)]
pub(crate) struct TimedOut;

impl TokenCache {
    fn of_size(&self, tokens: u32) -> Arc<Answers> {
        let read = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = read.get(&tokens) {
            return answers.clone();
        }
        drop(read);
        let mut write = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let items = usize::try_from(tokens).unwrap_or(usize::MAX);
            Arc::new(Cache::with_weighter(items, u64::from(tokens) * ENTRY, ByBytes))
        };
        write.entry(tokens).or_insert_with(new).clone()
    }

    /// What is known already.
    pub(crate) fn known(&self, tokens: u32, key: &TokenKey, now: Millis) -> Option<Finding> {
        let answer = self.of_size(tokens).get(key)?;
        (now < answer.until).then_some(answer.finding)
    }

    /// What is known, or what `ask` finds now. A thread that finds another one's question under way waits for its answer,
    /// `patience` at the most.
    ///
    /// # Errors
    /// It has waited that long.
    pub(crate) fn share(
        &self,
        tokens: u32,
        key: &TokenKey,
        now: Millis,
        patience: Duration,
        ask: impl FnOnce() -> Answer,
    ) -> Result<Finding, TimedOut> {
        let answers = self.of_size(tokens);
        answers.remove_if(key, |answer| answer.until <= now);
        match answers.get_value_or_guard(key, Some(patience)) {
            GuardResult::Value(answer) => Ok(answer.finding),
            GuardResult::Guard(guard) => {
                let answer = ask();
                let finding = answer.finding.clone();
                // It fails where the entry was removed meanwhile: then nothing is kept.
                let _ = guard.insert(answer);
                Ok(finding)
            }
            GuardResult::Timeout => Err(TimedOut),
        }
    }

    /// How many answers are held.
    #[cfg(test)]
    pub(crate) fn len(&self, tokens: u32) -> usize {
        self.of_size(tokens).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_secs(10);

    fn refused(until: u64) -> Answer {
        Answer {
            finding: Finding::Refused(Refusal {
                told: "no",
                detail: "no".into(),
                remedy: "",
            }),
            until: Millis(until),
        }
    }

    #[test]
    fn threads_that_ask_at_once_share_one_question() {
        let (cache, asked, barrier) = (TokenCache::default(), AtomicUsize::new(0), Barrier::new(16));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    barrier.wait();
                    let ask = || {
                        asked.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                        refused(1_000)
                    };
                    cache.share(100, &[1; 32], Millis(1), LONG, ask).unwrap();
                });
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(cache.known(100, &[1; 32], Millis(999)).is_some());
        assert!(cache.known(100, &[1; 32], Millis(1_000)).is_none());
        assert!(cache.known(100, &[2; 32], Millis(1)).is_none());
        cache
            .share(100, &[1; 32], Millis(1_000), LONG, || {
                asked.fetch_add(1, Ordering::SeqCst);
                refused(2_000)
            })
            .unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_flood_of_tokens_takes_no_more_than_the_bound() {
        let cache = TokenCache::default();
        for number in 0..100_000u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            cache
                .share(1_000, &key, Millis(1), LONG, || refused(1_000_000))
                .unwrap();
        }
        assert!(cache.len(1_000) <= 1_000, "{}", cache.len(1_000));
    }

    #[test]
    fn who_waits_too_long_gets_no_answer() {
        let (cache, barrier) = (TokenCache::default(), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let ask = || {
                    barrier.wait();
                    barrier.wait();
                    refused(1_000)
                };
                cache.share(100, &[1; 32], Millis(1), LONG, ask).unwrap();
            });
            barrier.wait();
            let short = Duration::from_millis(10);
            let waited = cache.share(100, &[1; 32], Millis(1), short, || refused(1_000));
            assert!(waited.is_err());
            barrier.wait();
        });
    }
}
