use std::ffi::CStr;

use oxd_edge::edge::Request;

fn hook<'r>(request: Request<'r>) -> Option<&'r CStr> {
    request.with_first(|first| first.unparsed())
}

fn main() {}
