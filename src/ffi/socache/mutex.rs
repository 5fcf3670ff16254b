//! The mutex of all providers that are not safe by themselves, made at the first start.
//!
//! It lives as long as the process: a child that is born during a graceful restart must not lose it with the old
//! configuration, and the children of both configurations may use one file.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::words;
use crate::ffi::pool::Pool;
use crate::ffi::server::Servers;
use crate::ffi::sys;

/// Its name; `Mutex` in httpd's configuration may choose its mechanism.
const NAME: &CStr = c"oxd-session-store";

static MUTEX: AtomicPtr<sys::apr_global_mutex_t> = AtomicPtr::new(ptr::null_mut());

/// Makes its name known for `Mutex`; httpd wants that before it reads a configuration.
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

/// Makes it, unless it is there already.
pub(super) fn make(servers: Servers<'_>) -> Result<(), String> {
    let mut mutex = MUTEX.load(Ordering::Acquire);
    if !mutex.is_null() {
        return Ok(());
    }
    let server = servers.as_ptr();
    // SAFETY: the main server is live and has its process, whose pool lives longest.
    let pool = unsafe { (*(*server).process).pool };
    // SAFETY: the out parameter, name, server and pool are valid. What the pool cleans up at its end is APR's own.
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

/// Makes it usable in a child; a message when that fails.
///
/// # Safety
/// `pool` must be the child's pool, and the child have one thread yet.
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

/// The mutex, as long as it is held.
pub(super) struct Held(*mut sys::apr_global_mutex_t);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the mutex was locked by this thread.
        unsafe {
            sys::apr_global_mutex_unlock(self.0);
        }
    }
}

/// Waits for the mutex.
pub(super) fn hold() -> Result<Held, String> {
    let mutex = MUTEX.load(Ordering::Acquire);
    if mutex.is_null() {
        return Err("the mutex was not made".into());
    }
    // SAFETY: the mutex lives as long as the process.
    match unsafe { sys::apr_global_mutex_lock(mutex) } {
        sys::APR_SUCCESS => Ok(Held(mutex)),
        status => Err(format!("the mutex: {}", words(status))),
    }
}
