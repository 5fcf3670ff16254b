//! `get-authorization-url`: the address at the provider where a login begins (step 3 of the tutorial).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// The members of `get-authorization-url`. What is empty is not sent.
#[derive(Debug, Default, Serialize)]
pub struct GetAuthorizationUrl<'a> {
    /// `scope`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<&'a str>,
    /// `state`, at most 50 characters: oxd loses a longer one. Without it oxd makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a str>,
    /// `nonce` (oxd 4.2 and later)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// `acr_values`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<&'a str>,
    /// `prompt`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<&'a str>,
    /// `redirect_uri`; the first registered one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<&'a str>,
    /// `custom_parameters`, which the URL has before `params`
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub custom_parameters: Map<String, Value>,
    /// `params`, flat texts: further parameters of the URL
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

/// The answer of `get-authorization-url`.
#[derive(Debug, Deserialize)]
pub struct AuthorizationUrl {
    /// The address at the provider, not fully percent-encoded.
    pub authorization_url: String,
}

impl Request for GetAuthorizationUrl<'_> {
    const COMMAND: Command = Command::of_site("get-authorization-url");
    type Answer = AuthorizationUrl;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        assert!(GetAuthorizationUrl::default().members().is_empty());
        let request = GetAuthorizationUrl {
            scope: vec!["openid"],
            state: Some("s"),
            params: Map::from_iter([("max_age".to_owned(), "600".into())]),
            ..GetAuthorizationUrl::default()
        };
        assert_eq!(
            Value::Object(request.members()),
            json!({"scope": ["openid"], "state": "s", "params": {"max_age": "600"}})
        );
    }
}
