//! What has happened so far, counted over all processes in shared memory: by plain atomic additions, so that counting
//! costs a request next to nothing and waits for nobody.
//!
//! Every series has its place in a run of words; what tells series apart are fixed lists, never a user or a token.
//! [`metrics`] writes it all for Prometheus, [`page`] for people.

pub mod metrics;
pub mod page;
mod plot;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Seconds;
use crate::reason::Reason;

macro_rules! series {
    ($(#[$doc:meta])* $kind:ident { $( $(#[$item_doc:meta])* $item:ident = $name:literal, )* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind { $( $(#[$item_doc])* $item, )* }

        impl $kind {
            /// All of them, in the order of their places.
            pub const ALL: &[$kind] = &[ $( $kind::$item, )* ];

            /// The value of its label.
            pub fn name(self) -> &'static str { match self { $( $kind::$item => $name, )* } }
        }
    };
}

series! {
    /// How far logins came.
    Login {
        /// The browser was sent to the provider.
        Begun = "begun",
        /// It came back, and has a session.
        Completed = "completed",
        /// It was sent to begin once more, as it came back with a login that is not under way here.
        Restarted = "restarted",
    }
}

series! {
    /// What a request's session cookie turned out to be.
    Presented {
        /// A session that is alive.
        Alive = "alive",
        /// None: expired, ended, altered, of another site.
        Refused = "refused",
        /// Nobody knows: the store could not be asked.
        Unknown = "unknown",
    }
}

series! {
    /// Who ended sessions. One act may end several.
    End {
        /// The user, by signing out.
        User = "user",
        /// The provider, through the browser.
        FrontChannel = "front_channel",
        /// The provider itself.
        BackChannel = "back_channel",
        /// The provider, by refusing a refresh token.
        Provider = "provider",
        /// An administrator.
        Administrator = "administrator",
        /// A newer login of the same browser.
        Login = "login",
        /// `OxdSessionMax`.
        Limit = "limit",
    }
}

series! {
    /// The commands of oxd that the module sends.
    Command {
        /// `get-client-token`
        ClientToken = "get-client-token",
        /// `get-authorization-url`
        AuthorizationUrl = "get-authorization-url",
        /// `get-tokens-by-code`
        TokensByCode = "get-tokens-by-code",
        /// `get-user-info`
        UserInfo = "get-user-info",
        /// `get-access-token-by-refresh-token`
        Refresh = "get-access-token-by-refresh-token",
        /// `get-logout-uri`
        LogoutUri = "get-logout-uri",
        /// `get-jwks`
        Jwks = "get-jwks",
        /// Any other.
        Other = "other",
    }
}

impl Command {
    /// The command of a name.
    pub fn of(name: &str) -> Self {
        let known = Self::ALL.iter().find(|command| command.name() == name);
        known.copied().unwrap_or(Command::Other)
    }
}

series! {
    /// How a call to oxd went.
    Outcome {
        /// Status 200, and HTTP worked.
        Ok = "ok",
        /// Another status.
        Refused = "refused",
        /// Not HTTP, cut off, or too large.
        Broken = "broken",
        /// No whole answer in time.
        Timeout = "timeout",
        /// No connection.
        Unreachable = "unreachable",
        /// Not sent: as many calls as allowed were under way.
        Busy = "busy",
        /// Not sent: oxd was left alone for a moment.
        Resting = "resting",
    }
}

series! {
    /// What else happened to calls.
    Event {
        /// The breaker opened: oxd could not be reached several times in a row.
        BreakerOpened = "breaker_opened",
        /// A call waited for its turn.
        Queued = "queued",
    }
}

series! {
    /// The renewal of sessions' tokens and claims.
    Renewal {
        /// New tokens.
        Tokens = "tokens",
        /// New claims.
        Claims = "claims",
        /// Another request had done it.
        Shared = "shared",
        /// It failed, and the session stayed as it was.
        Failed = "failed",
    }
}

series! {
    /// What a session store was asked for.
    Action {
        /// To read an entry.
        Get = "get",
        /// To write one.
        Put = "put",
        /// To take one away.
        Remove = "remove",
    }
}

series! {
    /// What a session store answered.
    Answered {
        /// It did it.
        Ok = "ok",
        /// There was no such entry.
        Absent = "absent",
        /// It failed, or did not answer in time.
        Failed = "failed",
    }
}

/// Upper bounds of the histogram of oxd's response times, in milliseconds; one more bucket has the rest.
pub const BOUNDS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
const BUCKETS: usize = BOUNDS.len() + 1;
/// A histogram: its buckets, and the sum of all times in microseconds.
const HISTOGRAM: usize = BUCKETS + 1;

/// How many minutes are remembered one by one; an hour is shown.
const MINUTES: usize = 64;
/// A minute: which one, and [`Minute`]'s members.
const MINUTE: usize = 6;
/// Child processes whose calls under way are known; the place is chosen by the process's number.
const CHILDREN: usize = 512;

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
const STORE_AT: usize = RENEWALS_AT + Renewal::ALL.len();
const STORE_TIME_AT: usize = STORE_AT + Action::ALL.len() * Answered::ALL.len();
const SINCE_AT: usize = STORE_TIME_AT + Action::ALL.len();
const CHILDREN_AT: usize = SINCE_AT + 1;
const MINUTES_AT: usize = CHILDREN_AT + 2 * CHILDREN;
/// How many words there are.
pub const WORDS: usize = MINUTES_AT + MINUTES * MINUTE;

/// What happened in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Minute {
    /// Logins that began.
    pub begun: u64,
    /// Logins that ended with a session.
    pub completed: u64,
    /// Logins that failed.
    pub failed: u64,
    /// Calls to oxd that got an answer or ran out of time.
    pub calls: u64,
    /// The time that they took together, in microseconds.
    pub micros: u64,
}

