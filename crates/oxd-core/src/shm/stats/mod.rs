//! The counters of all processes, in shared memory. Counting is one atomic addition: it is cheap and never waits.
//!
//! Each series has a fixed index in an array of words. Its labels are enums, never a user or a token. An index is the
//! number of an enum's item: only processes of one build see these words, and they are stored nowhere else.
//!
//! [`metrics`] writes them for Prometheus, [`crate::pages::status`] for people.

pub mod metrics;
mod minute;
mod series;

pub use minute::Minute;
pub use series::{
    Action, Answered, Audit, Command, End, Event, Login, Outcome, Presented, Renewal, Token, Worth,
};

use std::time::Duration;

use super::sizes::{CHILDREN, MINUTES};
use super::sync::{AtomicU64, Ordering};
use crate::base::{Reason, Reference, Seconds};

/// Upper bounds of the histogram of oxd's response times, in milliseconds; one more bucket has the rest.
pub const BOUNDS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
const BUCKETS: usize = BOUNDS.len() + 1;
/// A histogram: its buckets, and the sum of all times in microseconds.
const HISTOGRAM: usize = BUCKETS + 1;

/// The order of [`Minute`]'s members in its words: each [`Login`], then these, then each [`Reason`].
const ANSWERED_IN: usize = Login::ALL.len();
const UNANSWERED_IN: usize = ANSWERED_IN + 1;
const TIME_IN: usize = UNANSWERED_IN + 1;
const FAILED_IN: usize = TIME_IN + 1;
/// The words of a minute.
const MINUTE: usize = FAILED_IN + Reason::ALL.len();
/// The unit of a minute's total time, in microseconds: the total has to fit into half a word.
const TICK: u64 = 10;

const LOGINS_AT: usize = 0;
const FAILED_AT: usize = LOGINS_AT + Login::ALL.len();
const REFUSALS_AT: usize = FAILED_AT + Reason::ALL.len();
const PRESENTED_AT: usize = REFUSALS_AT + Reason::ALL.len();
const MADE_AT: usize = PRESENTED_AT + Presented::ALL.len();
const ENDS_AT: usize = MADE_AT + 1;
const CALLS_AT: usize = ENDS_AT + End::ALL.len();
const TIMES_AT: usize = CALLS_AT + Command::ALL.len() * Outcome::ALL.len();
const EVENTS_AT: usize = TIMES_AT + Command::ALL.len() * HISTOGRAM;
const RENEWALS_AT: usize = EVENTS_AT + Event::ALL.len();
const TOKENS_AT: usize = RENEWALS_AT + Renewal::ALL.len();
const STORE_AT: usize = TOKENS_AT + Token::ALL.len() * Worth::ALL.len();
const STORE_TIME_AT: usize = STORE_AT + Action::ALL.len() * Answered::ALL.len();
const AUDIT_AT: usize = STORE_TIME_AT + Action::ALL.len();
const SINCE_AT: usize = AUDIT_AT + Audit::ALL.len();
/// For each [`Reason`] the time of the last refusal, and its reference number.
const LAST_AT: usize = SINCE_AT + 1;
/// The logins that were completed since the last one that failed and should not have.
const IN_A_ROW_AT: usize = LAST_AT + 2 * Reason::ALL.len();
const CHILDREN_AT: usize = IN_A_ROW_AT + 1;
const MINUTES_AT: usize = CHILDREN_AT + CHILDREN;
/// The size of the counters, in 64-bit words.
pub const WORDS: usize = MINUTES_AT + MINUTES * MINUTE;

/// Two halves of one word, so that both are read at the same time.
fn halves(word: u64) -> (u64, u64) {
    (word >> 32, word & u64::from(u32::MAX))
}

fn whole(upper: u64, lower: u64) -> u64 {
    upper << 32 | lower.min(u64::from(u32::MAX))
}

/// The counters of a server.
#[derive(Clone, Copy, Debug)]
pub struct Stats<'s> {
    words: &'s [AtomicU64],
}

impl<'s> Stats<'s> {
    /// The counters in these words; `None` for fewer than [`WORDS`]. New words are all 0.
    pub fn over(words: &'s [AtomicU64]) -> Option<Self> {
        let words = words.get(..WORDS)?;
        Some(Self { words })
    }

