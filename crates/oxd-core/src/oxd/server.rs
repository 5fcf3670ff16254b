//! The commands of oxd's REST API that the module sends, and the members of their answers that it uses
//! (swagger 4.1 to 4.5). Members that are not named here are ignored.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::clock::Seconds;
use crate::base::reason::Failure;

/// `get-client-token`
#[derive(Deserialize)]
pub struct ClientToken {
    /// The token for `Authorization: Bearer` on the other commands.
    pub access_token: String,
    /// Seconds that it lives.
    #[serde(default)]
    pub expires_in: Option<i64>,
}

/// `get-authorization-url`
#[derive(Deserialize)]
pub struct AuthorizationUrl {
    /// The address at the provider, not fully percent-encoded.
    pub authorization_url: String,
}

/// `get-tokens-by-code`
#[derive(Deserialize)]
pub struct Tokens {
    /// For `get-user-info` and for applications.
    pub access_token: String,
    /// Seconds that the access token lives; -1 or absent when unknown.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// The id token as the provider signed it; oxd has verified it.
    pub id_token: String,
    /// Its claims.
    pub id_token_claims: Map<String, Value>,
    /// Absent or null when the provider gave none.
    #[serde(default)]
    pub refresh_token: Option<String>,
}

/// `get-access-token-by-refresh-token`
#[derive(Clone, Debug, Deserialize)]
pub struct Refreshed {
    /// The new access token.
    pub access_token: String,
    /// Seconds that it lives; -1 or absent when unknown.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// The refresh token that takes the place of the one used, if the provider rotates them.
    #[serde(default)]
    pub refresh_token: Option<String>,
}

/// `get-logout-uri`
#[derive(Deserialize)]
pub struct LogoutUri {
    /// The address at the provider that ends the session there.
    pub uri: String,
}

/// `get-jwks`
#[derive(Deserialize)]
pub struct Jwks {
    /// The keys (RFC 7517 section 4), as the provider has them.
    pub keys: Vec<Value>,
}

/// oxd's own error answer.
#[derive(Deserialize, Default)]
pub struct ErrorAnswer {
    /// The error's code, such as `bad_request`.
    #[serde(default)]
    pub error: String,
    /// A sentence.
    #[serde(default)]
    pub error_description: String,
}

/// What the rules of login and logout need from oxd. The tests have an implementation of their own.
///
/// Each call answers with the typed members, or with the refusal that the request gets.
pub trait Commands {
    /// `get-authorization-url` with the members that the caller has put together (without `oxd_id`).
    fn authorization_url(&self, request: Map<String, Value>) -> Result<AuthorizationUrl, Failure>;
    /// `get-tokens-by-code`
    fn tokens_by_code(&self, code: &str, state: &str) -> Result<Tokens, Failure>;
    /// `get-user-info`; the provider's answer as it is, which may hold an `error` member.
    fn user_info(&self, access_token: &str, id_token: &str) -> Result<Map<String, Value>, Failure>;
    /// `get-user-info` for a session that asked last at `since`; requests of the same session share the answer.
    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        since: Seconds,
    ) -> Result<Map<String, Value>, Failure> {
        let _ = since;
        self.user_info(access_token, id_token)
    }
    /// `get-logout-uri` with the members that the caller has put together (without `oxd_id`).
    fn logout_uri(&self, request: Map<String, Value>) -> Result<LogoutUri, Failure>;
    /// `get-access-token-by-refresh-token`
    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Failure>;
    /// `get-jwks`: the provider's keys. They are kept for a while; `anew` asks for fresh ones, which oxd is asked for
    /// at a bounded rate.
    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Failure>;
}
