//! Protected places: who comes in.

pub mod authn;
pub mod rule;
