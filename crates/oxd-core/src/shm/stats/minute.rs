//! The counters of one minute, for the status page's plots and summary.

use super::Login;
use crate::base::Reason;

/// The counters of one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minute {
    pub(crate) logins: [u64; Login::ALL.len()],
    pub(crate) failures: [u64; Reason::ALL.len()],
    /// Calls to oxd that got an answer.
    pub answered: u64,
    /// Calls to oxd without an answer, or not sent.
    pub unanswered: u64,
    /// The total time of the answers, in microseconds.
    pub micros: u64,
}

impl Default for Minute {
    fn default() -> Self {
        Self {
            logins: [0; Login::ALL.len()],
            failures: [0; Reason::ALL.len()],
            answered: 0,
            unanswered: 0,
            micros: 0,
        }
    }
}

impl Minute {
    /// Logins that reached this step.
    pub fn logins(&self, how_far: Login) -> u64 {
        self.logins[how_far as usize]
    }

    /// Logins that failed for a reason.
    pub fn failures(&self, reason: Reason) -> u64 {
        self.failures[reason as usize]
    }

    /// Logins that failed.
    pub fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// The sum of several minutes.
    pub fn sum(minutes: &[Self]) -> Self {
        let mut all = Self::default();
        for minute in minutes {
            let logins = all.logins.iter_mut().zip(minute.logins);
            let failures = all.failures.iter_mut().zip(minute.failures);
            logins.chain(failures).for_each(|(all, one)| *all += one);
            all.answered += minute.answered;
            all.unanswered += minute.unanswered;
            all.micros += minute.micros;
        }
        all
    }

    /// The mean time of an answer, in milliseconds.
    pub fn mean_millis(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.micros as f64 / self.answered as f64 / 1e3)
    }
}
