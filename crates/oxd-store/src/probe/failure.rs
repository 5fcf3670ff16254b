//! Why a server does not do what it is asked.

use std::fmt;

use redis::{ErrorKind, RedisError};

/// The kinds of failures that an administrator does something different about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The connection fails or breaks.
    Connection,
    /// No answer within the time.
    Timeout,
    /// It wants to know a user first (`NOAUTH`).
    NoLogin,
    /// User or password are wrong, or the user is turned off (`WRONGPASS`).
    WrongPassword,
    /// A password was sent, and the server has none.
    NoPasswordThere,
    /// Redis before 6 knows no names of users.
    NoUsersThere,
    /// Redis answers nobody but its own machine (`protected-mode`).
    Protected,
    /// It has as many clients as it may have (`maxclients`).
    TooManyClients,
    /// The user may not run the command (`NOPERM`).
    Denied,
    /// The user may not use the key (`NOPERM`).
    KeyDenied,
    /// The server does not know the command.
    UnknownCommand,
    /// It has no database of this number.
    NoDatabase,
    /// It has no memory left (`OOM`).
    Full,
    /// It cannot write its files (`MISCONF`).
    CannotSave,
    /// It has too few replicas to write (`NOREPLICAS`).
    TooFewReplicas,
    /// It is a replica (`READONLY`).
    ReadOnly,
    /// It reads its files after a start (`LOADING`).
    Loading,
    /// It is a replica without its master (`MASTERDOWN`).
    MasterDown,
    /// Another node has the key (`MOVED`, `ASK`).
    Elsewhere,
    /// The cluster is not whole (`CLUSTERDOWN`).
    ClusterDown,
    /// It is no node of a cluster.
    NoCluster,
    /// The key has another type.
    WrongType,
    /// The sentinel watches no such service.
    NoService,
    /// Too few sentinels agree (`NOQUORUM`).
    NoQuorum,
    /// The answer is none of Redis's.
    NotRedis,
    /// Something else.
    Other,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub kind: FailureKind,
    /// What the server or the system said.
    pub text: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let detail = error.detail().unwrap_or_default();
        match (error.kind(), error.code()) {
            (_, Some(code)) => Self::new(kind_of(code, detail), format!("{code} {detail}").trim_end()),
            (ErrorKind::AuthenticationFailed, None) => {
                Self::new(FailureKind::WrongPassword, error.to_string())
            }
            (ErrorKind::Io, None) if error.is_timeout() => Self::new(FailureKind::Timeout, error.to_string()),
            (ErrorKind::Io | ErrorKind::ClusterConnectionNotFound, None) => {
                Self::new(FailureKind::Connection, error.to_string())
            }
            (ErrorKind::MasterNameNotFoundBySentinel, None) => {
                Self::new(FailureKind::NoService, error.to_string())
            }
            (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, None) => Self::new(
                FailureKind::NotRedis,
                format!("the answer is none of Redis's: {error}"),
            ),
            _ => Self::new(FailureKind::Other, error.to_string()),
        }
    }
}

/// The kind of an error that begins with this code.
fn kind_of(code: &str, detail: &str) -> FailureKind {
    use FailureKind as Kind;
    let says = |text: &str| detail.to_ascii_lowercase().contains(text);
    match code {
        "NOAUTH" => Kind::NoLogin,
        "WRONGPASS" => Kind::WrongPassword,
        "DENIED" => Kind::Protected,
        "NOPERM" if says("key") => Kind::KeyDenied,
        "NOPERM" => Kind::Denied,
        "OOM" => Kind::Full,
        "MISCONF" => Kind::CannotSave,
        "NOREPLICAS" => Kind::TooFewReplicas,
        "READONLY" => Kind::ReadOnly,
        "LOADING" => Kind::Loading,
        "MASTERDOWN" => Kind::MasterDown,
        "MOVED" | "ASK" | "TRYAGAIN" => Kind::Elsewhere,
        "CLUSTERDOWN" => Kind::ClusterDown,
        "WRONGTYPE" => Kind::WrongType,
        "NOQUORUM" => Kind::NoQuorum,
        "NOGOODSLAVE" => Kind::Other,
        "ERR" if says("unknown command") || says("unknown subcommand") => Kind::UnknownCommand,
        "ERR" if says("without any password configured") || says("no password is set") => {
            Kind::NoPasswordThere
        }
        "ERR" if says("wrong number of arguments for 'auth'") => Kind::NoUsersThere,
        "ERR" if says("invalid password") => Kind::WrongPassword,
        "ERR" if says("max number of clients") => Kind::TooManyClients,
        "ERR" if says("cluster support disabled") => Kind::NoCluster,
        "ERR" if says("no such master with that name") => Kind::NoService,
        "ERR" if says("db index is out of range") || says("select is not allowed in cluster mode") => {
            Kind::NoDatabase
        }
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of Redis 5 to 7.2 and Valkey 8.
    #[test]
    fn errors_of_servers_are_told_apart() {
        use FailureKind as Kind;
        for (code, detail, kind) in [
            ("NOAUTH", "Authentication required.", Kind::NoLogin),
            (
                "WRONGPASS",
                "invalid username-password pair or user is disabled.",
                Kind::WrongPassword,
            ),
            ("ERR", "invalid password", Kind::WrongPassword),
            (
                "ERR",
                "Client sent AUTH, but no password is set",
                Kind::NoPasswordThere,
            ),
            (
                "ERR",
                "AUTH <password> called without any password configured for the default user. Are you sure your \
                 configuration is correct?",
                Kind::NoPasswordThere,
            ),
            (
                "ERR",
                "wrong number of arguments for 'auth' command",
                Kind::NoUsersThere,
            ),
            ("ERR", "max number of clients reached", Kind::TooManyClients),
            (
                "NOPERM",
                "this user has no permissions to run the 'set' command",
                Kind::Denied,
            ),
            (
                "NOPERM",
                "User mod_oxd has no permissions to run the 'cluster|slots' command",
                Kind::Denied,
            ),
            (
                "NOPERM",
                "this user has no permissions to access one of the keys used as arguments",
                Kind::KeyDenied,
            ),
            ("NOPERM", "No permissions to access a key", Kind::KeyDenied),
            (
                "OOM",
                "command not allowed when used memory > 'maxmemory'.",
                Kind::Full,
            ),
            (
                "MISCONF",
                "Redis is configured to save RDB snapshots, but",
                Kind::CannotSave,
            ),
            (
                "READONLY",
                "You can't write against a read only replica.",
                Kind::ReadOnly,
            ),
            (
                "ERR",
                "unknown command 'XADD', with args beginning with: ",
                Kind::UnknownCommand,
            ),
            (
                "ERR",
                "This instance has cluster support disabled",
                Kind::NoCluster,
            ),
            ("ERR", "No such master with that name", Kind::NoService),
            ("ERR", "DB index is out of range", Kind::NoDatabase),
            (
                "NOQUORUM",
                "0 usable Sentinels. Not enough available Sentinels",
                Kind::NoQuorum,
            ),
            ("ERR", "something new", Kind::Other),
        ] {
            assert_eq!(kind_of(code, detail), kind, "{code} {detail}");
        }
    }
}
