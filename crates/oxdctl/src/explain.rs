//! `oxdctl explain`

use std::path::Path;

use oxd_core::base::{Level, Reason};
use serde_json::{Value, json};

use crate::cli::Explain;
use crate::httpd::log_level::{self, LogLevel};
use crate::httpd::running::Running;
use crate::log::journal::{self, Journal};
use crate::log::{self, Entry, places};
use crate::problem::{Kind, Outcome, Problem};
use crate::reference::{Reference, Wanted};
use crate::screen::{BOLD, DIM, Screen, plain};

/// A code that is less like what was typed is none that was meant (Jaro and Winkler, from 0 to 1).
const ALIKE: f64 = 0.85;

/// Explains a reference number or a code.
pub fn run(screen: &Screen, args: &Explain) -> Outcome {
    // Codes first: "internal" could be read as a reference number, too.
    if let Some(reason) = code(&args.what) {
        screen.json(json!({"ok": true, "reason": described(reason)}));
        describe(screen, reason);
        return Ok(());
    }
    // Letters alone that are nearly a code are a code that was mistyped, though they could be a number.
    let is_word = !args.what.contains(|c: char| c.is_ascii_digit() || c == '-');
    let wanted = match Wanted::parse(&args.what) {
        Some(wanted) if !is_word || alike(&args.what).is_empty() => wanted,
        _ => return Err(neither(&args.what)),
    };
    let entries = search(screen, args, &wanted)?;
    let Some(reference) = wanted.number() else {
        return Err(neither(&args.what));
    };
    screen.json(json!({
        "ok": true,
        "reference": reference.to_string(),
        "entries": entries.iter().map(entry_json).collect::<Vec<_>>(),
    }));
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            screen.say("");
        }
        show(screen, reference, entry);
    }
    Ok(())
}

/// The reason with this code, in whatever case and with dashes, too.
fn code(typed: &str) -> Option<Reason> {
    let typed = typed.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    Reason::ALL.iter().copied().find(|reason| reason.code() == typed)
}

/// The codes that are like what was typed, the likest first.
fn alike(typed: &str) -> Vec<&'static str> {
    let lower = typed.to_ascii_lowercase();
    let mut alike: Vec<(f64, &'static str)> = Reason::ALL
        .iter()
        .map(|reason| (strsim::jaro_winkler(&lower, reason.code()), reason.code()))
        .filter(|(alike, _)| *alike >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0));
    alike.into_iter().take(3).map(|(_, code)| code).collect()
}

fn neither(typed: &str) -> Problem {
    let alike = alike(typed);
    let advice = if alike.is_empty() {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("the codes are {}", codes.join(", "))
    } else {
        format!("did you mean {}?", alike.join(" or "))
    };
    Problem::usage(format!(
        "{:?} is neither a reference number (eight letters and digits: XXXX-XXXX) nor a reason code",
        plain(typed)
    ))
    .advise(advice)
}

/// Where a number was looked for, and what came of it.
#[derive(Default)]
struct Search {
    entries: Vec<Entry>,
    near: Vec<Reference>,
    looked: Vec<String>,
    unread: Vec<Problem>,
    notes: Vec<String>,
}

fn search(screen: &Screen, args: &Explain, wanted: &Wanted) -> Outcome<Vec<Entry>> {
    let mut search = Search::default();
    let mut level = None;
    if args.log.is_empty() {
        // Whoever cannot run httpd can still look into the usual folders.
        let running = {
            let _waiting = screen.progress("asking httpd where its logs are");
            Running::ask(None, None).ok()
        };
        level = running.as_ref().and_then(lowest_level);
        search.usual(screen, wanted, running.as_ref());
    } else {
        for log in &args.log {
            search.look(screen, log, wanted)?;
        }
    }
    if !search.entries.is_empty() {
        return Ok(search.entries);
    }
    Err(search.not_found(wanted, args, level.as_ref()))
}

impl Search {
    fn look(&mut self, screen: &Screen, log: &Path, wanted: &Wanted) -> Outcome {
        let _waiting = screen.progress(&format!("reading {}", log.display()));
        let found = log::search(log, wanted).map_err(|why| Problem::file("log_unreadable", log, why))?;
        self.entries.extend(found.entries);
        self.near.extend(found.near);
        self.looked.push(plain(&log.display().to_string()));
        Ok(())
    }

    /// The logs of the configuration and of the usual folders, until one has the number, then journald.
    fn usual(&mut self, screen: &Screen, wanted: &Wanted, running: Option<&Running>) {
        for log in places::usual(running) {
            // One may be for root alone; another may have it.
            if let Err(problem) = self.look(screen, &log, wanted) {
                self.unread.push(problem);
            }
            if !self.entries.is_empty() {
                return;
            }
        }
        if running.is_some_and(|running| running.error_logs().1) {
            self.notes
                .push("an ErrorLog of httpd's configuration is a program or the system's log".to_owned());
        }
        let Some(reference) = wanted.number() else { return };
        let _waiting = screen.progress("asking journald");
        match journal::search(reference) {
            Journal::Read(entries) => {
                self.looked.push("journald".to_owned());
                self.entries = entries;
            }
            Journal::Absent => self.notes.push("there is no journald on this machine".to_owned()),
            Journal::Unread(why) => self.notes.push(plain(&why)),
        }
    }

