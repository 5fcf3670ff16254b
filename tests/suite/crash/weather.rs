//! When what may go wrong, and what has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::random::Random;

/// A session that its user has ended, and was told so.
#[derive(Clone)]
pub(crate) struct Ended {
    /// A copy of its cookies.
    pub cookies: String,
}

/// What the users of a crowd and the test that strikes share.
#[derive(Default)]
pub(crate) struct Weather {
    state: Mutex<State>,
    over: AtomicBool,
    /// Whether what strikes may be answered with 500: httpd or the module lacks what it cannot do without.
    pub may_break: AtomicBool,
    pub requests: AtomicUsize,
    pub logins: AtomicUsize,
    pub lost: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// What strikes now, and whether sessions may be lost by it.
    storm: Option<(&'static str, bool)>,
    /// What struck last, when it was repaired, and until when requests may still fail that begin then.
    last: Option<(&'static str, Instant, Instant)>,
    /// Sessions of before this may be lost.
    lossy: Option<Instant>,
    /// When something failed that may.
    failed: Option<Instant>,
    ended: Vec<Ended>,
    /// What must not have happened.
    wrong: Vec<String>,
    /// How long after its repair each was still noticed.
    noticed: BTreeMap<&'static str, Duration>,
}

impl Weather {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is about to strike; `lossy`: sessions may be lost.
    pub(crate) fn strikes(&self, what: &'static str, lossy: bool) {
        self.state().storm = Some((what, lossy));
    }

    /// It is repaired. Requests may fail for so long yet.
    pub(crate) fn repaired(&self, grace: Duration) {
        let mut state = self.state();
        let now = Instant::now();
        if let Some((what, lossy)) = state.storm.take() {
            // What struck before may be noticed for longer.
            let clear = now + grace;
            if state.last.is_none_or(|(_, _, before)| before < clear) {
                state.last = Some((what, now, clear));
            }
            if lossy {
                state.lossy = Some(now);
            }
        }
    }

    /// Whether nothing may fail any more, or nothing has for so long.
    pub(crate) fn is_clear(&self, quiet: Duration) -> bool {
        let (state, now) = (self.state(), Instant::now());
        let last = state
            .failed
            .into_iter()
            .chain(state.last.map(|(_, repaired, _)| repaired))
            .max();
        state.last.is_none_or(|(_, _, clear)| clear < now) || last.is_none_or(|last| last + quiet < now)
    }

    /// A request that began then has failed.
    pub(crate) fn failed(&self, began: Instant, how: impl FnOnce() -> String) {
        let mut state = self.state();
        if state.storm.is_some() {
            return;
        }
        let now = Instant::now();
        match state.last {
            Some((what, repaired, clear)) if began < clear => {
                state.failed = Some(now);
                let late = now.saturating_duration_since(repaired);
                let noticed = state.noticed.entry(what).or_default();
                *noticed = late.max(*noticed);
            }
            last => {
                let since = last.map(|(what, repaired, _)| format!("{:?} after {what}", now - repaired));
                let text = format!("failed {}: {}", since.unwrap_or_default(), how());
                state.wrong.push(text);
            }
        }
    }

    /// Something must not have happened, whatever has struck.
    pub(crate) fn wrong(&self, what: String) {
        self.state().wrong.push(what);
    }

    /// A session that began then is none any more.
    pub(crate) fn lost_session(&self, since: Instant, how: impl FnOnce() -> String) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let may_be =
            state.storm.is_some_and(|(_, lossy)| lossy) || state.lossy.is_some_and(|lossy| since <= lossy);
        if !may_be {
            state.wrong.push(format!("a session was lost: {}", how()));
        }
    }

    /// A session has ended.
    pub(crate) fn ended(&self, ended: Ended) {
        self.state().ended.push(ended);
    }

    /// One of the sessions that have ended.
    pub(crate) fn one_ended(&self, random: &mut Random) -> Option<Ended> {
        let state = self.state();
        let at = random.below(state.ended.len());
        state.ended.get(at).cloned()
    }

    /// Those that have ended, from one on.
    pub(crate) fn ended_since(&self, first: usize) -> Vec<Ended> {
        self.state().ended[first..].to_vec()
    }

    /// What must not have happened so far.
    pub(crate) fn verdict(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    /// How long after its repair each blow was still noticed.
    pub(crate) fn noticed(&self) -> BTreeMap<&'static str, Duration> {
        self.state().noticed.clone()
    }

    /// Sends everybody home.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}
