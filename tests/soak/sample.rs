//! Looks at httpd every few seconds, and reads its error log.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use oxd_tests::unexpected;
use regex::Regex;

use crate::log::Logs;
use crate::usage::Usage;
use crate::world::{Trouble, World};

/// The log line of a start or restart.
const RUNNING: &str = "resuming normal operations";

/// How often the log is read.
const READ: Duration = Duration::from_millis(200);

/// How far apart a line and its cause may be.
const LATE: Duration = Duration::from_secs(4);

/// One look at a running httpd.
#[derive(Clone, Debug)]
pub struct Row {
    /// Seconds since the beginning.
    pub time: f64,
    /// Whose turn it is.
    pub store: &'static str,
    /// Whether this is the part with the restarts.
    pub restarts: bool,
    /// How often httpd has started or restarted in this turn.
    pub starts: u64,
    /// The parent.
    pub parent: Usage,
    /// The children, those of before the last restart included.
    pub children: Vec<Usage>,
    /// Right answers for pages with a session, a second.
    pub pages: f64,
    /// Right or excused answers of all kinds, a second.
    pub answers: f64,
    /// Of the pages the median, the 99th and the 99.9th percentile, in milliseconds.
    pub times: [f64; 3],
    /// Answers so far that had an excuse.
    pub excused: u64,
    /// What was wrong so far.
    pub wrong: usize,
}

impl Row {
    /// The largest of a value among the children.
    pub fn largest(&self, value: impl Fn(&Usage) -> u64) -> u64 {
        self.children.iter().map(value).max().unwrap_or(0)
    }

    /// The memory of all processes, none counted twice, in KiB.
    pub fn whole(&self) -> u64 {
        self.parent.share + self.children.iter().map(|child| child.share).sum::<u64>()
    }
}

/// Looks and reads, from threads of its own.
pub struct Watch<'a> {
    /// The site.
    pub world: &'a World,
    /// Its name of the store.
    pub store: &'static str,
    /// When all turns began.
    pub begun: Instant,
    /// How often to look.
    pub every: Duration,
    /// Whether its logs are piped to programs.
    pub piped: bool,
    /// httpd's parent process.
    pub parent: u32,
    /// Whether this is the part with the restarts.
    pub restarts: &'a AtomicBool,
    /// How often httpd has said that it runs.
    pub starts: &'a AtomicU64,
    /// When to read the log for the last time.
    pub over: &'a AtomicBool,
    /// What was seen.
    pub rows: &'a Mutex<Vec<Row>>,
}

impl Watch<'_> {
    /// Takes samples until there are enough.
    pub fn sample_until(&self, enough: &AtomicBool) {
        let record = &self.world.record;
        record.interval();
        let (mut answers, mut last) = (record.answers(), Instant::now());
        while !enough.load(Ordering::SeqCst) {
            thread::sleep(self.every.min(Duration::from_millis(200)));
            // Between two parts those who made requests come to their ends.
            if last.elapsed() < self.every || self.world.is_over() {
                continue;
            }
            let Some(parent) = Usage::of(self.parent) else {
                continue;
            };
            let seconds = last.elapsed().as_secs_f64();
            last = Instant::now();
            self.world.count_calls();
            let interval = record.interval();
            let now = record.answers();
            let row = Row {
                time: self.begun.elapsed().as_secs_f64(),
                store: self.store,
                restarts: self.restarts.load(Ordering::SeqCst),
                starts: self.starts.load(Ordering::SeqCst),
                parent,
                children: children(self.parent).into_iter().filter_map(Usage::of).collect(),
                pages: interval.pages as f64 / seconds,
                answers: (now - answers) as f64 / seconds,
                times: interval.times.map(|time| time as f64 / 1000.0),
                excused: record.excuses(),
                wrong: record.faults().0,
            };
            answers = now;
            self.rows.lock().expect("a lock").push(row);
        }
    }

    /// Reads the log until it is over, and once more.
    pub fn read_until_over(&self, logs: &mut Logs) {
        loop {
            let last = self.over.load(Ordering::SeqCst);
            let news = logs.news();
            self.starts
                .fetch_add(news.matches(RUNNING).count() as u64, Ordering::SeqCst);
            self.judge(&news);
            if last {
                return;
            }
            thread::sleep(READ);
        }
    }

    /// Notes each line that nothing excuses. How a child ends is never excused.
    fn judge(&self, news: &str) {
        let now = Instant::now();
        let is = |troubles: &[Trouble]| self.world.troubled(troubles, now - LATE, now);
        let mut allowed = vec!["AH00(161|484|286): server reached MaxRequestWorkers"];
        if is(&[Trouble::Oxd, Trouble::Store]) {
            allowed.push(r"^[^\]]+\] \[oxd:(warn|error)\]");
        }
        if is(&[Trouble::Store]) {
            allowed.push(r"^[^\]]+\] \[socache_\w+:");
        }
        if self.piped && is(&[Trouble::Restart]) {
            // httpd says so of the programs of CustomLog, too, whichever modules are loaded: what old children still
            // write to an old program is lost (docs/AUDIT.md).
            allowed.push("AH00488: long lost child came home|AH00646: Error writing to .*rotatelogs");
            allowed.push(r"OxdAuditLog .*: a line is lost \(Broken pipe");
        }
        let allowed: Vec<_> = allowed
            .into_iter()
            .map(|line| Regex::new(line).expect("a pattern"))
            .collect();
        for line in unexpected(news, &allowed) {
            self.world
                .record
                .fault(format!("{}: a line in the error log: {line}", self.store));
        }
    }
}

/// httpd's own children: not the programs that it pipes logs to.
fn children(parent: u32) -> BTreeSet<u32> {
    let name = |pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let own = name(parent);
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter(|pid| name(*pid) == own).collect()
}
