//! What is known about access tokens: bounded, and one question at a time for each token.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use once_cell::sync::Lazy;
use quick_cache::Weighter;
use quick_cache::sync::{Cache, GuardResult};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::base::{Failure, Millis};

/// What an entry may take on average, in bytes: the bound on the number of entries bounds the memory, too.
const ENTRY: u64 = 4 * 1024;

/// The name of a token in the cache: a hash over it and over everything else that the answer depends on.
pub(crate) type TokenKey = u128;

/// The key of the hash, of this process alone: without it nobody can make a token with another one's name.
static HASH_KEY: Lazy<SipHasher24> = Lazy::new(|| {
    let random = RandomState::new();
    SipHasher24::new_with_keys(random.hash_one(0), random.hash_one(1))
});

/// Names a token by the parts that the answer depends on, itself among them.
///
/// SipHash-2-4 with 128 bits, as names leave the process nowhere: SHA-256 over a JWT took a third of the request.
pub(crate) fn token_key(parts: &[&str]) -> TokenKey {
    let mut hasher = *HASH_KEY;
    for part in parts {
        hasher.write(&part.len().to_le_bytes());
        hasher.write(part.as_bytes());
    }
    hasher.finish128().as_u128()
}

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
    /// From when on one thread should find out anew, while the others still use it; not before `until` if nobody should.
    pub due: Millis,
    /// Until when it is kept.
    pub until: Millis,
    /// Whether a thread does so already.
    renewed: Arc<AtomicBool>,
}

impl Answer {
    /// An answer that is kept until then.
    pub(crate) fn until(finding: Finding, until: Millis) -> Self {
        Self::due(finding, until, until)
    }

    /// An answer that is kept until then, and should be replaced before.
    pub(crate) fn due(finding: Finding, due: Millis, until: Millis) -> Self {
        Self {
            finding,
            due,
            until,
            renewed: Arc::default(),
        }
    }
}

/// What is known about a token.
#[derive(Debug)]
pub(crate) enum Known {
    /// This, and nobody needs to ask.
    Fresh(Finding),
    /// This, for a while; the thread that gets it should ask anew and [`TokenCache::replace`] it.
    Due(Finding),
    /// Nothing.
    Nothing,
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

    /// What is known already. Of the threads that find an answer due, one is told so.
    pub(crate) fn known(&self, tokens: u32, key: &TokenKey, now: Millis) -> Known {
        match self.of_size(tokens).get(key) {
            Some(answer) if now < answer.until => {
                let is_due = now >= answer.due && !answer.renewed.swap(true, Ordering::AcqRel);
                match is_due {
                    true => Known::Due(answer.finding),
                    false => Known::Fresh(answer.finding),
                }
            }
            _ => Known::Nothing,
        }
    }

    /// Puts an answer in the place of an earlier one.
    pub(crate) fn replace(&self, tokens: u32, key: &TokenKey, answer: Answer) {
        self.of_size(tokens).insert(*key, answer);
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
    use std::sync::atomic::AtomicUsize;

    const LONG: Duration = Duration::from_secs(10);

    fn refused(until: u64) -> Answer {
        let refusal = Refusal {
            told: "no",
            detail: "no".into(),
            remedy: "",
        };
        Answer::until(Finding::Refused(refusal), Millis(until))
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
                    cache.share(100, &1, Millis(1), LONG, ask).unwrap();
                });
            }
        });
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let known = |key, now| matches!(cache.known(100, &key, Millis(now)), Known::Fresh(_));
        assert!(known(1, 999));
        assert!(!known(1, 1_000));
        assert!(!known(2, 1));
        cache
            .share(100, &1, Millis(1_000), LONG, || {
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
            let key = TokenKey::from(number);
            cache
                .share(1_000, &key, Millis(1), LONG, || refused(1_000_000))
                .unwrap();
        }
        assert!(cache.len(1_000) <= 1_000, "{}", cache.len(1_000));
    }

    #[test]
    fn one_thread_finds_an_answer_due_and_the_others_use_it() {
        let cache = TokenCache::default();
        let finding = refused(0).finding;
        cache.replace(100, &1, Answer::due(finding, Millis(900), Millis(1_000)));
        let is_due = |now| matches!(cache.known(100, &1, Millis(now)), Known::Due(_));
        assert!(!is_due(899));
        assert!(is_due(900));
        assert!(!is_due(901), "another thread asks");
        assert!(matches!(cache.known(100, &1, Millis(999)), Known::Fresh(_)));
        assert!(matches!(cache.known(100, &1, Millis(1_000)), Known::Nothing));
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
                cache.share(100, &1, Millis(1), LONG, ask).unwrap();
            });
            barrier.wait();
            let short = Duration::from_millis(10);
            let waited = cache.share(100, &1, Millis(1), short, || refused(1_000));
            assert!(waited.is_err());
            barrier.wait();
        });
    }
}
