use std::ffi::CString;

use oxd_edge::edge::{Request, Table};

fn hook(request: Request<'_>) {
    let text = CString::default();
    request.set(Table::HeadersIn, c"Cookie", text.as_c_str());
}

fn main() {}
