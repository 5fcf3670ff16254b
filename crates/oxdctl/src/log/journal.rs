//! journald, to which httpd's lines go with `ErrorLog syslog`, and in containers.

use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Entry, parse};
use crate::process::ask;
use crate::reference::Reference;

/// A journal of some gigabytes takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// One number is in one line; whoever forges it elsewhere shall not fill the screen.
const MOST: &str = "20";

/// What journald has of a reference number.
pub enum Journal {
    /// These entries, the newest first; may be none.
    Read(Vec<Entry>),
    /// There is no journald on this machine.
    Absent,
    /// It was not read, for this reason.
    Unread(String),
}

/// Asks journald for the lines of httpd's units with this reference number, which consists of letters and digits.
pub fn search(reference: &Reference) -> Journal {
    let pattern = format!("ref {}", reference.in_log());
    let mut command = Command::new("journalctl");
    command.args([
        "--unit=apache2",
        "--unit=httpd",
        "--output=short-iso",
        "--reverse",
        "--no-pager",
    ]);
    command.args([
        "--quiet",
        &format!("--lines={MOST}"),
        &format!("--grep={pattern}"),
    ]);
    let ended = match ask(&mut command, PATIENCE) {
        Ok(ended) => ended,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Journal::Absent,
        Err(why) if why.kind() == io::ErrorKind::TimedOut => {
            return Journal::Unread(format!("journalctl did not end within {} s", PATIENCE.as_secs()));
        }
        Err(why) => return Journal::Unread(format!("journalctl cannot be run: {why}")),
    };
    let entries: Vec<Entry> = (1..)
        .zip(ended.out.lines())
        .filter_map(|(number, line)| {
            let found = parse(line, reference)?;
            Some(Entry {
                log: PathBuf::from("journald"),
                number,
                ..found
            })
        })
        .collect();
    // Without a match it ends with 1, as grep does, and says nothing.
    match ended.err.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(why) if entries.is_empty() && !why.starts_with("No journal files were found") => {
            Journal::Unread(format!("journalctl: {why}"))
        }
        _ => Journal::Read(entries),
    }
}
