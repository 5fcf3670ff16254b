use std::ffi::CStr;

use oxd_edge::edge::Pool;

fn keep(pool: Pool<'_>) -> &'static CStr {
    pool.text(b"text")
}

fn main() {}
