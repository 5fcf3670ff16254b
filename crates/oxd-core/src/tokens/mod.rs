//! Tokens of the provider: their signatures ([`jws`]), and what is known about access tokens ([`cache`]).

pub(crate) mod cache;
pub(crate) mod jws;

pub use cache::TokenCache;
