//! The `Require` rules of the module, and what `oxd_claim('NAME')` yields: questions about the claims of a session.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::config::settings::HeaderFormat;
use crate::session::claims::claim_json;
use crate::session::record::{ClaimView, Kind, Parts};

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

/// What the line of a rule must look like.
const CLAIM_SYNTAX: &str = "Require oxd-claim NAME VALUE..., or Require oxd-claim NAME ~ REGEX";

impl ClaimRule {
    /// Reads the words behind `oxd-claim`; the error is the line that `configtest` prints.
    pub fn parse(words: &[String]) -> Result<Self, String> {
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

    /// Whether the claim is what the rule asks for: equal to a value or matching, or an array with such an item.
    pub fn holds(&self, parts: &Parts<'_>) -> bool {
        let fits = |text: &str| match &self.test {
            Test::OneOf(values) => values.iter().any(|value| value == text),
            Test::Matches(pattern) => pattern.is_match(text),
        };
        match find(parts, &self.path) {
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

/// `Require oxd-acr`: a session remembers every authentication of its user, and one of them is enough.
#[derive(Debug)]
pub struct AcrRule {
    /// The session must have been authenticated with one of these.
    pub values: Vec<String>,
}

impl AcrRule {
    /// Reads the words behind `oxd-acr`.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let fits = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
        if words.is_empty() || !words.iter().all(fits) {
            return Err(
                "Require oxd-acr: at least one acr without white space is needed; allowed: Require oxd-acr \
                        VALUE..."
                    .into(),
            );
        }
        Ok(Self {
            values: words.to_vec(),
        })
    }

    /// Whether the session was authenticated with one of the values.
    pub fn holds(&self, parts: &Parts<'_>) -> bool {
        let texts = &parts.texts;
        let history = texts
            .acrs
            .split(|b| *b == b'\n')
            .filter_map(|line| line.split(|b| *b == b' ').next());
        let mut met = std::iter::once(texts.acr).chain(history);
        met.any(|acr| self.values.iter().any(|value| value.as_bytes() == acr))
    }
}

/// What `oxd_claim('NAME')` yields: the claim in the form that the environment has; `None` without the claim.
pub fn claim_text<'r>(parts: &Parts<'r>, path: &str) -> Option<Cow<'r, [u8]>> {
    match find(parts, path)? {
        Found::Claim(claim) => Some(Cow::Borrowed(claim.text_nul)),
        Found::Member(value) => Some(Cow::Owned(crate::session::claims::env_text(&value).into_bytes())),
    }
}

/// A claim as `OxdClaimHeader` writes it; `None` without the claim.
pub fn header_value(parts: &Parts<'_>, path: &str, format: HeaderFormat) -> Option<Vec<u8>> {
    let found = find(parts, path)?;
    let text = |found: Found<'_>| match found {
        Found::Claim(claim) => claim.text().to_vec(),
        Found::Member(value) => crate::session::claims::env_text(&value).into_bytes(),
    };
    Some(match format {
        HeaderFormat::Text => text(found),
        HeaderFormat::Json => match found {
            Found::Claim(claim) => claim_json(&claim).to_string().into_bytes(),
            Found::Member(value) => value.to_string().into_bytes(),
        },
        HeaderFormat::Base64 => base64_simd::STANDARD.encode_to_string(text(found)).into_bytes(),
        HeaderFormat::Base64Url => base64_simd::URL_SAFE_NO_PAD
            .encode_to_string(text(found))
            .into_bytes(),
    })
}

enum Found<'r> {
    Claim(ClaimView<'r>),
    Member(Value),
}

