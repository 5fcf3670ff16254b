//! The counters as text: the page of `oxd-status`, its `?auto` form, and the section on mod_status's page.

mod plot;
mod sites;
mod tables;
mod verdict;

pub use sites::{LastFailure, Site};
pub use tables::Table;
pub use verdict::Verdict;

use std::fmt::Write as _;

use serde::Serialize;

use crate::base::{Reason, Seconds};
use crate::shm::stats::metrics::Gauges;
use crate::shm::stats::{Command, End, Login, Minute, Outcome, Presented, Stats};
use plot::{Bars, Plot, stacked};
use tables::{grouped, millis, tables};
use verdict::verdict;

/// A highlighted number.
#[derive(Serialize)]
pub struct Tile {
    /// Its label.
    pub name: &'static str,
    /// The number.
    pub value: String,
    /// A note below the number.
    pub about: String,
    /// A class of the style sheet.
    pub class: &'static str,
}

/// A plot with its title, legend and scale.
#[derive(Serialize)]
pub struct Figure {
    /// Its title.
    pub title: &'static str,
    /// Its colours, as classes of the style sheet, and their meanings.
    pub legend: &'static [(&'static str, &'static str)],
    /// The drawing, as SVG.
    pub svg: String,
    /// The value at its upper edge; empty when the plot is.
    pub top: String,
}

/// The content of the page.
#[derive(Serialize)]
pub struct Shown {
    /// What runs here, in one line.
    pub about: String,
    /// The sites of the configuration.
    pub sites: Vec<Site>,
    /// The last failure that was not a user's own.
    pub last: Option<LastFailure>,
    /// How long counting has lasted, in words.
    pub since: String,
    /// The verdict on logins.
    pub verdict: Verdict,
    /// The highlighted numbers.
    pub tiles: Vec<Tile>,
    /// The plots of the last hour.
    pub figures: Vec<Figure>,
    /// The tables.
    pub tables: Vec<Table>,
}

