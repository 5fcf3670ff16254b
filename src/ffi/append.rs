//! Files and programs that lines are appended to: httpd's piped logs, and files that are opened before root's rights are
//! given up. Children inherit them.

use std::ffi::CStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::pool::Pool;
use super::server::Servers;
use super::sys;

/// How long a line waits for a program that does not read.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long no line waits after one has waited in vain: many requests would wait one after the other.
const NO_PATIENCE: Duration = Duration::from_secs(5);

/// The end of a file or of a program's pipe. Any thread may append while a configuration names it.
#[derive(Debug)]
pub struct Appender {
    /// The descriptor; -1 where it is closed. It belongs to the pool of the configuration.
    descriptor: AtomicI32,
    /// Whether the last line of this process was cut.
    is_cut: AtomicBool,
    /// Until when no line waits, in milliseconds since `began`.
    hurried_until: AtomicU64,
    /// A time before all lines.
    began: OnceLock<Instant>,
}

impl Appender {
    /// One that is closed.
    pub const fn closed() -> Self {
        Self {
            descriptor: AtomicI32::new(-1),
            is_cut: AtomicBool::new(false),
            hurried_until: AtomicU64::new(0),
            began: OnceLock::new(),
        }
    }

    /// Forgets the descriptor, which ends with the pool of its configuration.
    pub fn forget(&self) {
        self.descriptor.store(-1, Ordering::Relaxed);
    }

    /// Opens a file, and makes it where there is none, for its owner and its group.
    pub fn open_file(&self, servers: Servers<'_>, path: &Path) -> io::Result<()> {
        let flags =
            sys::APR_FOPEN_WRITE | sys::APR_FOPEN_APPEND | sys::APR_FOPEN_CREATE | sys::APR_FOPEN_LARGEFILE;
        let rights = sys::APR_FPROT_UREAD | sys::APR_FPROT_UWRITE | sys::APR_FPROT_GREAD;
        let pool = servers.pool();
        let path = pool.text(path.as_os_str().as_bytes());
        let mut file = ptr::null_mut();
        // SAFETY: the pool is live; the path is a C string in it, the out parameter valid.
        let status = unsafe { sys::apr_file_open(&mut file, path.as_ptr(), flags, rights, pool.as_ptr()) };
        checked(status)?;
        // SAFETY: the file was opened above.
        unsafe { self.take(file) }
    }

    /// Starts a program, which httpd starts again whenever it ends.
    pub fn open_program(&self, servers: Servers<'_>, program: &str, in_shell: bool) -> io::Result<()> {
        let pool: Pool<'_> = servers.pool();
        let program: &CStr = pool.text(program.as_bytes());
        let how = if in_shell {
            sys::apr_cmdtype_e_APR_SHELLCMD_ENV
        } else {
            sys::apr_cmdtype_e_APR_PROGRAM_ENV
        };
        // SAFETY: the pool is that of the configuration, the program a C string in it.
        let log = unsafe { sys::ap_open_piped_log_ex(pool.as_ptr(), program.as_ptr(), how) };
        if log.is_null() {
            return Err(io::Error::other("it cannot be started"));
        }
        // SAFETY: the piped log was opened above.
        let file = unsafe { sys::ap_piped_log_write_fd(log) };
        // A program that hangs must not hang requests.
        // SAFETY: the pipe was opened above.
        checked(unsafe { sys::apr_file_pipe_timeout_set(file, 0) })?;
        // SAFETY: as above.
        unsafe { self.take(file) }
    }

    /// # Safety
    /// `file` must be an open file of a configuration's pool.
    unsafe fn take(&self, file: *mut sys::apr_file_t) -> io::Result<()> {
        let mut descriptor = -1;
        // SAFETY: by this function's contract; the out parameter is valid.
        checked(unsafe { sys::apr_os_file_get(&mut descriptor, file) })?;
        self.descriptor.store(descriptor, Ordering::Relaxed);
        self.is_cut.store(false, Ordering::Relaxed);
        self.hurried_until.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Appends a line by one `write`: files are opened to append, and a pipe takes a line of up to `PIPE_BUF` bytes whole
    /// or not at all.
    pub fn append(&self, line: &[u8]) -> io::Result<()> {
        let descriptor = self.descriptor.load(Ordering::Relaxed);
        if descriptor < 0 {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if !self.is_cut.swap(false, Ordering::Relaxed) {
            return self.append_with(descriptor, line);
        }
        // What is left of a line of this process, when a disk was full, must not spoil its next one.
        let written = self.append_with(descriptor, &[b"\n", line].concat());
        if written.is_err() {
            self.is_cut.store(true, Ordering::Relaxed);
        }
        written
    }

    /// Milliseconds since the first line that had to wait.
    fn millis(&self) -> u64 {
        let elapsed = self.began.get_or_init(Instant::now).elapsed();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn append_with(&self, descriptor: i32, line: &[u8]) -> io::Result<()> {
        let mut deadline = None;
        loop {
            // SAFETY: the descriptor is open as long as its configuration lives; the bytes are live.
            let written = unsafe { libc::write(descriptor, line.as_ptr().cast(), line.len()) };
            if usize::try_from(written) == Ok(line.len()) {
                return Ok(());
            }
            if written > 0 {
                self.is_cut.store(true, Ordering::Relaxed);
                return Err(io::ErrorKind::WriteZero.into());
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    if self.millis() < self.hurried_until.load(Ordering::Relaxed) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let until = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        let hurried = self.millis() + NO_PATIENCE.as_millis() as u64;
                        self.hurried_until.store(hurried, Ordering::Relaxed);
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let mut wait = libc::pollfd {
                        fd: descriptor,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    // At least a millisecond, so that this is no busy loop.
                    let millis = i32::try_from(left.as_millis()).unwrap_or(i32::MAX).max(1);
                    // SAFETY: one valid entry.
                    unsafe { libc::poll(&mut wait, 1, millis) };
                }
                _ => return Err(error),
            }
        }
    }
}

fn checked(status: sys::apr_status_t) -> io::Result<()> {
    match status {
        sys::APR_SUCCESS => Ok(()),
        // APR hands on the system's own numbers.
        status => Err(io::Error::from_raw_os_error(status)),
    }
}
