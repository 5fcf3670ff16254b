//! The tables of the status page.

use serde::Serialize;

use crate::base::Reason;
use crate::shm::stats::metrics::Gauges;
use crate::shm::stats::{
    Action, Answered, Command, End, Event, Login, Minute, Outcome, Presented, Renewal, Stats, Token, Worth,
};

/// A table of numbers.
#[derive(Serialize)]
pub struct Table {
    /// Its caption.
    pub caption: &'static str,
    /// The heads of its columns, without that of the names.
    pub head: &'static [&'static str],
    /// A name, and a number for each column.
    pub rows: Vec<(String, Vec<String>)>,
}

/// A number with thousands separators.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with a unit, rounded.
pub(super) fn millis(time: f64) -> String {
    match time {
        time if time < 10.0 => format!("{time:.1} ms"),
        time if time < 1_000.0 => format!("{time:.0} ms"),
        time => format!("{:.1} s", time / 1e3),
    }
}

fn row(name: impl Into<String>, numbers: &[u64]) -> (String, Vec<String>) {
    (name.into(), numbers.iter().copied().map(grouped).collect())
}

/// All tables that have rows.
pub(super) fn tables(stats: &Stats<'_>, gauges: &Gauges, hour: &Minute) -> Vec<Table> {
    let mut tables = vec![logins(stats, hour), failures(stats, hour)];
    tables.extend([sessions(stats, gauges), tokens(stats)]);
    tables.extend([calls(stats), gate(stats), store(stats), marks(gauges)]);
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn logins(stats: &Stats<'_>, hour: &Minute) -> Table {
    let all_failures = Reason::ALL.iter().map(|reason| stats.failures(*reason)).sum();
    let name = |how_far: Login| match how_far {
        Login::Begun => "begun",
        Login::Completed => "completed",
        Login::Restarted => "restarted",
    };
    let stages = Login::ALL.iter().map(|stage| {
        let numbers = [hour.logins(*stage), stats.logins(*stage)];
        row(name(*stage), &numbers)
    });
    Table {
        caption: "Logins",
        head: &["last hour", "in all"],
        rows: stages
            .chain([row("failed", &[hour.failed(), all_failures])])
            .collect(),
    }
}

fn failures(stats: &Stats<'_>, hour: &Minute) -> Table {
    let mut found: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (reason.code(), hour.failures(*reason), stats.failures(*reason)))
        .filter(|(_, _, in_all)| *in_all > 0)
        .collect();
    found.sort_by_key(|(_, last, in_all)| std::cmp::Reverse((*last, *in_all)));
    Table {
        caption: "Failed logins",
        head: &["last hour", "in all"],
        rows: found
            .into_iter()
            .map(|(code, last, in_all)| row(code, &[last, in_all]))
            .collect(),
    }
}

fn sessions(stats: &Stats<'_>, gauges: &Gauges) -> Table {
    let mut rows = vec![row("made", &[stats.sessions_made()])];
    let mut seldom = |name: &str, count: u64| {
        if count > 0 {
            rows.push(row(name, &[count]));
        }
    };
    for by in End::ALL {
        let name = match by {
            End::User => "ended by their users",
            End::FrontChannel => "ended by the provider, front channel",
            End::BackChannel => "ended by the provider, back channel",
            End::Provider => "ended by the provider, which refused the refresh token",
            End::Administrator => "ended by an administrator",
            End::Login => "replaced by a new login",
            End::Limit => "ended by OxdSessionMax",
        };
        seldom(name, stats.sessions_ended(*by));
    }
    for what in Renewal::ALL {
        let name = match what {
            Renewal::Tokens => "tokens refreshed",
            Renewal::Claims => "claims refreshed",
            Renewal::Shared => "shared from another request's refresh",
            Renewal::Failed => "refreshes failed",
        };
        seldom(name, stats.renewals(*what));
    }
    for what in Presented::ALL {
        let name = match what {
            Presented::Alive => "session cookies: alive",
            Presented::Refused => "session cookies: ended, expired or foreign",
            Presented::Unknown => "session cookies: store unavailable",
        };
        seldom(name, stats.cookies_presented(*what));
    }
    seldom("tombstones dropped for lack of space", gauges.lost_marks);
    Table {
        caption: "Sessions",
        head: &["in all"],
        rows,
    }
}

