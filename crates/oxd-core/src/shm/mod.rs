//! What all processes of a server share: memory of what has ended, and counters.

mod memory;
pub mod stats;

pub use memory::{About, Lease, Mark, Memory, WORDS as MEMORY_WORDS};
