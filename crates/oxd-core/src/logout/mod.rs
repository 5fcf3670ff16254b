//! Leaving: by the user, and on word from the provider.

mod endpoints;
mod token;

pub(crate) use endpoints::{by_back_channel, by_front_channel, by_user};
