//! The addresses of `SetHandler oxd`, `oxd-status`, `oxd-metrics` and `oxd-health`.

pub mod health;
pub mod resource;
pub mod routes;
pub mod status;
