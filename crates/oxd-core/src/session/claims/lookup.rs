//! A claim of a session, or the value at a path within it (`address.country`).

use std::borrow::Cow;

use serde_json::Value;

use super::claim_json;
use crate::config::HeaderFormat;
use crate::session::claim::ClaimView;
use crate::session::record::SessionRecord;

/// The value of `oxd_claim('NAME')`: the claim as in the environment; `None` without the claim.
pub fn claim_text<'r>(record: &SessionRecord<'r>, path: &str) -> Option<Cow<'r, [u8]>> {
    match find(record, path)? {
        Found::Claim(claim) => Some(Cow::Borrowed(claim.text_nul)),
        Found::Member(value) => Some(Cow::Owned(super::env_text(&value).into_bytes())),
    }
}

/// A claim as `OxdClaimHeader` writes it; `None` without the claim.
pub fn header_value(record: &SessionRecord<'_>, path: &str, format: HeaderFormat) -> Option<Vec<u8>> {
    let found = find(record, path)?;
    let text = |found: Found<'_>| match found {
        Found::Claim(claim) => claim.text().to_vec(),
        Found::Member(value) => super::env_text(&value).into_bytes(),
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

/// The value at a path.
pub enum Found<'r> {
    /// A claim.
    Claim(ClaimView<'r>),
    /// A member of a claim that is an object or an array.
    Member(Value),
}

/// The most steps of a path; a longer one only names a claim.
const MOST_STEPS: usize = 12;
/// The step that stands for every item of an array.
const EACH: &str = "[]";

/// A claim of that name, or else the member that the path leads to.
///
/// A dot leads into an object, unless a name has it: the longest name is tried first (`resource_access.app.example.com`),
/// and `\.` is always part of a name. A number leads to an item of an array, `[]` to all of them.
pub fn find<'r>(record: &SessionRecord<'r>, path: &str) -> Option<Found<'r>> {
    if let Some(claim) = record.claims().find(|claim| claim.name == path.as_bytes()) {
        return Some(Found::Claim(claim));
    }
    let steps = steps(path);
    if steps.len() > MOST_STEPS {
        return None;
    }
    names(&steps).find_map(|(name, rest)| {
        let claim = record.claims().find(|claim| claim.name == name.as_bytes())?;
        if rest.is_empty() {
            return Some(Found::Claim(claim));
        }
        walk(&claim_json(&claim), rest).map(Found::Member)
    })
}

/// The steps of a path, without escapes.
fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut letters = path.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = steps.len() - 1;
        match letter {
            '\\' if letters.next_if_eq(&'.').is_some() => steps[last].push('.'),
            '.' => steps.push(String::new()),
            other => steps[last].push(other),
        }
    }
    steps
        .into_iter()
        .flat_map(|step| match step.strip_suffix(EACH) {
            Some(name) if !name.is_empty() => vec![name.to_owned(), EACH.to_owned()],
            _ => vec![step],
        })
        .collect()
}

/// The names that the first steps may be, the longest first, each with the steps after it.
fn names(steps: &[String]) -> impl Iterator<Item = (String, &[String])> {
    let most = steps.iter().position(|step| step == EACH).unwrap_or(steps.len());
    (1..=most)
        .rev()
        .map(|count| (steps[..count].join("."), &steps[count..]))
}

fn walk(value: &Value, steps: &[String]) -> Option<Value> {
    let Some(step) = steps.first() else {
        return Some(value.clone());
    };
    match value {
        // A plain walk down: a JSON pointer would give / and ~ a meaning that a claim's name does not have.
        Value::Object(map) => names(steps).find_map(|(name, rest)| walk(map.get(&name)?, rest)),
        Value::Array(list) if step == EACH => {
            let found = list.iter().filter_map(|item| walk(item, &steps[1..]));
            // Arrays within arrays become one, so that a rule compares its items.
            let flat = found.flat_map(|item| match item {
                Value::Array(items) => items,
                other => vec![other],
            });
            Some(Value::Array(flat.collect()))
        }
        Value::Array(list) => walk(list.get(step.parse::<usize>().ok()?)?, &steps[1..]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::claims::encode;
    use serde_json::json;

    /// What a header has of these claims.
    fn header(claims: &Value, path: &str, format: HeaderFormat) -> Option<String> {
        let claims = encode(claims.as_object().unwrap());
        let record = SessionRecord {
            claims: &claims,
            ..SessionRecord::default()
        };
        header_value(&record, path, format).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_header_has_a_claim_or_a_member_in_each_format() {
        let claims = json!({"name": "Zoë", "groups": ["a", "b"], "address": {"country": "DE", "no": [1]}});
        for (path, text, json, base64, base64url) in [
            ("name", "Zoë", "\"Zoë\"", "Wm/Dqw==", "Wm_Dqw"),
            ("groups", "a,b", "[\"a\",\"b\"]", "YSxi", "YSxi"),
            ("address.country", "DE", "\"DE\"", "REU=", "REU"),
            ("address.no", "1", "[1]", "MQ==", "MQ"),
        ] {
            for (format, expected) in [
                (HeaderFormat::Text, text),
                (HeaderFormat::Json, json),
                (HeaderFormat::Base64, base64),
                (HeaderFormat::Base64Url, base64url),
            ] {
                assert_eq!(
                    header(&claims, path, format).as_deref(),
                    Some(expected),
                    "{path} {format:?}"
                );
            }
        }
        for path in ["", "none", "name.first", "address.none", "groups.2"] {
            assert_eq!(header(&claims, path, HeaderFormat::Text), None, "{path}");
        }
    }

    #[test]
    fn all_items_of_an_array_are_named_with_a_dot_before_the_brackets_or_without() {
        let claims = json!({"groups": [{"name": "a"}, {"name": "b"}, {"no": 1}]});
        for path in ["groups[].name", "groups.[].name"] {
            assert_eq!(
                header(&claims, path, HeaderFormat::Text).as_deref(),
                Some("a,b"),
                "{path}"
            );
        }
    }

    #[test]
    fn a_path_has_as_many_steps_as_may_be_and_no_more() {
        let nested = |steps: usize| (1..steps).fold(json!("end"), |inner, _| json!({ "a": inner }));
        for (steps, expected) in [(MOST_STEPS, Some("end")), (MOST_STEPS + 1, None)] {
            let path = vec!["a"; steps].join(".");
            let found = header(&json!({"a": nested(steps)}), &path, HeaderFormat::Text);
            assert_eq!(found.as_deref(), expected, "{steps} steps");
            // A claim that has all of it as its name is found in any case.
            let found = header(&json!({ &path: "whole" }), &path, HeaderFormat::Text);
            assert_eq!(found.as_deref(), Some("whole"), "{steps} steps");
        }
    }
}
