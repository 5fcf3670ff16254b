//! One store's turn: load from many threads while one, which started the store, breaks and mends things.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_dev::Fault;
use oxd_tests::{Httpd, Store, StoreKind, within};

use crate::day::{Event, REQUESTS};
use crate::site::{key, name};
use crate::visitor::Visitors;
use crate::world::{Mischief, Trouble, World};

/// How long something stays broken.
const BROKEN: Duration = Duration::from_secs(3);

/// How long a part lasts before connections are kept on purpose.
const WARM: Duration = Duration::from_secs(4);

/// The least time between two new keys of the provider.
const KEYS: Duration = Duration::from_secs(90);

/// How long a restart may take on a loaded machine.
const RESTART: Duration = Duration::from_secs(60);

/// How much load there is.
#[derive(Clone, Copy)]
pub enum Load {
    /// For this time.
    For(Duration),
    /// This part of a day's requests.
    PartOfDay(f64),
}

/// A part of a turn.
pub struct Part<'a> {
    /// The site and what is seen of it.
    pub world: &'a World,
    /// The httpd.
    pub httpd: &'a Httpd,
    /// The number of threads that make requests, each with so many visitors.
    pub crowd: (usize, usize),
    /// When to end, whatever is left.
    pub latest: Instant,
    /// How often httpd has said that it runs, by the reader of its log.
    pub starts: &'a AtomicU64,
}

/// How often each kind was done.
struct Done([AtomicU64; REQUESTS.len()]);

impl Done {
    fn fraction(&self, part: f64) -> f64 {
        let target = |number: usize| (REQUESTS[number].1 as f64 * part).max(1.0);
        let done = (0..REQUESTS.len()).map(|number| {
            let done = self.0[number].load(Ordering::Relaxed) as f64;
            done.min(target(number))
        });
        done.sum::<f64>() / (0..REQUESTS.len()).map(target).sum::<f64>()
    }

    /// The number of a kind of which there is still some to do; of any, once all is done. While oxd is away, who has
    /// `patience` goes on waiting for it, and the others look at pages.
    fn choose(&self, visitors: &mut Visitors<'_>, part: Option<f64>, patience: bool) -> usize {
        let left = |number: usize| {
            let Some(part) = part else {
                return REQUESTS[number].1;
            };
            let target = (REQUESTS[number].1 as f64 * part) as u64;
            target.saturating_sub(self.0[number].load(Ordering::Relaxed))
        };
        let pages = |number: usize| match REQUESTS[number] {
            (kind, _) if kind.needs_oxd() => 0,
            (_, count) => count,
        };
        let mut weights: [u64; REQUESTS.len()] = match patience {
            true => std::array::from_fn(left),
            false => std::array::from_fn(pages),
        };
        if weights.iter().sum::<u64>() == 0 {
            weights = REQUESTS.map(|(_, count)| count);
        }
        let mut at = visitors.random(weights.iter().sum());
        for (number, weight) in weights.iter().enumerate() {
            if at < *weight {
                return number;
            }
            at -= weight;
        }
        0
    }
}

