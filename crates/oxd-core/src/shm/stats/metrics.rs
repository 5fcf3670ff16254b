//! The counters as Prometheus text (Prometheus exposition format, version 0.0.4).

use std::fmt::Write as _;

use super::{
    Action, Answered, Audit, BOUNDS, BUCKETS, Command, End, Event, HISTOGRAM, Login, Outcome, Presented,
    Renewal, Stats, TIMES_AT, Token, Worth,
};
use crate::base::{Millis, Reason, Seconds};
use crate::shm::health::{FINDINGS, Known, Readiness};

/// Values that are not counters.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Open calls to oxd.
    pub under_way: u64,
    /// Marks that shared memory evicted before they expired.
    pub lost_marks: u64,
    /// Marks that have not run out, and how many have room (`OxdSessionMarks`).
    pub marks: (usize, usize),
    /// The stream of `OxdRevocations`.
    pub feed: Option<FeedGauges>,
    /// Whether the sites work; `None` where they are not checked, as no place has `SetHandler oxd-health`.
    pub ready: Option<Readiness>,
    /// The sites of the configuration, for people.
    pub sites: Vec<SiteState>,
    /// What runs here.
    pub about: About,
}

/// A site of the configuration, and what is known of it.
#[derive(Clone, Debug)]
pub struct SiteState {
    /// The first virtual host that uses it.
    pub host: String,
    /// `oxd_id`
    pub id: String,
    /// `OxdServer`
    pub server: String,
    /// Whether it works.
    pub known: Known,
    /// When it was checked.
    pub checked: Option<Seconds>,
}

/// The programs and the machine that the counters are of.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The version of the module.
    pub version: &'static str,
    /// The version of httpd.
    pub httpd: String,
    /// Its MPM.
    pub mpm: String,
    /// The name of the machine.
    pub machine: String,
}

/// What this machine knows of the stream of ends.
#[derive(Clone, Debug)]
pub struct FeedGauges {
    /// `OxdRevocations`
    pub address: String,
    /// How long ago all ends of the stream were known here; `None` where it was never read.
    pub lag: Option<Millis>,
    /// Ends of this machine that other machines have yet to be told.
    pub untold: usize,
}

impl FeedGauges {
    /// Whether the stream is reached: it is heard more often than every second.
    pub fn is_heard(&self) -> bool {
        self.lag.is_some_and(|lag| lag <= Millis(2_000))
    }
}

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, value)| {
                let plain = |c: &char| !matches!(c, '"' | '\\') && !c.is_control();
                format!("{label}=\"{}\"", value.chars().filter(plain).collect::<String>())
            })
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Writes all series, those that are 0 too, so that a rate can be built from the first event on.
pub fn text(stats: &Stats<'_>, gauges: &Gauges) -> String {
    let mut text = Text(String::with_capacity(24 * 1024));
    let out = &mut text;
    logins(out, stats);
    sessions(out, stats);
    tokens(out, stats);
    calls(out, stats);
    out.family("oxd_calls_under_way", "gauge", "Calls to oxd that are under way.");
    out.sample("oxd_calls_under_way", &[], gauges.under_way);
    out.family(
        "oxd_call_events_total",
        "counter",
        "Openings of the breaker, and calls that waited for their turn.",
    );
    for event in Event::ALL {
        let value = stats.events(*event);
        out.sample("oxd_call_events_total", &[("event", event.name())], value);
    }
    store(out, stats);
    out.family(
        "oxd_audit_lines_total",
        "counter",
        "Lines of the audit trail, by what became of them.",
    );
    for what in Audit::ALL {
        let value = stats.audit_lines(*what);
        out.sample("oxd_audit_lines_total", &[("line", what.name())], value);
    }
    out.family(
        "oxd_marks_lost_total",
        "counter",
        "Ended sessions that shared memory forgot for lack of room.",
    );
    out.sample("oxd_marks_lost_total", &[], gauges.lost_marks);
    marks(out, gauges);
    out.family(
        "oxd_counting_since_seconds",
        "gauge",
        "When counting began, in Unix time.",
    );
    out.sample("oxd_counting_since_seconds", &[], stats.since());
    health(out, gauges);
    text.0
}

