//! The stream of ends between machines, in sequences of events that nobody wrote down: outages, answers that are lost,
//! processes and servers that die, masters that were behind, streams that are emptied. Once all is well for a moment,
//! every machine knows every end; until then none knows of an end that nobody has ordered, or forgets one.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::*;
use crate::base::{SiteId, SystemRandom};
use crate::shm::{About, Keeper, memory_words};
use crate::testing::{NOW, keys, machines};

const MACHINES: usize = 3;
const USERS: usize = 2;
/// Room for marks at each machine.
const MARKS: usize = 16;
/// How long sessions live: longer than a sequence lasts.
const LIFETIME: Seconds = Seconds(28_800);

/// What is to be known: the time, and when the sessions of each user were ended last.
#[derive(Clone, Debug)]
struct Known {
    now: Millis,
    ended: [Option<Millis>; USERS],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Append {
    Works,
    Fails,
    /// It is in the stream, and nobody was told so.
    AnswerIsLost,
}

#[derive(Clone, Debug)]
enum Step {
    /// A machine ends the sessions of a user.
    End(usize, usize, Append),
    /// Its reader connects, and reads so many entries.
    Read(usize, usize),
    /// Its reader reads everything, and tells so many ends before it is killed, or all.
    ReadAndTell(usize, usize),
    /// A process of it is killed while it reads.
    Kill(usize),
    /// All of it is killed, and starts again with its file after so many milliseconds.
    Restart(usize, u64),
    /// A server takes over that has not heard the last milliseconds, and whose clock is behind.
    Failover(u64, u64),
    /// The server starts again, with nothing.
    Empty,
    Down,
    Up,
    Wait(u64),
    /// For a moment, everything works.
    Heal,
}

impl ReferenceStateMachine for Known {
    type State = Known;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Known> {
        Just(Known {
            now: NOW.millis(),
            ended: [None; USERS],
        })
        .boxed()
    }

    fn transitions(_: &Known) -> BoxedStrategy<Step> {
        let append = || {
            prop_oneof![
                4 => Just(Append::Works),
                1 => Just(Append::Fails),
                1 => Just(Append::AnswerIsLost),
            ]
        };
        prop_oneof![
            8 => (0..MACHINES, 0..USERS, append()).prop_map(|(at, user, append)| Step::End(at, user, append)),
            3 => (0..MACHINES, 0..4usize).prop_map(|(at, most)| Step::Read(at, most)),
            6 => (0..MACHINES, 0..4usize).prop_map(|(at, most)| Step::ReadAndTell(at, most)),
            2 => (0..MACHINES).prop_map(Step::Kill),
            1 => (0..MACHINES, 500..20_000u64).prop_map(|(at, after)| Step::Restart(at, after)),
            2 => (0..3_000u64, 0..30_000u64).prop_map(|(lost, behind)| Step::Failover(lost, behind)),
            1 => Just(Step::Empty),
            1 => Just(Step::Down),
            2 => Just(Step::Up),
            4 => prop_oneof![0..1_000u64, 1_000..8_000u64, 50_000..300_000u64].prop_map(Step::Wait),
            1 => Just(Step::Heal),
        ]
        .boxed()
    }

    fn apply(mut known: Known, step: &Step) -> Known {
        known.now = Millis(known.now.0 + 1);
        match step {
            Step::End(_, user, _) => known.ended[*user] = Some(known.now),
            Step::Wait(time) | Step::Restart(_, time) => known.now = Millis(known.now.0 + time),
            _ => {}
        }
        known
    }
}

/// The file of a machine.
#[derive(Debug)]
struct File(Mutex<Vec<u64>>);

impl Keeper for File {
    fn keep(&self, at: usize, words: &[u64]) {
        self.0.lock().unwrap()[at..at + words.len()].copy_from_slice(words);
    }
}

fn mark(user: usize) -> Mark {
    Mark::of(About::User, SiteId("site"), &[&user.to_string()])
}

thread_local! {
    /// Memory of machines that are no more, empty again: it takes longer to make than a sequence takes.
    static SPARE: RefCell<Vec<Vec<AtomicU64>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Machine {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.words);
        // What this test leaves there: the header but for its layout, and the marks at the end.
        let used = words[1..16].iter().chain(&words[memory_words(0)..]);
        used.for_each(|word| word.store(0, Ordering::Relaxed));
        SPARE.with_borrow_mut(|spare| spare.push(words));
    }
}

