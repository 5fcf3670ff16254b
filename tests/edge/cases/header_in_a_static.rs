use std::ffi::CStr;
use std::sync::Mutex;

use oxd_edge::edge::Request;

static LAST: Mutex<Option<&'static CStr>> = Mutex::new(None);

fn hook(request: Request<'_>) {
    *LAST.lock().unwrap() = request.header(c"Cookie");
}

fn main() {}
