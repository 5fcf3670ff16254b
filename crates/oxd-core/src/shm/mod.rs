//! The memory that all processes of a server share: ended sessions and the like, and counters.

mod mark;
mod memory;
pub mod stats;

pub(crate) use mark::About;
pub use mark::Mark;
pub use memory::{KEPT_WORDS, Keeper, Memory, WORDS as MEMORY_WORDS};
pub(crate) use memory::{Lease, NOTE_BYTES};
