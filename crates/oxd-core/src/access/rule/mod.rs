//! The `Require` rules of the module. A new one is a file here, a line below and a line in the Apache layer's
//! `entry/authz.rs`.

mod acr;
mod claim;
mod scope;
mod uma;

pub use acr::AcrRule;
pub use claim::ClaimRule;
pub use scope::ScopeRule;
pub use uma::UmaRule;

use std::ffi::CStr;

use crate::base::{Failure, Reason};
use crate::config::value::is_scope_token;
use crate::flow::Ctx;
use crate::session::Opened;
use crate::uma::Decision;

/// A rule behind `Require`. httpd asks it for each request of a place, once there is a user.
pub trait Rule: Send + Sync + Sized + 'static {
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
}

impl Verdict<'_> {
    /// [`Verdict::Met`] or [`Verdict::Unmet`].
    pub fn met_if(holds: bool) -> Self {
        if holds { Verdict::Met } else { Verdict::Unmet }
    }
}

#[cfg(test)]
mod tests;
