//! Protected locations: access control, refresh, responses.

mod authn;
mod backoff;
mod enter;
mod refresh;
pub mod rule;

pub use rule::Unmet;

pub use enter::{
    Admission, Admitted, Held, Visit, brings_token, enter, enter_without_site, greet, has_bearer_header,
    identity_of_rpt, known, refuse, token_for_rule, unopened,
};
