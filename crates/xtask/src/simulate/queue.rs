//! What will happen, in order of time, and the random numbers that decide when.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use oxd_core::base::{NoRandomness, Random};

/// Microseconds since the simulation began.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;

/// What will happen. Of events at the same time, that which was planned first comes first.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    /// The events themselves, by the place that the heap names.
    events: Vec<Option<E>>,
    free: Vec<usize>,
    planned: u64,
    now: Micros,
}

impl<E> Queue<E> {
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            planned: 0,
            now: 0,
        }
    }

    /// The time of the event that was taken last.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Plans an event; one in the past happens now.
    pub fn at(&mut self, time: Micros, event: E) {
        let place = match self.free.pop() {
            Some(place) => {
                self.events[place] = Some(event);
                place
            }
            None => {
                self.events.push(Some(event));
                self.events.len() - 1
            }
        };
        self.heap.push(Reverse((time.max(self.now), self.planned, place)));
        self.planned += 1;
    }

    /// Takes the next event.
    pub fn next(&mut self) -> Option<E> {
        let Reverse((time, _, place)) = self.heap.pop()?;
        self.now = time;
        self.free.push(place);
        self.events[place].take()
    }
}

/// Random numbers that are the same for the same seed (splitmix64).
#[derive(Debug)]
pub struct Dice(Cell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn word(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, a limit.
    pub fn below(&self, limit: u64) -> u64 {
        self.word() % limit.max(1)
    }

    /// A number of an exponential distribution.
    pub fn exponential(&self, mean: f64) -> f64 {
        let share = (self.word() >> 11) as f64 / (1_u64 << 53) as f64;
        -mean * (1.0 - share).ln()
    }
}

impl Random for Dice {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_of_planning() {
        let mut queue = Queue::new();
        for (time, name) in [(30, 'c'), (10, 'a'), (20, 'b'), (10, 'A')] {
            queue.at(time, name);
        }
        let mut seen = Vec::new();
        while let Some(name) = queue.next() {
            seen.push((queue.now(), name));
            if name == 'b' {
                queue.at(5, 'x');
            }
        }
        assert_eq!(seen, [(10, 'a'), (10, 'A'), (20, 'b'), (20, 'x'), (30, 'c')]);
    }

    #[test]
    fn dice_repeat_for_a_seed_and_have_their_mean() {
        let (one, same, other) = (Dice::new(1), Dice::new(1), Dice::new(2));
        let words: Vec<u64> = (0..9).map(|_| one.word()).collect();
        assert!(words.iter().all(|word| same.word() == *word));
        assert!(words.iter().any(|word| other.word() != *word));
        let sum: f64 = (0..10_000).map(|_| one.exponential(3.0)).sum();
        assert!((2.9..3.1).contains(&(sum / 10_000.0)), "{sum}");
    }
}
