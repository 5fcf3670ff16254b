//! The shared memory of oxd-core, from its own sources, over the atomics of loom: `tests/` runs it in every
//! interleaving of a few processes, with every value that the memory model lets a load return. Nothing is built with
//! other flags for it.

// The tests in these sources are oxd-core's: they want its whole crate around them. `--all-targets` asks for them all
// the same.
#![cfg(not(test))]

/// What the sources take from their crate.
pub mod base {
    pub use oxd_core::base::{Millis, Reason, Reference, Seconds, SiteId, sha256_of};
}

/// The folder `shm` of oxd-core. Only two of its files are replaced: what it is built on, and how much fits into it.
// What only other layers of oxd-core call is not called here, and of some things there is one.
#[allow(clippy::modulo_one, dead_code, unreachable_pub, unused_imports)]
#[path = "../../../crates/oxd-core/src/shm"]
pub mod shm {
    mod ends;
    mod fact;
    pub mod health;
    mod lease;
    mod mark;
    mod memory;
    mod notes;
    #[path = "../../../../tests/models/src/sizes.rs"]
    mod sizes;
    #[path = "stats/mod.rs"]
    pub mod stats;
    #[path = "../../../../tests/models/src/sync.rs"]
    mod sync;
    mod table;

    pub use ends::Ended;
    pub use lease::Lease;
    pub use mark::Mark;
    pub use memory::{Keeper, Memory};
    pub use sync::{AtomicU64, CLOCK, Ordering};

    /// The words of a memory with four slots for marks, the first of which each small mark shares. All are 0, but for
    /// the first one: clearing what is 0 is no part of what is looked at.
    pub fn words() -> Vec<AtomicU64> {
        let first = |at| if at == 0 { memory::MAGIC } else { 0 };
        (0..memory::memory_words(1))
            .map(|at| AtomicU64::new(first(at)))
            .collect()
    }
}
