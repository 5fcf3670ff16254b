//! The boundary to C: wrappers over httpd's and APR's values that are safe to use, and no policy.
//!
//! Memory of httpd's belongs to pools, and a lifetime stands for the pool: `'r` for a request's
//! ([`request::Request`]), `'c` for a configuration's ([`command::Command`], [`server::Servers`],
//! [`dir_config::DirConfig`]). Those three handles are invariant and come with a lifetime of their own each time they
//! are made from a pointer (`during`), so that safe code cannot put memory of one pool where another pool outlives it.
//! `tests/edge` shows what does not compile, and the suites run httpd with freed pools overwritten.

mod body;
pub mod command;
pub mod dir_config;
mod expression;
pub mod guard;
pub mod log;
pub mod pool;
pub mod process;
pub mod request;
pub mod request_state;
pub mod server;
pub mod shared;
pub mod socache;
pub mod table;

/// The bindings that `build.rs` made.
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

/// What a hook answers (httpd.h, http_request.h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// The hook has done its part.
    Ok,
    /// The hook has nothing to say.
    Declined,
    /// The answer has been sent.
    Done,
    /// httpd answers with this HTTP status.
    Http(u16),
}

impl Status {
    /// The number that httpd understands.
    pub fn as_raw(self) -> std::ffi::c_int {
        match self {
            Status::Ok => sys::OK,
            Status::Declined => sys::DECLINED,
            Status::Done => sys::DONE,
            Status::Http(status) => status.into(),
        }
    }
}
