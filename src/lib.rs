//! mod_oxd: OpenID Connect login, sessions and access control for the Apache HTTP Server, through Gluu oxd.
//!
//! This package is the Apache layer: it turns a request into plain facts, asks `oxd-core` what to do, and does it. A
//! request is followed from hook to answer in `docs/ARCHITECTURE.md`. All `unsafe` code is in [`ffi`].
#![deny(unsafe_code)]

mod child;
#[allow(unsafe_code)]
mod ffi;
mod handler;
mod identity;
mod outside;
mod protect;
mod startup;
mod stores;
