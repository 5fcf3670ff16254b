//! `kill -9` of a random process at random points under load.
//!
//! Afterwards nobody is taken for another, no session lives that was ended, none is lost that need not be, and all goes
//! on without anybody's help but systemd's, which starts again whoever has no parent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use oxd_tests::{Httpd, WAIT, wait_until, within};
use regex::Regex;

use super::crowd::{User, look};
use super::random::{Random, rounds, seed};
use super::service::{Place, USERS, site};
use super::victim::{Victim, pause};
use super::weather::Weather;

/// How long nothing must have failed at the end.
pub(crate) const QUIET: Duration = Duration::from_millis(1_500);

/// The lines that blows may leave, each with whose doing it is.
const EXPECTED: [&str; 5] = [
    // httpd says which child was killed, and slows down when many are.
    r"AH00052: child pid \d+ exit signal Killed",
    r"AH10392: children are killed successively",
    // A parent that was killed leaves its file.
    r"AH00098: pid file .* overwritten",
    // The store, by the module and by httpd's client.
    r"\[oxd:error\].* store_unavailable: |\[socache_(redis|memcache):",
    r"\[oxd:(warn|error)\].* oxd_(unreachable|resting|busy|timeout|answer): ",
];

#[test]
fn sessions_in_cookies() {
    kill_and_kill_again(Place::Cookie);
}

#[test]
fn sessions_in_shared_memory() {
    kill_and_kill_again(Place::Shmcb);
}

#[test]
fn sessions_in_redis() {
    kill_and_kill_again(Place::Redis);
}

#[test]
fn sessions_in_redis_by_its_url() {
    kill_and_kill_again(Place::RedisUrl);
}

#[test]
fn sessions_in_a_redis_that_writes_everything_down() {
    kill_and_kill_again(Place::KeptRedisUrl);
}

#[test]
fn sessions_in_memcached() {
    kill_and_kill_again(Place::Memcache);
}

fn kill_and_kill_again(place: Place) {
    let seed = seed();
    println!("{place:?}: OXD_CRASH_SEED={seed}");
    let mut random = Random::new(seed, 0);
    let mut store = place.store();
    let mut site = site(&store).start();
    for line in EXPECTED {
        site.httpd.allow_log(line);
    }
    let before = Leftovers::of(&site.httpd, &[]);
    let weather = Weather::default();
    let address = site.url("");
    let (mut killed, mut parents) = (Vec::new(), Vec::new());
    let mut blows: BTreeMap<Victim, (usize, Duration)> = BTreeMap::new();
    let deck = Victim::all(place);
    let rounds = rounds(deck.len());
    thread::scope(|scope| {
        let (weather, address) = (&weather, address.as_str());
        // Whatever fails below, the users go home.
        let _end = AtTheEnd(weather);
        for number in 0..USERS {
            scope.spawn(move || User::new(weather, address, number, seed).run());
        }
        let mut left = Vec::new();
        let mut seen = 0;
        for round in 0..rounds {
            if left.is_empty() {
                left.clone_from(&deck);
                random.shuffle(&mut left);
            }
            let victim = left.pop().expect("a victim");
            pause(&mut random, 500);
            parents.push(site.httpd.pid());
            weather.strikes(victim.name(), victim.is_lossy(place));
            victim.strike(&mut site, &mut store, &mut random, &mut killed);
            weather.repaired(victim.grace(place));
            let back = sign_in_again(weather, address, victim.grace(place), seed + round as u64);
            let (count, longest) = blows.entry(victim).or_default();
            *count += 1;
            *longest = back.max(*longest);
            seen = look_at_ended(weather, address, seen);
            expect(weather, seed, victim.name());
        }
        wait_until("all to be as before", || weather.is_clear(QUIET));
        look_at_ended(weather, address, 0);
        expect(weather, seed, "all of them");
    });
    let log = site.httpd.error_log();
    expect_no_other_end(&log, &killed, seed);
    assert_eq!(
        Leftovers::of(&site.httpd, &parents),
        before,
        "what is left, seed {seed}"
    );
    report(place, seed, rounds, &weather, &blows);
    site.httpd.finish();
}