fn tokens(stats: &Stats<'_>) -> Table {
    let of_kind = |token: &Token| {
        let counts: Vec<u64> = Worth::ALL
            .iter()
            .map(|worth| stats.tokens(*token, *worth))
            .collect();
        let name = match token {
            Token::Access => "bearer tokens",
            Token::Rpt => "RPTs of clients",
            Token::SessionRpt => "RPTs of sessions",
        };
        (counts.iter().sum::<u64>() > 0).then(|| row(name, &counts))
    };
    Table {
        caption: "Tokens",
        head: &["from memory", "active", "refused", "unknown"],
        rows: Token::ALL.iter().filter_map(of_kind).collect(),
    }
}

fn calls(stats: &Stats<'_>) -> Table {
    let of_command = |command: &Command| {
        let count = |outcome: Outcome| stats.calls(*command, outcome);
        let all: u64 = Outcome::ALL.iter().map(|outcome| count(*outcome)).sum();
        let (ok, refused) = (count(Outcome::Ok), count(Outcome::Refused));
        let (times, micros) = stats.time(*command);
        let mean = (times > 0).then(|| millis(micros as f64 / times as f64 / 1e3));
        let (name, mut cells) = row(command.name(), &[ok, refused, all - ok - refused]);
        cells.push(mean.unwrap_or_default());
        (all > 0).then_some((name, cells))
    };
    Table {
        caption: "Calls to oxd",
        head: &["ok", "refused", "no answer", "mean"],
        rows: Command::ALL.iter().filter_map(of_command).collect(),
    }
}

fn gate(stats: &Stats<'_>) -> Table {
    let named = |event: &Event| {
        let name = match event {
            Event::BreakerOpened => "circuit breaker opened",
        };
        let count = stats.events(*event);
        (count > 0).then(|| row(name, &[count]))
    };
    let unsent = |outcome: Outcome, name: &str| {
        let calls = Command::ALL.iter().map(|command| stats.calls(*command, outcome));
        let count = calls.sum();
        (count > 0).then(|| row(name, &[count]))
    };
    let mut rows: Vec<_> = Event::ALL.iter().filter_map(named).collect();
    rows.extend(unsent(
        Outcome::BreakerOpen,
        "call not sent: circuit breaker open",
    ));
    rows.extend(unsent(
        Outcome::Busy,
        "call not sent: too many threads wait (OxdServerMaxCalls)",
    ));
    Table {
        caption: "Overload and outages",
        head: &["in all"],
        rows,
    }
}

/// The memory of ends, and the stream of those on other machines.
fn marks(gauges: &Gauges) -> Table {
    let (used, room) = gauges.marks;
    let in_memory = format!("{} of {}", grouped(used as u64), grouped(room as u64));
    let mut rows = vec![("in memory (OxdSessionMarks)".to_owned(), vec![in_memory])];
    if let Some(feed) = &gauges.feed {
        let heard = feed.lag.map_or_else(
            || "never".to_owned(),
            |lag| format!("{} ago", millis(lag.0 as f64)),
        );
        rows.push(("on other machines, last heard".to_owned(), vec![heard]));
        rows.push(row("here, yet to be told to others", &[feed.untold as u64]));
    }
    Table {
        caption: "Ended sessions",
        head: &["now"],
        rows,
    }
}

fn store(stats: &Stats<'_>) -> Table {
    let of_action = |action: &Action| {
        let count = |answered: Answered| stats.store_calls(*action, answered);
        let numbers = [Answered::Ok, Answered::Absent, Answered::Failed].map(count);
        let all: u64 = numbers.iter().sum();
        let micros = stats.store_time(*action);
        let (name, mut cells) = row(action.name(), &numbers);
        cells.push(millis(micros as f64 / all.max(1) as f64 / 1e3));
        (all > 0).then_some((name, cells))
    };
    Table {
        caption: "Session store",
        head: &["ok", "absent", "failed", "mean"],
        rows: Action::ALL.iter().filter_map(of_action).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read_at_a_glance() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number), text);
        }
        for (time, text) in [
            (0.04, "0.0 ms"),
            (1.25, "1.2 ms"),
            (99.6, "100 ms"),
            (1_500.0, "1.5 s"),
        ] {
            assert_eq!(millis(time), text);
        }
    }
}