/// A claim of that name, or else the member that the path leads to.
fn find<'r>(parts: &Parts<'r>, path: &str) -> Option<Found<'r>> {
    if let Some(claim) = parts.claims().find(|claim| claim.name == path.as_bytes()) {
        return Some(Found::Claim(claim));
    }
    let (name, rest) = path.split_once('.')?;
    let claim = parts.claims().find(|claim| claim.name == name.as_bytes())?;
    let json = claim_json(&claim);
    // A plain walk down: a JSON pointer would give / and ~ a meaning that a claim's name does not have.
    let mut value = &json;
    for member in rest.split('.') {
        value = match value {
            Value::Object(map) => map.get(member)?,
            Value::Array(list) => list.get(member.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(Found::Member(value.clone()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::record::Texts;
    use serde_json::json;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn holds(claims: Value, rule: &str) -> bool {
        let raw = crate::session::claims::encode(claims.as_object().unwrap());
        ClaimRule::parse(&words(rule)).unwrap().holds(&Parts {
            claims: &raw,
            ..Parts::default()
        })
    }

    #[test]
    fn claims_are_compared_as_the_interface_says() {
        let claims = json!({"sub": "alice", "n": 5, "ok": true, "groups": ["admin", "staff"], "odd": ["a,b", 7, {"x": 1}],
            "address": {"country": "DE", "lines": ["one", "two"], "geo": {"lat": 48}}, "a.b": "dotted", "empty": "",
            "none": [], "text": "a,b"});
        for (rule, expected) in [
            ("sub alice", true),
            ("sub bob alice", true),
            ("sub Alice", false),
            ("sub ali", false),
            ("n 5", true),
            ("n 5.0", false),
            ("ok true", true),
            ("ok false", false),
            ("groups admin", true),
            ("groups staff", true),
            ("groups adm", false),
            ("groups admin,staff", false),
            ("odd a,b", true),
            ("odd a", false),
            ("odd 7", true),
            ("odd 1", false),
            ("address.country DE", true),
            ("address.country de", false),
            ("address.lines two", true),
            ("address.lines.0 one", true),
            ("address.geo.lat 48", true),
            ("address.geo 48", false),
            ("address DE", false),
            ("address.nothing DE", false),
            ("sub.x alice", false),
            ("a.b dotted", true),
            ("none x", false),
            ("text a", false),
            ("text a,b", true),
            ("missing x", false),
            ("sub ~ ^al", true),
            ("sub ~ ^AL", false),
            ("sub ~ (?i)^AL", true),
            ("groups ~ ^sta", true),
            ("groups ~ ^x", false),
            ("address.country ~ ^(DE|AT)$", true),
            ("empty ~ ^$", true),
            ("missing ~ .*", false),
        ] {
            assert_eq!(holds(claims.clone(), rule), expected, "{rule}");
        }
    }

    #[test]
    fn rules_that_cannot_be_read_say_why() {
        for line in ["", "sub", "sub ~", "sub ~ a b", "sub ~ ("] {
            let error = ClaimRule::parse(&words(line)).unwrap_err();
            assert!(
                error.starts_with("Require oxd-claim: ") && error.contains("allowed: "),
                "{error}"
            );
        }
        assert!(AcrRule::parse(&[]).is_err() && AcrRule::parse(&["a b".into()]).is_err());
    }

    #[test]
    fn an_acr_is_one_of_the_values() {
        let parts = Parts {
            texts: Texts {
                acr: b"u2f",
                ..Texts::default()
            },
            ..Parts::default()
        };
        assert!(AcrRule::parse(&words("basic u2f")).unwrap().holds(&parts));
        assert!(!AcrRule::parse(&words("basic")).unwrap().holds(&parts));
        assert!(!AcrRule::parse(&words("basic")).unwrap().holds(&Parts::default()));
        let texts = Texts {
            acr: b"u2f",
            acrs: b"basic 1800000000\nu2f 1800000100",
            ..Texts::default()
        };
        let remembered = Parts {
            texts,
            ..Parts::default()
        };
        assert!(AcrRule::parse(&words("basic")).unwrap().holds(&remembered));
        assert!(!AcrRule::parse(&words("1800000000")).unwrap().holds(&remembered));
    }

    #[test]
    fn a_claim_in_an_expression_reads_as_in_the_environment() {
        let claims = json!({"groups": ["a", "b"], "address": {"country": "DE", "lines": ["x", "y"]}});
        let raw = crate::session::claims::encode(claims.as_object().unwrap());
        let parts = Parts {
            claims: &raw,
            ..Parts::default()
        };
        let text = |path| {
            claim_text(&parts, path).map(|t| {
                String::from_utf8(t.into_owned())
                    .unwrap()
                    .trim_end_matches('\0')
                    .to_owned()
            })
        };
        assert_eq!(text("groups").as_deref(), Some("a,b"));
        assert_eq!(text("address.country").as_deref(), Some("DE"));
        assert_eq!(text("address.lines").as_deref(), Some("x,y"));
        assert_eq!(text("missing"), None);
    }
}
