//! Calls to a provider: reads, writes and removes one entry, holding the mutex where the provider needs it.

use std::cell::Cell;
use std::ffi::c_uint;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::Ordering;

use oxd_core::base::Key;

use super::buffer::Room;
use super::mutex::{self, Held};
use super::{Instance, Socache, words};
use crate::ffi::sys;

/// The longest entry that can be read, in bytes. shmcb does not report a buffer that is too small.
pub const LONGEST: usize = 128 * 1024;

/// Why a call failed.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// `APR_NOTFOUND`: no such entry. Some providers also return it when they have no live server.
    NotFound,
    /// The entry is too large (`APR_ENOSPC`, `APR_ENOMEM`).
    TooLarge,
    /// `APR_EGENERAL`, with APR's message.
    General(String),
    /// Any other status, with APR's message.
    Failed(String),
}

thread_local! {
    /// The pool for a provider's allocations during a call.
    static SCRATCH: Scratch = const { Scratch(Cell::new(ptr::null_mut())) };
}

/// A thread's pool, which ends with the thread: mod_http2 starts and ends threads all the time.
struct Scratch(Cell<*mut sys::apr_pool_t>);

impl Drop for Scratch {
    fn drop(&mut self) {
        let pool = self.0.get();
        if !pool.is_null() {
            // SAFETY: the pool is this thread's own, and no call of it is under way. A thread ends before APR does.
            unsafe { sys::apr_pool_destroy(pool) }
        }
    }
}

/// A sequence of calls to one provider, holding the mutex where the provider needs it.
pub struct Calls<'s> {
    instance: Instance,
    server: *mut sys::server_rec,
    pool: *mut sys::apr_pool_t,
    _held: Option<Held>,
    life: PhantomData<&'s Socache>,
}

impl Socache {
    /// Starts a sequence of calls.
    pub fn calls(&self) -> Result<Calls<'_>, Refusal> {
        let gone = || Refusal::Failed("it is in no configuration any more".into());
        let instance = self.instance().ok_or_else(gone)?;
        let held = if instance.is_serial() {
            Some(mutex::hold().map_err(Refusal::Failed)?)
        } else {
            None
        };
        let pool = SCRATCH.with(|scratch| {
            if scratch.0.get().is_null() {
                let mut pool = ptr::null_mut();
                // SAFETY: the out parameter is valid; a pool without a parent is the process's own and may be made in
                // any thread.
                unsafe { sys::apr_pool_create_ex(&mut pool, ptr::null_mut(), None, ptr::null_mut()) };
                scratch.0.set(pool);
            }
            scratch.0.get()
        });
        if pool.is_null() {
            return Err(Refusal::Failed("no memory for a pool".into()));
        }
        Ok(Calls {
            instance,
            server: self.server.load(Ordering::Acquire),
            pool,
            _held: held,
            life: PhantomData,
        })
    }
}

impl Calls<'_> {
    fn outcome(&self, status: sys::apr_status_t) -> Result<(), Refusal> {
        // SAFETY: the pool is this thread's own, and nothing that the call has put there is used any more.
        unsafe { sys::apr_pool_clear(self.pool) }
        match status {
            sys::APR_SUCCESS => Ok(()),
            sys::APR_NOTFOUND => Err(Refusal::NotFound),
            sys::APR_ENOSPC | sys::APR_ENOMEM => Err(Refusal::TooLarge),
            sys::APR_EGENERAL => Err(Refusal::General(words(status))),
            _ => Err(Refusal::Failed(words(status))),
        }
    }

    /// Reads an entry.
    pub fn retrieve(&self, key: &Key, room: &mut Room) -> Result<(), Refusal> {
        let Some(retrieve) = self.instance.functions().retrieve else {
            return Err(Refusal::NotFound);
        };
        let none = |error| Refusal::Failed(format!("no memory for a buffer: {error}"));
        let buffer = room.place().map_err(none)?;
        // Bytes of an earlier call must not pass for a value that the provider never wrote.
        if let Some(first) = buffer.first_mut() {
            *first = 0;
        }
        let mut length = buffer.len() as c_uint;
        // SAFETY: provider and instance belong together and are initialised; key and buffer have the lengths given.
        let status = unsafe {
            retrieve(
                self.instance.raw,
                self.server,
                key.as_ptr(),
                key.len() as c_uint,
                buffer.as_mut_ptr(),
                &mut length,
                self.pool,
            )
        };
        self.outcome(status)?;
        match usize::try_from(length).is_ok_and(|length| room.set_length(length)) {
            true => Ok(()),
            false => Err(Refusal::Failed("an entry longer than its buffer".into())),
        }
    }

    /// Writes an entry that expires at `until`, in microseconds since the epoch.
    pub fn store(&self, key: &Key, value: &[u8], until: i64) -> Result<(), Refusal> {
        let Some(store) = self.instance.functions().store else {
            return Err(Refusal::Failed(words(sys::APR_EINVAL)));
        };
        // The provider may modify the value.
        let mut value = value.to_vec();
        // SAFETY: as for `retrieve`.
        let status = unsafe {
            store(
                self.instance.raw,
                self.server,
                key.as_ptr(),
                key.len() as c_uint,
                until,
                value.as_mut_ptr(),
                value.len() as c_uint,
                self.pool,
            )
        };
        self.outcome(status)
    }

    /// Removes an entry.
    pub fn remove(&self, key: &Key) -> Result<(), Refusal> {
        let Some(remove) = self.instance.functions().remove else {
            return Err(Refusal::Failed(words(sys::APR_EINVAL)));
        };
        // SAFETY: as for `retrieve`.
        let status = unsafe {
            remove(
                self.instance.raw,
                self.server,
                key.as_ptr(),
                key.len() as c_uint,
                self.pool,
            )
        };
        self.outcome(status)
    }
}
