//! Protected locations: access control, refresh, responses.

mod authn;
mod backoff;
mod enter;
mod refresh;
pub mod rule;

pub use enter::{Admission, Admitted, Held, Visit, enter, enter_without_site, greet, known, refuse};