    /// Stores when counting began, unless it is stored.
    pub fn begin(&self, now: Seconds) {
        let _ = self.words[SINCE_AT].compare_exchange(0, now.0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// When counting began.
    pub fn since(&self) -> Seconds {
        Seconds(self.read(SINCE_AT))
    }

    fn read(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }

    #[inline]
    fn add(&self, at: usize, count: u64) {
        self.words[at].fetch_add(count, Ordering::Relaxed);
    }

    /// Adds to a counter of a minute. Each word also holds its minute, so that words of an hour ago need not be cleared
    /// first.
    fn in_minute(&self, now: Seconds, member: usize, count: u64) {
        let minute = now.0 / 60;
        let at = MINUTES_AT + (minute as usize % MINUTES) * MINUTE + member;
        let counted = |word: u64| match halves(word) {
            (of, had) if of == minute => Some(whole(minute, had + count)),
            (of, _) if of < minute => Some(whole(minute, count)),
            // The count is an hour late.
            _ => None,
        };
        let _ = self.words[at].fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }

    /// Counts a login's step.
    pub fn login(&self, how_far: Login, now: Seconds) {
        self.add(LOGINS_AT + how_far as usize, 1);
        if how_far == Login::Completed {
            self.add(IN_A_ROW_AT, 1);
        }
        self.in_minute(now, how_far as usize, 1);
    }

    /// Counts a failed login, at its start or at its callback.
    pub fn login_failed(&self, reason: Reason, now: Seconds) {
        self.add(FAILED_AT + reason as usize, 1);
        if reason.is_trouble() {
            self.words[IN_A_ROW_AT].store(0, Ordering::Relaxed);
        }
        self.in_minute(now, FAILED_IN + reason as usize, 1);
    }

    /// Counts a refused request.
    pub fn refused(&self, reason: Reason) {
        self.add(REFUSALS_AT + reason as usize, 1);
    }

    /// Keeps when a request was refused for a reason last, and the number of that refusal. Of two at the same time, one
    /// may get the other's number.
    pub fn refused_last(&self, reason: Reason, now: Seconds, reference: &Reference) {
        let at = LAST_AT + 2 * reason as usize;
        self.words[at].store(now.0, Ordering::Relaxed);
        self.words[at + 1].store(reference.word(), Ordering::Relaxed);
    }

    /// Counts a request with a session cookie.
    #[inline]
    pub fn presented(&self, what: Presented) {
        self.add(PRESENTED_AT + what as usize, 1);
    }

    /// Counts a request with a token other than a session.
    #[inline]
    pub fn token(&self, token: Token, worth: Worth) {
        self.add(TOKENS_AT + token as usize * Worth::ALL.len() + worth as usize, 1);
    }

    /// Counts a new session.
    pub fn made(&self) {
        self.add(MADE_AT, 1);
    }

    /// Counts the end of sessions.
    pub fn ended(&self, by: End) {
        self.add(ENDS_AT + by as usize, 1);
    }

    /// Counts a call to oxd that has ended or was not sent.
    pub fn call(&self, command: Command, outcome: Outcome, took: Duration, now: Seconds) {
        self.add(
            CALLS_AT + command as usize * Outcome::ALL.len() + outcome as usize,
            1,
        );
        let is_answered = matches!(outcome, Outcome::Ok | Outcome::Refused);
        self.in_minute(now, if is_answered { ANSWERED_IN } else { UNANSWERED_IN }, 1);
        if matches!(outcome, Outcome::Busy | Outcome::BreakerOpen) {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= bound * 1_000);
        let at = TIMES_AT + command as usize * HISTOGRAM;
        self.add(at + bucket.unwrap_or(BOUNDS.len()), 1);
        self.add(at + BUCKETS, micros);
        if is_answered {
            self.in_minute(now, TIME_IN, micros.div_ceil(TICK));
        }
    }

    /// Counts another event of calls.
    pub fn event(&self, event: Event) {
        self.add(EVENTS_AT + event as usize, 1);
    }

    /// Counts a renewal of a session's tokens or claims.
    pub fn renewal(&self, what: Renewal) {
        self.add(RENEWALS_AT + what as usize, 1);
    }

    /// Counts a line of the audit trail.
    pub fn audit(&self, what: Audit) {
        self.add(AUDIT_AT + what as usize, 1);
    }

    /// Lines of the audit trail so far.
    pub fn audit_lines(&self, what: Audit) -> u64 {
        self.read(AUDIT_AT + what as usize)
    }

    /// Counts an operation of a session store.
    pub fn store(&self, action: Action, answered: Answered, took: Duration) {
        self.add(
            STORE_AT + action as usize * Answered::ALL.len() + answered as usize,
            1,
        );
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.add(STORE_TIME_AT + action as usize, micros);
    }

    /// Registers a process that starts. The process that had its slot before has ended.
    pub fn process_begins(&self, process: u32) {
        self.of_process(process)
            .store(whole(u64::from(process), 0), Ordering::Relaxed);
    }

    /// A call of a process begins. The next process takes the slot of one that died; of two in one slot, one is not
    /// counted.
    pub fn call_begins(&self, process: u32) {
        let begun = |word: u64| match halves(word) {
            (of, count) if of == u64::from(process) => Some(whole(of, count + 1)),
            _ => Some(whole(u64::from(process), 1)),
        };
        let _ = self
            .of_process(process)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, begun);
    }

    /// A call of a process ends.
    pub fn call_ends(&self, process: u32) {
        let ended = |word: u64| match halves(word) {
            (of, count) if of == u64::from(process) && count > 0 => Some(whole(of, count - 1)),
            _ => None,
        };
        let _ = self
            .of_process(process)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, ended);
    }