fn health(out: &mut Text, gauges: &Gauges) {
    let Gauges { ready, about, .. } = gauges;
    out.family("oxd_build_info", "gauge", "1, with what runs here.");
    let labels = [
        ("version", about.version),
        ("httpd", about.httpd.as_str()),
        ("mpm", about.mpm.as_str()),
    ];
    out.sample("oxd_build_info", &labels, 1);
    let Some(ready) = ready else {
        return;
    };
    out.family(
        "oxd_ready",
        "gauge",
        "1 when all sites work as far as is known, else 0 (oxd-health).",
    );
    out.sample("oxd_ready", &[], u8::from(ready.is_ready()));
    out.family("oxd_sites", "gauge", "The sites of the configuration.");
    out.sample("oxd_sites", &[], ready.sites);
    out.family(
        "oxd_sites_not_ready",
        "gauge",
        "Sites that do not work, by reason code.",
    );
    for reason in FINDINGS {
        let labels = [("reason", reason.code())];
        out.sample("oxd_sites_not_ready", &labels, ready.failing(reason));
    }
    out.family(
        "oxd_sites_checked_timestamp_seconds",
        "gauge",
        "When the sites were checked last, in Unix time; 0 for never.",
    );
    let checked = ready.checked.unwrap_or_default();
    out.sample("oxd_sites_checked_timestamp_seconds", &[], checked);
}

fn marks(out: &mut Text, gauges: &Gauges) {
    let (used, room) = gauges.marks;
    out.family(
        "oxd_marks",
        "gauge",
        "Ended sessions and the like that shared memory knows.",
    );
    out.sample("oxd_marks", &[], used);
    out.family(
        "oxd_marks_room",
        "gauge",
        "How many have room there (OxdSessionMarks).",
    );
    out.sample("oxd_marks_room", &[], room);
    let Some(feed) = &gauges.feed else {
        return;
    };
    out.family(
        "oxd_revocations_lag_seconds",
        "gauge",
        "How long ago all ends on other machines were known here (OxdRevocations).",
    );
    let lag = feed.lag.map_or(f64::INFINITY, |lag| lag.0 as f64 / 1e3);
    let lag = if lag.is_finite() {
        lag.to_string()
    } else {
        "+Inf".to_owned()
    };
    out.sample("oxd_revocations_lag_seconds", &[], lag);
    out.family(
        "oxd_revocations_untold",
        "gauge",
        "Ends of this machine that other machines have yet to be told.",
    );
    out.sample("oxd_revocations_untold", &[], feed.untold);
}

fn logins(out: &mut Text, stats: &Stats<'_>) {
    out.family(
        "oxd_logins_total",
        "counter",
        "Logins that were sent to the provider, came back with a session, or were sent to begin again.",
    );
    for stage in Login::ALL {
        out.sample(
            "oxd_logins_total",
            &[("stage", stage.name())],
            stats.logins(*stage),
        );
    }
    out.family(
        "oxd_login_failures_total",
        "counter",
        "Logins that failed, by reason code.",
    );
    for reason in Reason::ALL {
        let value = stats.failures(*reason);
        out.sample("oxd_login_failures_total", &[("reason", reason.code())], value);
    }
    out.family(
        "oxd_refusals_total",
        "counter",
        "Requests that the module refused, by reason code.",
    );
    for reason in Reason::ALL {
        let value = stats.refusals(*reason);
        out.sample("oxd_refusals_total", &[("reason", reason.code())], value);
    }
    let name = "oxd_last_refusal_timestamp_seconds";
    out.family(
        name,
        "gauge",
        "When the module refused a request last, in Unix time, by reason code; 0 for never.",
    );
    for reason in Reason::ALL {
        let when = stats
            .last_refusal(*reason)
            .map_or(Seconds::ZERO, |(when, _)| when);
        out.sample(name, &[("reason", reason.code())], when);
    }
}

