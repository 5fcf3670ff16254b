//! The counters for people: the page of `oxd-status`, its `?auto` form, and the section on mod_status's page.

use std::fmt::Write as _;

use super::metrics::Gauges;
use super::plot::{Bars, stacked};
use super::{
    Command, ENDS_AT, EVENTS_AT, End, Event, Login, MADE_AT, Minute, Outcome, PRESENTED_AT, Presented, Stats,
};
use crate::clock::Seconds;
use crate::reason::Reason;

/// A table of the page: its caption, and rows of a name and a number.
pub struct Table {
    /// The caption.
    pub caption: &'static str,
    /// The rows.
    pub rows: Vec<(String, String)>,
}

/// Everything that the page shows.
pub struct Shown {
    /// Since when is counted, in words.
    pub since: String,
    /// Logins of the last hour.
    pub logins: String,
    /// Response times of oxd in the last hour.
    pub times: String,
    /// The tables.
    pub tables: Vec<Table>,
}

/// Gathers what the page shows.
pub fn shown(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> Shown {
    let hour = stats.hour(now);
    let of = |member: fn(&Minute) -> f64| hour.iter().map(member).collect::<Vec<_>>();
    let (completed, failed) = (of(|m| m.completed as f64), of(|m| m.failed as f64));
    let times = of(|m| {
        if m.calls == 0 {
            0.0
        } else {
            m.micros as f64 / m.calls as f64 / 1e3
        }
    });
    let layers = [
        Bars {
            class: "good",
            values: &completed,
        },
        Bars {
            class: "bad",
            values: &failed,
        },
    ];
    Shown {
        since: ago(now.saturating_sub(stats.since())),
        logins: stacked(
            "Logins of the last hour: completed and failed, by minute",
            "",
            &layers,
        ),
        times: stacked(
            "Mean response time of oxd in the last hour, by minute",
            " ms",
            &[Bars {
                class: "good",
                values: &times,
            }],
        ),
        tables: tables(stats, gauges),
    }
}

/// A time span in the words of a person.
fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn tables(stats: &Stats<'_>, gauges: &Gauges) -> Vec<Table> {
    let row = |name: &str, value: u64| (name.to_owned(), value.to_string());
    let failures: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (reason.code(), stats.failures(*reason)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let mut logins = vec![
        row("begun", stats.logins(Login::Begun)),
        row("completed", stats.logins(Login::Completed)),
        row("restarted", stats.logins(Login::Restarted)),
    ];
    logins.extend(
        failures
            .iter()
            .map(|(code, count)| row(&format!("failed: {code}"), *count)),
    );
    let mut sessions = vec![row("made", stats.read(MADE_AT))];
    for by in End::ALL {
        let count = stats.read(ENDS_AT + *by as usize);
        if count > 0 {
            sessions.push(row(&format!("ended by: {}", by.name().replace('_', " ")), count));
        }
    }
    for what in Presented::ALL {
        let name = match what {
            Presented::Alive => "requests with a session",
            Presented::Refused => "requests whose session was over",
            Presented::Unknown => "requests while the store was away",
        };
        sessions.push(row(name, stats.read(PRESENTED_AT + *what as usize)));
    }
    let mut calls = Vec::new();
    for command in Command::ALL {
        let counts: Vec<_> = Outcome::ALL
            .iter()
            .map(|outcome| (outcome.name(), stats.calls(*command, *outcome)))
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        if !counts.is_empty() {
            calls.push((command.name().to_owned(), counts.join(", ")));
        }
    }
    calls.push(row("under way now", gauges.under_way));
    for event in Event::ALL {
        let name = match event {
            Event::BreakerOpened => "times that oxd was left alone",
            Event::Queued => "calls that waited for their turn",
        };
        calls.push(row(name, stats.read(EVENTS_AT + *event as usize)));
    }
    vec![
        Table {
            caption: "Logins",
            rows: logins,
        },
        Table {
            caption: "Sessions",
            rows: sessions,
        },
        Table {
            caption: "Calls to oxd",
            rows: calls,
        },
    ]
}

/// `?auto`: one `Name: value` a line, as mod_status writes it.
pub fn auto(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: u64| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    };
    line("OxdSecondsCounted", now.saturating_sub(stats.since()));
    line("OxdLoginsBegun", stats.logins(Login::Begun));
    line("OxdLoginsCompleted", stats.logins(Login::Completed));
    line("OxdLoginsRestarted", stats.logins(Login::Restarted));
    line(
        "OxdLoginsFailed",
        Reason::ALL.iter().map(|reason| stats.failures(*reason)).sum(),
    );
    line("OxdSessionsMade", stats.read(MADE_AT));
    line(
        "OxdSessionEnds",
        End::ALL.iter().map(|by| stats.read(ENDS_AT + *by as usize)).sum(),
    );
    for (what, name) in
        Presented::ALL
            .iter()
            .zip(["OxdSessionsAlive", "OxdSessionsRefused", "OxdSessionsUnknown"])
    {
        line(name, stats.read(PRESENTED_AT + *what as usize));
    }
    let calls = |wanted: fn(Outcome) -> bool| -> u64 {
        let all = Command::ALL
            .iter()
            .flat_map(|c| Outcome::ALL.iter().map(move |o| (*c, *o)));
        all.filter(|(_, outcome)| wanted(*outcome))
            .map(|(c, o)| stats.calls(c, o))
            .sum()
    };
    line("OxdCalls", calls(|_| true));
    line(
        "OxdCallsFailed",
        calls(|outcome| !matches!(outcome, Outcome::Ok | Outcome::Refused)),
    );
    line("OxdCallsUnderWay", gauges.under_way);
    text
}

/// The section on mod_status's page.
pub fn section(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> String {
    let mut html = String::from("<hr />\n<h1>mod_oxd</h1>\n<dl>\n");
    for line in auto(stats, gauges, now).lines() {
        if let Some((name, value)) = line.split_once(": ") {
            let _ = writeln!(html, "<dt>{name}: {value}</dt>");
        }
    }
    html.push_str("</dl>\n");
    html
}