impl Part<'_> {
    /// Runs it; returns the part of its load that was reached, and how many of its events.
    pub fn run(&self, store: &mut Store, load: Load, events: &[Event]) -> (f64, usize) {
        let done = Done(std::array::from_fn(|_| AtomicU64::new(0)));
        let begun = Instant::now();
        self.world.over.store(false, Ordering::SeqCst);
        let reached = || match load {
            Load::For(time) => begun.elapsed().as_secs_f64() / time.as_secs_f64().max(0.001),
            Load::PartOfDay(part) => done.fraction(part),
        };
        let part = match load {
            Load::For(_) => None,
            Load::PartOfDay(part) => Some(part),
        };
        let held = thread::scope(|scope| {
            for number in 0..self.crowd.0 {
                let done = &done;
                scope.spawn(move || self.visit(number, done, part));
            }
            if self.world.mischief == Some(Mischief::Descriptors) {
                scope.spawn(|| self.keep_connections());
            }
            let mut held = 0;
            // Everything in the middle: load before the first event and after the last one.
            while !self.world.is_over() && Instant::now() < self.latest && !crate::interrupted() {
                let due = (held + 1) as f64 / (events.len() + 1) as f64;
                match events.get(held) {
                    Some(event) if reached() >= due => {
                        if self.hold(*event, store) {
                            self.world.record.happened(event.name().to_owned());
                        }
                        held += 1;
                    }
                    None if reached() >= 1.0 => break,
                    _ => thread::sleep(Duration::from_millis(20)),
                }
            }
            self.world.over.store(true, Ordering::SeqCst);
            held
        });
        (reached().min(1.0), held)
    }

    /// Opens connections that nobody closes, once the warm-up is over.
    fn keep_connections(&self) {
        let (begun, mut kept) = (Instant::now(), Vec::new());
        while !self.world.is_over() {
            thread::sleep(Duration::from_millis(50));
            if begun.elapsed() < WARM {
                continue;
            }
            if let Ok(mut stream) = TcpStream::connect(self.httpd.address()) {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                kept.push(stream);
            }
        }
    }

    fn visit(&self, number: usize, done: &Done, part: Option<f64>) {
        let names = (0..self.crowd.1).map(|visitor| name(number, visitor));
        let mut visitors = Visitors::new(self.world, number, names);
        while !self.world.is_over() {
            let now = Instant::now();
            let patience = number.is_multiple_of(4) || !self.world.troubled(&[Trouble::Oxd], now, now);
            let chosen = done.choose(&mut visitors, part, patience);
            visitors.act(REQUESTS[chosen].0);
            done.0[chosen].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Does what an event is; whether there was something to do.
    fn hold(&self, event: Event, store: &mut Store) -> bool {
        let world = self.world;
        match event {
            Event::Graceful => self.restart(),
            Event::Rotation => {
                rotate(self.httpd.root());
                self.restart();
            }
            Event::CryptoKey => {
                let number = world.keys.load(Ordering::SeqCst) + 1;
                let file = |name: &str| self.httpd.file(name);
                let written = fs::write(file("oxd-key.old"), key(number - 1));
                written
                    .and_then(|()| fs::write(file("oxd-key"), key(number)))
                    .expect("a key can be written");
                world.keys.store(number, Ordering::SeqCst);
                self.restart();
            }
            Event::SigningKey => {
                // A child fetches keys for an unknown one once a minute (docs/SECURITY-NOTES.md), and may have been
                // late.
                let rested = || world.is_over() || world.key_age() > KEYS || crate::interrupted();
                within(KEYS, || rested().then_some(()));
                // To make an RSA key takes the development provider seconds on a loaded machine, and others wait.
                world.begin(Trouble::Oxd);
                world.oxd.read().expect("a lock").rotate_key();
                world.new_key();
                world.end(Trouble::Oxd);
            }
            Event::RetiredKeys => {
                // A JWT or logout token that was signed with an old key and is still under way would be refused; the
                // one that signs now is younger than that.
                thread::sleep(BROKEN);
                world.oxd.read().expect("a lock").retire_keys();
            }
            Event::OxdStalled => self.broken(Trouble::Oxd, |on| self.stall_oxd(on)),
            Event::OxdStalledAtRestart => self.broken(Trouble::Oxd, |on| {
                self.stall_oxd(on);
                if on {
                    self.restart();
                }
            }),
            Event::OxdGone => self.broken(Trouble::Oxd, |on| {
                let mut oxd = world.oxd.write().expect("a lock");
                if on { oxd.stop() } else { oxd.resume() }
            }),
            Event::StoreStalled if store.has_server() => {
                self.broken(Trouble::Store, |on| {
                    if on {
                        store.server().stall()
                    } else {
                        store.server().go_on()
                    }
                });
            }
            Event::StoreKilled if store.has_server() => self.broken(Trouble::Store, |on| {
                // Memcached forgets everything; the Redis servers write everything down.
                let forgets = world.store == StoreKind::Memcache;
                world.epoch.fetch_add(u64::from(forgets), Ordering::SeqCst);
                if on {
                    store.server_mut().kill()
                } else {
                    store.server_mut().start()
                }
            }),
            // Other stores have no server that could fail.
            Event::StoreStalled | Event::StoreKilled => return false,
        }
        true
    }

    fn stall_oxd(&self, on: bool) {
        let oxd = self.world.oxd.read().expect("a lock");
        if on {
            oxd.fault("*", Fault::Hang)
        } else {
            oxd.clear_faults()
        }
    }

    fn broken(&self, trouble: Trouble, mut switch: impl FnMut(bool)) {
        self.world.begin(trouble);
        switch(true);
        thread::sleep(BROKEN);
        switch(false);
        self.world.end(trouble);
    }

    /// A graceful restart. It must come to its end, and the processes of before must go.
    fn restart(&self) {
        let world = self.world;
        let forgets = u64::from(world.store == StoreKind::Shmcb);
        world.begin(Trouble::Restart);
        world.epoch.fetch_add(forgets, Ordering::SeqCst);
        let before = self.starts.load(Ordering::SeqCst);
        let children = self.httpd.children();
        signal(self.httpd.pid(), Signal::SIGUSR1);
        let is_new = || (self.starts.load(Ordering::SeqCst) > before).then_some(());
        if within(RESTART, is_new).is_none() {
            world.record.fault(format!(
                "{:?}: a graceful restart took over {RESTART:?}",
                world.store
            ));
            world.over.store(true, Ordering::SeqCst);
        }
        world.epoch.fetch_add(forgets, Ordering::SeqCst);
        let gone = || {
            let now = self.httpd.children();
            children.iter().all(|child| !now.contains(child)).then_some(())
        };
        if within(RESTART, gone).is_none() {
            world.record.fault(format!(
                "{:?}: children of before stay: {children:?}",
                world.store
            ));
        }
        world.end(Trouble::Restart);
        world.new_children();
        if let (Some(Mischief::Crash), Some(child)) = (world.mischief, self.httpd.children().first()) {
            signal(*child, Signal::SIGSEGV);
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    // A child may have ended meanwhile.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Moves the logs away as logrotate does. Of the error log all are kept: their reader knows files by their inodes,
/// which the system gives away again.
fn rotate(root: &Path) {
    // With piped logs there is nothing to move, and error.log is another name of a file of rotatelogs.
    if !root.join("access.log").exists() {
        return;
    }
    let free = (1..)
        .map(|number| root.join(format!("error.log.{number}")))
        .find(|path| !path.exists());
    let error = free.into_iter().map(|to| ("error.log", to));
    let others = ["access.log", "audit.log"].map(|name| (name, root.join(format!("{name}.1"))));
    for (name, to) in error.chain(others) {
        fs::rename(root.join(name), to).unwrap_or_else(|error| panic!("{name} cannot be moved: {error}"));
    }
}