/// The number of an entry: the server's time in milliseconds, and a count.
type Number = (u64, u64);

struct Machine {
    words: Vec<AtomicU64>,
    file: File,
    /// Its connection: of which server, and after which entry it reads on.
    reads: Option<(usize, Number)>,
    /// The latest end of each user that it has known.
    known: [Option<Millis>; USERS],
}

impl Machine {
    fn start(kept: &[u64], now: Seconds) -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let words = spare.unwrap_or_else(|| (0..memory_words(MARKS)).map(|_| AtomicU64::new(0)).collect());
        let memory = Memory::over(&words).unwrap();
        let file = File(Mutex::new(vec![0; memory.kept_words()]));
        let _ = memory.kept_by(&file, kept, now);
        Self {
            words,
            file,
            reads: None,
            known: [None; USERS],
        }
    }

    fn memory(&self, now: Millis) -> Memory<'_> {
        memory_of(&self.words, &self.file, now)
    }
}

fn memory_of<'m>(words: &'m [AtomicU64], file: &'m File, now: Millis) -> Memory<'m> {
    Memory::over(words).unwrap().kept_by(file, &[], now.seconds())
}

struct Entry {
    number: Number,
    told: Millis,
    sealed: Vec<u8>,
}

/// The server with the stream.
struct Server {
    /// Changes with each server that takes over, and whenever it was away.
    connections: usize,
    is_up: bool,
    behind: u64,
    entries: Vec<Entry>,
}

impl Server {
    fn append(&mut self, sealed: Vec<u8>, now: Millis) {
        let time = now.0 - self.behind;
        let last = self.entries.last().map_or((0, 0), |entry| entry.number);
        let number = if time > last.0 {
            (time, 0)
        } else {
            (last.0, last.1 + 1)
        };
        self.entries.push(Entry {
            number,
            told: now,
            sealed,
        });
    }
}

struct Cluster {
    keys: KeyRing,
    machines: Vec<Machine>,
    server: Server,
}

impl Cluster {
    fn end(&mut self, at: usize, user: usize, append: Append, now: Millis) {
        let memory = self.machines[at].memory(now);
        let moment = memory.moment(now);
        assert_eq!(moment, now, "no clock is ahead");
        let until = now.seconds() + LIFETIME.0;
        let ended = memory.end_to_tell(mark(user), moment, now.seconds(), until);
        let sealed = entry(&SystemRandom, &self.keys, &ended).unwrap();
        if self.server.is_up && append != Append::Fails {
            self.server.append(sealed, now);
        }
        if self.server.is_up && append == Append::Works {
            memory.told(&ended);
        } else {
            memory.note_untold();
        }
    }

    /// Reads as the process does that follows the stream (`oxd_store::stream`); whether it has come to the end.
    fn read(&mut self, at: usize, most: usize, now: Millis) -> bool {
        if !self.server.is_up {
            self.machines[at].reads = None;
            return false;
        }
        let machine = &mut self.machines[at];
        let memory = memory_of(&machine.words, &machine.file, now);
        let feed = Feed {
            memory,
            keys: &self.keys,
        };
        let is_connected = machine
            .reads
            .is_some_and(|(connection, _)| connection == self.server.connections);
        if !is_connected {
            let first = self.server.entries.first().map(|entry| entry.number.0);
            let position = memory.position();
            let is_new = first.is_none_or(|first| position > 0 && first > position);
            machine.reads = Some((self.server.connections, (feed.begin(is_new, now), 0)));
        }
        let (_, after) = machine.reads.as_mut().unwrap();
        let from = *after;
        let mut left = self.server.entries.iter().filter(|entry| entry.number > from);
        for entry in left.by_ref().take(most) {
            assert!(feed.hear(entry.number.0, &entry.sealed, now.seconds()));
            *after = entry.number;
        }
        if left.next().is_some() {
            return false;
        }
        feed.caught_up(after.0, now);
        true
    }