    fn not_found(self, wanted: &Wanted, args: &Explain, level: Option<&LogLevel>) -> Problem {
        if let Some(first) = self.near.first() {
            let more = self.near.iter().skip(1).take(2).map(|near| format!(" or {near}"));
            return Problem::new(
                Kind::No,
                "reference_not_found",
                format!("no log has {}", plain(&args.what)),
            )
            .advise(format!("did you mean {first}{}?", more.collect::<String>()));
        }
        let Some(reference) = wanted.number() else {
            return neither(&args.what);
        };
        // Where nothing could be looked into, that is the problem.
        if self.looked.is_empty() {
            return self.unread.into_iter().next().unwrap_or_else(|| {
                Problem::new(
                    Kind::File,
                    "no_log",
                    "httpd's error log is at none of the usual places",
                )
                .advise(
                    [vec!["name it with --log".to_owned()], self.notes.clone()]
                        .concat()
                        .join("; "),
                )
            });
        }
        let mut advice = vec![hidden(level)];
        if args.log.is_empty() {
            advice.push("name a log that is elsewhere with --log".to_owned());
        } else {
            advice.push(
                "name the log of the site's virtual host, or an older one (also .gz), with --log; without --log \
                 oxdctl looks into all that it finds"
                    .to_owned(),
            );
        }
        let unread = self
            .unread
            .iter()
            .map(|problem| format!("not read: {}", problem.message));
        advice.extend(unread.take(3));
        advice.extend(self.notes);
        Problem::new(
            Kind::No,
            "reference_not_found",
            format!("the reference number {reference} is not in {}", few(&self.looked)),
        )
        .advise(advice.join("; "))
    }
}

/// The first of many names.
fn few(names: &[String]) -> String {
    const FEW: usize = 6;
    let shown: Vec<&str> = names.iter().take(FEW).map(String::as_str).collect();
    match names.len().checked_sub(FEW) {
        Some(more @ 1..) => format!("{} and {more} more logs", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// The level of that server of a configuration which hides most.
fn lowest_level(running: &Running) -> Option<LogLevel> {
    let mut hosts: Vec<Option<usize>> = running.directives.iter().map(|one| one.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let levels = hosts
        .into_iter()
        .map(|host| LogLevel::of(&running.directives, host));
    levels.min_by_key(LogLevel::depth)
}

/// What the log level has to do with a line that is missing.
fn hidden(level: Option<&LogLevel>) -> String {
    match level {
        Some(level) if level.shows(Level::Info) => format!(
            "LogLevel is {} for the module, which hides no refusal: the line is in another log, on another machine, or \
             older than the logs",
            level.name()
        ),
        Some(level) => format!(
            "LogLevel is {} for the module{}, which hides what a visitor has caused (level info): write LogLevel \
             oxd:info, reload httpd, and let the user try again",
            level.name(),
            level
                .at
                .as_ref()
                .map_or(String::new(), |at| format!(" ({})", plain(at)))
        ),
        None => "see that LogLevel is oxd:info, without which refusals that a visitor caused are not logged"
            .to_owned(),
    }
}

fn show(screen: &Screen, reference: &Reference, entry: &Entry) {
    screen.say(format!("{BOLD}Reference {reference}{BOLD:#}"));
    if let Some(time) = &entry.time {
        field(screen, "time", time);
    }
    if let Some(reason) = entry.reason {
        field(screen, "code", reason.code());
    }
    field(screen, "what happened", &entry.detail);
    if let Some(trace) = &entry.trace {
        field(screen, "trace", trace);
    }
    if let Some(reason) = entry.reason {
        field(screen, "what to do", to_do(reason));
        field(screen, "the page said", &page(reason));
    }
    screen.say(format!(
        "{DIM}  {}, line {}{DIM:#}",
        plain(&entry.log.display().to_string()),
        entry.number
    ));
}

fn describe(screen: &Screen, reason: Reason) {
    screen.say(format!(
        "{BOLD}{}{BOLD:#} (HTTP status {})",
        reason.code(),
        reason.status()
    ));
    field(screen, "what to do", to_do(reason));
    field(screen, "the page says", &page(reason));
    field(screen, "in the log", &logged(reason));
}

/// From which `LogLevel` on the reason is in the log.
fn logged(reason: Reason) -> String {
    let name = log_level::name(reason.level());
    match reason.level() {
        Level::Info | Level::Debug => {
            format!("at level {name}: only with LogLevel oxd:{name}, as httpd's default is warn")
        }
        Level::Error | Level::Warning | Level::Notice => format!("at level {name}"),
    }
}

fn field(screen: &Screen, name: &str, text: &str) {
    screen.say(format!("  {name:<14} {text}"));
}

fn page(reason: Reason) -> String {
    format!("{}. {}", reason.title(), reason.text())
}

fn to_do(reason: Reason) -> &'static str {
    match reason.remedy() {
        "" => "nothing here: what happened explains it",
        remedy => remedy,
    }
}

fn described(reason: Reason) -> Value {
    json!({
        "code": reason.code(),
        "status": reason.status(),
        "page": page(reason),
        "advice": reason.remedy(),
        "level": log_level::name(reason.level()),
    })
}

fn entry_json(entry: &Entry) -> Value {
    let log: &Path = &entry.log;
    json!({
        "log": log.display().to_string(),
        "line": entry.number,
        "time": entry.time,
        "detail": entry.detail,
        "trace": entry.trace,
        "reason": entry.reason.map(described),
    })
}
