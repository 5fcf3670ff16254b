//! What the visitors saw: how long each kind of request took, and what went wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A protected page, with a session.
    Page,
    /// Four of them at once, as from tabs of one browser.
    Tabs,
    /// `BASE/session`.
    Session,
    /// A page that is not protected.
    Open,
    /// A JWT in `Authorization`.
    Jwt,
    /// An access token there that oxd is asked about.
    Opaque,
    /// The start of a login.
    Login,
    /// Its end: two calls to oxd.
    Callback,
    /// `BASE/logoutme`.
    Logout,
    /// The provider's logout token.
    BackChannel,
    /// A session that has ended, from a copy of its cookies.
    Ended,
    /// No session, or a made-up one.
    Stranger,
    /// `oxd-metrics` and `oxd-health`.
    Metrics,
}

impl Kind {
    /// Whether it calls oxd, or waits for somebody who does.
    pub fn needs_oxd(self) -> bool {
        !matches!(
            self,
            Kind::Page
                | Kind::Tabs
                | Kind::Session
                | Kind::Open
                | Kind::Ended
                | Kind::Stranger
                | Kind::Metrics
        )
    }

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Page => "page with a session",
            Kind::Tabs => "four pages at once",
            Kind::Session => "/oxd/session",
            Kind::Open => "open page",
            Kind::Jwt => "bearer token, JWT",
            Kind::Opaque => "bearer token, introspected",
            Kind::Login => "start of a login",
            Kind::Callback => "callback",
            Kind::Logout => "logout",
            Kind::BackChannel => "back-channel logout",
            Kind::Ended => "session that has ended",
            Kind::Stranger => "no session, or a made-up one",
            Kind::Metrics => "metrics, health",
        }
    }
}

/// Times and counts of one kind.
pub struct Tally {
    /// Microseconds of the answers that were right, while nothing was broken on purpose.
    pub calm: Histogram<u64>,
    /// The same while something was.
    pub troubled: Histogram<u64>,
    /// Answers that say that something is broken, while it was.
    pub excused: u64,
    /// Wrong answers.
    pub wrong: u64,
}

/// Faults beyond these are counted only.
const KEPT: usize = 100;

/// Everything that is noted during a run.
pub struct Record {
    tallies: Mutex<BTreeMap<Kind, Tally>>,
    /// Since the last sample, the pages.
    interval: Mutex<Histogram<u64>>,
    faults: Mutex<(usize, Vec<String>)>,
    happened: Mutex<BTreeMap<String, u64>>,
}

/// What happened since the last sample.
pub struct Interval {
    /// Right answers for pages with a session.
    pub pages: u64,
    /// Their median, 99th and 99.9th percentile, in microseconds.
    pub times: [u64; 3],
}

impl Record {
    /// Nothing has happened yet.
    pub fn new() -> Record {
        Record {
            tallies: Mutex::default(),
            interval: Mutex::new(histogram()),
            faults: Mutex::default(),
            happened: Mutex::default(),
        }
    }

    /// A right answer.
    pub fn right(&self, kind: Kind, took: Duration, in_trouble: bool) {
        let time = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.tally(kind, |tally| {
            let times = if in_trouble {
                &mut tally.troubled
            } else {
                &mut tally.calm
            };
            times.saturating_record(time);
        });
        if kind == Kind::Page {
            self.interval.lock().expect("a lock").saturating_record(time);
        }
    }

    /// An answer that had an excuse.
    pub fn excused(&self, kind: Kind) {
        self.tally(kind, |tally| tally.excused += 1);
    }

    /// A wrong answer.
    pub fn wrong(&self, kind: Kind, what: &str) {
        self.tally(kind, |tally| tally.wrong += 1);
        self.fault(format!("{}: {what}", kind.name()));
    }

    /// Something else that is wrong.
    pub fn fault(&self, what: String) {
        let mut faults = self.faults.lock().expect("a lock");
        faults.0 += 1;
        if faults.1.len() < KEPT {
            eprintln!("soak: {what}");
            faults.1.push(what);
        }
    }

    /// Something that is counted.
    pub fn happened(&self, what: String) {
        *self.happened.lock().expect("a lock").entry(what).or_default() += 1;
    }

    /// What was counted, as a Markdown table.
    pub fn counts(&self) -> String {
        let counts = self.happened.lock().expect("a lock");
        let lines = counts
            .iter()
            .map(|(what, count)| format!("| {what} | {count} |\n"));
        format!("| event | times |\n|---|---|\n{}", lines.collect::<String>())
    }

    /// How many faults there were, and the first ones.
    pub fn faults(&self) -> (usize, Vec<String>) {
        self.faults.lock().expect("a lock").clone()
    }

    /// The interval that ends now.
    pub fn interval(&self) -> Interval {
        let mut times = self.interval.lock().expect("a lock");
        let interval = Interval {
            pages: times.len(),
            times: [0.5, 0.99, 0.999].map(|part| times.value_at_quantile(part)),
        };
        times.reset();
        interval
    }

    /// Right and excused answers so far.
    pub fn answers(&self) -> u64 {
        let tallies = self.tallies.lock().expect("a lock");
        let counts = tallies.values();
        counts
            .map(|tally| tally.calm.len() + tally.troubled.len() + tally.excused)
            .sum()
    }

    /// Excused answers so far.
    pub fn excuses(&self) -> u64 {
        let tallies = self.tallies.lock().expect("a lock");
        tallies.values().map(|tally| tally.excused).sum()
    }

    /// The table of all kinds, as Markdown.
    pub fn table(&self) -> String {
        let mut text = "| request | right | p50 ms | p99 ms | p99.9 ms | right during a fault | the slowest of them ms | \
                        refused during a fault | wrong |\n|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        for (kind, tally) in self.tallies.lock().expect("a lock").iter() {
            let time = |part| milliseconds(tally.calm.value_at_quantile(part));
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                kind.name(),
                tally.calm.len(),
                time(0.5),
                time(0.99),
                time(0.999),
                tally.troubled.len(),
                milliseconds(tally.troubled.max()),
                tally.excused,
                tally.wrong
            ));
        }
        text
    }

    fn tally(&self, kind: Kind, change: impl FnOnce(&mut Tally)) {
        let mut tallies = self.tallies.lock().expect("a lock");
        change(tallies.entry(kind).or_insert_with(|| Tally {
            calm: histogram(),
            troubled: histogram(),
            excused: 0,
            wrong: 0,
        }));
    }
}

/// Up to a minute, with two digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 2).expect("bounds that make sense")
}

fn milliseconds(microseconds: u64) -> String {
    let tenths = (microseconds + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_times_of_calm_and_of_trouble_apart() {
        let record = Record::new();
        for _ in 0..99 {
            record.right(Kind::Page, Duration::from_millis(2), false);
        }
        record.right(Kind::Page, Duration::from_millis(900), true);
        record.excused(Kind::Page);
        let table = record.table();
        let line = table.lines().nth(2).expect("a line");
        assert!(
            line.starts_with("| page with a session | 99 | 2.0 | 2.0 | 2.0 | 1 | 9"),
            "{line}"
        );
        assert!(line.ends_with(" | 1 | 0 |"), "{line}");
        let interval = record.interval();
        assert_eq!(interval.pages, 100);
        assert_eq!(record.interval().pages, 0);
    }
}
