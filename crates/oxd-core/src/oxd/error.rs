//! Why a command of oxd brought no usable answer, and which refusal of a request that is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::command::{BadAnswer, Command};
use super::trouble::{Cause, Stage, Trouble};
use crate::base::{Failure, Reason};

/// What to do where a child process lacks what a thread and its connections need.
const MORE_FOR_A_CHILD: &str = "let httpd's processes have more open files, threads or memory (systemd: LimitNOFILE, \
                                TasksMax and MemoryMax of its unit)";

/// The failure of a command. Its text holds no secret and no token, except for those that oxd itself quotes.
#[derive(Clone, Debug)]
pub enum Error {
    /// There was no HTTP answer.
    NoAnswer {
        /// The address of the command.
        at: String,
        /// The cause.
        trouble: Trouble,
    },
    /// The answer was an error, or not one of this command.
    Answer(Box<BadAnswer>),
    /// The answer was a success, but lacks a required member.
    Unusable {
        /// The command.
        command: Command,
        /// The fault.
        what: String,
    },
    /// Not sent: as many threads as allowed wait for oxd.
    Busy {
        /// The address of the command.
        at: String,
        /// `OxdServerMaxCalls`
        max_calls: u32,
    },
    /// Not sent: another thread's call for the same thing has not ended in time.
    Waited {
        /// How long this thread has waited.
        patience: Duration,
    },
    /// Not sent: the circuit breaker is open.
    BreakerOpen {
        /// The address of the command.
        at: String,
    },
    /// The location's configuration names no complete site; the text names the missing directive.
    NotConfigured(String),
    /// The client's thread did not start.
    NotStarted(Arc<std::io::Error>),
}

#[cfg(test)]
impl BadAnswer {
    /// An error of oxd with this description.
    pub fn scripted(command: Command, status: u16, description: &str) -> Error {
        Self::scripted_as(command, status, "scripted", description)
    }

    /// The same with this word.
    pub fn scripted_as(command: Command, status: u16, error: &str, description: &str) -> Error {
        let mut bad = Self {
            at: "http://oxd/scripted".to_owned(),
            command,
            status,
            error: error.to_owned(),
            description: description.to_owned(),
            details: String::new(),
            passed_through: None,
            foreign: None,
            ticket: None,
            redirect_user: None,
            caller: None,
            reason: None,
        };
        bad.reason = command.reason_of(&bad, description);
        Error::Answer(Box::new(bad))
    }
}

impl Error {
    /// Whether oxd, or the provider at its check, may have refused the client token. What oxd's framework says with 401
    /// or 403 is the provider's answer to the command itself.
    pub(super) fn is_about_client_token(&self) -> bool {
        let Error::Answer(bad) = self else {
            return false;
        };
        let of_framework = bad.error.is_empty() && bad.passed_through.is_none();
        matches!(bad.status, 401 | 403) && !of_framework && !bad.is_handed_on()
    }

    /// Whether a thread has waited for oxd in vain ([`Reason::is_oxd_away`]).
    pub(super) fn is_silence(&self) -> bool {
        self.reason().is_oxd_away()
    }

