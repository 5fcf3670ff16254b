//! The machines, the server and the network between them, from event to event.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use oxd_core::base::{KeyRing, Seconds};
use oxd_core::session::feed::{Feed, entry};
use oxd_core::shm::{Mark, Memory};
use oxd_store::{MOST, PAUSE, WAITS};

use super::Plan;
use super::event::{Answer, Command, Event, Sender, Way, disturbances};
use super::machine::{BEGINS, Machine};
use super::outcome::Outcome;
use super::queue::{Dice, Micros, Queue, SECOND};
use super::server::{Entry, Server};

/// `OxdStoreTimeout`, as it is by default.
const OPERATION: Micros = 500_000;
const CONNECT: Micros = 250_000;
/// How long a session lives, in seconds.
const LIFETIME: Seconds = Seconds(86_400);
/// How long after the storm everything must be known.
pub const PATIENCE: Micros = 90 * SECOND;

fn micros(duration: Duration) -> Micros {
    duration.as_micros() as Micros
}

pub struct World<'m> {
    plan: Plan,
    keys: &'m KeyRing,
    queue: Queue<Event>,
    dice: Dice,
    server: Server,
    machines: Vec<Machine<'m>>,
    /// The machines whose reading waits, with its number.
    waiting: Vec<(usize, u32)>,
    ends: HashMap<u64, usize>,
    outcome: Outcome,
    is_silent: bool,
    vanished: Micros,
    /// When nothing will disturb any more.
    calm: Micros,
}

