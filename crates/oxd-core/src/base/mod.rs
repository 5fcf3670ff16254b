//! What every layer stands on: time, randomness, keys, secrets, reasons.

mod arena;
mod clock;
mod crypto;
mod log;
mod reason;
mod reference;
mod secret;
mod site;
mod store;

pub use arena::Arena;
pub use clock::{CLOCK_LEEWAY, LeBytes, Millis, Seconds, numeric_date, wall};
pub use crypto::{
    KeyRing, LEAST_KEY_TEXT, NoRandomness, OVERHEAD, Purpose, Random, SystemRandom, random_text, sha256,
    sha256_of, sha256_text,
};
pub use log::Level;
pub use reason::{Failure, Reason, Step};
pub use reference::Reference;
pub use secret::Secret;
pub use site::SiteId;
pub use store::{Key, Store, StoreError};
