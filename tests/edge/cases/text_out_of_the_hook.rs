use std::ffi::CStr;

use oxd_edge::edge::Request;

fn entry(raw: *mut oxd_edge::edge::request_rec) -> Option<&'static CStr> {
    let mut found = None;
    // SAFETY: never run.
    let _ = unsafe { Request::during(raw, |request| found = request.path()) };
    found
}

fn main() {}
