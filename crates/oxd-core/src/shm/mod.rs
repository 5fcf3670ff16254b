//! What all processes of a server share: memory of what has ended, and counters.

mod memory;
pub mod stats;

pub(crate) use memory::{About, Lease};
pub use memory::{Mark, Memory, WORDS as MEMORY_WORDS};
