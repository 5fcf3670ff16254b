//! The hooks that httpd calls. Each only guards against panics and calls a plain function.

use std::ffi::c_int;
use std::ptr;

use oxd_core::base::Level;

use super::authz;
use crate::adapter::{audit, handler, health, protect, respond, revocations, startup, store};
use crate::ffi::log::{ChildLog, ServerLog};
use crate::ffi::pool::Pool;
use crate::ffi::request::Request;
use crate::ffi::server::{ChildServers, Servers};
use crate::ffi::{Status, filter, guard, socache, sys};

/// Registers all hooks; httpd calls it each time it loads the module.
pub unsafe extern "C" fn register(pool: *mut sys::apr_pool_t) {
    guard::install_panic_hook();
    // Our cookies and forged headers must be gone before anything of a directory reads them; the handler is ours again
    // after every module that may have chosen another.
    let last = sys::APR_HOOK_REALLY_LAST as c_int;
    let (middle, first) = (sys::APR_HOOK_MIDDLE as c_int, sys::APR_HOOK_REALLY_FIRST as c_int);
    // SAFETY: httpd's registration functions, called when httpd asks for it; the functions live as long as the process
    // (-z nodelete).
    unsafe {
        sys::ap_hook_pre_config(Some(pre_config), ptr::null(), ptr::null(), middle);
        sys::ap_hook_open_logs(Some(open_logs), ptr::null(), ptr::null(), middle);
        sys::ap_hook_child_init(Some(child_init), ptr::null(), ptr::null(), middle);
        sys::ap_hook_check_config(Some(check_config), ptr::null(), ptr::null(), middle);
        sys::ap_hook_post_config(Some(post_config), ptr::null(), ptr::null(), middle);
        sys::ap_hook_post_read_request(Some(post_read_request), ptr::null(), ptr::null(), last);
        sys::ap_hook_header_parser(Some(header_parser), ptr::null(), ptr::null(), first);
        sys::ap_hook_check_access(
            Some(check_access),
            ptr::null(),
            ptr::null(),
            first,
            sys::AP_AUTH_INTERNAL_PER_CONF as c_int,
        );
        sys::ap_hook_access_checker_ex(Some(access_checker), ptr::null(), ptr::null(), last);
        sys::ap_hook_access_checker_ex(Some(before_rules), ptr::null(), ptr::null(), middle);
        sys::ap_hook_check_authn(
            Some(check_authn),
            ptr::null(),
            ptr::null(),
            middle,
            sys::AP_AUTH_INTERNAL_PER_CONF as c_int,
        );
        sys::ap_hook_check_authz(
            Some(check_authz),
            ptr::null(),
            ptr::null(),
            middle,
            sys::AP_AUTH_INTERNAL_PER_CONF as c_int,
        );
        sys::ap_hook_expr_lookup(Some(authz::find_function), ptr::null(), ptr::null(), middle);
        authz::register(pool);
        sys::ap_hook_fixups(Some(first_fixups), ptr::null(), ptr::null(), first);
        sys::ap_hook_fixups(Some(fixups), ptr::null(), ptr::null(), last);
        filter::register(c"OXD_PRIVATE", private_filter);
        // Before mod_log_config's hook.
        sys::ap_hook_log_transaction(Some(log_transaction), ptr::null(), ptr::null(), first);
        sys::ap_hook_handler(Some(content_handler), ptr::null(), ptr::null(), middle);
        // An optional hook, because mod_status may not be loaded. httpd's registration takes a function of any type and
        // calls it as mod_status.h declares it.
        let section: unsafe extern "C" fn(*mut sys::request_rec, c_int) -> c_int = status_section;
        sys::apr_optional_hook_add(
            c"status_hook".as_ptr(),
            Some(std::mem::transmute::<
                unsafe extern "C" fn(*mut sys::request_rec, c_int) -> c_int,
                unsafe extern "C" fn(),
            >(section)),
            ptr::null(),
            ptr::null(),
            middle,
        );
    }
}

/// Runs a request hook. Declines for NULL, and returns 500 when the hook panics.
///
/// # Safety
/// `raw` must be NULL or a live request that only this thread uses, as httpd passes it to a request's hooks.
unsafe fn on_request(raw: *mut sys::request_rec, body: impl for<'r> FnOnce(Request<'r>) -> Status) -> c_int {
    let guarded = |request: Request<'_>| {
        guard::contained(
            || body(request),
            |message| {
                let line = format!("internal: mod_oxd failed while it handled this request: {message}");
                request.log(Level::Error, &line);
                Status::Http(500)
            },
        )
    };
    // SAFETY: by this function's contract.
    let answer = unsafe { Request::during(raw, guarded) };
    answer.unwrap_or(Status::Declined).as_raw()
}

unsafe extern "C" fn header_parser(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::clean) }
}

unsafe extern "C" fn post_read_request(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::hide_cookies) }
}

