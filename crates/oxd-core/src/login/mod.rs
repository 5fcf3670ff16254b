//! Signing in: to the provider and back.

pub mod callback;
pub mod pending;
pub mod preserve;
pub mod start;

pub use start::{ANY_ACR, Wish, from_link, login_link, own_address, start_with};
