//! mod_oxd: OpenID Connect login, sessions and access control for the Apache HTTP Server, through Gluu oxd.
//!
//! This package is the Apache layer: httpd calls [`entry`], [`adapter`] asks `oxd-core` for decisions and carries them
//! out, and [`ffi`] wraps the interfaces of httpd and APR. `docs/ARCHITECTURE.md` follows a request from hook to
//! response.
#![deny(unsafe_code)]

mod adapter;
#[allow(unsafe_code)]
mod entry;
#[allow(unsafe_code)]
mod ffi;

/// Exposed for the compile-fail tests of the boundary (`tests/edge`).
#[doc(hidden)]
pub mod edge {
    pub use crate::ffi::command::Command;
    pub use crate::ffi::dir_config::DirConfig;
    pub use crate::ffi::pool::Pool;
    pub use crate::ffi::request::Request;
    pub use crate::ffi::request_state::Cookies;
    pub use crate::ffi::server::Section;
    pub use crate::ffi::sys::request_rec;
    pub use crate::ffi::table::Table;
    pub use oxd_core::config::{AuthParam, Expression};
}
