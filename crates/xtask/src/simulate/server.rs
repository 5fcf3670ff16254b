//! The server of the stream: what Redis does with `XADD` and `XREAD`, and how long it takes.

use std::rc::Rc;

use super::queue::{Micros, SECOND};

/// What an operation takes: the figures of `cargo xtask simulate --measure`.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// The script that appends an entry, in microseconds of the server's processor.
    pub append: f64,
    /// A reading that is answered: the command, waking the reader, and sending.
    pub read: f64,
    /// Each entry of an answer.
    pub entry: f64,
    /// The bytes of each entry in an answer, and those of an answer without entries.
    pub entry_bytes: u64,
    pub answer_bytes: u64,
    /// The bytes that the server's network takes in a second.
    pub bandwidth: u64,
}

/// The number of an entry: milliseconds of the server's clock, and a count.
pub type Number = (u64, u64);

/// An entry of the stream.
#[derive(Clone, Debug)]
pub struct Entry {
    pub number: Number,
    /// Which end it tells of.
    pub end: usize,
    pub sealed: Rc<[u8]>,
    appended: Micros,
}

/// What the server had to do in each second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Microseconds of its processor.
    pub busy: f64,
    pub bytes: u64,
    pub appends: u64,
    pub answers: u64,
}

/// The server, with the commands of all its clients in one row.
#[derive(Debug)]
pub struct Server {
    pub costs: Costs,
    pub stream: Vec<Entry>,
    pub loads: Vec<Load>,
    /// Whether it answers.
    pub is_there: bool,
    /// The number of times that its connections broke.
    pub epoch: u32,
    /// Milliseconds of its clock when the simulation began.
    clock: u64,
    /// When its processor and its network have done what they were told.
    busy_until: f64,
    sent_until: f64,
}

impl Server {
    pub fn new(costs: Costs, clock: u64) -> Self {
        Self {
            costs,
            stream: Vec::new(),
            loads: Vec::new(),
            is_there: true,
            epoch: 0,
            clock,
            busy_until: 0.0,
            sent_until: 0.0,
        }
    }

    fn load(&mut self, at: f64) -> &mut Load {
        let second = (at / SECOND as f64) as usize;
        if self.loads.len() <= second {
            self.loads.resize(second + 1, Load::default());
        }
        &mut self.loads[second]
    }

    fn work(&mut self, now: Micros, micros: f64) {
        let begins = self.busy_until.max(now as f64);
        self.busy_until = begins + micros;
        self.load(begins).busy += micros;
    }

    fn send(&mut self, bytes: u64) -> Micros {
        let begins = self.sent_until.max(self.busy_until);
        self.sent_until = begins + bytes as f64 / self.costs.bandwidth as f64 * SECOND as f64;
        self.load(begins).bytes += bytes;
        self.sent_until as Micros
    }

    /// Appends an entry; when the answer leaves. Numbers never go back, whatever the clock does.
    pub fn append(&mut self, now: Micros, end: usize, sealed: Rc<[u8]>) -> Micros {
        let clock = self.clock + now / 1_000;
        let number = match self.stream.last().map(|entry| entry.number) {
            Some((last, count)) if last >= clock => (last, count + 1),
            _ => (clock, 0),
        };
        self.stream.push(Entry {
            number,
            end,
            sealed,
            appended: now,
        });
        self.work(now, self.costs.append);
        self.load(now as f64).appends += 1;
        self.send(self.costs.answer_bytes)
    }

    /// The entries after a number, from the first to the last but one place.
    pub fn after(&self, number: Number, most: usize) -> (usize, usize) {
        let first = self.stream.partition_point(|entry| entry.number <= number);
        (first, self.stream.len().min(first + most))
    }

    /// Answers a reading with so many entries; when the answer leaves.
    pub fn answer(&mut self, now: Micros, entries: usize) -> Micros {
        let entries = entries as u64;
        self.work(now, self.costs.read + entries as f64 * self.costs.entry);
        self.load(now as f64).answers += 1;
        self.send(self.costs.answer_bytes + entries * self.costs.entry_bytes)
    }

    /// Is not there any more: its connections break, and nobody gets an answer.
    pub fn vanish(&mut self) {
        self.is_there = false;
        self.epoch += 1;
    }

    /// Is there again.
    pub fn return_at(&mut self, now: Micros) {
        self.is_there = true;
        self.busy_until = now as f64;
        self.sent_until = now as f64;
    }

    /// A replica takes over that has not got what was appended since, and whose clock is behind by some milliseconds.
    /// The number of entries that are lost.
    pub fn take_over(&mut self, since: Micros, behind: u64) -> usize {
        let kept = self.stream.partition_point(|entry| entry.appended < since);
        let lost = self.stream.len() - kept;
        self.stream.truncate(kept);
        self.clock -= behind;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        append: 10.0,
        read: 5.0,
        entry: 1.0,
        entry_bytes: 100,
        answer_bytes: 10,
        bandwidth: 1_000_000,
    };

    fn append(server: &mut Server, now: Micros) -> Micros {
        server.append(now, 0, Rc::from([]))
    }

    #[test]
    fn a_reading_has_what_comes_after_a_number() {
        let mut server = Server::new(COSTS, 5_000);
        for now in [0, 0, 1_000, 9_000] {
            append(&mut server, now);
        }
        let numbers: Vec<_> = server.stream.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [(5_000, 0), (5_000, 1), (5_001, 0), (5_009, 0)]);
        assert_eq!(server.after((0, 0), 3), (0, 3));
        assert_eq!(server.after((5_000, 0), 9), (1, 4));
        assert_eq!(server.after((5_009, 0), 9), (4, 4));
    }

    #[test]
    fn a_replica_has_lost_entries_and_its_numbers_do_not_go_back() {
        let mut server = Server::new(COSTS, 5_000);
        for now in [0, 100_000, 200_000] {
            append(&mut server, now);
        }
        assert_eq!(server.take_over(150_000, 4_000), 1);
        append(&mut server, 300_000);
        let numbers: Vec<_> = server.stream.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [(5_000, 0), (5_100, 0), (5_100, 1)]);
    }

    #[test]
    fn work_and_network_take_their_time_one_after_the_other() {
        let mut server = Server::new(COSTS, 0);
        // 10 microseconds of work, 10 bytes at a byte a microsecond.
        assert_eq!(append(&mut server, 0), 20);
        // Work from 10 to 18, and the network is free at 20; 310 bytes.
        assert_eq!(server.answer(0, 3), 330);
        assert_eq!(server.answer(SECOND, 0), SECOND + 15);
        assert_eq!((server.loads[0].bytes, server.loads[0].answers), (320, 1));
        assert!((server.loads[0].busy - 18.0).abs() < 1e-6);
    }
}
