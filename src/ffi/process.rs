//! Process-wide state: signal masks of threads, data that survives restarts, httpd's mode.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

use super::pool::c_text;
use super::server::Servers;
use super::sys;

/// Runs `body` with all signals blocked, so that threads which it starts never run a signal handler of httpd.
///
/// prefork relies on SIGTERM and SIGUSR1 reaching its own thread: the handlers run in any thread that does not block
/// them.
pub fn with_signals_blocked<A>(body: impl FnOnce() -> A) -> A {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: plain calls with valid pointers; pthread_sigmask fills `before` before it is read below.
    unsafe {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let answer = body();
    // SAFETY: `before` was filled by the first call.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
    }
    answer
}

/// 32 bytes that `fill` generates at the first start and that survive graceful restarts; `None` when `fill` failed. The
/// flag says whether they were generated just now.
pub fn retained_key(_: Servers<'_>, fill: impl FnOnce(&mut [u8; 32]) -> bool) -> Option<([u8; 32], bool)> {
    const KEY: &CStr = c"mod_oxd random key";
    // SAFETY: the servers stand for the configuration phase, which has one thread.
    let mut data = unsafe { sys::ap_retained_data_get(KEY.as_ptr()) }.cast::<[u8; 32]>();
    let fresh = data.is_null();
    if fresh {
        let mut bytes = [0; 32];
        if !fill(&mut bytes) {
            return None;
        }
        // SAFETY: as above; httpd keeps the data for the process's life.
        data = unsafe { sys::ap_retained_data_create(KEY.as_ptr(), bytes.len() as _) }.cast();
        // SAFETY: the data are that long, and nobody else has them.
        unsafe { data.write(bytes) };
    }
    // SAFETY: the data are 32 bytes long because only this function makes them.
    Some((unsafe { *data }, fresh))
}

/// Whether httpd only checks its configuration (`configtest`).
pub fn is_config_test() -> bool {
    // SAFETY: a plain query.
    let mode = unsafe { sys::ap_state_query(sys::AP_SQ_RUN_MODE as c_int) };
    mode == sys::AP_SQ_RM_CONFIG_TEST as c_int
}

/// Whether httpd reads its configuration only to check it, or for the first of the two passes at startup.
pub fn is_dry_run() -> bool {
    // SAFETY: a plain query.
    unsafe { sys::ap_state_query(sys::AP_SQ_MAIN_STATE as c_int) == sys::AP_SQ_MS_CREATE_PRE_CONFIG as c_int }
}

/// Ends this child process at once, as one that has ended normally.
pub fn end_now() -> ! {
    // SAFETY: a plain call; nothing of this process runs after it.
    unsafe { libc::_exit(0) }
}

/// Whether a process of this number exists.
pub fn lives(process: u32) -> bool {
    let Ok(process) = libc::pid_t::try_from(process) else {
        return false;
    };
    // SAFETY: signal 0 only checks for existence. All children run as the same user, so the check is permitted.
    process > 0 && unsafe { libc::kill(process, 0) } == 0
}

/// ThreadsPerChild of the MPM; 1 for prefork.
pub fn threads_per_child() -> u32 {
    let mut threads: c_int = 1;
    // SAFETY: the out parameter is valid.
    unsafe {
        sys::ap_mpm_query(sys::AP_MPMQ_MAX_THREADS as c_int, &mut threads);
    }
    // prefork returns 0, because it has no threads.
    u32::try_from(threads).unwrap_or(1).max(1)
}

/// httpd as it calls itself, whatever `ServerTokens` says: `Apache/2.4.62 (Debian) ...`.
pub fn httpd_description() -> String {
    // SAFETY: a plain query, once httpd is configured.
    let text = unsafe { sys::ap_get_server_description() };
    // SAFETY: NULL, or a C string of httpd's that outlives this call.
    unsafe { c_text(text) }.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

/// The name of the MPM.
pub fn mpm() -> String {
    // SAFETY: a plain query, once the MPM is loaded.
    let text = unsafe { sys::ap_show_mpm() };
    // SAFETY: NULL, or static text of the MPM.
    unsafe { c_text(text) }.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

/// The name of this machine; empty where the system does not say.
pub fn machine() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the buffer is as long as it says; its last byte stays 0.
    let answer = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    if answer != 0 {
        return String::new();
    }
    CStr::from_bytes_until_nul(&name)
        .map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}
