//! Where the lines of the audit trail go (`OxdAuditLog`). The Apache layer provides it: httpd's piped logs, and files.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;

/// The longest line, in bytes: a pipe takes so many in one piece, whoever else writes to it (`PIPE_BUF` of Linux).
pub const LONGEST_LINE: usize = 4_096;

/// A file or a program that lines are appended to.
pub trait AuditSink: Sync + fmt::Debug {
    /// Appends a line with its line break, in one piece between those of other threads and processes.
    ///
    /// # Errors
    /// The line is lost, or a part of it.
    fn append(&self, line: &[u8]) -> io::Result<()>;

    /// Its value in the configuration.
    fn name(&self) -> &str;

    /// The minute in which this process last complained of it, since the epoch; 0 before that.
    fn complained(&self) -> &AtomicU64;
}
