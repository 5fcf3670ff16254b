//! A machine: its memory and its view of the stream are the module's own, and the process that reads goes through the same
//! steps as `oxd_store`'s.

use std::collections::VecDeque;

use oxd_core::base::{Millis, Seconds};
use oxd_core::session::feed::Feed;
use oxd_core::shm::Ended;

use super::queue::{Micros, SECOND};
use super::server::Number;

/// The time at which a simulation begins, in milliseconds since 1970.
pub const BEGINS: u64 = 1_900_000_000_000;

#[derive(Debug)]
pub struct Machine<'m> {
    pub feed: Feed<'m>,
    /// Milliseconds by which its clock is ahead.
    pub skew: i64,
    /// The number of its connection; what belongs to an earlier one is void.
    pub connection: u32,
    /// Up to which entry it has read.
    pub after: Number,
    /// The number of its reading, and when it was sent.
    pub reading: u32,
    pub sent: Micros,
    /// When it last looked for ends that are yet to be told.
    pub looked: Option<Micros>,
    /// Those that it tells now, until when, and how many they were.
    pub telling: VecDeque<(Ended, Vec<u8>)>,
    pub deadline: Micros,
    pub told: usize,
    /// Until when its requests do not ask the server.
    pub rests_until: Micros,
}

impl<'m> Machine<'m> {
    pub fn new(feed: Feed<'m>, skew: i64) -> Self {
        Self {
            feed,
            skew,
            connection: 0,
            after: (0, 0),
            reading: 0,
            sent: 0,
            looked: None,
            telling: VecDeque::new(),
            deadline: 0,
            told: 0,
            rests_until: 0,
        }
    }

    /// What its clock shows.
    pub fn clock(&self, now: Micros) -> Millis {
        Millis((BEGINS + now / 1_000).saturating_add_signed(self.skew))
    }

    pub fn seconds(&self, now: Micros) -> Seconds {
        self.clock(now).seconds()
    }

    /// Begins with a new connection. Without `overlap` it goes on where it was, as it must not.
    pub fn begin(&mut self, now: Micros, overlap: bool) {
        let from = match overlap {
            true => self.feed.begin(false, self.clock(now)),
            false => self.feed.memory.position(),
        };
        self.after = (from, 0);
        self.looked = None;
        self.telling.clear();
    }

    /// Whether it is to look for ends that are yet to be told.
    pub fn is_to_tell(&self, now: Micros) -> bool {
        let every = oxd_store::TELLS_EVERY.as_secs() * SECOND;
        self.feed.memory.take_untold() || self.looked.is_none_or(|at| now - at >= every)
    }
}
