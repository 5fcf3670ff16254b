//! The mutex for all providers that are not thread-safe and multiprocess-safe themselves, created at the first start.
//!
//! It lives as long as the process: a child that starts during a graceful restart must not lose it with the old
//! configuration, and the children of both configurations may use the same file.

use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{hint, ptr, thread};

use super::words;
use crate::ffi::pool::Pool;
use crate::ffi::server::Servers;
use crate::ffi::sys;

/// The mutex's name; `Mutex` in httpd's configuration may choose its mechanism.
const NAME: &CStr = c"oxd-session-store";

static MUTEX: AtomicPtr<sys::apr_global_mutex_t> = AtomicPtr::new(ptr::null_mut());

/// Registers the name for the `Mutex` directive; httpd requires that before it reads a configuration.
///
/// # Safety
/// `pool` must be the pool of that configuration: httpd keeps the registration in it.
pub unsafe fn register_mutex(pool: Pool<'_>) {
    // SAFETY: by this function's contract; the name is static.
    unsafe {
        sys::ap_mutex_register(
            pool.as_ptr(),
            NAME.as_ptr(),
            ptr::null(),
            sys::apr_lockmech_e_APR_LOCK_DEFAULT,
            0,
        );
    }
}

/// Creates the mutex, unless it exists.
pub(super) fn make(servers: Servers<'_>) -> Result<(), String> {
    let mut mutex = MUTEX.load(Ordering::Acquire);
    if !mutex.is_null() {
        return Ok(());
    }
    let server = servers.as_ptr();
    // SAFETY: the main server is live and has its process, whose pool lives longest.
    let pool = unsafe { (*(*server).process).pool };
    // SAFETY: the out parameter, name, server and pool are valid. The cleanup that the pool runs is APR's own.
    let status = unsafe {
        sys::ap_global_mutex_create(
            &mut mutex,
            ptr::null_mut(),
            NAME.as_ptr(),
            ptr::null(),
            server,
            pool,
            0,
        )
    };
    if status != sys::APR_SUCCESS {
        return Err(format!("the mutex of the session store: {}", words(status)));
    }
    MUTEX.store(mutex, Ordering::Release);
    Ok(())
}

/// Opens the mutex in a child; an error message when that fails.
///
/// # Safety
/// `pool` must be the child's pool, and the child must still have a single thread.
pub unsafe fn prepare_child(pool: Pool<'_>) -> Result<(), String> {
    let mut mutex = MUTEX.load(Ordering::Acquire);
    if mutex.is_null() {
        return Ok(());
    }
    // SAFETY: the mutex lives as long as the process.
    let file = unsafe { sys::apr_global_mutex_lockfile(mutex) };
    // SAFETY: as above; by this function's contract, the pool lives as long as the child.
    let status = unsafe { sys::apr_global_mutex_child_init(&mut mutex, file, pool.as_ptr()) };
    MUTEX.store(mutex, Ordering::Release);
    if status == sys::APR_SUCCESS {
        Ok(())
    } else {
        Err(format!("the mutex of the session store: {}", words(status)))
    }
}

/// Guard of the locked mutex.
pub(super) struct Held(*mut sys::apr_global_mutex_t);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the mutex was locked by this thread.
        unsafe {
            sys::apr_global_mutex_unlock(self.0);
        }
    }
}

/// How often a thread looks again at a mutex that another holds, before it leaves the processor to others.
const SPINS: usize = 100;
/// How often it does that, before it sleeps.
const YIELDS: usize = 10;

/// Locks the mutex.
///
/// Whoever finds it held looks again for a moment. It is held for a microsecond or two, and a thread that sleeps makes
/// others sleep as well: APR's mutex passes to a sleeper (`PTHREAD_PRIO_INHERIT`), and is nobody else's until that runs.
pub(super) fn hold() -> Result<Held, String> {
    let mutex = MUTEX.load(Ordering::Acquire);
    if mutex.is_null() {
        return Err("the mutex was not made".into());
    }
    'looks: for _ in 0..YIELDS {
        for _ in 0..SPINS {
            // SAFETY: the mutex lives as long as the process.
            match unsafe { sys::apr_global_mutex_trylock(mutex) } {
                sys::APR_SUCCESS => return Ok(Held(mutex)),
                sys::APR_EBUSY => hint::spin_loop(),
                // A mechanism that cannot be asked so.
                _ => break 'looks,
            }
        }
        thread::yield_now();
    }
    // SAFETY: as above.
    match unsafe { sys::apr_global_mutex_lock(mutex) } {
        sys::APR_SUCCESS => Ok(Held(mutex)),
        status => Err(format!("the mutex: {}", words(status))),
    }
}
