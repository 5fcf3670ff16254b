//! `get-tokens-by-code`: the tokens of a login (step 4 of the tutorial).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::base::{Reason, Secret};
use crate::config::ClientAuth;
use crate::oxd::BadAnswer;
use crate::oxd::Command;

/// The members of `get-tokens-by-code`.
#[derive(Serialize)]
pub struct GetTokensByCode<'a> {
    /// `code`
    pub code: &'a str,
    /// `state`; oxd checks that it is known, not whose it is.
    pub state: &'a str,
    /// `authentication_method` and `algorithm`, which oxd heeds from 4.2.3 on.
    #[serde(flatten)]
    pub auth: Option<&'a ClientAuth>,
}

/// The answer of `get-tokens-by-code`.
#[derive(Debug, Deserialize)]
pub struct Tokens {
    /// For `get-user-info` and for applications.
    pub access_token: Secret,
    /// Seconds that the access token lives; -1 or absent when unknown.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// The id token as the provider signed it; oxd has verified it.
    pub id_token: Secret,
    /// Its claims.
    pub id_token_claims: Map<String, Value>,
    /// Absent or null when the provider gave none.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
}

impl Request for GetTokensByCode<'_> {
    const COMMAND: Command = Command::of_site("get-tokens-by-code").with_reason(reason);
    type Answer = Tokens;
}

fn reason(answer: &BadAnswer, _: &str) -> Option<Reason> {
    let description = answer.description.to_ascii_lowercase();
    match answer.status {
        400 if description.contains("'code'") => Some(Reason::CodeInvalid),
        400 if description.contains("'state'") => Some(Reason::StateUnregistered),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::tests::failure;
    use serde_json::json;

    #[test]
    fn a_bad_code_is_told_from_a_bad_state() {
        let reason = |status, said: &str| {
            let body = json!({"error": "bad_request", "error_description": said}).to_string();
            failure(GetTokensByCode::COMMAND, status, &body)
        };
        assert_eq!(reason(400, "'code' is invalid."), Reason::CodeInvalid);
        assert_eq!(
            reason(400, "'State' is not registered."),
            Reason::StateUnregistered
        );
        assert_eq!(reason(400, "invalid_oxd_id"), Reason::OxdAnswer);
        assert_eq!(reason(500, "'code' is invalid."), Reason::OxdAnswer);
    }

    #[test]
    fn the_exchange_is_told_how_the_client_proves_itself() {
        let auth = ClientAuth::parse(&["private_key_jwt", "RS256", "k1"]).unwrap();
        let members = |auth| {
            let request = GetTokensByCode {
                code: "c",
                state: "s",
                auth,
            };
            Value::Object(request.members())
        };
        assert_eq!(members(None), json!({"code": "c", "state": "s"}));
        assert_eq!(
            members(Some(&auth)),
            json!({"code": "c", "state": "s", "authentication_method": "private_key_jwt", "algorithm": "RS256"})
        );
    }

    #[test]
    fn tokens_do_not_show_in_debug_output() {
        let answer = json!({
            "access_token": "hunter2", "id_token": "hunter2", "refresh_token": null, "id_token_claims": {"sub": "a"},
        });
        let tokens = GetTokensByCode::read(answer.as_object().unwrap().clone()).unwrap();
        assert_eq!(tokens.access_token.expose(), "hunter2");
        assert_eq!((tokens.refresh_token.is_none(), tokens.expires_in), (true, None));
        assert!(!format!("{tokens:?}").contains("hunter2"));
    }
}
