//! Connects httpd's requests and configuration with oxd-core. Safe code only.

pub mod audit;
pub mod child;
mod context;
pub mod directive;
pub mod handler;
pub mod health;
pub mod identity;
mod places;
pub mod protect;
mod provider;
pub mod redis;
mod request;
pub mod respond;
pub mod revocations;
pub mod rules;
mod slot;
pub mod startup;
pub mod store;
mod worker_pool;