unsafe extern "C" fn check_access(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::clean_subrequest) }
}

unsafe extern "C" fn first_fixups(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::guard_handler) }
}

unsafe extern "C" fn private_filter(
    filter: *mut sys::ap_filter_t,
    data: *mut sys::apr_bucket_brigade,
) -> sys::apr_status_t {
    let body = |request: Request<'_>| {
        guard::contained(|| respond::before_headers(request), |_| ());
    };
    // SAFETY: httpd passes both, in the thread of the request.
    unsafe { filter::once(filter, data, body) }
}

unsafe extern "C" fn access_checker(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::open_handler) }
}

unsafe extern "C" fn before_rules(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::before_rules) }
}

unsafe extern "C" fn check_authn(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::authenticate) }
}

unsafe extern "C" fn check_authz(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::authorize) }
}

unsafe extern "C" fn fixups(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, protect::finish) }
}

unsafe extern "C" fn log_transaction(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, respond::before_the_log) }
}

unsafe extern "C" fn status_section(r: *mut sys::request_rec, flags: c_int) -> c_int {
    let section = |request: Request<'_>| {
        handler::status_section(request, flags & sys::AP_STATUS_SHORT != 0);
        Status::Ok
    };
    // SAFETY: mod_status calls its hook in the thread that owns the request.
    unsafe { on_request(r, section) }
}

unsafe extern "C" fn content_handler(r: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd calls a request's hooks in the thread that owns the request.
    unsafe { on_request(r, handler::handle) }
}

unsafe extern "C" fn pre_config(
    pool: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
) -> c_int {
    guard::contained(audit::forget, |_| ());
    // SAFETY: httpd passes the pool of the configuration that it is about to read, all modules are loaded.
    guard::contained(|| unsafe { authz::wrap_expressions(pool) }, |_| ());
    // SAFETY: as above.
    if let Some(pool) = unsafe { Pool::from_raw(pool) } {
        // SAFETY: as above.
        guard::contained(|| unsafe { socache::register_mutex(pool) }, |_| ());
    }
    sys::OK
}

unsafe extern "C" fn child_init(pool: *mut sys::apr_pool_t, server: *mut sys::server_rec) {
    // SAFETY: httpd passes the child's pool.
    let pool = unsafe { Pool::from_raw(pool) };
    // SAFETY: httpd passes the main server.
    let log = unsafe { ServerLog::from_raw(server) };
    let prepare = || match pool {
        // SAFETY: as above, before the child starts its threads.
        Some(pool) => unsafe { socache::prepare_child(pool) },
        None => Ok(()),
    };
    if let Some(pool) = pool {
        // SAFETY: httpd passes the child's pool, which it destroys before the child exits.
        unsafe { pool.before_end(close_stores) };
    }
    if let Err(line) = guard::contained(prepare, |message| Err(message.to_owned())) {
        log.line(Level::Error, &format!("store_unavailable: {line}"));
    }
    // SAFETY: httpd passes the main server; `close_stores` ends what uses the log.
    let child_log = unsafe { ChildLog::from_raw(server) };
    // SAFETY: as above; `close_stores` ends what reads the configuration.
    health::begin(unsafe { ChildServers::from_raw(server) }, child_log);
    // Last, as it starts threads.
    guard::contained(|| revocations::start(child_log), |_| ());
}

/// Runs before the child's pools end.
unsafe extern "C" fn close_stores(_: *mut std::ffi::c_void) -> sys::apr_status_t {
    guard::contained(revocations::stop, |_| ());
    guard::contained(health::stop, |_| ());
    guard::contained(store::close, |_| ());
    sys::APR_SUCCESS
}

unsafe extern "C" fn check_config(
    pool: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: httpd passes its configuration pool and the main server, in its one configuration thread.
    unsafe { on_configuration(pool, server, startup::check) }
}

unsafe extern "C" fn open_logs(
    pool: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: as for `check_config`.
    unsafe { on_configuration(pool, server, startup::open_logs) }
}

unsafe extern "C" fn post_config(
    pool: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    _: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> c_int {
    // SAFETY: as for `check_config`.
    unsafe { on_configuration(pool, server, startup::prepare) }
}

/// Runs a hook of the configuration phase; returns 500 when it panics.
///
/// # Safety
/// `pool` must be the configuration's pool and `server` the main server, in the thread that reads the configuration.
unsafe fn on_configuration(
    pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
    body: impl for<'c> FnOnce(Servers<'c>) -> Status,
) -> c_int {
    let guarded = |servers: Servers<'_>| {
        guard::contained(
            || body(servers),
            |message| {
                let line = format!("internal: mod_oxd failed while it was set up: {message}");
                servers.log().line(Level::Error, &line);
                Status::Http(500)
            },
        )
    };
    // SAFETY: by this function's contract.
    let answer = unsafe { Servers::during(server, pool, guarded) };
    answer.unwrap_or(Status::Http(500)).as_raw()
}