/// Collects the content of the page.
pub fn shown(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> Shown {
    let minutes = stats.hour(now);
    let hour = Minute::sum(&minutes);
    Shown {
        about: sites::about(&gauges.about),
        sites: sites::sites(gauges, now),
        last: sites::last_failure(stats, now),
        since: ago(now.saturating_sub(stats.since())),
        verdict: verdict(&minutes, stats.completed_in_a_row(), gauges),
        tiles: tiles(&hour, gauges),
        figures: figures(&minutes, &hour),
        tables: tables(stats, gauges, &hour),
    }
}

fn tiles(hour: &Minute, gauges: &Gauges) -> Vec<Tile> {
    let (completed, failed) = (hour.logins(Login::Completed), hour.failed());
    let share = match completed + failed {
        0 => "of none".to_owned(),
        ended => format!(
            "{:.1} % of {}",
            100.0 * failed as f64 / ended as f64,
            grouped(ended)
        ),
    };
    let bad_if = |count: u64| if count > 0 { "bad" } else { "" };
    vec![
        Tile {
            name: "Logins completed",
            value: grouped(completed),
            about: format!("of {} begun", grouped(hour.logins(Login::Begun))),
            class: "",
        },
        Tile {
            name: "Logins failed",
            value: grouped(failed),
            about: share,
            class: bad_if(failed),
        },
        Tile {
            name: "Response time of oxd",
            value: hour.mean_millis().map_or_else(|| "–".to_owned(), millis),
            about: format!("mean of {} answers", grouped(hour.answered)),
            class: "",
        },
        Tile {
            name: "Calls without an answer",
            value: grouped(hour.unanswered),
            about: format!("{} under way now", grouped(gauges.under_way)),
            class: bad_if(hour.unanswered),
        },
    ]
}

/// A plot of two values, a good and a bad one.
fn two(label: &str, when: impl Fn(usize) -> String, layers: [(&[f64], &str); 2]) -> Plot {
    let [(good, first), (bad, second)] = layers;
    let bars = |class: &'static str, values| Bars { class, values };
    stacked(label, &[bars("good", good), bars("bad", bad)], |minute| {
        format!(
            "{}: {} {first}, {} {second}",
            when(minute),
            good[minute],
            bad[minute]
        )
    })
}

fn figures(minutes: &[Minute], hour: &Minute) -> Vec<Figure> {
    let of = |member: fn(&Minute) -> f64| minutes.iter().map(member).collect::<Vec<_>>();
    let when = |minute: usize| match minutes.len() - 1 - minute {
        0 => "this minute".to_owned(),
        ago => format!("{ago} min ago"),
    };
    let each = "in the last hour, minute by minute";
    let (completed, failed) = (
        of(|m| m.logins(Login::Completed) as f64),
        of(|m| m.failed() as f64),
    );
    let logins = two(
        &format!(
            "Logins {each}: {} completed, {} failed",
            hour.logins(Login::Completed),
            hour.failed()
        ),
        when,
        [(&completed, "completed"), (&failed, "failed")],
    );
    let (answered, unanswered) = (of(|m| m.answered as f64), of(|m| m.unanswered as f64));
    let calls = two(
        &format!(
            "Calls to oxd {each}: {} answered, {} without an answer",
            hour.answered, hour.unanswered
        ),
        when,
        [(&answered, "answered"), (&unanswered, "without an answer")],
    );
    let means = of(|m| m.mean_millis().unwrap_or(0.0));
    let mean = hour.mean_millis().map_or_else(|| "no answer".into(), millis);
    let bars = Bars {
        class: "good",
        values: &means,
    };
    let times = stacked(
        &format!("Mean response time of oxd {each}: {mean} in all"),
        &[bars],
        |minute| format!("{}: {}", when(minute), millis(means[minute])),
    );
    let count = |plot: &Plot| plot.top.map(|top| grouped(top as u64)).unwrap_or_default();
    vec![
        Figure {
            title: "Logins",
            legend: &[("good", "completed"), ("bad", "failed")],
            top: count(&logins),
            svg: logins.svg,
        },
        Figure {
            title: "Calls to oxd",
            legend: &[("good", "answered"), ("bad", "no answer")],
            top: count(&calls),
            svg: calls.svg,
        },
        Figure {
            title: "Response time of oxd",
            legend: &[("good", "mean")],
            top: times.top.map(scale).unwrap_or_default(),
            svg: times.svg,
        },
    ]
}

/// A round time with its unit.
fn scale(millis: f64) -> String {
    if millis < 1_000.0 {
        format!("{millis} ms")
    } else {
        format!("{} s", millis / 1e3)
    }
}

/// A time span in words.
fn ago(Seconds(seconds): Seconds) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `?auto`: one `Name: value` per line, as in mod_status.
pub fn auto(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: u64| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    };
    line("OxdSecondsCounted", now.saturating_sub(stats.since()).0);
    line("OxdLoginsBegun", stats.logins(Login::Begun));
    line("OxdLoginsCompleted", stats.logins(Login::Completed));
    line("OxdLoginsRestarted", stats.logins(Login::Restarted));
    line(
        "OxdLoginsFailed",
        Reason::ALL.iter().map(|reason| stats.failures(*reason)).sum(),
    );
    line("OxdSessionsMade", stats.sessions_made());
    line(
        "OxdSessionEnds",
        End::ALL.iter().map(|by| stats.sessions_ended(*by)).sum(),
    );
    for (what, name) in
        Presented::ALL
            .iter()
            .zip(["OxdSessionsAlive", "OxdSessionsRefused", "OxdSessionsUnknown"])
    {
        line(name, stats.cookies_presented(*what));
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
    line("OxdMarks", gauges.marks.0 as u64);
    if let Some(feed) = &gauges.feed {
        line("OxdRevocationsHeard", u64::from(feed.is_heard()));
        line("OxdRevocationsUntold", feed.untold as u64);
    }
    text
}

/// The section on mod_status's page.
pub fn section(stats: &Stats<'_>, gauges: &Gauges, now: Seconds) -> String {
    let said = verdict(&stats.hour(now), stats.completed_in_a_row(), gauges);
    let mut html = format!(
        "<hr />\n<h1>mod_oxd</h1>\n<p>{} {}</p>\n<dl>\n",
        said.text, said.remedy
    );
    for line in auto(stats, gauges, now).lines() {
        if let Some((name, value)) = line.split_once(": ") {
            let _ = writeln!(html, "<dt>{name}: {value}</dt>");
        }
    }
    html.push_str("</dl>\n");
    html
}

#[cfg(test)]
mod tests;
