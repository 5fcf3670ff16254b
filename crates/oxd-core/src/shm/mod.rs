//! The memory that all processes of a server share: ended sessions and the like, and counters.

mod lease;
mod mark;
mod memory;
mod notes;
pub mod stats;

pub(crate) use lease::Lease;
pub(crate) use mark::About;
pub use mark::Mark;
pub(crate) use memory::NOTE_BYTES;
pub use memory::{KEPT_WORDS, Keeper, Memory, WORDS as MEMORY_WORDS};
pub(crate) use notes::Note;