    /// The HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Answer(bad) => Some(bad.status),
            _ => None,
        }
    }

    /// The reason of the refusal that a request gets for it.
    fn reason(&self) -> Reason {
        match self {
            Error::NoAnswer { trouble, .. } => match (trouble.cause.stage(), trouble.cause) {
                (Stage::Name | Stage::Connection | Stage::Tls, _) => Reason::OxdUnreachable,
                (Stage::Answer, Cause::NoAnswer) => Reason::OxdTimeout,
                (Stage::Answer, _) => Reason::OxdAnswer,
            },
            Error::Answer(bad) if bad.status == 200 => Reason::OxdAnswer,
            Error::Answer(bad) => match (bad.reason, bad.status) {
                (Some(reason), _) => reason,
                _ if self.is_about_client_token() => Reason::ClientTokenRefused,
                (None, _) => Reason::OxdAnswer,
            },
            Error::Unusable { .. } => Reason::OxdAnswer,
            // Not for ever: the child tries again with the next call.
            Error::Busy { .. } | Error::Waited { .. } | Error::NotStarted(_) => Reason::OxdBusy,
            Error::BreakerOpen { .. } => Reason::BreakerOpen,
            Error::NotConfigured(_) => Reason::NotConfigured,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(error.reason(), error.to_string());
        let remedy = match &error {
            Error::Answer(bad) => bad.remedy(),
            Error::NoAnswer { trouble, .. } => trouble.cause.remedy().map(str::to_owned),
            Error::NotStarted(_) => Some(MORE_FOR_A_CHILD.to_owned()),
            _ => None,
        };
        match remedy {
            Some(remedy) => failure.with_remedy(remedy),
            None => failure,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoAnswer { at, trouble } => write!(f, "{at}: {trouble}"),
            Error::Answer(bad) => bad.fmt(f),
            Error::Unusable { command, what } => {
                write!(f, "{} answered 200, but {what}", command.name)
            }
            Error::Busy { at, max_calls } => {
                write!(
                    f,
                    "{at}: {max_calls} threads of this child process wait for oxd already"
                )
            }
            Error::Waited { patience } => {
                write!(
                    f,
                    "another request's call to oxd for the same has not ended after {patience:?}"
                )
            }
            Error::BreakerOpen { at } => {
                write!(f, "{at}: not called, it could not be reached a moment ago")
            }
            Error::NotConfigured(what) => f.write_str(what),
            Error::NotStarted(why) => write!(f, "the thread for calls to oxd did not start: {why}"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::NoAnswer { trouble, .. } => trouble.source(),
            Error::NotStarted(why) => Some(why.as_ref()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::Request as _;
    use crate::oxd::commands::health_check::HealthCheck;

    #[test]
    fn every_cause_has_its_reason() {
        for (cause, reason) in [
            (Cause::NameUnknown, Reason::OxdUnreachable),
            (Cause::ConnectionTimeout, Reason::OxdUnreachable),
            (Cause::UnknownAuthority, Reason::OxdUnreachable),
            (Cause::NoAnswer, Reason::OxdTimeout),
            (Cause::ConnectionBroken, Reason::OxdAnswer),
        ] {
            let trouble = Trouble::new(cause, "why");
            let at = "http://oxd/x".to_owned();
            let failure = Failure::from(Error::NoAnswer { at, trouble });
            assert_eq!(
                (failure.reason, failure.detail.as_str()),
                (reason, "http://oxd/x: why")
            );
        }
    }

    #[test]
    fn refusals_of_oxd_have_their_own_remedies() {
        for (error, remedy) in [
            ("oxd_access_denied", "bind_ip_addresses"),
            ("invalid_oxd_id", "OxdSite"),
            ("redirect_uri_is_not_registered", "OxdRedirectUri"),
            ("anything else", "see oxd's log"),
        ] {
            let Error::Answer(mut bad) = BadAnswer::scripted(HealthCheck::COMMAND, 400, "") else {
                unreachable!("a scripted error is an answer");
            };
            bad.error = error.to_owned();
            let line = Failure::from(Error::Answer(bad)).log_line();
            assert!(line.contains(remedy), "{line}");
            assert_eq!(line.contains("oxd's log"), error == "anything else", "{line}");
        }
    }

    #[test]
    fn a_client_that_did_not_start_says_why_and_what_to_do() {
        let error = Error::NotStarted(Arc::new(std::io::ErrorKind::OutOfMemory.into()));
        assert!(error.source().unwrap().is::<std::io::Error>());
        let failure = Failure::from(error);
        assert_eq!(failure.reason.status(), 503, "it may work with the next request");
        assert!(failure.log_line().contains("LimitNOFILE"), "{failure:?}");
    }
}
