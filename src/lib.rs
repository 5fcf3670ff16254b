//! mod_oxd: OpenID Connect login, sessions and access control for the Apache HTTP Server, through Gluu oxd.
//!
//! This package is the Apache layer: httpd enters in [`entry`], [`adapter`] asks `oxd-core` what to do and does it, and
//! [`ffi`] wraps what httpd and APR offer. A request is followed from hook to answer in `docs/ARCHITECTURE.md`.
#![deny(unsafe_code)]

mod adapter;
#[allow(unsafe_code)]
mod entry;
#[allow(unsafe_code)]
mod ffi;

/// For the tests of what safe code cannot do at the boundary (`tests/edge`).
#[doc(hidden)]
pub mod edge {
    pub use crate::ffi::command::Command;
    pub use crate::ffi::dir_config::DirConfig;
    pub use crate::ffi::pool::Pool;
    pub use crate::ffi::request::Request;
    pub use crate::ffi::server::Section;
    pub use crate::ffi::sys::request_rec;
    pub use crate::ffi::table::Table;
    pub use oxd_core::config::{AuthParam, Expression};
}
