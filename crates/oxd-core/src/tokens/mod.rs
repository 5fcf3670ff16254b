//! Signed tokens of the provider: their signatures ([`jws`]).

pub(crate) mod jws;
