//! What all processes of a server share: memory of what has ended, and counters.

pub mod memory;
pub mod stats;
