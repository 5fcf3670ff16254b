//! Signing in: to the provider and back.

mod callback;
mod pending;
mod preserve;
mod start;
mod target;
mod verify;

pub use callback::{Returned, answer};
pub use preserve::{limit as form_limit, offer as offer_form};
pub use start::{ANY_ACR, AuthRequestOverrides, from_link, start_with};
pub use target::{below, login_link, own_address};
pub use verify::check_user_info;
