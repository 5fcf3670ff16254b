//! Decides which lines of httpd's error log a test may leave behind.

use std::sync::OnceLock;

use regex::Regex;

/// The lines of an error log that fail a test: those at level `warn` or above, those that tell of
/// a crash at whatever level, and those that are not httpd's at all (a panic's raw text).
pub fn unexpected<'a>(log: &'a str, allowed: &[Regex]) -> Vec<&'a str> {
    let lines = log.lines().filter(|line| !line.trim().is_empty());
    let bad = lines.filter(|line| crash(line) || level(line).is_none_or(severe));
    bad.filter(|line| !allowed.iter().any(|pattern| pattern.is_match(line)))
        .collect()
}

/// The level that a line was logged at, as in `[Mon ...] [oxd:warn] [pid 1:tid 2] ...`.
fn level(line: &str) -> Option<&str> {
    static PREFIX: OnceLock<Regex> = OnceLock::new();
    let prefix = PREFIX.get_or_init(|| {
        Regex::new(r"^\[[^\]]+\] \[[^\]:]*:([a-z0-9]+)\] \[pid ").expect("a pattern of our own")
    });
    Some(prefix.captures(line)?.get(1)?.as_str())
}

fn severe(level: &str) -> bool {
    matches!(level, "warn" | "error" | "crit" | "alert" | "emerg")
}

fn crash(line: &str) -> bool {
    ["exit signal", "Segmentation", "panicked", "core dump"]
        .iter()
        .any(|sign| line.contains(sign))
}
