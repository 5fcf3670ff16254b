//! The memory that all processes of a server share: ended sessions and the like, the health of sites, and
//! counters.

mod ends;
mod fact;
pub mod health;
mod lease;
mod mark;
mod memory;
mod notes;
mod pause;
mod sizes;
pub mod stats;
mod sync;
mod table;

pub use ends::Ended;
pub(crate) use lease::Lease;
pub(crate) use mark::About;
pub use mark::Mark;
#[cfg(test)]
pub(crate) use memory::MAGIC;
pub use memory::{Keeper, Memory, USUAL_MARKS, memory_words};
pub(crate) use notes::Note;
pub(crate) use sizes::NOTE_BYTES;
