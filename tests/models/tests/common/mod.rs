//! How a model is run, and what its processes share.
#![allow(dead_code)] // Each suite takes what it needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use loom::thread::JoinHandle;
use oxd_models::base::{Millis, Seconds};
use oxd_models::shm::{AtomicU64, Mark, Memory, words};

pub const NOW: Seconds = Seconds(1_800_000_000);
/// When what began at [`NOW`] has run out, marks of it too.
pub const MUCH_LATER: Seconds = Seconds(1_800_100_000);
pub const LASTS: Seconds = Seconds(28_800);

/// Runs a model in every interleaving with at most so many preemptions, and says how many that were.
/// `LOOM_MAX_PREEMPTIONS` allows more.
pub fn check(name: &str, preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut builder = loom::model::Builder::new();
    let bound = builder
        .preemption_bound
        .map_or(preemptions, |more| more.max(preemptions));
    builder.preemption_bound = Some(bound);
    builder.max_branches = 10_000;
    let count = runs.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "model {name}: {} interleavings, {bound} preemptions, {:.1} s",
        runs.load(Ordering::Relaxed),
        began.elapsed().as_secs_f64()
    );
}

/// A memory that threads share as processes do.
#[derive(Clone)]
pub struct Shared(Arc<Vec<AtomicU64>>);

impl Shared {
    pub fn new() -> Self {
        Self(Arc::new(words()))
    }

    pub fn memory(&self) -> Memory<'_> {
        Memory::over(&self.0).expect("enough words")
    }

    /// Another process.
    pub fn process<A: 'static>(&self, acts: impl FnOnce(Memory<'_>) -> A + 'static) -> JoinHandle<A> {
        let shared = self.clone();
        loom::thread::spawn(move || acts(shared.memory()))
    }
}

/// Words of a part of the memory that nobody has used yet, for threads that share them.
pub fn unused(count: usize) -> Arc<Vec<AtomicU64>> {
    Arc::new((0..count).map(|_| AtomicU64::new(0)).collect())
}

/// Ends sessions, for as long as they last.
pub fn end(memory: Memory<'_>, mark: Mark, moment: Millis, now: Seconds) {
    memory.end(mark, moment, now, now.saturating_add(LASTS));
}

/// Marks that are searched for in the same slots.
pub fn mark(number: u64) -> Mark {
    Mark::stored(number).expect("not 0")
}

/// So many milliseconds after [`NOW`].
pub fn after(milliseconds: u64) -> Millis {
    NOW.millis().saturating_add(Millis(milliseconds))
}

/// So many seconds after [`NOW`].
pub fn at(seconds: u64) -> Seconds {
    NOW.saturating_add(Seconds(seconds))
}
