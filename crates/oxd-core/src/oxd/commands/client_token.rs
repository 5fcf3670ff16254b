//! `get-client-token`: the token that oxd wants on its protected commands (step 2 of the tutorial).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::introspect_access_token::texts;
use super::{Request, exposed};
use crate::base::{Reason, Secret};
use crate::config::Provider;
use crate::oxd::BadAnswer;
use crate::oxd::Command;

/// The members of `get-client-token`. The scopes `openid` and `oxd` are always asked for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetClientToken<'a> {
    /// `client_id`
    pub client_id: &'a str,
    /// `client_secret`
    #[serde(serialize_with = "exposed")]
    pub client_secret: &'a Secret,
    /// The client's provider.
    #[serde(flatten)]
    pub provider: Option<Provider<'a>>,
    /// `scope`
    scope: [&'static str; 2],
}

impl<'a> GetClientToken<'a> {
    /// A request for a token of this client.
    pub fn new(client_id: &'a str, client_secret: &'a Secret, provider: Option<Provider<'a>>) -> Self {
        Self {
            client_id,
            client_secret,
            provider,
            scope: ["openid", "oxd"],
        }
    }
}

/// The answer of `get-client-token`.
#[derive(Debug, Deserialize)]
pub struct ClientToken {
    /// The token for `Authorization: Bearer` on the other commands.
    pub access_token: Secret,
    /// Seconds that it lives.
    #[serde(default)]
    pub expires_in: Option<i64>,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scopes: Value,
}

impl ClientToken {
    /// The scopes that it was given, if oxd says so: a list in `scope`, or in `scopes` as some versions have it.
    pub fn scopes(&self) -> Option<Vec<String>> {
        texts(&self.scope).or_else(|| texts(&self.scopes))
    }
}

impl Request for GetClientToken<'_> {
    const COMMAND: Command = Command::without_site("get-client-token").with_reason(reason);
    type Answer = ClientToken;
}

/// This is how oxd answers wrong credentials; what to do about them helps more than "see oxd's log".
fn reason(answer: &BadAnswer, body: &str) -> Option<Reason> {
    let wrong_credentials = answer.status == 500 && body.contains("internal_error");
    wrong_credentials.then_some(Reason::ClientTokenRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_scope_oxd_is_always_asked_for() {
        let secret = Secret::new("hunter2".into());
        let provider = Some(Provider::ConfigurationEndpoint("https://op/x"));
        let request = GetClientToken::new("c", &secret, provider);
        assert_eq!(
            Value::Object(request.members()),
            json!({
                "client_id": "c",
                "client_secret": "hunter2",
                "op_configuration_endpoint": "https://op/x",
                "scope": ["openid", "oxd"],
            })
        );
        assert!(!format!("{request:?}").contains("hunter2"));
    }
}
