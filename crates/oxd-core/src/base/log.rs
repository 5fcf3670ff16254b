//! Levels of the error log.

/// Levels of httpd's error log that the module uses (http_log.h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// Something failed that an administrator must look at.
    Error,
    /// Something is odd.
    Warning,
    /// Something an administrator should know once.
    Notice,
    /// An answer that a user's own request explains.
    Info,
    /// Steps of a login.
    Debug,
}
