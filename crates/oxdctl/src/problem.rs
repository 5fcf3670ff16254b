//! Why a command could not do its work, and the exit status that says so.

use std::fmt;
use std::process::ExitCode;

/// The kinds of problems. Each kind has its own exit status, which scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A check failed, a reference was not found, a question was answered with no.
    No,
    /// The command line cannot be used as it is; clap itself exits with the same status.
    Usage,
    /// oxd was not reached: no connection, no trust, no answer, or something else answered.
    Unreachable,
    /// oxd answered that it will not.
    Refused,
    /// A file could not be read or written, or has unexpected content.
    File,
}

impl Kind {
    /// The exit status.
    pub fn status(self) -> u8 {
        match self {
            Kind::No => 1,
            Kind::Usage => 2,
            Kind::Unreachable => 3,
            Kind::Refused => 4,
            Kind::File => 5,
        }
    }
}

/// The exit statuses, for `--help` and the manual page.
pub const EXIT_STATUSES: &[(u8, &str)] = &[
    (
        0,
        "all went well; of the checks, none failed (there may be warnings)",
    ),
    (
        1,
        "a check failed, a reference is in no log, or a question was answered with no",
    ),
    (2, "the command line cannot be used as it is"),
    (
        3,
        "oxd was not reached: no connection, a certificate that is not trusted, no answer in time, or the answer \
         of something that is not oxd",
    ),
    (4, "oxd refused"),
    (
        5,
        "a file could not be read or written, exists already, or does not hold what it should",
    ),
];

/// A problem: what happened, and what to do about it.
#[derive(Debug)]
pub struct Problem {
    /// The kind.
    pub kind: Kind,
    /// A stable word for scripts.
    pub cause: &'static str,
    /// The detail.
    pub message: String,
    /// The advice; may be empty.
    pub advice: String,
}

impl Problem {
    /// A problem without advice.
    pub fn new(kind: Kind, cause: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            cause,
            message: message.into(),
            advice: String::new(),
        }
    }

    /// With advice.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// The command line is not usable.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, "usage", message)
    }

    /// A file exists already or has unexpected content.
    pub fn file(cause: &'static str, path: &std::path::Path, why: impl fmt::Display) -> Self {
        Self::new(Kind::File, cause, format!("{}: {why}", path.display()))
    }

    /// The exit status as the process gives it back.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.status())
    }
}

/// The result of every command.
pub type Outcome<T = ()> = Result<T, Problem>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_documented_status_of_its_own() {
        let kinds = [
            Kind::No,
            Kind::Usage,
            Kind::Unreachable,
            Kind::Refused,
            Kind::File,
        ];
        let statuses: Vec<u8> = kinds.iter().map(|kind| kind.status()).collect();
        let documented: Vec<u8> = EXIT_STATUSES.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, documented[1..]);
        assert_eq!(documented[0], 0);
    }
}
