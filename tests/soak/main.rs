//! The soak: mixed load on a real httpd with each session store in turn, while it restarts, logs and keys are rotated,
//! and what it needs fails. It watches memory, descriptors, threads and times, and ends badly when something grows, a
//! user sees the session of another, a session that has ended works, a line in the error log is not expected, or a
//! child crashes. `make soak` builds and runs it.

#![forbid(unsafe_code)]

mod day;
mod growth;
mod log;
mod plot;
mod record;
mod sample;
mod site;
mod turn;
mod usage;
mod verdict;
mod visitor;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use oxd_tests::{Browser, Store, StoreKind, TestSite, within};

use crate::day::{REQUESTS, events};
use crate::growth::Growth;
use crate::record::Record;
use crate::sample::{Row, Watch};
use crate::turn::{Load, Part};
use crate::world::{Mischief, World};

/// How long a site may take until it is ready.
const READY: Duration = Duration::from_secs(10);

/// How often piped logs are rotated, in seconds.
const ROTATED: u64 = 20;

/// Mixed load on httpd with mod_oxd, for hours or for a part of a busy day
#[derive(Parser)]
#[command(name = "oxd-soak")]
struct Arguments {
    /// How long, all stores together; fractions are allowed
    #[arg(long, value_name = "NUMBER", conflicts_with = "day")]
    hours: Option<f64>,
    /// How much of a busy site's day, by count
    #[arg(long, value_name = "NUMBER", default_value_t = 1.0)]
    day: f64,
    /// The longest time for it, in minutes; what was reached is said
    #[arg(long, value_name = "NUMBER", default_value_t = 60.0)]
    limit: f64,
    /// Where the load goes by time: the seconds from one fault to the next; restarts come four times as often
    #[arg(long, value_name = "NUMBER", default_value_t = 30.0)]
    between: f64,
    /// The graceful restarts in each store's turn, where the load goes by count
    #[arg(long, value_name = "NUMBER", default_value_t = 40)]
    restarts: usize,
    /// Some of the stores
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Stores::ALL)]
    stores: Vec<Stores>,
    /// The seconds between two samples
    #[arg(long, value_name = "NUMBER", default_value_t = 3.0)]
    every: f64,
    /// The threads that make requests
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    threads: usize,
    /// The visitors of each
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    visitors: usize,
    /// Where the samples, the picture and the tables are written
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,
    /// Do wrong on purpose, to see that it is noticed
    #[arg(long, value_enum)]
    mischief: Option<Mischief>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stores {
    Cookie,
    Shmcb,
    Redis,
    RedisUrl,
    Memcache,
}

impl Stores {
    const ALL: [Stores; 5] = [
        Stores::Cookie,
        Stores::Shmcb,
        Stores::Redis,
        Stores::RedisUrl,
        Stores::Memcache,
    ];

    fn kind(self) -> (StoreKind, &'static str) {
        match self {
            Stores::Cookie => (StoreKind::Cookie, "cookie"),
            Stores::Shmcb => (StoreKind::Shmcb, "shmcb"),
            Stores::Redis => (StoreKind::Redis, "redis:"),
            Stores::RedisUrl => (StoreKind::RedisUrl, "redis://"),
            Stores::Memcache => (StoreKind::Memcache, "memcache:"),
        }
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether somebody wants it to end; it then says what it has seen.
fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    end_when_told();
    let run = Run {
        record: Arc::new(Record::new()),
        rows: Mutex::default(),
        begun: Instant::now(),
        arguments,
    };
    run.all()
}

fn end_when_told() {
    use tokio::signal::unix::{SignalKind, signal};
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).expect("signals");
            let mut terminate = signal(SignalKind::terminate()).expect("signals");
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            INTERRUPTED.store(true, Ordering::SeqCst);
            // Until the process ends: further signals change nothing.
            std::future::pending::<()>().await;
        });
    });
}

struct Run {
    arguments: Arguments,
    record: Arc<Record>,
    rows: Mutex<Vec<Row>>,
    begun: Instant,
}

impl Run {
    fn all(&self) -> ExitCode {
        let mut growths = Vec::new();
        let mut reached = Vec::new();
        let stores = &self.arguments.stores;
        for (number, store) in stores.iter().enumerate() {
            if interrupted() {
                break;
            }
            let (kind, name) = store.kind();
            let share = (number + 1) as f64 / stores.len() as f64;
            reached.push(self.turn(kind, name, number % 2 == 1, share));
            let grown = verdict::growths(name, &self.rows.lock().expect("a lock"));
            for growth in grown.iter().filter(|growth| growth.is_too_much()) {
                let Growth {
                    what,
                    unit,
                    from,
                    to,
                    rise,
                    most,
                } = growth;
                self.record.fault(format!(
                    "{what} grew from {from:.0} to {to:.0} {unit}, by {rise:.1}; at most {most} are allowed"
                ));
            }
            growths.extend(grown);
        }
        self.report(&growths, &reached)
    }

