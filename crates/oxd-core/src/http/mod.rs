//! HTTP without a server: requests, answers, cookies, origins, and what an answer has at hand.

pub mod cookie;
pub mod env;
pub mod form;
mod forwarded;
pub mod headers;
pub mod host;
pub mod origin;
pub mod request;
pub mod response;
