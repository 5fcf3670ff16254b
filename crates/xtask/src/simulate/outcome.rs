//! What came of a simulation: which machine knew which end when, and what it took.

use oxd_core::base::Seconds;
use oxd_core::shm::{Ended, Memory};

use super::Plan;
use super::machine::Machine;
use super::queue::{Micros, SECOND};
use super::server::Load;

/// An end of a session.
#[derive(Clone, Copy, Debug)]
pub struct End {
    ended: Ended,
    at: Micros,
    /// Whether the server was there.
    in_time: bool,
    /// How many entries told of it.
    pub told: u32,
}

/// A figure of a second.
type Figure = fn(&Load) -> f64;

#[derive(Debug, Default)]
pub struct Outcome {
    machines: usize,
    pub ends: Vec<End>,
    /// For each end, the machines that know it.
    known: Vec<Vec<bool>>,
    missing: usize,
    /// The delays of ends that were ordered while the server was there, and of the others.
    delays: [Vec<Micros>; 2],
    heard: u64,
    pub lost_entries: usize,
    pub connections: usize,
    /// At the end: the ends that some machine does not know, machine by machine.
    pub never_heard: usize,
    /// Those that a machine would not know that starts then.
    pub not_in_stream: usize,
    pub lost_marks: u64,
    marks: (usize, usize),
    lasted: Micros,
    loads: Vec<Load>,
    storm: u64,
}

impl Outcome {
    pub fn new(machines: usize) -> Self {
        Self {
            machines,
            ..Self::default()
        }
    }

    /// An end is ordered; its number.
    pub fn ended(&mut self, ended: Ended, machine: usize, at: Micros, in_time: bool) -> usize {
        let mut known = vec![false; self.machines];
        known[machine] = true;
        self.known.push(known);
        self.missing += self.machines - 1;
        self.ends.push(End {
            ended,
            at,
            in_time,
            told: 0,
        });
        self.ends.len() - 1
    }

    /// A machine has read an entry of an end; it counts if its memory says so.
    pub fn heard(&mut self, machine: usize, end: usize, now: Micros, memory: &Memory<'_>, seconds: Seconds) {
        self.heard += 1;
        let of = self.ends[end];
        let known = &mut self.known[end][machine];
        if !*known && memory.has_ended(of.ended.mark, of.ended.moment, seconds) {
            *known = true;
            self.missing -= 1;
            self.delays[usize::from(!of.in_time)].push(now - of.at);
        }
    }

    /// Asks the memory of a machine that has just started and read the stream.
    pub fn newcomer(&mut self, memory: &Memory<'_>, now: Seconds) {
        let ends = self.ends.iter().map(|end| end.ended);
        self.not_in_stream = ends
            .filter(|end| !memory.has_ended(end.mark, end.moment, now))
            .count();
    }

    /// How many ends are still to be known by how many machines.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Asks each machine's memory for each end.
    pub fn finish(&mut self, plan: &Plan, machines: &[Machine<'_>], now: Micros, loads: Vec<Load>) {
        (self.lasted, self.loads, self.storm) = (now, loads, plan.seconds);
        for machine in machines {
            let (memory, seconds) = (machine.feed.memory, machine.seconds(now));
            let forgot = |end: &&End| !memory.has_ended(end.ended.mark, end.ended.moment, seconds);
            self.never_heard += self.ends.iter().filter(forgot).count();
            self.lost_marks += memory.lost();
            let (used, room) = memory.marks_in_use(seconds);
            self.marks = (self.marks.0.max(used), room);
        }
        for delays in &mut self.delays {
            delays.sort_unstable();
        }
    }

    /// The tables.
    pub fn report(&self) -> String {
        let mut text = format!("{} ends, {} machines\n\n", self.ends.len(), self.machines);
        text += "| from the end to known | ends x machines | median | 95 % | 99 % | longest |\n|---|---:|---:|---:|---:|---:|\n";
        for (name, delays) in ["ordered while Redis was there", "ordered while it was away"]
            .iter()
            .zip(&self.delays)
        {
            if delays.is_empty() {
                continue;
            }
            let at = |share: usize| milliseconds(delays[(delays.len() - 1) * share / 100]);
            text += &format!(
                "| {name} | {} | {} | {} | {} | {} |\n",
                delays.len(),
                at(50),
                at(95),
                at(99),
                at(100)
            );
        }
        let (storm, machines) = (self.storm as f64, self.machines as f64);
        let busy = self.loads.iter().take(self.storm as usize).skip(2);
        let mean = |of: Figure| busy.clone().map(of).sum::<f64>() / (storm - 2.0);
        let most = |of: Figure| self.loads.iter().map(of).fold(0.0, f64::max);
        text += "\n| | mean of the storm | busiest second |\n|---|---:|---:|\n";
        let rows: [(&str, Figure, f64); 4] = [
            (
                "Redis: processor in use, %",
                |load| load.busy / SECOND as f64 * 100.0,
                1.0,
            ),
            ("Redis: Mbit/s out", |load| load.bytes as f64 * 8.0 / 1e6, 1.0),
            ("Redis: appends a second", |load| load.appends as f64, 1.0),
            (
                "answers a second to a machine",
                |load| load.answers as f64,
                machines,
            ),
        ];
        for (name, of, by) in rows {
            text += &format!("| {name} | {:.1} | {:.1} |\n", mean(of) / by, most(of) / by);
        }
        let again: usize = self
            .ends
            .iter()
            .map(|end| end.told.saturating_sub(1) as usize)
            .sum();
        text += "\n| | |\n|---|---:|\n";
        for (name, value) in [
            (
                "entries that a machine read, a second",
                format!("{:.1}", self.heard as f64 / machines / storm),
            ),
            ("entries that a failover lost", self.lost_entries.to_string()),
            ("entries that told an end again", again.to_string()),
            ("connections that were made anew", self.connections.to_string()),
            (
                "marks in use, the most of a machine",
                format!("{} of {}", self.marks.0, self.marks.1),
            ),
            ("marks lost, of all machines", self.lost_marks.to_string()),
            (
                "simulated seconds",
                format!("{:.1}", self.lasted as f64 / SECOND as f64),
            ),
            (
                "**ends that are not in the stream for a machine that starts now**",
                self.not_in_stream.to_string(),
            ),
            (
                "**ends that a machine never heard of**",
                self.never_heard.to_string(),
            ),
        ] {
            text += &format!("| {name} | {value} |\n");
        }
        text
    }
}

fn milliseconds(micros: Micros) -> String {
    format!("{:.1} ms", micros as f64 / 1_000.0)
}
