//! Many users at once, the death of the master in the middle, and what became of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oxd_tests::{WAIT, wait_until};

use super::client::{Client, seen_by_copy};
use super::service::Service;

const REFRESH: &str = "get-access-token-by-refresh-token";

/// What the users of a storm share.
pub(crate) struct Storm {
    goal: usize,
    failed: AtomicBool,
    /// Requests that were answered with more than 503.
    pub requests: AtomicUsize,
    pub logins: AtomicUsize,
    /// Logouts of which all machines know.
    pub logouts: AtomicUsize,
    /// Logouts whose page says that Redis could not be told.
    pub untold: AtomicUsize,
    /// The times of answers 503.
    pub away: Mutex<Vec<Instant>>,
    pub lost: Mutex<Vec<Lost>>,
    pub ended: Mutex<Vec<Ended>>,
    pub risen: Mutex<Vec<Risen>>,
}

/// A session that is none any more although nobody ended it.
pub(crate) struct Lost {
    pub since: Instant,
    pub at: Instant,
}

/// A session that its user has ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub cookies: String,
    /// The machine that ended it.
    pub machine: usize,
    /// Whether that answer says that it is over everywhere.
    pub told: bool,
}

/// A visit with a copy of an ended session that was let in.
pub(crate) struct Risen {
    pub ended: Ended,
    pub machine: usize,
    pub at: Instant,
}

/// What became of a storm.
pub(crate) struct Report {
    requests: usize,
    logins: usize,
    logouts: usize,
    untold: usize,
    refreshes: usize,
    away: Vec<Instant>,
    lost: Vec<Lost>,
    risen: Vec<Risen>,
    took: Duration,
    killed: Instant,
    /// When the replica was a master.
    replaced: Instant,
    /// When the first and all sentinels named it.
    named: [Instant; 2],
    /// How long after the last request all ends were known to all machines.
    told_late: Duration,
}

/// Ends the storm when a user fails, so that the others do not wait for a goal that is never reached.
struct Watch<'s>(&'s AtomicBool);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Storm {
    pub(crate) fn new(goal: usize) -> Storm {
        Storm {
            goal,
            failed: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            logouts: AtomicUsize::new(0),
            untold: AtomicUsize::new(0),
            away: Mutex::default(),
            lost: Mutex::default(),
            ended: Mutex::default(),
            risen: Mutex::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.requests.load(Ordering::Relaxed) >= self.goal || self.failed.load(Ordering::Relaxed)
    }

    /// Somebody was told to come back.
    #[track_caller]
    pub(crate) fn note_away(&self) {
        let now = Instant::now();
        let mut away = self.away.lock().expect("a list");
        away.push(now);
        let first = away[0];
        drop(away);
        assert!(now - first < WAIT, "503 for {:?}", now - first);
    }

    /// Sends all users, and ends the master when half of the requests are answered.
    pub(crate) fn rage(self, service: &mut Service, clients: usize) -> Report {
        let machines = service.machines().map(|machine| machine.url(""));
        let begun = Instant::now();
        let (killed, replaced, named) = std::thread::scope(|scope| {
            for number in 0..clients {
                let (storm, machines) = (&self, &machines);
                scope.spawn(move || {
                    let _watch = Watch(&storm.failed);
                    Client::new(storm, machines, number).run();
                });
            }
            let _watch = Watch(&self.failed);
            while self.requests.load(Ordering::Relaxed) < self.goal / 2 && !self.is_over() {
                std::thread::sleep(Duration::from_millis(5));
            }
            let group = &mut service.group;
            let killed = Instant::now();
            group.lose_master();
            wait_until("the failover", || group.replica.is_master());
            let replaced = Instant::now();
            let named = [1, 3].map(|count| {
                wait_until("the sentinels to say so", || group.named() >= count);
                Instant::now()
            });
            (killed, replaced, named)
        });
        let took = begun.elapsed();
        let over = Instant::now();
        let ended = self.ended.lock().expect("a list").clone();
        wait_until("all machines to have heard of all ends", || {
            ended.iter().all(|ended| {
                machines
                    .iter()
                    .all(|machine| seen_by_copy(machine, &ended.cookies) == 302)
            })
        });
        let known_everywhere = Instant::now();
        let calls = service.site.oxd.calls();
        let refreshes = calls
            .iter()
            .filter(|call| call.command == REFRESH && call.status == 200);
        Report {
            requests: self.requests.into_inner(),
            logins: self.logins.into_inner(),
            logouts: self.logouts.into_inner(),
            untold: self.untold.into_inner(),
            refreshes: refreshes.count(),
            away: self.away.into_inner().expect("a list"),
            lost: self.lost.into_inner().expect("a list"),
            risen: self.risen.into_inner().expect("a list"),
            took,
            killed,
            replaced,
            named,
            told_late: known_everywhere - over,
        }
    }
}

impl Report {
    /// The time from the master's death to the last 503.
    fn outage(&self) -> Duration {
        let last = self.away.iter().max();
        last.map_or(Duration::ZERO, |last| last.duration_since(self.killed))
    }

    /// Fails the test unless all is as promised; 503 may be answered for so long after a sentinel names the new master.
    #[track_caller]
    pub(crate) fn judge(&self, recovers: Duration) {
        for at in &self.away {
            assert!(*at >= self.killed, "503 before the master was dead");
            let late = at.saturating_duration_since(self.named[0]);
            assert!(
                late < recovers,
                "503 {late:?} after a sentinel named the new master"
            );
        }
        let over = self.killed + self.outage();
        for Lost { since, at } in &self.lost {
            assert!(*at > self.killed, "a session was lost before the master was dead");
            assert!(*since < over, "a session was lost that began after the outage");
        }
        for Risen { ended, machine, at } in &self.risen {
            assert_ne!(
                *machine, ended.machine,
                "an ended session was let in at its own machine"
            );
            assert!(
                *at > self.killed,
                "an ended session was let in before the failover"
            );
            assert!(
                !ended.told,
                "an ended session was let in although all machines were told"
            );
        }
        let counts = [self.logins, self.logouts, self.refreshes];
        assert!(counts.iter().all(|count| *count > 0), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |at: Instant| at.saturating_duration_since(self.killed);
        let risen = |told: bool| {
            let visits = self.risen.iter().filter(|risen| risen.ended.told == told);
            visits
                .map(|risen| &risen.ended.cookies)
                .collect::<BTreeSet<_>>()
                .len()
        };
        write!(
            f,
            "{} requests in {:.1?}; {} logins, {} logouts, {} refreshes; {} answers 503\n\
             after the master's death: a new one after {:.2?}, named by a sentinel after {:.2?}, by all after {:.2?}, \
             the last 503 after {:.2?}\n\
             {} sessions were unknown to the new master; {} ended ones were known again at other machines, and for a while {} \
             of the {} whose page says that not everything could be told; all were over everywhere {:.2?} after the \
             last request",
            self.requests,
            self.took,
            self.logins,
            self.logouts,
            self.refreshes,
            self.away.len(),
            after(self.replaced),
            after(self.named[0]),
            after(self.named[1]),
            self.outage(),
            self.lost.len(),
            risen(true),
            risen(false),
            self.untold,
            self.told_late,
        )
    }
}
