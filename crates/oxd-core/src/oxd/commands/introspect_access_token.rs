//! `introspect-access-token`: what the provider says of an access token (RFC 7662).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// The members of `introspect-access-token`.
#[derive(Serialize)]
pub struct IntrospectAccessToken<'a> {
    /// `access_token`
    pub access_token: &'a str,
}

/// The answer of `introspect-access-token`.
#[derive(Debug, Deserialize)]
pub struct Introspection {
    /// `active`; unknown where it is missing.
    #[serde(default)]
    pub active: Option<bool>,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scopes: Value,
    /// All others: `client_id`, `username`, `token_type`, `exp`, `iat`, `sub`, `aud`, `iss`, `jti`, `acr_values`, as far
    /// as the provider tells them.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Introspection {
    /// The scopes: a list in `scope`, or in `scopes` as some versions have it.
    pub fn scopes(&self) -> Option<Vec<String>> {
        texts(&self.scope).or_else(|| texts(&self.scopes))
    }

    /// The same, separated by spaces; oxd may also answer with a text.
    pub fn scope(&self) -> Option<String> {
        spaced(&self.scope).or_else(|| spaced(&self.scopes))
    }
}

/// Scopes, separated by spaces: a list as oxd has it, or a text as RFC 7662 has it.
pub(super) fn spaced(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        _ => return None,
    };
    Some(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// The texts of a list, if it is one.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter().filter_map(Value::as_str);
    Some(texts.map(str::to_owned).collect())
}

impl Request for IntrospectAccessToken<'_> {
    const COMMAND: Command = Command::of_site("introspect-access-token");
    type Answer = Introspection;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scopes_are_read_in_either_spelling() {
        let read = |value: Value| IntrospectAccessToken::read(value.as_object().unwrap().clone());
        let scopes = |value| read(value).unwrap().scopes();
        assert_eq!(scopes(json!({"scope": ["a", "b"]})).unwrap(), ["a", "b"]);
        assert_eq!(scopes(json!({"scope": null, "scopes": ["a"]})).unwrap(), ["a"]);
        assert_eq!(scopes(json!({"scope": "a"})), None);
        let scope = |value| read(value).unwrap().scope();
        assert_eq!(scope(json!({"scope": ["a", "", "b"]})).unwrap(), "a b");
        assert_eq!(scope(json!({"scope": "a  b"})).unwrap(), "a b");
        assert_eq!(scope(json!({"active": true})), None);
    }
}