    fn read_and_tell(&mut self, at: usize, most: usize, now: Millis) {
        if !self.read(at, usize::MAX, now) {
            return;
        }
        let machine = &mut self.machines[at];
        let memory = memory_of(&machine.words, &machine.file, now);
        let feed = Feed {
            memory,
            keys: &self.keys,
        };
        memory.take_untold();
        let untold = feed.untold(&SystemRandom, now.seconds(), 1_000).unwrap();
        let is_killed = most < untold.len();
        for (count, (ended, sealed)) in untold.into_iter().enumerate().take(most + 1) {
            self.server.append(sealed, now);
            // Who is killed has told one more than it knows of.
            if count < most {
                feed.told(&ended, now);
            }
        }
        if is_killed {
            machine.reads = None;
        }
    }

    fn heal(&mut self, now: Millis) {
        self.server.is_up = true;
        for _ in 0..2 {
            for at in 0..MACHINES {
                self.read_and_tell(at, usize::MAX - 1, now);
            }
        }
        for machine in &self.machines {
            assert_eq!(machine.memory(now).untold(now.seconds()).count(), 0);
        }
    }

    fn all_is_known(&self, known: &Known) {
        for (user, ended) in known.ended.iter().enumerate() {
            for machine in &self.machines {
                let memory = machine.memory(known.now);
                let has_ended =
                    ended.is_none_or(|moment| memory.has_ended(mark(user), moment, known.now.seconds()));
                assert!(has_ended, "each machine knows each end");
            }
        }
    }
}

impl StateMachineTest for Cluster {
    type SystemUnderTest = Cluster;
    type Reference = Known;

    fn init_test(known: &Known) -> Cluster {
        Cluster {
            keys: keys(),
            machines: (0..MACHINES)
                .map(|_| Machine::start(&[], known.now.seconds()))
                .collect(),
            server: Server {
                connections: 0,
                is_up: true,
                behind: 0,
                entries: Vec::new(),
            },
        }
    }

    fn apply(mut cluster: Cluster, known: &Known, step: Step) -> Cluster {
        let now = known.now;
        match step {
            Step::End(at, user, append) => {
                cluster.end(at, user, append, now);
                let memory = cluster.machines[at].memory(now);
                assert!(
                    memory.has_ended(mark(user), now, now.seconds()),
                    "at once, where it was ordered"
                );
            }
            Step::Read(at, most) => drop(cluster.read(at, most, now)),
            Step::ReadAndTell(at, most) => cluster.read_and_tell(at, most, now),
            Step::Kill(at) => cluster.machines[at].reads = None,
            Step::Restart(at, _) => {
                let kept = cluster.machines[at].file.0.lock().unwrap().clone();
                let known = cluster.machines[at].known;
                cluster.machines[at] = Machine::start(&kept, now.seconds());
                cluster.machines[at].known = known;
            }
            Step::Failover(lost, behind) => {
                cluster.server.connections += 1;
                cluster.server.behind = behind;
                cluster.server.entries.retain(|entry| entry.told.0 + lost < now.0);
            }
            Step::Empty => {
                cluster.server.connections += 1;
                cluster.server.entries.clear();
            }
            Step::Down => {
                cluster.server.connections += 1;
                cluster.server.is_up = false;
            }
            Step::Up => cluster.server.is_up = true,
            Step::Wait(_) => {}
            Step::Heal => {
                cluster.heal(now);
                cluster.all_is_known(known);
            }
        }
        for machine in &mut cluster.machines {
            let memory = Memory::over(&machine.words).unwrap();
            for (user, ended) in known.ended.iter().enumerate() {
                let is_known = |moment: Millis| memory.has_ended(mark(user), moment, now.seconds());
                let seen = &mut machine.known[user];
                assert!(seen.is_none_or(is_known), "what has ended stays ended");
                *seen = ended.filter(|moment| is_known(*moment)).or(*seen);
            }
        }
        cluster
    }

    fn check_invariants(cluster: &Cluster, known: &Known) {
        for (user, ended) in known.ended.iter().enumerate() {
            let later = Millis(ended.map_or(1, |moment| moment.0 + 1));
            for machine in &cluster.machines {
                let memory = Memory::over(&machine.words).unwrap();
                let has_ended = memory.has_ended(mark(user), later, known.now.seconds());
                assert!(!has_ended, "nobody has ended a session that began later");
            }
        }
    }

    fn teardown(mut cluster: Cluster, known: Known) {
        cluster.heal(known.now);
        cluster.all_is_known(&known);
    }
}

prop_state_machine! {
    #![proptest_config(machines(32))]

    #[test]
    fn every_end_is_known_everywhere_once_all_is_well(sequential 1..60 => Cluster);
}
