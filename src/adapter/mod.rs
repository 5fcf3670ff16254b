//! From httpd's requests and configuration to oxd-core, and back. Safe code only.

pub mod child;
pub mod directive;
pub mod handler;
pub mod identity;
pub mod protect;
pub mod request;
pub mod startup;
pub mod store;
mod worker_pool;
