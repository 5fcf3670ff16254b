//! Everything that is printed: text or JSON on standard output, notes and progress on standard error.
//!
//! Secrets that a command has come to know are told to the [`Screen`], which takes them out of all that it prints:
//! oxd and providers quote what they were sent in some of their error texts.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use oxd_core::base::Secret;
use serde_json::Value;

use crate::problem::Problem;

/// Words of success.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// Words of warning.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Words of failure.
pub const RED: Style = AnsiColor::Red.on_default().bold();
/// Secondary text.
pub const DIM: Style = Style::new().dimmed();
/// Headings.
pub const BOLD: Style = Style::new().bold();

/// A shorter text is no secret, and taking it out would tear holes into the sentences around it.
const SHORTEST_SECRET: usize = 4;

/// The output of a command.
pub struct Screen {
    /// Whether results are JSON.
    pub json: bool,
    secrets: RefCell<Vec<Secret>>,
    /// What was printed since [`Screen::keep`], without colours.
    kept: RefCell<Option<String>>,
}

/// Takes the colours from a terminal that has none. anstream looks at `NO_COLOR`, `CLICOLOR_FORCE` and whether there is a
/// terminal, but takes colours for granted where `CI` or `CLICOLOR` is set, whatever `TERM` says.
pub fn settle_colours() {
    if !anstyle_query::term_supports_color() && !anstyle_query::clicolor_force() {
        anstream::ColorChoice::Never.write_global();
    }
}

impl Screen {
    /// A screen for text or for JSON.
    pub fn new(json: bool) -> Self {
        Self {
            json,
            secrets: RefCell::default(),
            kept: RefCell::default(),
        }
    }

    /// Never prints this text from now on.
    pub fn hide(&self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.secrets.borrow_mut().push(Secret::new(secret.to_owned()));
        }
    }

    /// A line of a result; nothing with `--json`.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.json {
            self.print(&self.clean(line.as_ref()));
        }
    }

    /// Keeps from now on what is printed as the result.
    pub fn keep(&self) {
        *self.kept.borrow_mut() = Some(String::new());
    }

    /// What was kept, without colours.
    pub fn kept(&self) -> String {
        self.kept.take().unwrap_or_default()
    }

    /// The result itself, where it is text that is asked for as it is (a key, a script).
    pub fn verbatim(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // Nobody reads on: nobody misses the rest.
        let _ = out.write_all(text.as_bytes());
    }

    /// The result for `--json`, nothing otherwise.
    pub fn json(&self, mut value: Value) {
        if self.json {
            self.clean_value(&mut value);
            self.print(&format!("{value:#}"));
        }
    }

    /// The result for `--json`, with the secrets in it that were asked for.
    pub fn json_with_secrets(&self, value: &Value) {
        if self.json {
            self.print(&format!("{value:#}"));
        }
    }

    /// A remark on standard error, which is no part of the result.
    pub fn note(&self, line: impl AsRef<str>) {
        let line = self.clean(line.as_ref());
        let _ = writeln!(anstream::stderr(), "oxdctl: {line}");
    }

    /// A problem: on standard error, or as the JSON result.
    pub fn problem(&self, problem: &Problem) {
        if self.json {
            self.json(serde_json::json!({
                "ok": false,
                "error": {
                    "cause": problem.cause,
                    "status": problem.kind.status(),
                    "message": problem.message,
                    "advice": problem.advice,
                },
            }));
            return;
        }
        self.note(format!("{RED}{}{RED:#}", problem.message));
        if !problem.advice.is_empty() {
            self.note(&problem.advice);
        }
    }

    /// Shows on a terminal what is in progress, until the returned value is dropped.
    pub fn progress(&self, what: &str) -> Progress {
        // The line is taken away again by an escape code, which not every terminal knows and not everybody wants.
        let stderr = std::io::stderr();
        let plain = anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never;
        let shown = stderr.is_terminal() && !plain;
        if shown {
            let mut err = anstream::stderr();
            let _ = write!(err, "{DIM}... {what}{DIM:#}");
            let _ = err.flush();
        }
        Progress { shown }
    }

    fn print(&self, text: &str) {
        if let Some(kept) = self.kept.borrow_mut().as_mut() {
            kept.push_str(&anstream::adapter::strip_str(text).to_string());
            kept.push('\n');
        }
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// The text without the secrets. What came from outside has been through [`plain`] before.
    fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.borrow().iter() {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "[secret]");
            }
        }
        text
    }

    fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.clean(text),
            Value::Array(list) => list.iter_mut().for_each(|inner| self.clean_value(inner)),
            Value::Object(object) => object.values_mut().for_each(|inner| self.clean_value(inner)),
            _ => {}
        }
    }
}

/// Shown while something is waited for.
pub struct Progress {
    shown: bool,
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

/// A text from outside on one line: without control characters, which could steer a terminal, and not endless.
pub fn plain(text: &str) -> String {
    const LONGEST: usize = 1_000;
    let mut plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        plain.push_str(" ...");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_taken_out_at_any_depth() {
        let screen = Screen::new(true);
        screen.hide("hunter2");
        screen.hide("abc");
        assert_eq!(screen.clean("is hunter2 abc?"), "is [secret] abc?");
        let mut value = json!({"a": ["x hunter2", {"b": "hunter2"}], "n": 1});
        screen.clean_value(&mut value);
        assert_eq!(value, json!({"a": ["x [secret]", {"b": "[secret]"}], "n": 1}));
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\r\nc\u{9b}d"), "a [31mb  c d");
        assert_eq!(plain(&"x".repeat(2_000)).len(), 1_004);
    }
}
