use std::ffi::CString;

use oxd_edge::edge::{Cookies, Request};

fn entry(raw: *mut oxd_edge::edge::request_rec) {
    let text = CString::default();
    let cookies = Cookies { header: &text, is_alone: false };
    // SAFETY: never run.
    let _ = unsafe { Request::during(raw, |request| request.update_state(|state| state.cookies = Some(cookies))) };
}

fn main() {}
