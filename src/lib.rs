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