fn sessions(out: &mut Text, stats: &Stats<'_>) {
    out.family("oxd_sessions_made_total", "counter", "Sessions that were made.");
    out.sample("oxd_sessions_made_total", &[], stats.sessions_made());
    out.family(
        "oxd_session_ends_total",
        "counter",
        "Acts that ended sessions before their time, by who acted; one may end several.",
    );
    for by in End::ALL {
        let value = stats.sessions_ended(*by);
        out.sample("oxd_session_ends_total", &[("by", by.name())], value);
    }
    out.family(
        "oxd_session_cookies_total",
        "counter",
        "Looks at a request's session cookie, by what it turned out to be.",
    );
    for what in Presented::ALL {
        let value = stats.cookies_presented(*what);
        out.sample("oxd_session_cookies_total", &[("session", what.name())], value);
    }
    out.family(
        "oxd_renewals_total",
        "counter",
        "Renewals of sessions' tokens and claims.",
    );
    for what in Renewal::ALL {
        let value = stats.renewals(*what);
        out.sample("oxd_renewals_total", &[("what", what.name())], value);
    }
}

fn tokens(out: &mut Text, stats: &Stats<'_>) {
    let name = "oxd_tokens_total";
    out.family(
        name,
        "counter",
        "Requests with a bearer token or an RPT, by what it turned out to be.",
    );
    for token in Token::ALL {
        for worth in Worth::ALL {
            let labels = [("token", token.name()), ("answer", worth.name())];
            out.sample(name, &labels, stats.tokens(*token, *worth));
        }
    }
}

fn calls(out: &mut Text, stats: &Stats<'_>) {
    let name = "oxd_calls_total";
    out.family(name, "counter", "Calls to oxd, by command and outcome.");
    for command in Command::ALL {
        for outcome in Outcome::ALL {
            let labels = [("command", command.name()), ("outcome", outcome.name())];
            out.sample(name, &labels, stats.calls(*command, *outcome));
        }
    }
    let name = "oxd_call_duration_seconds";
    out.family(name, "histogram", "How long calls to oxd took.");
    for command in Command::ALL {
        let at = TIMES_AT + *command as usize * HISTOGRAM;
        let mut below = 0;
        for (bucket, bound) in BOUNDS.iter().enumerate() {
            below += stats.read(at + bucket);
            let bound = (*bound as f64 / 1e3).to_string();
            let labels = [("command", command.name()), ("le", bound.as_str())];
            out.sample(&format!("{name}_bucket"), &labels, below);
        }
        below += stats.read(at + BOUNDS.len());
        let labels = [("command", command.name()), ("le", "+Inf")];
        out.sample(&format!("{name}_bucket"), &labels, below);
        let labels = [("command", command.name())];
        out.sample(&format!("{name}_sum"), &labels, seconds(stats.read(at + BUCKETS)));
        out.sample(&format!("{name}_count"), &labels, below);
    }
}

fn store(out: &mut Text, stats: &Stats<'_>) {
    let name = "oxd_store_operations_total";
    out.family(
        name,
        "counter",
        "What session stores were asked for, and what they answered.",
    );
    for action in Action::ALL {
        for answered in Answered::ALL {
            let labels = [("operation", action.name()), ("outcome", answered.name())];
            out.sample(name, &labels, stats.store_calls(*action, *answered));
        }
    }
    let name = "oxd_store_seconds_total";
    out.family(name, "counter", "The time that session stores took.");
    for action in Action::ALL {
        let value = seconds(stats.store_time(*action));
        out.sample(name, &[("operation", action.name())], value);
    }
}
