//! HTTP without a server: requests, answers, cookies, origins.

pub mod cookie;
pub mod origin;
pub mod request;
pub mod response;
