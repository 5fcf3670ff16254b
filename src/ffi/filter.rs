//! The output filter that sees a response before its headers are sent.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::request::Request;
use super::sys;

/// httpd's record of the filter, which lives as long as the process's hooks.
static RECORD: AtomicPtr<sys::ap_filter_rec_t> = AtomicPtr::new(ptr::null_mut());

/// The function of a filter: httpd's output filter callback (util_filter.h).
pub type Function =
    unsafe extern "C" fn(*mut sys::ap_filter_t, *mut sys::apr_bucket_brigade) -> sys::apr_status_t;

/// Registers the filter. It runs after the content is generated, before mod_cache stores it and before mod_headers
/// applies `Header`.
///
/// # Safety
/// httpd must be asking the module to register its hooks.
pub unsafe fn register(name: &'static CStr, function: Function) {
    // SAFETY: by this function's contract; httpd copies the name, and the function lives as long as the process.
    let record = unsafe {
        sys::ap_register_output_filter(
            name.as_ptr(),
            Some(function),
            None,
            sys::ap_filter_type_AP_FTYPE_CONTENT_SET,
        )
    };
    RECORD.store(record, Ordering::Release);
}

/// Runs `body` with the request of a filter's first call, then removes the filter and passes the data on.
///
/// # Safety
/// `filter` and `data` must be what httpd passes to a filter's function.
pub unsafe fn once(
    filter: *mut sys::ap_filter_t,
    data: *mut sys::apr_bucket_brigade,
    body: impl for<'o> FnOnce(Request<'o>),
) -> sys::apr_status_t {
    // SAFETY: by this function's contract.
    let (request, next) = unsafe { ((*filter).r, (*filter).next) };
    // SAFETY: a filter's request is live, and httpd runs its filters in the thread of the request.
    unsafe { Request::during(request, body) };
    // SAFETY: by this function's contract.
    unsafe { sys::ap_remove_output_filter(filter) };
    // SAFETY: as above; `next` was read before the filter was removed.
    unsafe { sys::ap_pass_brigade(next, data) }
}

impl Request<'_> {
    /// Lets the filter see the response.
    pub fn filter_response(self) {
        let record = RECORD.load(Ordering::Acquire);
        if !record.is_null() {
            let connection = self.rec().connection;
            // SAFETY: the record is registered; request and connection are live.
            unsafe {
                sys::ap_add_output_filter_handle(record, ptr::null_mut(), self.raw.as_ptr(), connection)
            };
        }
    }
}
