//! httpd's error log.

use std::ffi::{CString, c_int};
use std::marker::PhantomData;

use oxd_core::base::Level;

use super::sys;

/// A level as http_log.h numbers it.
pub fn raw_level(level: Level) -> c_int {
    match level {
        Level::Error => sys::APLOG_ERR,
        Level::Warning => sys::APLOG_WARNING,
        Level::Notice => sys::APLOG_NOTICE,
        Level::Info => sys::APLOG_INFO,
        Level::Debug => sys::APLOG_DEBUG,
    }
}

/// Converts a log line to a C string; an embedded NUL truncates it.
pub fn line_text(line: &str) -> CString {
    let end = line.find('\0').unwrap_or(line.len());
    CString::new(&line[..end]).unwrap_or_default()
}

/// The log of a child process for its own threads.
#[derive(Clone, Copy, Debug)]
pub struct ChildLog(*const sys::server_rec);

// SAFETY: httpd's logging may be called by any thread; `from_raw` has the caller see to the server's life.
unsafe impl Send for ChildLog {}
// SAFETY: as above.
unsafe impl Sync for ChildLog {}

impl ChildLog {
    /// # Safety
    /// `server` must be NULL or a server_rec. No thread may write to the log after the server's pool has ended: whoever
    /// keeps it ends before the child's pool does.
    pub unsafe fn from_raw(server: *const sys::server_rec) -> Self {
        Self(server)
    }

    /// Writes a line.
    pub fn line(self, level: Level, line: &str) {
        // SAFETY: the server lives by `from_raw`'s contract.
        unsafe { ServerLog::from_raw(self.0) }.line(level, line);
    }
}

/// The server whose log a line is written to.
#[derive(Clone, Copy)]
pub struct ServerLog<'s> {
    server: *const sys::server_rec,
    life: PhantomData<&'s ()>,
}

impl ServerLog<'_> {
    /// # Safety
    /// `server` must be NULL or a server_rec that lives during `'s`.
    pub unsafe fn from_raw(server: *const sys::server_rec) -> Self {
        Self {
            server,
            life: PhantomData,
        }
    }

    /// Writes a line.
    pub fn line(self, level: Level, line: &str) {
        let line = line_text(line);
        // SAFETY: the server is live by `from_raw`'s contract, the line a C string.
        unsafe { sys::oxd_log_server(self.server, raw_level(level), line.as_ptr()) }
    }
}
