use std::ffi::CString;

use oxd_edge::edge::Request;

fn entry(raw: *mut oxd_edge::edge::request_rec) {
    let text = CString::default();
    // SAFETY: never run.
    let _ = unsafe { Request::during(raw, |request| request.update_state(|state| state.cookies = Some(&text))) };
}

fn main() {}
