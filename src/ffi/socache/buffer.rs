//! Memory of the kernel's for entries: room for the longest ones, which are rare.

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use super::LONGEST;

/// Room for an entry.
#[derive(Default)]
pub struct Room {
    /// `None` until an entry has been read.
    buffer: Option<Buffer>,
    length: usize,
}

impl Room {
    /// The entry that was read last.
    pub fn bytes(&self) -> &[u8] {
        let buffer = self.buffer.as_deref().unwrap_or_default();
        buffer.get(..self.length).unwrap_or_default()
    }

    /// Puts bytes in the place of the entry; those beyond the longest one are cut.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let place = self.place()?;
        let length = bytes.len().min(place.len());
        place[..length].copy_from_slice(&bytes[..length]);
        self.length = length;
        Ok(())
    }

    /// The place for the next entry; until [`Room::set_length`] there is none.
    pub(super) fn place(&mut self) -> io::Result<&mut [u8]> {
        self.length = 0;
        match &mut self.buffer {
            Some(buffer) => Ok(buffer),
            none => Ok(none.insert(Buffer::new(LONGEST)?)),
        }
    }

    /// Takes so many bytes of the place for the entry; `false` where they are more than there are.
    pub(super) fn set_length(&mut self, length: usize) -> bool {
        let fits = length <= LONGEST;
        self.length = if fits { length } else { 0 };
        fits
    }
}

/// Zeroed bytes. They take up a page of memory once something has been written there: a thread's buffer costs as much as
/// its longest entry. malloc would not do: it clears the whole of what it hands out again, in an arena of the thread.
struct Buffer {
    place: NonNull<u8>,
    length: usize,
}

impl Buffer {
    fn new(length: usize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let place = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let place = NonNull::new(place.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { place, length })
    }
}

// SAFETY: the mapping belongs to the value alone, and to no thread.
unsafe impl Send for Buffer {}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the mapping is this buffer's own, and nothing borrows it any more.
        unsafe { libc::munmap(self.place.as_ptr().cast(), self.length) };
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped there, and the kernel has initialised them.
        unsafe { std::slice::from_raw_parts(self.place.as_ptr(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` keeps others out.
        unsafe { std::slice::from_raw_parts_mut(self.place.as_ptr(), self.length) }
    }
}
