//! Random numbers that can be had again: by their seed.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

/// A generator (SplitMix64).
pub(crate) struct Random(u64);

/// The seed of this run: that of `OXD_CRASH_SEED`, or another one each time.
pub(crate) fn seed() -> u64 {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_nanos()
    };
    env::var("OXD_CRASH_SEED").map_or_else(
        |_| now() as u64 % 1_000_000_000,
        |seed| seed.parse().expect("OXD_CRASH_SEED, a number"),
    )
}

/// How many blows each store gets; `usual` where nothing else is said.
pub(crate) fn rounds(usual: usize) -> usize {
    env::var("OXD_CRASH_ROUNDS").map_or(usual, |text| text.parse().expect("OXD_CRASH_ROUNDS, a number"))
}

impl Random {
    /// One of many that are different, all from one seed.
    pub(crate) fn new(seed: u64, which: usize) -> Random {
        let mut random = Random(seed ^ (which as u64).wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).expect("a small number");
        usize::try_from(self.next() % limit).expect("a small number")
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// Puts a list in another order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}
