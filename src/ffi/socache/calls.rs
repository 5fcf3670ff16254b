//! Calls to a session store: one entry read, written or taken away, with the mutex held where the provider wants it.

use std::cell::{Cell, RefCell};
use std::ffi::c_uint;
use std::ptr;
use std::sync::atomic::Ordering;

use oxd_core::base::clock::{Seconds, wall};
use oxd_core::base::store::Key;

use super::{Socache, words};
use crate::ffi::sys;

/// The longest entry that is read, in bytes. shmcb has no word for a buffer that is too small.
pub const LONGEST: usize = 128 * 1024;

/// Why a call did not succeed.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// There is no such entry; some providers say so too when they have no server left.
    NotFound,
    /// The entry is too large.
    TooLarge,
    /// Anything else, in APR's words.
    Failed(String),
}

thread_local! {
    /// For what providers allocate during a call.
    static SCRATCH: Cell<*mut sys::apr_pool_t> = const { Cell::new(ptr::null_mut()) };
    /// Where an entry is read into.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The mutex of stores that are not safe by themselves, as long as it is held.
struct Held(*mut sys::apr_global_mutex_t);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the mutex was locked by this thread.
        unsafe {
            sys::apr_global_mutex_unlock(self.0);
        }
    }
}

/// Calls to one store, one after the other, with the mutex held where it is wanted.
pub struct Calls<'s> {
    store: &'s Socache,
    pool: *mut sys::apr_pool_t,
    _held: Option<Held>,
}

impl Socache {
    /// The same store for other threads, which live as long as the configuration.
    pub fn lasting(&self) -> &'static Self {
        // SAFETY: every store lives in the pool of the configuration, and so do those who call it: a child never
        // reads another configuration.
        unsafe { &*ptr::from_ref(self) }
    }

    /// Begins calls.
    pub fn calls(&self) -> Result<Calls<'_>, Refusal> {
        let mutex = self.mutex.load(Ordering::Acquire);
        let held = if mutex.is_null() {
            None
        } else {
            // SAFETY: the mutex lives as long as the configuration.
            match unsafe { sys::apr_global_mutex_lock(mutex) } {
                status if status == sys::APR_SUCCESS => Some(Held(mutex)),
                status => return Err(Refusal::Failed(format!("the mutex: {}", words(status)))),
            }
        };
        let pool = SCRATCH.with(|scratch| {
            if scratch.get().is_null() {
                let mut pool = ptr::null_mut();
                // SAFETY: the out parameter is valid; a pool without a parent is the process's own and may be made in
                // any thread.
                unsafe {
                    sys::apr_pool_create_ex(&mut pool, ptr::null_mut(), None, ptr::null_mut());
                }
                scratch.set(pool);
            }
            scratch.get()
        });
        if pool.is_null() {
            return Err(Refusal::Failed("no memory for a pool".into()));
        }
        Ok(Calls {
            store: self,
            pool,
            _held: held,
        })
    }
}

impl Calls<'_> {
    fn outcome(&self, status: sys::apr_status_t) -> Result<(), Refusal> {
        // SAFETY: the pool is this thread's own, and nothing that the call has put there is used any more.
        unsafe { sys::apr_pool_clear(self.pool) }
        if status == sys::APR_SUCCESS {
            Ok(())
        } else if status == sys::APR_NOTFOUND {
            Err(Refusal::NotFound)
        } else if status == sys::APR_ENOSPC || status == sys::APR_ENOMEM {
            Err(Refusal::TooLarge)
        } else {
            Err(Refusal::Failed(words(status)))
        }
    }

    fn server(&self) -> *mut sys::server_rec {
        self.store.server.load(Ordering::Acquire)
    }

    /// Reads an entry.
    pub fn retrieve(&self, key: &Key) -> Result<Vec<u8>, Refusal> {
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.is_empty() {
                // Zeroed by the system, page by page where an entry needs it: a thread keeps the buffer for ever.
                *buffer = vec![0; LONGEST];
            }
            // What an earlier call has left must not pass for an answer that the provider never wrote.
            buffer[0] = 0;
            let mut length = buffer.len() as c_uint;
            // SAFETY: provider and instance belong together and are initialised; key and buffer have the lengths given.
            let status = unsafe {
                match (*self.store.functions).retrieve {
                    Some(retrieve) => retrieve(
                        self.store.instance,
                        self.server(),
                        key.as_ptr(),
                        key.len() as c_uint,
                        buffer.as_mut_ptr(),
                        &mut length,
                        self.pool,
                    ),
                    None => sys::APR_NOTFOUND,
                }
            };
            // With Berkeley DB below, mod_socache_dbm has this word for an entry that is not there.
            let is_absent = self.store.provider == "dbm" && status == sys::APR_EGENERAL;
            self.outcome(if is_absent { sys::APR_NOTFOUND } else { status })?;
            let bytes = usize::try_from(length)
                .ok()
                .and_then(|length| buffer.get(..length));
            bytes
                .map(<[u8]>::to_vec)
                .ok_or_else(|| Refusal::Failed("an entry longer than its buffer".into()))
        })
    }

    /// Writes an entry.
    pub fn store(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), Refusal> {
        let mut value = value.to_vec();
        // Providers turn this into whole seconds from now, cut off; what has no second left they refuse or keep for ever.
        let until = until.max(wall()).saturating_add(2);
        let until = i64::try_from(until.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        // SAFETY: as for `retrieve`; the provider may change the value, which is a copy.
        let status = unsafe {
            match (*self.store.functions).store {
                Some(store) => store(
                    self.store.instance,
                    self.server(),
                    key.as_ptr(),
                    key.len() as c_uint,
                    until,
                    value.as_mut_ptr(),
                    value.len() as c_uint,
                    self.pool,
                ),
                None => sys::APR_EINVAL,
            }
        };
        self.outcome(status)
    }

    /// Takes an entry away.
    pub fn remove(&self, key: &Key) -> Result<(), Refusal> {
        // SAFETY: as for `retrieve`.
        let status = unsafe {
            match (*self.store.functions).remove {
                Some(remove) => remove(
                    self.store.instance,
                    self.server(),
                    key.as_ptr(),
                    key.len() as c_uint,
                    self.pool,
                ),
                None => sys::APR_EINVAL,
            }
        };
        self.outcome(status)
    }
}