    fn of_process(&self, process: u32) -> &'s AtomicU64 {
        &self.words[CHILDREN_AT + process as usize % CHILDREN]
    }

    /// The open calls of live processes.
    pub fn all_under_way(&self, lives: impl Fn(u32) -> bool) -> u64 {
        (0..CHILDREN)
            .map(|child| halves(self.read(CHILDREN_AT + child)))
            .filter(|(_, count)| *count != 0)
            .filter(|(process, _)| u32::try_from(*process).is_ok_and(&lives))
            .map(|(_, count)| count)
            .sum()
    }

    /// The last hour, the oldest minute first, up to and with the current one.
    pub fn hour(&self, now: Seconds) -> Vec<Minute> {
        let this = now.0 / 60;
        (this.saturating_sub(59)..=this)
            .map(|minute| {
                let at = MINUTES_AT + (minute as usize % MINUTES) * MINUTE;
                let read = |member: usize| match halves(self.read(at + member)) {
                    (of, count) if of == minute => count,
                    _ => 0,
                };
                Minute {
                    logins: std::array::from_fn(read),
                    failures: std::array::from_fn(|reason| read(FAILED_IN + reason)),
                    answered: read(ANSWERED_IN),
                    unanswered: read(UNANSWERED_IN),
                    micros: read(TIME_IN) * TICK,
                }
            })
            .collect()
    }

    /// The logins that reached this step.
    pub fn logins(&self, how_far: Login) -> u64 {
        self.read(LOGINS_AT + how_far as usize)
    }

    /// The logins that failed for a reason.
    pub fn failures(&self, reason: Reason) -> u64 {
        self.read(FAILED_AT + reason as usize)
    }

    /// The requests that were refused for a reason.
    pub fn refusals(&self, reason: Reason) -> u64 {
        self.read(REFUSALS_AT + reason as usize)
    }

    /// When a request was refused for a reason last, and the number of that refusal; `None` for never.
    pub fn last_refusal(&self, reason: Reason) -> Option<(Seconds, Reference)> {
        let at = LAST_AT + 2 * reason as usize;
        let when = self.read(at);
        (when != 0).then(|| (Seconds(when), Reference::of_word(self.read(at + 1))))
    }

    /// The logins that were completed since the last one that failed and should not have.
    pub fn completed_in_a_row(&self) -> u64 {
        self.read(IN_A_ROW_AT)
    }

    /// The new sessions.
    pub fn sessions_made(&self) -> u64 {
        self.read(MADE_AT)
    }

    /// The logouts and the like with this cause.
    pub fn sessions_ended(&self, by: End) -> u64 {
        self.read(ENDS_AT + by as usize)
    }

    /// The session cookies with this result.
    pub fn cookies_presented(&self, what: Presented) -> u64 {
        self.read(PRESENTED_AT + what as usize)
    }

    /// The requests with a token that turned out so.
    pub fn tokens(&self, token: Token, worth: Worth) -> u64 {
        self.read(TOKENS_AT + token as usize * Worth::ALL.len() + worth as usize)
    }

    /// The renewals with this result.
    pub fn renewals(&self, what: Renewal) -> u64 {
        self.read(RENEWALS_AT + what as usize)
    }

    /// The events of this kind.
    pub fn events(&self, event: Event) -> u64 {
        self.read(EVENTS_AT + event as usize)
    }

    /// The operations of a session store with this result.
    pub fn store_calls(&self, action: Action, answered: Answered) -> u64 {
        self.read(STORE_AT + action as usize * Answered::ALL.len() + answered as usize)
    }

    /// The total time of a session store's operations, in microseconds.
    pub fn store_time(&self, action: Action) -> u64 {
        self.read(STORE_TIME_AT + action as usize)
    }

    /// The calls of a command with this result.
    pub fn calls(&self, command: Command, outcome: Outcome) -> u64 {
        self.read(CALLS_AT + command as usize * Outcome::ALL.len() + outcome as usize)
    }

    /// The calls of a command that were sent, and their total time in microseconds.
    pub fn time(&self, command: Command) -> (u64, u64) {
        let at = TIMES_AT + command as usize * HISTOGRAM;
        let sent = (0..BUCKETS).map(|bucket| self.read(at + bucket)).sum();
        (sent, self.read(at + BUCKETS))
    }
}

#[cfg(test)]
mod tests;
