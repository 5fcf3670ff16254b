//! Signing in: to the provider and back.

mod callback;
mod multipart;
mod pending;
mod preserve;
mod start;
mod target;
mod verify;

pub(crate) use callback::{Returned, answer};
#[cfg(feature = "fuzzing")]
pub(crate) use multipart::fields as multipart_fields;
pub(crate) use pending::{begin_gathering, take_gathering};
pub(crate) use preserve::{FORM_WAITS, limit as form_limit, offer as offer_form};
pub(crate) use start::{ANY_ACR, AuthRequestOverrides, LoginRequest, from_link, start_with};
pub(crate) use target::{below, login_link, other_account_link, own_address};
pub(crate) use verify::check_user_info;

#[cfg(test)]
mod tests;
