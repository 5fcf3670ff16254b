//! `cargo xtask simulate`: many machines that tell each other of logouts through one stream, while its server goes away
//! and loses entries. Marks and stream are the module's own code; clock, network and server are not.

mod event;
mod machine;
mod measure;
mod outcome;
mod queue;
mod redis;
mod server;
mod world;

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use oxd_core::base::KeyRing;
use oxd_core::shm::{Memory, memory_words};
use zerocopy::FromZeros as _;

use outcome::Outcome;
use server::Costs;
use world::World;

/// The costs are those that `--measure` finds on the machine of docs/SCALING.md.
#[derive(clap::Args, Clone, Debug)]
pub struct Plan {
    /// How many machines read the stream
    #[arg(long, default_value_t = 1_000)]
    machines: usize,
    /// Logouts a second, of all machines
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// How long the storm lasts, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// For how many seconds the server does not answer, after a sixth of the storm; 0: never
    #[arg(long, default_value_t = 10.0)]
    outage: f64,
    /// After how many seconds a replica takes over for the server that dies after two thirds; 0: it does not die
    #[arg(long, default_value_t = 5.0)]
    failover: f64,
    /// The last milliseconds that the replica has not got
    #[arg(long, default_value_t = 500)]
    lost: u64,
    /// By how many milliseconds the clock of the replica is behind
    #[arg(long, default_value_t = 2_000)]
    behind: u64,
    /// By how many milliseconds a machine's clock is ahead or behind at the most
    #[arg(long, default_value_t = 2_000)]
    skew: u64,
    /// How often a machine's connection breaks in an hour
    #[arg(long, default_value_t = 6.0)]
    breaks: f64,
    /// The mean way of a message, in microseconds
    #[arg(long, default_value_t = 250)]
    latency: u64,
    /// The bits that the server's network takes in a second, in millions
    #[arg(long, default_value_t = 1_000)]
    mbits: u64,
    /// Microseconds of the server's processor for an append
    #[arg(long, default_value_t = 20.0)]
    append_cost: f64,
    /// The same for an answer to a reader
    #[arg(long, default_value_t = 30.0)]
    read_cost: f64,
    /// The same for each entry of an answer
    #[arg(long, default_value_t = 0.4)]
    entry_cost: f64,
    /// Microseconds in which a machine takes in an entry
    #[arg(long, default_value_t = 0.5)]
    hear_cost: f64,
    /// `OxdSessionMarks` of each machine
    #[arg(long, default_value_t = 4_096)]
    marks: usize,
    /// Another number is another course of events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure the costs with a redis-server of its own, and print them
    #[arg(long)]
    measure: bool,
    /// The entries and the readers of the measurement
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    #[arg(long, default_value_t = 200)]
    readers: usize,
    /// Whether a new connection reads and tells a minute again, as the module does
    #[arg(skip = true)]
    overlap: bool,
}

impl Plan {
    fn costs(&self) -> Costs {
        Costs {
            append: self.append_cost,
            read: self.read_cost,
            entry: self.entry_cost,
            entry_bytes: 98,
            answer_bytes: 32,
            bandwidth: self.mbits * 1_000_000 / 8,
        }
    }

    /// Runs, and prints what came of it.
    pub fn run(&self) -> Result<(), String> {
        if self.measure {
            return measure::measure(self.entries, self.readers);
        }
        let began = Instant::now();
        let outcome = simulate(self)?;
        print!("{}", outcome.report());
        eprintln!("took {:.1} s", began.elapsed().as_secs_f64());
        match (outcome.never_heard, outcome.not_in_stream) {
            (0, 0) => Ok(()),
            (never, 0) => Err(format!("{never} times a machine never heard of an end")),
            (_, missing) => Err(format!("{missing} ends are not in the stream")),
        }
    }
}

fn simulate(plan: &Plan) -> Result<Outcome, String> {
    let words = memory_words(plan.marks);
    // Pages that are not written cost nothing.
    let memories: Result<Vec<_>, _> = (0..=plan.machines)
        .map(|_| <[AtomicU64]>::new_box_zeroed_with_elems(words))
        .collect();
    let memories = memories.map_err(|_| "not enough memory".to_owned())?;
    let memories: Option<Vec<_>> = memories.iter().map(|words| Memory::over(words)).collect();
    let mut memories = memories.ok_or("no room for marks")?;
    let newcomer = memories.pop().ok_or("no machine")?;
    let keys =
        KeyRing::derive([&b"a key of machines that are simulated, and of no others"[..]]).ok_or("no key")?;
    Ok(World::new(plan, &memories, &keys).run(newcomer))
}

#[cfg(test)]
mod tests;