    /// One store's turn; says what was reached.
    fn turn(&self, kind: StoreKind, name: &'static str, piped: bool, share: f64) -> String {
        let (threads, visitors) = (self.arguments.threads, self.arguments.visitors);
        let mut store = kind.start_persistent();
        let everybody =
            (0..threads).flat_map(|thread| (0..visitors).map(move |visitor| site::name(thread, visitor)));
        let rotated = piped.then_some(ROTATED);
        let TestSite { httpd, oxd, site, .. } = site::start(&store, everybody, rotated);
        let url = httpd.url("");
        // As a load balancer does before it sends anybody.
        let (probe, health) = (Browser::new(), format!("{url}/health/ready"));
        let is_ready = || (probe.get(&health).status == 200).then_some(());
        if within(READY, is_ready).is_none() {
            self.record
                .fault(format!("{name}: not ready in {} s", READY.as_secs()));
        }
        let world = World::new(
            self.record.clone(),
            kind,
            (url, site.client_id),
            oxd,
            self.arguments.mischief,
        );
        let (restarts, over, starts) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
        let mut logs = log::Logs::of(httpd.root());
        let watch = Watch {
            world: &world,
            store: name,
            begun: self.begun,
            every: Duration::from_secs_f64(self.arguments.every),
            piped,
            parent: httpd.pid(),
            restarts: &restarts,
            starts: &starts,
            over: &over,
            rows: &self.rows,
        };
        let sampled = AtomicBool::new(false);
        let (said, httpd) = thread::scope(|scope| {
            scope.spawn(|| watch.sample_until(&sampled));
            scope.spawn(|| watch.read_until_over(&mut logs));
            let said = self.parts(&world, &httpd, &mut store, &restarts, &starts, share);
            sampled.store(true, Ordering::SeqCst);
            // Its directory stays until the log has been read to its end.
            let mut httpd = httpd;
            httpd.stop();
            over.store(true, Ordering::SeqCst);
            (said, httpd)
        });
        if let Err(why) = httpd.verdict() {
            self.record.fault(format!("{name}: {why}"));
        }
        format!("{name}: {said}")
    }

    fn parts(
        &self,
        world: &World,
        httpd: &oxd_tests::Httpd,
        store: &mut Store,
        restarts: &AtomicBool,
        starts: &AtomicU64,
        share: f64,
    ) -> String {
        let mut said = Vec::new();
        for (number, is_restarts) in [false, true].into_iter().enumerate() {
            restarts.store(is_restarts, Ordering::SeqCst);
            let (load, events, latest) = self.load(is_restarts, share, number);
            let part = Part {
                world,
                httpd,
                crowd: (self.arguments.threads, self.arguments.visitors),
                latest,
                starts,
            };
            let begun = Instant::now();
            let (reached, held) = part.run(store, load, &events);
            said.push(format!(
                "{} with {held} of {} events, {:.0} % of its load in {:.0} s",
                if is_restarts { "restarts" } else { "quiet part" },
                events.len(),
                reached * 100.0,
                begun.elapsed().as_secs_f64()
            ));
        }
        let line = said.join("; ");
        println!("{line}");
        line
    }

    /// The load of a part of a turn, its events, and when it ends at the latest.
    fn load(&self, restarts: bool, share: f64, number: usize) -> (Load, Vec<day::Event>, Instant) {
        let parts = self.arguments.stores.len() as f64 * 2.0;
        if let Some(hours) = self.arguments.hours {
            let time = Duration::from_secs_f64(hours * 3600.0 / parts);
            let between = self.arguments.between * if restarts { 0.25 } else { 1.0 };
            let count = ((time.as_secs_f64() / between) as usize).max(1);
            let list = events(restarts, count);
            let events = if restarts {
                list
            } else {
                list.into_iter().cycle().take(count).collect()
            };
            return (Load::For(time), events, Instant::now() + time * 2);
        }
        let load = Load::PartOfDay(self.arguments.day / parts);
        // Each part may take its share of all the time, and what those before have left.
        let limit = self.arguments.limit * 60.0;
        let until = limit * (share - (1 - number) as f64 / parts);
        (
            load,
            events(restarts, self.arguments.restarts),
            self.begun + Duration::from_secs_f64(until),
        )
    }

    fn report(&self, growths: &[Growth], reached: &[String]) -> ExitCode {
        let rows = self.rows.lock().expect("a lock");
        let out = &self.arguments.out;
        let minutes = self.begun.elapsed().as_secs_f64() / 60.0;
        let (count, faults) = self.record.faults();
        let day: u64 = REQUESTS.iter().map(|(_, count)| count).sum();
        let mut text = format!("{minutes:.0} minutes; a day has {day} requests\n\n");
        for line in reached {
            text.push_str(&format!("- {line}\n"));
        }
        let (table, counts) = (self.record.table(), self.record.counts());
        text.push_str(&format!("\n{table}\n{counts}\n{}", verdict::table(growths)));
        text.push_str(&format!("\n{count} faults\n"));
        for fault in &faults {
            text.push_str(&format!("- {fault}\n"));
        }
        let picture = plot::svg(
            &rows,
            "httpd with mod_oxd: each store in turn; shaded more: graceful restarts",
        );
        std::fs::create_dir_all(out).expect("a directory for the results");
        let write = |name: &str, text: &str| {
            let path = out.join(name);
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        };
        write("soak.csv", &verdict::csv(&rows));
        write("soak.md", &text);
        match picture {
            Ok(picture) => write("soak.svg", &picture),
            Err(why) => eprintln!("soak: no picture: {why}"),
        }
        println!("{text}\nsoak.csv, soak.md, soak.svg in {}", out.display());
        match (count, interrupted()) {
            (0, false) => ExitCode::SUCCESS,
            (0, true) => ExitCode::from(130),
            _ => ExitCode::FAILURE,
        }
    }
}
