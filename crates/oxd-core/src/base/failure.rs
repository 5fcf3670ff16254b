//! A refusal, and the errors of the lower files that become one.

use super::crypto::{NoRandomness, SealError};
use super::reason::Reason;
use super::store::StoreError;

/// A refusal, with a detail for the log. The detail holds no secret and no token.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The reason.
    pub reason: Reason,
    /// The detail, for the log only.
    pub detail: String,
    /// What to do about it, where that is known better than from the reason alone.
    remedy: Option<String>,
}

impl Failure {
    /// A refusal for this reason.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            remedy: None,
        }
    }

    /// The same with a remedy that fits better than the reason's.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// The line for the error log: code, detail, remedy.
    pub fn log_line(&self) -> String {
        // Some details quote external input; a line break in it would forge a log line.
        let detail: String = self
            .detail
            .chars()
            .map(|c| match c {
                // ErrorLogFormat cannot escape it where a line is a part of JSON.
                '"' => '\'',
                c if c.is_control() => ' ',
                c => c,
            })
            .take(1_000)
            .collect();
        match self.remedy.as_deref().unwrap_or(self.reason.remedy()) {
            "" => format!("{}: {detail}", self.reason.code()),
            remedy => format!("{}: {detail}; {remedy}", self.reason.code()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let reason = match error {
            StoreError::Unavailable(_) => Reason::StoreUnavailable,
            StoreError::TooLarge(_) => Reason::SessionTooLarge,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<NoRandomness> for Failure {
    fn from(_: NoRandomness) -> Self {
        Self::new(Reason::Internal, NoRandomness.to_string())
    }
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoNonce(cause) => cause.into(),
            SealError::TooLong => Self::new(Reason::SessionTooLarge, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_stays_one_line() {
        let line = Failure::new(Reason::ProviderError, "a\nb\r\nc").log_line();
        assert!(!line.contains(['\n', '\r']), "{line}");
        let line = Failure::new(Reason::ProviderError, "user \"x\"").log_line();
        assert_eq!(line, "provider_error: user 'x'; see the provider's log");
    }
}
