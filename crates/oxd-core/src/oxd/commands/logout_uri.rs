//! `get-logout-uri`: the address at the provider that ends the session there (step 6 of the tutorial).

use serde::{Deserialize, Serialize};

use super::Request;
use crate::oxd::Command;

/// The members of `get-logout-uri`.
#[derive(Default, Serialize)]
pub struct GetLogoutUri<'a> {
    /// `post_logout_redirect_uri`; oxd never fills in the registered one.
    pub post_logout_redirect_uri: &'a str,
    /// `state`, which stands raw in the address
    pub state: &'a str,
    /// `id_token_hint`; oxd 4.1 ignores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_hint: Option<&'a str>,
}

/// The answer of `get-logout-uri`.
#[derive(Debug, Deserialize)]
pub struct LogoutUri {
    /// The address at the provider that ends the session there.
    pub uri: String,
}

impl Request for GetLogoutUri<'_> {
    const COMMAND: Command = Command::of_site("get-logout-uri");
    type Answer = LogoutUri;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_hint_is_sent_where_there_is_one() {
        let mut request = GetLogoutUri {
            post_logout_redirect_uri: "https://app/out",
            state: "s",
            id_token_hint: None,
        };
        let mut expected = json!({"post_logout_redirect_uri": "https://app/out", "state": "s"});
        assert_eq!(Value::Object(request.members()), expected);
        request.id_token_hint = Some("e30.e30.x");
        expected["id_token_hint"] = "e30.e30.x".into();
        assert_eq!(Value::Object(request.members()), expected);
    }
}
