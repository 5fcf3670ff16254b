//! The findings of a check, and how they are shown.

use std::net::SocketAddr;

use oxd_core::oxd::{BadAnswer, Error, Trouble};
use serde_json::{Value, json};

use crate::advice;
use crate::route::Link;
use crate::screen::{BOLD, DIM, GREEN, RED, Screen, YELLOW};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is wrong.
    Ok,
    /// It works, but an administrator should look at it.
    Warning,
    /// It does not work.
    Failed,
    /// It could not be checked, because of an earlier failure.
    Skipped,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Status::Ok => GREEN,
            Status::Warning => YELLOW,
            Status::Failed => RED,
            Status::Skipped => DIM,
        }
    }
}

/// What a check has found, before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub status: Status,
    /// A stable word for scripts, unless nothing is wrong.
    pub cause: Option<&'static str>,
    /// What was found; each line is one of several servers.
    pub found: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Verdict {
    /// Nothing is wrong.
    pub fn ok(found: impl Into<String>) -> Self {
        Self {
            status: Status::Ok,
            cause: None,
            found: found.into(),
            advice: None,
        }
    }

    /// It works, but an administrator should look at it.
    pub fn warn(cause: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Warning,
            cause: Some(cause),
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    /// It does not work.
    pub fn fail(cause: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Failed,
            ..Self::warn(cause, found, advice)
        }
    }

    /// It cannot be checked.
    pub fn skip(why: impl Into<String>) -> Self {
        Self {
            status: Status::Skipped,
            ..Self::ok(why)
        }
    }
}

/// One check's result.
#[derive(Debug)]
struct Finding {
    /// The part of the report.
    about: Option<String>,
    check: &'static str,
    status: Status,
    cause: Option<&'static str>,
    found: String,
    advice: Option<String>,
}

/// All results so far; each is shown as it comes.
pub struct Report<'s> {
    screen: &'s Screen,
    findings: Vec<Finding>,
    about: Option<String>,
}

impl<'s> Report<'s> {
    /// An empty report.
    pub fn new(screen: &'s Screen) -> Self {
        Self {
            screen,
            findings: Vec::new(),
            about: None,
        }
    }

