//! Logout: by the user, or on notice of the provider.

mod endpoints;
mod token;

pub(crate) use endpoints::{by_back_channel, by_front_channel, by_user};
