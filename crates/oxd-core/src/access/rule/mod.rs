//! The `Require` rules of the module. A new one is a file here, a line below and a line in the Apache layer's
//! `entry/authz.rs`.

mod acr;
mod claim;
mod scope;
mod standing;
mod uma;

pub use acr::AcrRule;
pub use claim::ClaimRule;
pub use scope::ScopeRule;
pub use standing::Standing;
pub use uma::UmaRule;

use std::ffi::CStr;
use std::fmt;

use crate::base::{Failure, Reason};
use crate::config::value::is_scope_token;
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord};
use crate::uma::Decision;

/// What a rule says for itself when it has refused a user.
pub trait Explain: fmt::Debug + Sync {
    /// The rule as it stands in the configuration.
    fn text(&self) -> String;

    /// What the session lacks. `with_values` says whether the values of its claims may be shown.
    fn lacks(&self, record: &SessionRecord<'_>, with_values: bool) -> String;

    /// What is to be said where the rule is negated, and refuses a user who meets it.
    fn holds(&self) -> &'static str {
        "the session meets it"
    }
}

/// A rule behind `Require`. httpd asks it for each request of a place, once there is a user.
pub trait Rule: Explain + Send + Sized + 'static {
    /// The name after `Require`, NUL-terminated because httpd reads it from here.
    const NAME: &'static CStr;

    /// Whether the rule is about users; else [`Rule::decide`] is asked, with a user or without.
    const NEEDS_USER: bool = true;

    /// Parses the arguments after the name; the error is the line that `configtest` prints.
    fn parse(words: &[String]) -> Result<Self, String>;

    /// Whether a session meets the rule. A rule may call oxd.
    fn check<'s>(&'s self, ctx: &Ctx<'_>, session: &Opened<'_>) -> Verdict<'s>;

    /// The decision about a request with this method, whoever sends it; `None` where it depends on a user who has to sign
    /// in first.
    fn decide(&self, _: &Ctx<'_>, _: &str) -> Option<Decision> {
        None
    }

    /// The decision about a request with this method and a session, for a rule that is not about users alone.
    fn decide_for(&self, _: &Ctx<'_>, _: &str, _: &Opened<'_>) -> Decision {
        Decision::Refused(Failure::new(Reason::Forbidden, "this rule is about users"))
    }
}

/// The scopes among the arguments of a rule with this name; an argument may hold several.
fn scopes(rule: &CStr, words: &[String]) -> Result<Vec<String>, String> {
    let words: Vec<String> = words
        .iter()
        .flat_map(|word| word.split_ascii_whitespace())
        .map(str::to_owned)
        .collect();
    match words.iter().find(|word| !is_scope_token(word)) {
        Some(bad) => {
            let rule = rule.to_string_lossy();
            Err(format!("Require {rule}: '{}' is no scope", bad.escape_debug()))
        }
        None => Ok(words),
    }
}

/// The result of a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict<'r> {
    /// The session meets the rule.
    Met,
    /// It may not.
    Unmet,
    /// It may not, but would if the user authenticated with one of these acr values.
    StepUp(&'r [String]),
    /// It may not, as one of these scopes was not granted.
    Scopes(&'r [String]),
}

/// What the rules of a place wanted and did not find.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmet<'u> {
    /// The values of a `Require oxd-acr`.
    pub acr: Option<&'u [String]>,
    /// The scopes of a `Require oxd-scope`.
    pub scope: Option<&'u [String]>,
    /// The rules that have refused the user.
    pub rules: Option<&'u Refusing<'u>>,
}

/// A rule that has refused the user, and those before it.
#[derive(Clone, Copy, Debug)]
pub struct Refusing<'u> {
    /// The rule.
    pub rule: &'u dyn Explain,
    /// Whether it refuses those who meet it, or the others.
    pub standing: Standing,
    /// The ones before it.
    pub before: Option<&'u Refusing<'u>>,
}

impl Refusing<'_> {
    /// The rule, as it stands in the configuration.
    fn text(&self) -> String {
        self.standing.text(self.rule)
    }
}

/// The most rules that a line of a log names.
const MOST_NAMED: usize = 5;

impl<'u> Unmet<'u> {
    /// The rules that have refused the user, in their order; the first ones of many.
    fn named(&self) -> Vec<&'u Refusing<'u>> {
        let mut rules: Vec<_> = std::iter::successors(self.rules, |refusing| refusing.before).collect();
        rules.reverse();
        rules.truncate(MOST_NAMED);
        rules
    }

    /// The rules, as they stand in the configuration; `None` where none of this module has refused.
    pub(super) fn text(&self) -> Option<String> {
        let texts: Vec<_> = self.named().into_iter().map(Refusing::text).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    /// The rules, and why each of them refuses who has this record.
    pub(super) fn explained(&self, record: Option<&SessionRecord<'_>>, with_values: bool) -> Option<String> {
        let one = |refusing: &Refusing<'_>| match record {
            Some(record) => refusing.standing.explained(refusing.rule, record, with_values),
            None => refusing.text(),
        };
        let texts: Vec<_> = self.named().into_iter().map(one).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// A `Require expr` with this expression.
#[derive(Clone, Copy, Debug)]
pub struct ExpressionRule<'e>(pub &'e str);

impl Explain for ExpressionRule<'_> {
    fn text(&self) -> String {
        shortened(&format!("Require expr {}", self.0))
    }

    fn lacks(&self, _: &SessionRecord<'_>, _: bool) -> String {
        "it is not true of this request".to_owned()
    }

    fn holds(&self) -> &'static str {
        "it is true of this request"
    }
}

/// The most characters of a rule, or of a claim's value, in a line of a log.
const LONGEST: usize = 150;

/// A text that leaves room for others in its line.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A `Require` line with these arguments.
fn line(rule: &CStr, words: &[String]) -> String {
    let mut line = format!("Require {}", rule.to_string_lossy());
    for word in words {
        line.push(' ');
        if word.is_empty() || word.contains(char::is_whitespace) {
            line.push_str(&format!("\"{word}\""));
        } else {
            line.push_str(word);
        }
    }
    shortened(&line)
}

impl Verdict<'_> {
    /// [`Verdict::Met`] or [`Verdict::Unmet`].
    pub fn met_if(holds: bool) -> Self {
        if holds { Verdict::Met } else { Verdict::Unmet }
    }
}

#[cfg(test)]
mod tests;
