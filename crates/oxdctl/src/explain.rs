//! `oxdctl explain`

use std::path::{Path, PathBuf};

use oxd_core::base::Reason;
use serde_json::{Value, json};

use crate::cli::Explain;
use crate::log::{self, Entry};
use crate::problem::{Kind, Outcome, Problem};
use crate::reference::Reference;
use crate::screen::{BOLD, DIM, Screen, plain};

/// Explains a reference number or a code.
pub fn run(screen: &Screen, args: &Explain) -> Outcome {
    // Codes first: "internal" could be read as a reference number, too.
    if let Some(reason) = Reason::ALL.iter().find(|reason| reason.code() == args.what) {
        screen.json(json!({"ok": true, "reason": described(*reason)}));
        describe(screen, *reason);
        return Ok(());
    }
    let Some(reference) = Reference::parse(&args.what) else {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        return Err(Problem::usage(format!(
            "{:?} is neither a reference number (XXXX-XXXX) nor a reason code",
            plain(&args.what)
        ))
        .advise(format!("the codes are {}", codes.join(", "))));
    };
    let entries = search(screen, args, &reference)?;
    screen.json(json!({
        "ok": true,
        "reference": reference.to_string(),
        "entries": entries.iter().map(entry_json).collect::<Vec<_>>(),
    }));
    for (number, entry) in entries.iter().enumerate() {
        if number > 0 {
            screen.say("");
        }
        show(screen, &reference, entry);
    }
    Ok(())
}

fn search(screen: &Screen, args: &Explain, reference: &Reference) -> Outcome<Vec<Entry>> {
    let named = !args.log.is_empty();
    let logs: Vec<PathBuf> = if named {
        args.log.clone()
    } else {
        log::USUAL
            .iter()
            .map(PathBuf::from)
            .filter(|log| log.exists())
            .collect()
    };
    if logs.is_empty() {
        return Err(Problem::new(
            Kind::File,
            "no_log",
            "httpd's error log is at none of the usual places",
        )
        .advise("name it with --log"));
    }
    let mut entries = Vec::new();
    let mut unreadable = Vec::new();
    for log in &logs {
        let _waiting = screen.progress(&format!("reading {}", log.display()));
        match log::search(log, reference) {
            Ok(found) => entries.extend(found),
            // Of the usual places one may be for root alone; another may have it.
            Err(why) if !named => unreadable.push(Problem::file("log_unreadable", log, why)),
            Err(why) => return Err(Problem::file("log_unreadable", log, why)),
        }
    }
    if !entries.is_empty() {
        return Ok(entries);
    }
    if let Some(problem) = unreadable.into_iter().next() {
        return Err(problem);
    }
    let looked = logs
        .iter()
        .map(|log| log.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    Err(Problem::new(
        Kind::No,
        "reference_not_found",
        format!("the reference number {reference} is not in {looked}"),
    )
    .advise(
        "name the log of the site's virtual host, or an older one (also .gz), with --log; and see that LogLevel is \
         oxd:info, without which refusals that a visitor caused are not logged",
    ))
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
    if let Some(reason) = entry.reason {
        field(screen, "what to do", to_do(reason));
        field(screen, "the page said", &page(reason));
    }
    screen.say(format!(
        "{DIM}  {}, line {}{DIM:#}",
        entry.log.display(),
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
    })
}

fn entry_json(entry: &Entry) -> Value {
    let log: &Path = &entry.log;
    json!({
        "log": log.display().to_string(),
        "line": entry.number,
        "time": entry.time,
        "detail": entry.detail,
        "reason": entry.reason.map(described),
    })
}
