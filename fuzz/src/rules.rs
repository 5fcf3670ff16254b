//! `Require oxd-claim`: a rule holds for what it names, and its words fit into a line.

use oxd_core::access::rule::{ClaimRule, Explain as _, Rule as _};
use oxd_core::session::SessionRecord;
use oxd_core::session::claims::{self, lookup};
use serde_json::{Map, Value};

/// The values: a claim's path, the claims, and the words of the rule behind the path.
pub fn claim_rule(data: &[u8]) {
    let mut parts = crate::parts(data);
    let path = crate::text(parts.next()).into_owned();
    let Ok(all) = serde_json::from_slice::<Map<String, Value>>(parts.next().unwrap_or_default()) else {
        return;
    };
    let all = claims::merge(&all, None);
    let encoded = claims::encode(&all);
    let record = SessionRecord {
        claims: &encoded,
        ..SessionRecord::default()
    };
    let words: Vec<String> = std::iter::once(path.clone())
        .chain(parts.map(|part| crate::text(Some(part)).into_owned()))
        .collect();
    let rule = match ClaimRule::parse(&words) {
        Ok(rule) => rule,
        Err(why) => {
            assert!(why.starts_with("Require oxd-claim: "), "{why}");
            return;
        }
    };
    assert!(rule.text().chars().count() < 160);
    let _ = (rule.lacks(&record, false), rule.lacks(&record, true));
    let holds = rule.holds(&record);
    // A text is found as it is; control characters are changed on the way, and are another target's.
    let is_plain = |text: &str| crate::is_one_line(text);
    if let Some(value) = all.get(&path)
        && words.get(1).is_some_and(|word| word != "~")
        && is_plain(&path)
        && is_plain(&value.to_string())
        && record.claims().filter(|claim| claim.is(&path)).count() == 1
    {
        assert_eq!(holds, is_among(value, &words[1..]), "{path} is {value}");
    }
    if lookup::find(&record, &path).is_none() {
        assert!(!holds, "a claim that is not there");
    }
    shown(&record, &path);
}

fn is_among(value: &Value, words: &[String]) -> bool {
    let one = |value: &Value| match value {
        Value::String(text) => words.contains(text),
        Value::Number(_) | Value::Bool(_) => words.contains(&value.to_string()),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().any(one),
        other => one(other),
    }
}

/// What `oxd_claim()` and a header of a path show has no line end.
fn shown(record: &SessionRecord<'_>, path: &str) {
    let Some(text) = lookup::claim_text(record, path) else {
        return;
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(crate::is_one_line(text.trim_end_matches('\0')), "{text:?}");
}
