//! Lines of httpd as they stand in a table: without what differs from run to run.

use std::path::Path;

use regex::Regex;

/// The lines of an output or a log, without date, process and client; `ROOT` stands for the server's root,
/// `N` for a line number and `PORT` for a port that the system chose.
pub(super) fn lines(output: &str, root: &Path) -> Vec<String> {
    let root = root.display().to_string();
    // "[date] [oxd:warn] [pid 1:tid 2] [client 127.0.0.1:3] text [ref ...]"
    let mut plain = output.replace(&root, "ROOT");
    for (pattern, to) in [
        (
            r"(?m)^\[[^\]]+\] \[([a-z_]+):[a-z0-9]+\] \[pid [^\]]+\] (?:\[client [^\]]+\] )?",
            "",
        ),
        (r"(?m)^\(\d+\)[^:]+: ", ""),
        (r" \[ref [0-9A-Z]+\]", ""),
        (r"httpd\.conf:\d+", "httpd.conf:N"),
        (r"\bline \d+", "line N"),
        (r"SHA-256 [0-9A-F:]+", "SHA-256 FINGERPRINT"),
        (r"ran out on [A-Z][^;]+ GMT", "ran out on DATE"),
        (r"ran out \d+ s ago", "ran out SECONDS s ago"),
        (r"a session of \d+ bytes", "a session of SIZE bytes"),
        (r"(127\.0\.0\.1|localhost):\d{4,5}\b", "$1:PORT"),
    ] {
        let pattern = Regex::new(pattern).expect("a pattern");
        plain = pattern.replace_all(&plain, to).into_owned();
    }
    plain.lines().map(str::to_owned).collect()
}

/// What is wrong when none of the lines is exactly this one.
pub(super) fn missing(mistake: &str, said: &[String], line: &str) -> Option<String> {
    let is_said = said.iter().any(|one| one == line);
    (!is_said).then(|| {
        format!(
            "{mistake}\n  expected: {line}\n  said:\n    {}",
            said.join("\n    ")
        )
    })
}