    /// Nothing is wrong.
    pub fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Status::Ok, None, found.into(), None);
    }

    /// A warning.
    pub fn warn(
        &mut self,
        check: &'static str,
        cause: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(
            check,
            Status::Warning,
            Some(cause),
            found.into(),
            Some(advice.into()),
        );
    }

    /// It does not work.
    pub fn fail(
        &mut self,
        check: &'static str,
        cause: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(
            check,
            Status::Failed,
            Some(cause),
            found.into(),
            Some(advice.into()),
        );
    }

    /// The way to oxd ends.
    pub fn trouble(&mut self, check: &'static str, trouble: &Trouble, link: &Link) {
        let advice = advice::of_trouble(trouble, link);
        self.fail(check, trouble.cause.code(), trouble.to_string(), advice);
    }

    /// oxd refused, for a reason that this check is about.
    pub fn refused(
        &mut self,
        check: &'static str,
        cause: &'static str,
        refusal: &BadAnswer,
        link: &Link,
        connected: SocketAddr,
    ) {
        let advice = advice::of_refusal(refusal, link, Some(connected));
        self.fail(check, cause, advice::said(refusal), advice);
    }

    /// A command failed, for a reason that this check is not about.
    pub fn unexpected(&mut self, check: &'static str, error: &Error, link: &Link) {
        let advice = advice::of_error(error, link, None);
        self.fail(check, advice::code(error), advice::found(error), advice);
    }

    /// It cannot be checked.
    pub fn skip(&mut self, check: &'static str, why: impl Into<String>) {
        self.add(check, Status::Skipped, None, why.into(), None);
    }

    /// Skips all of these that were not reported, because of the last failure.
    pub fn skip_rest(&mut self, checks: &[&'static str]) {
        let failed = self.of_part().rev().find(|f| f.status == Status::Failed);
        let why = failed.map_or("cannot be checked".to_owned(), |failed| {
            format!("cannot be checked, because {} failed", failed.check)
        });
        self.skip_others(checks, &why);
    }

    /// Skips all of these that were not reported, for this reason.
    pub fn skip_others(&mut self, checks: &[&'static str], why: &str) {
        for check in checks {
            if !self.of_part().any(|finding| finding.check == *check) {
                self.skip(check, why);
            }
        }
    }

    /// What was found elsewhere.
    pub fn put(&mut self, check: &'static str, verdict: Verdict) {
        let Verdict {
            status,
            cause,
            found,
            advice,
        } = verdict;
        self.add(check, status, cause, found, advice);
    }

    /// Begins a part of the report: what follows is about this.
    pub fn part(&mut self, about: impl Into<String>) {
        let about = about.into();
        self.screen.say(format!("\n{BOLD}{about}{BOLD:#}"));
        self.about = Some(about);
    }

    /// Whether one of these checks of this part has failed.
    pub fn has_failed(&self, checks: &[&str]) -> bool {
        self.of_part()
            .any(|finding| finding.status == Status::Failed && checks.contains(&finding.check))
    }

    fn of_part(&self) -> impl DoubleEndedIterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.about == self.about)
    }

    /// Whether no check failed; shows the sum of it. `head` are the members of the JSON object before the checks.
    pub fn close(self, head: Value) -> bool {
        let count = |status| {
            self.findings
                .iter()
                .filter(|finding| finding.status == status)
                .count()
        };
        let (failed, warnings) = (count(Status::Failed), count(Status::Warning));
        let skipped = count(Status::Skipped);
        let fine = failed == 0;
        let mut whole = json!({"ok": fine});
        if let (Value::Object(whole), Value::Object(head)) = (&mut whole, head) {
            whole.extend(head);
        }
        whole["checks"] = self.findings.iter().map(Finding::json).collect();
        self.screen.json(whole);
        self.screen.say("");
        self.screen.say(match (failed, warnings) {
            (0, 0) if skipped == 0 => format!("{GREEN}All is well.{GREEN:#}"),
            (0, 0) => format!(
                "{GREEN}What could be checked is well; {} could not be.{GREEN:#}",
                counted(skipped, "thing")
            ),
            (0, _) => format!(
                "{YELLOW}It works; {} to look at.{YELLOW:#}",
                counted(warnings, "warning")
            ),
            (_, 0) => format!("{RED}{} failed.{RED:#}", counted(failed, "check")),
            _ => format!(
                "{RED}{} failed, {}.{RED:#}",
                counted(failed, "check"),
                counted(warnings, "warning")
            ),
        });
        fine
    }

    fn add(
        &mut self,
        check: &'static str,
        status: Status,
        cause: Option<&'static str>,
        found: String,
        advice: Option<String>,
    ) {
        let style = status.style();
        let word = status.word();
        self.screen.say(format!(
            "{style}{word:<8}{style:#} {check:<11} {}",
            indented(&found)
        ));
        if let Some(advice) = &advice {
            self.screen.say(format!("{:21}to do: {}", "", indented(advice)));
        }
        self.findings.push(Finding {
            about: self.about.clone(),
            check,
            status,
            cause,
            found,
            advice,
        });
    }
}

impl Finding {
    fn json(&self) -> Value {
        let mut finding = json!({
            "check": self.check,
            "status": self.status.word(),
            "cause": self.cause,
            "found": self.found,
            "advice": self.advice,
        });
        if let Some(about) = &self.about {
            finding["about"] = about.as_str().into();
        }
        finding
    }
}

/// Further lines below the first one.
fn indented(text: &str) -> String {
    text.replace('\n', &format!("\n{:21}", ""))
}

/// A number of things in words.
pub fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
