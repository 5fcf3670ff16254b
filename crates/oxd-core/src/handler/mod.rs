//! The addresses of `SetHandler oxd`, `oxd-status` and `oxd-metrics`.

pub mod resource;
pub mod routes;
pub mod status;
