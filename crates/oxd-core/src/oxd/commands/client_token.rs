//! `get-client-token`: the token that oxd wants on its protected commands (step 2 of the tutorial).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::introspect_access_token::texts;
use super::{Request, known};
use crate::base::{Reason, Secret};
use crate::config::{ClientAuth, Provider};
use crate::oxd::BadAnswer;
use crate::oxd::Command;

/// The members of `get-client-token`. The scopes `openid` and `oxd` are always asked for.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetClientToken<'a> {
    /// `client_id`
    pub client_id: &'a str,
    /// `client_secret`; oxd needs none with `private_key_jwt`.
    #[serde(serialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<&'a Secret>,
    /// How oxd proves to be the client.
    #[serde(flatten)]
    pub auth: Option<&'a ClientAuth>,
    /// `key_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    /// The client's provider.
    #[serde(flatten)]
    pub provider: Option<Provider<'a>>,
    /// `scope`
    scope: [&'static str; 2],
}

impl<'a> GetClientToken<'a> {
    /// A request for a token of this client.
    pub fn new(
        client_id: &'a str,
        client_secret: Option<&'a Secret>,
        provider: Option<Provider<'a>>,
    ) -> Self {
        Self {
            client_id,
            client_secret,
            auth: None,
            key_id: None,
            provider,
            scope: ["openid", "oxd"],
        }
    }

    /// The same, with this way to prove to be the client.
    #[must_use]
    pub fn authenticated_by(self, auth: Option<&'a ClientAuth>) -> Self {
        let key_id = auth.and_then(ClientAuth::key_id);
        Self { auth, key_id, ..self }
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
        let request = GetClientToken::new("c", Some(&secret), provider);
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

    #[test]
    fn a_key_of_oxds_stands_for_the_secret() {
        let auth = ClientAuth::parse(&["private_key_jwt", "ES256", "k1"]).unwrap();
        let request = GetClientToken::new("c", None, None).authenticated_by(Some(&auth));
        assert_eq!(
            Value::Object(request.members()),
            json!({
                "client_id": "c",
                "authentication_method": "private_key_jwt",
                "algorithm": "ES256",
                "key_id": "k1",
                "scope": ["openid", "oxd"],
            })
        );
    }
}
