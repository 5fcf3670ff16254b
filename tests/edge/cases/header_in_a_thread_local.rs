use std::cell::Cell;
use std::ffi::CStr;

use oxd_edge::edge::Request;

thread_local! {
    static LAST: Cell<Option<&'static CStr>> = const { Cell::new(None) };
}

fn hook(request: Request<'_>) {
    LAST.set(request.header(c"Cookie"));
}

fn main() {}
