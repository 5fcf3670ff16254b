//! Memory that the parent maps before it forks, so that all children share it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr;
use std::sync::atomic::AtomicU64;

/// Maps `words` 64-bit words for the life of the process. They belong to no file: a mapped file that somebody shortens
/// would kill each process that reads it.
pub fn map(words: usize) -> io::Result<&'static [AtomicU64]> {
    let bytes = words * size_of::<AtomicU64>();
    // SAFETY: a new mapping at an address of the kernel's choice. Nothing else uses it, and it is never unmapped,
    // because threads of a child may still access it while the child exits. All access is atomic, from this process and
    // others.
    unsafe {
        let place = libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(std::slice::from_raw_parts(place.cast::<AtomicU64>(), words))
    }
}

/// Opens a file of `bytes` bytes for reading and writing. It is created if missing, readable by its owner alone.
pub fn open(path: &Path, bytes: usize) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let about = file.metadata()?;
    // SAFETY: a plain query.
    let ours = about.uid() == unsafe { libc::geteuid() };
    if !about.is_file() || !ours {
        return Err(io::Error::other("it is not a plain file of this user"));
    }
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open. With allocated blocks, later writes do not fail on a full disk.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(file),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
