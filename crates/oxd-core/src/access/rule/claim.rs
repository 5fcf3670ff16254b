//! `Require oxd-claim`: a question about one claim of the session.

use std::ffi::CStr;

use regex::Regex;
use serde_json::Value;

use super::{Explain, Rule, Verdict, line, shortened};
use crate::flow::Ctx;
use crate::session::claims::claim_json;
use crate::session::claims::lookup::{Found, find};
use crate::session::{Kind, Opened, SessionRecord};

/// `Require oxd-claim`
#[derive(Debug)]
pub struct ClaimRule {
    /// The claim's name, or a path into it (`address.country`).
    path: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    OneOf(Vec<String>),
    Matches(Regex),
}

/// The syntax of a rule's line.
const CLAIM_SYNTAX: &str = "Require oxd-claim NAME VALUE..., or Require oxd-claim NAME ~ REGEX";

impl Explain for ClaimRule {
    fn text(&self) -> String {
        let mut words = vec![self.path.clone()];
        match &self.test {
            Test::OneOf(values) => words.extend_from_slice(values),
            Test::Matches(pattern) => words.extend(["~".to_owned(), pattern.as_str().to_owned()]),
        }
        line(Self::NAME, &words)
    }

    fn lacks(&self, record: &SessionRecord<'_>, with_values: bool) -> String {
        let path = &self.path;
        let value = match find(record, path) {
            None => return format!("the session has no claim {path}"),
            Some(Found::Claim(claim)) => claim_json(&claim),
            Some(Found::Member(value)) => value,
        };
        match &value {
            _ if with_values => format!("{path} is {}", shortened(&value.to_string())),
            Value::Array(items) if items.is_empty() => format!("the claim {path} is empty"),
            Value::Array(_) => format!("no value of the claim {path} is among those of the rule"),
            Value::Object(_) => {
                format!(
                    "the claim {path} is an object, which has no value of its own: name a member ({path}.NAME)"
                )
            }
            _ => match &self.test {
                Test::OneOf(_) => format!("the claim {path} has another value"),
                Test::Matches(_) => format!("the claim {path} does not match"),
            },
        }
    }
}

impl Rule for ClaimRule {
    const NAME: &'static CStr = c"oxd-claim";

    /// Parses the arguments of `oxd-claim`; the error is the line that `configtest` prints.
    fn parse(words: &[String]) -> Result<Self, String> {
        let refuse = |why: String| format!("Require oxd-claim: {why}; allowed: {CLAIM_SYNTAX}");
        let test = match words {
            [_, tilde, pattern] if tilde == "~" => Test::Matches(Regex::new(pattern).map_err(|e| {
                refuse(format!(
                    "'{pattern}' is not a regular expression ({})",
                    last_line(&e)
                ))
            })?),
            [_, tilde, ..] if tilde == "~" => {
                return Err(refuse("one regular expression follows the ~".into()));
            }
            [_, values @ ..] if !values.is_empty() => Test::OneOf(values.to_vec()),
            _ => return Err(refuse("a claim's name and at least one value are needed".into())),
        };
        match words.first() {
            Some(path) if !path.is_empty() => Ok(Self {
                path: path.clone(),
                test,
            }),
            _ => Err(refuse("the claim's name is empty".into())),
        }
    }

    fn check<'s>(&'s self, _: &Ctx<'_>, session: &Opened<'_>) -> Verdict<'s> {
        Verdict::met_if(self.holds(session.record))
    }
}

impl ClaimRule {
    /// Whether the claim meets the rule: equal to a value, matching, or an array with such an item.
    pub fn holds(&self, record: &SessionRecord<'_>) -> bool {
        let fits = |text: &str| match &self.test {
            Test::OneOf(values) => values.iter().any(|value| value == text),
            Test::Matches(pattern) => pattern.is_match(text),
        };
        match find(record, &self.path) {
            Some(Found::Claim(claim)) => match claim.kind {
                Kind::Text | Kind::Scalar => std::str::from_utf8(claim.text()).is_ok_and(fits),
                Kind::List => std::str::from_utf8(claim.text()).is_ok_and(|text| text.split(',').any(fits)),
                Kind::Json => any_item(&claim_json(&claim), fits),
            },
            Some(Found::Member(value)) => any_item(&value, fits),
            None => false,
        }
    }
}

/// Whether a scalar fits, or an item of an array does. An object fits nothing.
fn any_item(value: &Value, fits: impl Fn(&str) -> bool) -> bool {
    let scalar = |value: &Value| match value {
        Value::String(text) => fits(text),
        Value::Number(_) | Value::Bool(_) => fits(&value.to_string()),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().any(scalar),
        other => scalar(other),
    }
}

fn last_line(error: &regex::Error) -> String {
    error
        .to_string()
        .lines()
        .last()
        .unwrap_or_default()
        .trim()
        .to_owned()
}
