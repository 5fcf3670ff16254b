//! The boundary to C: safe wrappers over the values of httpd and APR, without policy.
//!
//! Memory of httpd belongs to pools, and each lifetime stands for a pool: `'r` for a request's ([`request::Request`]),
//! `'c` for a configuration's ([`command::Command`], [`server::Servers`], [`dir_config::DirConfig`]). The first three
//! handles are invariant, and `during` introduces a new lifetime each time it makes one from a pointer, so safe code
//! cannot store memory of one pool where a longer-lived pool refers to it. `tests/edge` lists code that must not
//! compile, and the test suites run httpd with freed pools overwritten.

pub mod append;
mod body;
pub mod command;
pub mod dir_config;
mod expression;
pub mod filter;
pub mod guard;
pub mod handlers;
pub mod known_names;
pub mod log;
pub mod pool;
pub mod process;
pub mod request;
pub mod request_state;
pub mod server;
pub mod shared;
pub mod socache;
pub mod table;

/// The bindings that `build.rs` generates.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    dead_code
)]
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    unsafe_op_in_unsafe_fn,
    unused_qualifications
)]
pub mod sys {
    include!(concat!(env!("OUT_DIR"), "/httpd.rs"));
}

/// The return value of a hook (httpd.h, http_request.h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// OK: the hook has done its part.
    Ok,
    /// DECLINED: the hook does not handle the request.
    Declined,
    /// DONE: the response has been sent.
    Done,
    /// httpd responds with this HTTP status.
    Http(u16),
}

impl Status {
    /// The value for httpd.
    pub fn as_raw(self) -> std::ffi::c_int {
        match self {
            Status::Ok => sys::OK,
            Status::Declined => sys::DECLINED,
            Status::Done => sys::DONE,
            Status::Http(status) => status.into(),
        }
    }
}
