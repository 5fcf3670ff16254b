//! Converts the provider's claims to the claims of a session, and back to JSON.

pub mod lookup;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::claim::{ClaimView, Kind, number_of, put_claim};
use super::record::SessionRecord;

/// The id token's members that only its verification needs (OpenID Connect Core 2 and 3.3.2.11).
const TECHNICAL: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];
/// Members that the signed id token decides even where user info has one of the same name.
const FROM_ID_TOKEN: [&str; 10] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "sid",
];

/// The claims of a session: the id token's, completed and updated by user info.
pub fn merge(id_token: &Map<String, Value>, user_info: Option<Map<String, Value>>) -> Map<String, Value> {
    let mut merged = id_token.clone();
    for (name, value) in user_info.unwrap_or_default() {
        if !(FROM_ID_TOKEN.contains(&name.as_str()) && id_token.contains_key(&name)) {
            merged.insert(name, value);
        }
    }
    merged.retain(|name, value| !TECHNICAL.contains(&name.as_str()) && !value.is_null());
    merged
}

/// The claims of an id token as it was signed. oxd has verified it; here they are only read again.
pub fn of_id_token(id_token: &str) -> Option<Map<String, Value>> {
    let payload = id_token.split('.').nth(1)?;
    let json = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The claims in the binary form of [`super::claim`]; `sub` first, as each request looks for it.
pub fn encode(claims: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |name: &str, value: &Value, hidden: bool| {
        let (kind, text) = text_form(value);
        let json = match kind {
            Kind::Json => value.to_string(),
            Kind::Text | Kind::Scalar | Kind::List => String::new(),
        };
        let name = harmless(name);
        put_claim(
            &mut out,
            kind,
            hidden,
            name.as_bytes(),
            text.as_bytes(),
            json.as_bytes(),
        );
    };
    let winners = winners(claims);
    let is_hidden = |name: &str| winners.get(&variable(name)).is_none_or(|winner| *winner != name);
    let (subject, others): (Vec<_>, Vec<_>) = claims.iter().partition(|(name, _)| *name == "sub");
    for (name, value) in subject.into_iter().chain(others) {
        put(name, value, is_hidden(name));
    }
    out
}

/// The claim that each variable has. httpd's tables take names that differ in case alone for the same.
fn winners(claims: &Map<String, Value>) -> BTreeMap<Vec<u8>, &str> {
    let is_plain = |name: &str| env_name(name.as_bytes()).eq(name.bytes());
    // A name that many providers use has the best right to its variable, then one that needs no change.
    let rank = |name: &&str| (number_of(name.as_bytes()) == 0, !is_plain(name));
    let mut names: Vec<&str> = claims.keys().map(String::as_str).collect();
    names.sort_by_cached_key(rank);
    let mut winners = BTreeMap::new();
    for name in names {
        winners.entry(variable(name)).or_insert(name);
    }
    winners
}

/// What follows `OXD_CLAIM_`, in small letters. As it is written down: a control character may have several bytes, the blank
/// in its place has one.
fn variable(name: &str) -> Vec<u8> {
    env_name(harmless(name).as_bytes())
        .map(|byte| byte.to_ascii_lowercase())
        .collect()
}

/// A claim's name as it follows `OXD_CLAIM_`: everything but ASCII letters, digits and `_` becomes `_`.
pub fn env_name(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter()
        .map(|&b| if b.is_ascii_alphanumeric() { b } else { b'_' })
}

/// The claims of a session as a JSON object.
pub fn to_json(record: &SessionRecord<'_>) -> Map<String, Value> {
    record
        .claims()
        .map(|claim| {
            (
                String::from_utf8_lossy(claim.name).into_owned(),
                claim_json(&claim),
            )
        })
        .collect()
}

/// One claim's JSON value.
pub fn claim_json(claim: &ClaimView<'_>) -> Value {
    let text = || String::from_utf8_lossy(claim.text());
    match claim.kind {
        Kind::Text => Value::String(text().into_owned()),
        Kind::Scalar => serde_json::from_slice(claim.text()).unwrap_or(Value::Null),
        Kind::List => text().split(',').map(Value::from).collect(),
        Kind::Json => serde_json::from_slice(claim.json).unwrap_or(Value::Null),
    }
}

/// A value in the form that the environment has.
pub fn env_text(value: &Value) -> String {
    if value.is_null() {
        String::new()
    } else {
        text_form(value).1.into_owned()
    }
}

/// The text that stands for a value in the environment, and how it relates to the value.
fn text_form(value: &Value) -> (Kind, Cow<'_, str>) {
    match value {
        Value::String(text) => match harmless(text) {
            whole @ Cow::Borrowed(_) => (Kind::Text, whole),
            changed @ Cow::Owned(_) => (Kind::Json, changed),
        },
        Value::Bool(_) | Value::Number(_) => (Kind::Scalar, value.to_string().into()),
        Value::Array(items) => {
            let is_simple = |text: &str| !text.contains(',') && is_harmless(text);
            let simple = |v: &Value| v.as_str().is_some_and(is_simple);
            let joined = items.iter().map(item_text).collect::<Vec<_>>().join(",");
            // "" is the text of both an empty list and a list with one empty item.
            let kind = if !joined.is_empty() && items.iter().all(simple) {
                Kind::List
            } else {
                Kind::Json
            };
            (kind, owned_harmless(joined))
        }
        Value::Object(_) | Value::Null => (Kind::Json, owned_harmless(value.to_string())),
    }
}

fn item_text(item: &Value) -> Cow<'_, str> {
    match item {
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// Control characters become spaces: a NUL would cut the value, a line break could forge a line in a log or a script.
fn harmless(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return text.into();
    }
    let fit = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(fit).collect::<String>().into()
}

fn owned_harmless(text: String) -> Cow<'static, str> {
    match is_harmless(&text) {
        true => text.into(),
        false => harmless(&text).into_owned().into(),
    }
}

