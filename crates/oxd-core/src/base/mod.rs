//! The base of every layer: time, randomness, keys, secrets, reasons.

mod arena;
mod audit;
mod clock;
mod crypto;
mod doubt;
mod failure;
mod log;
mod path;
mod reason;
mod reference;
mod secret;
mod signal;
mod site;
mod store;
mod trace;

pub use arena::Arena;
pub use audit::{AuditSink, LONGEST_LINE};
pub use clock::{CLOCK_LEEWAY, Millis, Seconds, wall, wall_millis};
pub(crate) use clock::{LeBytes, numeric_date};
pub use crypto::{KeyRing, NoRandomness, Random, SealError, SystemRandom, sha256_of};
pub(crate) use crypto::{LEAST_KEY_TEXT, OVERHEAD, Purpose, random_text, sha256_text};
pub use doubt::{Doubt, Miss};
pub use failure::Failure;
pub use log::Level;
pub use path::path_below;
pub use reason::Reason;
pub(crate) use reason::Step;
pub use reference::Reference;
pub use secret::Secret;
pub(crate) use signal::Signal;
pub use site::SiteId;
pub use store::{Atomic, Key, Member, Replaced, Revocations, Store, StoreError, probe};
pub use trace::Trace;