impl<'m> World<'m> {
    pub fn new(plan: &Plan, memories: &[Memory<'m>], keys: &'m KeyRing) -> Self {
        let dice = Dice::new(plan.seed);
        let machines = memories.iter().map(|memory| {
            let feed = Feed {
                memory: *memory,
                keys,
            };
            let skew = dice.below(2 * plan.skew + 1) as i64 - plan.skew as i64;
            Machine::new(feed, skew)
        });
        Self {
            machines: machines.collect(),
            queue: Queue::new(),
            server: Server::new(plan.costs(), BEGINS),
            waiting: Vec::new(),
            ends: HashMap::new(),
            outcome: Outcome::new(memories.len()),
            is_silent: false,
            vanished: 0,
            calm: plan.seconds * SECOND,
            plan: plan.clone(),
            keys,
            dice,
        }
    }

    /// The way of a message: half of the mean at least.
    fn way(&self) -> Micros {
        let half = self.plan.latency as f64 / 2.0;
        (half + self.dice.exponential(half)) as Micros
    }

    fn plan_all(&mut self) {
        for machine in 0..self.machines.len() {
            let at = self.dice.below(SECOND);
            self.queue.at(at, Event::Connects(machine, 0));
        }
        self.queue.at(2 * SECOND, Event::End);
        self.queue.at(SECOND, Event::Looks);
        self.next_break();
        for (at, event) in disturbances(&self.plan) {
            self.calm = self.calm.max(at + SECOND);
            self.queue.at(at, event);
        }
    }

    fn next_break(&mut self) {
        let a_second = self.plan.breaks / 3_600.0 * self.machines.len() as f64;
        if a_second > 0.0 {
            let after = self.dice.exponential(SECOND as f64 / a_second) as Micros;
            self.queue.at(self.queue.now() + after, Event::Breaks);
        }
    }

    /// Runs until everything is known everywhere, or must be.
    pub fn run(mut self, newcomer: Memory<'m>) -> Outcome {
        self.plan_all();
        while let Some(event) = self.queue.next() {
            let now = self.queue.now();
            if let Event::Looks = event {
                let is_over = now > self.calm && self.outcome.missing() == 0;
                if is_over || now > self.calm + PATIENCE {
                    break;
                }
                self.queue.at(now + SECOND, Event::Looks);
            } else {
                self.happens(now, event);
            }
        }
        self.outcome
            .finish(&self.plan, &self.machines, self.queue.now(), self.server.loads);
        let feed = Feed {
            memory: newcomer,
            keys: self.keys,
        };
        let seconds = Machine::new(feed, 0).seconds(self.queue.now());
        for entry in &self.server.stream {
            feed.hear(entry.number.0, &entry.sealed, seconds);
        }
        self.outcome.newcomer(&newcomer, seconds);
        self.outcome
    }

    fn happens(&mut self, now: Micros, event: Event) {
        match event {
            Event::End => self.end(now),
            Event::Arrives(way, command) => self.arrives(now, way, command),
            Event::Answered(way, answer, left, epoch) => {
                if epoch != self.server.epoch && left > self.vanished {
                    self.will_fail(now, way);
                } else {
                    self.answered(now, way, answer);
                }
            }
            Event::Fails(way) => self.fails(now, way),
            Event::Connects(machine, connection) if self.is_current(machine, connection) => {
                if self.server.is_there {
                    let after = (0..4).map(|_| self.way()).sum::<Micros>();
                    self.queue.at(now + after, Event::Connected(machine, connection));
                } else {
                    let after = if self.is_silent { CONNECT } else { 2 * self.way() };
                    self.queue
                        .at(now + after + micros(PAUSE), Event::Connects(machine, connection));
                }
            }
            Event::Connected(machine, connection) if self.is_current(machine, connection) => {
                self.machines[machine].begin(now, self.plan.overlap);
                self.read(now, machine);
            }
            Event::Waited(machine, reading) => {
                if let Some(place) = self.waiting.iter().position(|waits| *waits == (machine, reading)) {
                    self.waiting.remove(place);
                    self.answer(now, machine);
                }
            }
            Event::Breaks => {
                let machine = self.dice.below(self.machines.len() as u64) as usize;
                self.connect_again(now, machine);
                self.next_break();
            }
            Event::Vanishes(is_silent) => {
                (self.is_silent, self.vanished) = (is_silent, now);
                self.server.vanish();
                for (machine, _) in std::mem::take(&mut self.waiting) {
                    let way = self.reader(machine);
                    self.will_fail(now, way);
                }
            }
            Event::Returns => self.server.return_at(now),
            Event::TakesOver => {
                let since = self.vanished.saturating_sub(self.plan.lost * 1_000);
                self.outcome.lost_entries += self.server.take_over(since, self.plan.behind);
                self.server.return_at(now);
            }
            Event::Connects(..) | Event::Connected(..) | Event::Looks => {}
        }
    }

    fn is_current(&self, machine: usize, connection: u32) -> bool {
        self.machines[machine].connection == connection
    }

    fn reader(&self, machine: usize) -> Way {
        let reader = &self.machines[machine];
        Way {
            machine,
            sender: Sender::Reader(reader.connection),
            sent: reader.sent,
        }
    }

    /// A session ends at some machine, which tells the others: `session::revoke`.
    fn end(&mut self, now: Micros) {
        if now >= self.plan.seconds * SECOND {
            return;
        }
        let after = self.dice.exponential(SECOND as f64 / self.plan.rate);
        self.queue.at(now + after as Micros, Event::End);
        let machine = self.dice.below(self.machines.len() as u64) as usize;
        let Some(mark) = Mark::stored(self.dice.word()) else {
            return;
        };
        let here = &self.machines[machine];
        let (moment, seconds) = (here.clock(now), here.seconds(now));
        let ended = here
            .feed
            .memory
            .end_to_tell(mark, moment, seconds, seconds.saturating_add(LIFETIME));
        let number = self.outcome.ended(ended, machine, now, self.server.is_there);
        self.ends.insert(mark.word(), number);
        let sealed = entry(&self.dice, here.feed.keys, &ended);
        match sealed {
            Ok(sealed) if here.rests_until <= now => {
                let way = Way {
                    machine,
                    sender: Sender::Request,
                    sent: now,
                };
                self.send(now, way, Command::Append(ended, sealed.into()));
            }
            _ => here.feed.memory.note_untold(),
        }
    }

    fn send(&mut self, now: Micros, way: Way, command: Command) {
        if let Sender::Reader(_) = way.sender {
            self.machines[way.machine].sent = now;
        }
        let arrives = now + self.way();
        self.queue.at(arrives, Event::Arrives(way, command));
    }

    fn read(&mut self, now: Micros, machine: usize) {
        self.machines[machine].sent = now;
        let way = self.reader(machine);
        self.send(now, way, Command::Read);
    }

    /// How long an answer is waited for.
    fn limit(&self, way: &Way) -> Micros {
        match way.sender {
            Sender::Request => way.sent + OPERATION,
            Sender::Reader(_) if self.machines[way.machine].telling.is_empty() => {
                way.sent + OPERATION + micros(WAITS)
            }
            Sender::Reader(_) => self.machines[way.machine].deadline,
        }
    }

    /// There is no answer: it is waited for if the server is silent.
    fn will_fail(&mut self, now: Micros, way: Way) {
        let at = match self.is_silent {
            true => self.limit(&way),
            false => now + self.way(),
        };
        self.queue.at(at, Event::Fails(way));
    }

    fn arrives(&mut self, now: Micros, way: Way, command: Command) {
        if !self.server.is_there {
            return self.will_fail(now, way);
        }
        match command {
            Command::Append(ended, sealed) => {
                let number = self.ends[&ended.mark.word()];
                self.outcome.ends[number].told += 1;
                let left = self.server.append(now, number, sealed);
                self.leaves(left, way, Answer::Appended(ended));
                for (machine, _) in std::mem::take(&mut self.waiting) {
                    self.answer(now, machine);
                }
            }
            Command::Read => {
                if way.sender != Sender::Reader(self.machines[way.machine].connection) {
                    return;
                }
                let reader = &mut self.machines[way.machine];
                reader.reading += 1;
                let (reading, after) = (reader.reading, reader.after);
                let (first, end) = self.server.after(after, MOST);
                if first < end {
                    return self.answer(now, way.machine);
                }
                self.waiting.push((way.machine, reading));
                self.queue
                    .at(now + micros(WAITS), Event::Waited(way.machine, reading));
            }
        }
    }

    /// The server answers the reading of a machine.
    fn answer(&mut self, now: Micros, machine: usize) {
        let (first, end) = self.server.after(self.machines[machine].after, MOST);
        let entries = self.server.stream[first..end].to_vec();
        let left = self.server.answer(now, entries.len());
        let way = self.reader(machine);
        self.leaves(left, way, Answer::Entries(entries));
    }

    fn leaves(&mut self, left: Micros, way: Way, answer: Answer) {
        let arrives = left + self.way();
        let limit = self.limit(&way);
        if arrives > limit {
            return self.queue.at(limit, Event::Fails(way));
        }
        self.queue
            .at(arrives, Event::Answered(way, answer, left, self.server.epoch));
    }

    fn answered(&mut self, now: Micros, way: Way, answer: Answer) {
        let machine = way.machine;
        match (way.sender, answer) {
            (Sender::Request, Answer::Appended(ended)) => self.machines[machine].feed.memory.told(&ended),
            (Sender::Reader(connection), answer) if self.is_current(machine, connection) => match answer {
                Answer::Entries(entries) => self.hears(now, machine, &entries),
                Answer::Appended(ended) => {
                    let here = &mut self.machines[machine];
                    here.feed.told(&ended, here.clock(now));
                    here.telling.pop_front();
                    self.tells(now, machine);
                }
            },
            _ => {}
        }
    }

    /// What the reading process does with entries, and what it does then.
    fn hears(&mut self, now: Micros, machine: usize, entries: &[Entry]) {
        let here = &mut self.machines[machine];
        let (seconds, memory) = (here.seconds(now), here.feed.memory);
        for entry in entries {
            here.feed.hear(entry.number.0, &entry.sealed, seconds);
            here.after = entry.number;
            self.outcome.heard(machine, entry.end, now, &memory, seconds);
        }
        let done = now + (entries.len() as f64 * self.plan.hear_cost) as Micros;
        if entries.len() == MOST {
            return self.read(done, machine);
        }
        here.feed.caught_up(here.after.0, here.clock(now));
        if here.is_to_tell(now) {
            here.looked = Some(now);
            let untold = here.feed.untold(&self.dice, seconds, MOST);
            here.telling = untold.map(Into::into).unwrap_or_default();
            here.told = here.telling.len();
            here.deadline = done + OPERATION + micros(WAITS);
        }
        self.tells(done, machine);
    }

    /// Tells the next end that is yet to be told, or reads on.
    fn tells(&mut self, now: Micros, machine: usize) {
        let way = self.reader(machine);
        let here = &mut self.machines[machine];
        if let Some((ended, sealed)) = here.telling.front() {
            let (ended, sealed) = (*ended, Rc::from(sealed.as_slice()));
            let way = Way { sent: now, ..way };
            return self.send(now, way, Command::Append(ended, sealed));
        }
        if std::mem::take(&mut here.told) == MOST {
            here.feed.memory.note_untold();
        }
        self.read(now, machine);
    }

    fn fails(&mut self, now: Micros, way: Way) {
        match way.sender {
            Sender::Request => {
                let here = &mut self.machines[way.machine];
                here.feed.memory.note_untold();
                here.rests_until = now + micros(PAUSE);
            }
            Sender::Reader(connection) if self.is_current(way.machine, connection) => {
                self.connect_again(now, way.machine);
            }
            Sender::Reader(_) => {}
        }
    }

    fn connect_again(&mut self, now: Micros, machine: usize) {
        let here = &mut self.machines[machine];
        here.connection += 1;
        here.telling.clear();
        let connection = here.connection;
        self.waiting.retain(|(waits, _)| *waits != machine);
        self.outcome.connections += 1;
        self.queue
            .at(now + micros(PAUSE), Event::Connects(machine, connection));
    }
}