/// Ends a crowd.
pub(crate) struct AtTheEnd<'w>(pub &'w Weather);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// How long it takes until somebody who has no session can sign in.
pub(crate) fn sign_in_again(weather: &Weather, site: &str, limit: Duration, seed: u64) -> Duration {
    let begun = Instant::now();
    let back = within(limit, || {
        User::new(weather, site, USERS, seed).sign_in().then_some(())
    });
    if back.is_none() {
        weather.wrong(format!("nobody can sign in within {limit:?}"));
    }
    begun.elapsed()
}

/// Visits with all sessions that have ended, from one on; returns how many there were.
pub(crate) fn look_at_ended(weather: &Weather, site: &str, from: usize) -> usize {
    let ended = weather.ended_since(from);
    for one in &ended {
        // Where there was no answer, it is asked for again.
        within(WAIT, || look(weather, site, one).then_some(()));
    }
    from + ended.len()
}

#[track_caller]
pub(crate) fn expect(weather: &Weather, seed: u64, what: &str) {
    let wrong = weather.verdict();
    assert!(
        wrong.is_empty(),
        "after {what}, OXD_CRASH_SEED={seed}, {} times:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
}

/// No child has ended in another way than by the test.
fn expect_no_other_end(log: &str, killed: &[u32], seed: u64) {
    let ends = Regex::new(r"child pid (\d+) exit signal (\w+)").expect("a pattern");
    for end in ends.captures_iter(log) {
        let pid: u32 = end[1].parse().expect("a number");
        assert!(
            &end[2] == "Killed" && killed.contains(&pid),
            "{}, which nobody has killed, seed {seed}",
            &end[0]
        );
    }
}

/// What a server has beside its processes.
#[derive(Debug, PartialEq)]
struct Leftovers {
    /// The names of the files in its runtime directory.
    files: BTreeSet<String>,
    /// Its segments of System V's shared memory.
    segments: usize,
    /// The segments in files that its processes have mapped, by name.
    mapped: BTreeSet<String>,
}

impl Leftovers {
    /// Those of an httpd, and of the parents that it has had.
    fn of(httpd: &Httpd, parents: &[u32]) -> Leftovers {
        let files = fs::read_dir(httpd.file("run")).expect("the runtime directory");
        let name = |file: fs::DirEntry| file.file_name().to_string_lossy().into_owned();
        let maps = fs::read_to_string(format!("/proc/{}/maps", httpd.pid())).expect("maps");
        let shared = maps.lines().filter(|line| line.contains(" rw-s "));
        let mapped = shared.filter_map(|line| Some(line.split_whitespace().nth(5)?.to_owned()));
        Leftovers {
            files: files.map(|file| name(file.expect("a file"))).collect(),
            segments: segments_of(httpd.pid())
                + parents
                    .iter()
                    .filter(|parent| **parent != httpd.pid())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .map(|parent| segments_of(*parent))
                    .sum::<usize>(),
            mapped: mapped.collect(),
        }
    }
}

/// How many segments of System V's shared memory a process has made, or one that is no more. Other tests may run.
fn segments_of(pid: u32) -> usize {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let creators = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(4)?.parse::<u32>().ok());
    creators.filter(|creator| *creator == pid).count()
}

fn report(
    place: Place,
    seed: u64,
    rounds: usize,
    weather: &Weather,
    blows: &BTreeMap<Victim, (usize, Duration)>,
) {
    use std::sync::atomic::Ordering::Relaxed;
    println!(
        "{place:?}, seed {seed}: {rounds} blows, {} requests, {} logins, {} ends, {} sessions lost with what kept them",
        weather.requests.load(Relaxed),
        weather.logins.load(Relaxed),
        weather.ended_since(0).len(),
        weather.lost.load(Relaxed),
    );
    let noticed = weather.noticed();
    for (victim, (count, back)) in blows {
        let noticed = noticed.get(victim.name()).copied().unwrap_or_default();
        println!(
            "  {}: {count} times; signed in after {back:.1?}, noticed for {noticed:.1?}",
            victim.name()
        );
    }
}
