//! What every layer stands on: time, randomness, keys, secrets, reasons.

pub mod arena;
pub mod clock;
pub mod crypto;
pub mod log;
pub mod reason;
pub mod reference;
pub mod secret;
pub mod store;