fn is_harmless(text: &str) -> bool {
    // Nearly always nothing else is to be looked at.
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn env_of(claims: Value) -> Vec<(String, String)> {
        let raw = encode(&object(claims));
        let record = SessionRecord {
            claims: &raw,
            ..SessionRecord::default()
        };
        record
            .claims()
            .filter(|c| !c.hidden)
            .map(|c| {
                let name = String::from_utf8(env_name(c.name).collect()).unwrap();
                (name, String::from_utf8(c.text().to_vec()).unwrap())
            })
            .collect()
    }

    #[test]
    fn values_take_the_form_that_the_interface_promises() {
        let env = env_of(
            json!({"sub": "alice", "n": 5, "ok": true, "groups": ["a", "b"], "address": {"country": "DE"},
            "mixed": ["x", 1, false], "none": []}),
        );
        let get = |name: &str| &env.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(get("sub"), "alice");
        assert_eq!(get("n"), "5");
        assert_eq!(get("ok"), "true");
        assert_eq!(get("groups"), "a,b");
        assert_eq!(get("address"), r#"{"country":"DE"}"#);
        assert_eq!(get("mixed"), "x,1,false");
        assert_eq!(get("none"), "");
    }

    #[test]
    fn claims_survive_the_binary_form() {
        let claims = object(
            json!({"s": "a\nb", "z": "Zoë", "n": 1.5, "b": false, "l": ["a", "b"], "c": ["a,b", "c"],
            "e": [], "one": [""], "o": {"x": [1, null]}, "": "empty name"}),
        );
        let raw = encode(&claims);
        assert_eq!(
            to_json(&SessionRecord {
                claims: &raw,
                ..SessionRecord::default()
            }),
            claims
        );
    }

    #[test]
    fn control_characters_never_reach_the_environment() {
        for (_, text) in env_of(json!({"a": "x\u{0}y\r\nz", "b": ["\u{7f}"], "c\u{0}d": "v"})) {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn the_exact_name_wins_where_two_claims_meet_in_the_environment() {
        let env = env_of(json!({"e-mail": "forged", "e_mail": "right"}));
        assert_eq!(env, [("e_mail".to_owned(), "right".to_owned())]);
        let env = env_of(json!({"e\u{80}mail": "forged", "e_mail": "right"}));
        assert_eq!(env, [("e_mail".to_owned(), "right".to_owned())]);
    }

    #[test]
    fn the_usual_name_wins_where_two_claims_differ_in_case_alone() {
        for (usual, others) in [
            ("sub", ["Sub", "SUB"]),
            ("groups", ["Groups", "gRoups"]),
            ("e_mail", ["e-Mail", "E.mail"]),
        ] {
            let [first, second] = others;
            let env = env_of(json!({first: "forged", usual: "right", second: "forged"}));
            assert_eq!(env, [(usual.to_owned(), "right".to_owned())]);
        }
        // Neither has the better right to it: one is there.
        let env = env_of(json!({"Level": "1", "level": "2"}));
        assert_eq!(env, [("Level".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn user_info_completes_the_id_token_but_does_not_overrule_its_protocol_claims() {
        let id = object(json!({"sub": "1", "iss": "op", "nonce": "n", "acr": "basic", "name": "Old"}));
        let info = object(json!({"sub": "1", "acr": "forged", "name": "New", "email": "e", "gone": null}));
        let merged = Value::Object(merge(&id, Some(info)));
        assert_eq!(
            merged,
            json!({"sub": "1", "iss": "op", "acr": "basic", "name": "New", "email": "e"})
        );
    }

    #[test]
    fn an_id_token_is_read_again_as_it_was_signed() {
        let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(r#"{"sub":"alice","n":1}"#);
        let read = of_id_token(&format!("e30.{payload}.sig"));
        assert_eq!(read, Some(object(json!({"sub": "alice", "n": 1}))));
        for broken in ["", "e30", "e30.!.sig", "e30.W10.sig"] {
            assert_eq!(of_id_token(broken), None, "{broken}");
        }
    }

    #[test]
    fn of_two_changed_names_that_meet_the_first_is_shown() {
        let env = env_of(json!({"e-mail": "first", "e.mail": "second", "e!": "alone"}));
        assert_eq!(
            env,
            [
                ("e_".to_owned(), "alone".to_owned()),
                ("e_mail".to_owned(), "first".to_owned())
            ]
        );
    }
}