/// The counters of a server.
#[derive(Clone, Copy, Debug)]
pub struct Stats<'s> {
    words: &'s [AtomicU64],
}

impl<'s> Stats<'s> {
    /// Takes words as the counters; `None` unless there are [`WORDS`]. Fresh ones are all 0.
    pub fn over(words: &'s [AtomicU64]) -> Option<Self> {
        let words = words.get(..WORDS)?;
        Some(Self { words })
    }

    /// Notes when counting began, unless that is known.
    pub fn begin(&self, now: Seconds) {
        let _ = self.words[SINCE_AT].compare_exchange(0, now, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// When counting began.
    pub fn since(&self) -> Seconds {
        self.read(SINCE_AT)
    }

    fn read(&self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }

    #[inline]
    fn add(&self, at: usize, count: u64) {
        self.words[at].fetch_add(count, Ordering::Relaxed);
    }

    fn in_minute(&self, now: Seconds, member: usize, count: u64) {
        let minute = now / 60;
        let at = MINUTES_AT + (minute as usize % MINUTES) * MINUTE;
        let stamp = &self.words[at];
        let known = stamp.load(Ordering::Acquire);
        if known != minute
            && stamp
                .compare_exchange(known, minute, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        {
            for word in &self.words[at + 1..at + MINUTE] {
                word.store(0, Ordering::Relaxed);
            }
        }
        self.add(at + 1 + member, count);
    }

    /// A login came so far.
    pub fn login(&self, how_far: Login, now: Seconds) {
        self.add(LOGINS_AT + how_far as usize, 1);
        match how_far {
            Login::Begun => self.in_minute(now, 0, 1),
            Login::Completed => self.in_minute(now, 1, 1),
            Login::Restarted => {}
        }
    }

    /// A login failed, at its start or when it came back.
    pub fn login_failed(&self, reason: Reason, now: Seconds) {
        self.add(FAILED_AT + reason as usize, 1);
        self.in_minute(now, 2, 1);
    }

    /// A request was refused.
    pub fn refused(&self, reason: Reason) {
        self.add(REFUSALS_AT + reason as usize, 1);
    }

    /// A request brought a session cookie.
    #[inline]
    pub fn presented(&self, what: Presented) {
        self.add(PRESENTED_AT + what as usize, 1);
    }

    /// A session was made.
    pub fn made(&self) {
        self.add(MADE_AT, 1);
    }

    /// Sessions were ended.
    pub fn ended(&self, by: End) {
        self.add(ENDS_AT + by as usize, 1);
    }

    /// A call to oxd is over, or was not made.
    pub fn call(&self, command: Command, outcome: Outcome, took: Duration, now: Seconds) {
        self.add(
            CALLS_AT + command as usize * Outcome::ALL.len() + outcome as usize,
            1,
        );
        if matches!(outcome, Outcome::Busy | Outcome::Resting) {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= bound * 1_000);
        let at = TIMES_AT + command as usize * HISTOGRAM;
        self.add(at + bucket.unwrap_or(BOUNDS.len()), 1);
        self.add(at + BUCKETS, micros);
        self.in_minute(now, 3, 1);
        self.in_minute(now, 4, micros);
    }

    /// Something else happened to calls.
    pub fn event(&self, event: Event) {
        self.add(EVENTS_AT + event as usize, 1);
    }

    /// A session's tokens or claims were renewed, or not.
    pub fn renewal(&self, what: Renewal) {
        self.add(RENEWALS_AT + what as usize, 1);
    }

    /// A session store was asked.
    pub fn store(&self, action: Action, answered: Answered, took: Duration) {
        self.add(
            STORE_AT + action as usize * Answered::ALL.len() + answered as usize,
            1,
        );
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.add(STORE_TIME_AT + action as usize, micros);
    }

    /// How many calls of a process are under way. The place of a process that died is taken by the next one, or not
    /// counted.
    pub fn under_way(&self, process: u32, count: u64) {
        let at = CHILDREN_AT + 2 * (process as usize % CHILDREN);
        self.words[at].store(u64::from(process), Ordering::Relaxed);
        self.words[at + 1].store(count, Ordering::Relaxed);
    }

    /// The calls that are under way in processes that live.
    pub fn all_under_way(&self, lives: impl Fn(u32) -> bool) -> u64 {
        (0..CHILDREN)
            .map(|child| CHILDREN_AT + 2 * child)
            .filter(|at| self.read(at + 1) != 0)
            .filter(|at| u32::try_from(self.read(*at)).is_ok_and(&lives))
            .map(|at| self.read(at + 1))
            .sum()
    }

    /// The last hour, the oldest minute first, up to and with the current one.
    pub fn hour(&self, now: Seconds) -> Vec<Minute> {
        let this = now / 60;
        (this.saturating_sub(59)..=this)
            .map(|minute| {
                let at = MINUTES_AT + (minute as usize % MINUTES) * MINUTE;
                if self.read(at) != minute {
                    return Minute::default();
                }
                Minute {
                    begun: self.read(at + 1),
                    completed: self.read(at + 2),
                    failed: self.read(at + 3),
                    calls: self.read(at + 4),
                    micros: self.read(at + 5),
                }
            })
            .collect()
    }

    /// How many logins came so far.
    pub fn logins(&self, how_far: Login) -> u64 {
        self.read(LOGINS_AT + how_far as usize)
    }

    /// How many logins failed for a reason.
    pub fn failures(&self, reason: Reason) -> u64 {
        self.read(FAILED_AT + reason as usize)
    }

    /// How many requests were refused for a reason.
    pub fn refusals(&self, reason: Reason) -> u64 {
        self.read(REFUSALS_AT + reason as usize)
    }

    /// How many calls of a command went so.
    pub fn calls(&self, command: Command, outcome: Outcome) -> u64 {
        self.read(CALLS_AT + command as usize * Outcome::ALL.len() + outcome as usize)
    }
}

#[cfg(test)]
#[path = "../stats_tests.rs"]
mod tests;
