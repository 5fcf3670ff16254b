//! `get-access-token-by-refresh-token`: a new access token for a session.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Request;
use super::introspect_access_token::spaced;
use crate::base::{Reason, Secret};
use crate::oxd::{BadAnswer, Command, Error};

/// The members of `get-access-token-by-refresh-token`.
#[derive(Serialize)]
pub struct GetAccessTokenByRefreshToken<'a> {
    /// `refresh_token`
    pub refresh_token: &'a str,
    /// `scope`; without it oxd asks for `openid` alone, and user info loses name and email.
    pub scope: &'a [&'a str],
}

/// The answer of `get-access-token-by-refresh-token`.
#[derive(Clone, Debug, Deserialize)]
pub struct Refreshed {
    /// The new access token.
    pub access_token: Secret,
    /// Seconds that it lives; -1 or absent when unknown.
    #[serde(default)]
    pub expires_in: Option<i64>,
    /// The refresh token that takes the place of the one used, if the provider rotates them.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// `scope`, a list or a text; see [`Refreshed::scope`].
    #[serde(default)]
    pub(crate) scope: Value,
}

impl Refreshed {
    /// The scopes of the new access token, separated by spaces, if oxd names them: it has a list or a text.
    pub fn scope(&self) -> Option<String> {
        spaced(&self.scope)
    }
}

impl Request for GetAccessTokenByRefreshToken<'_> {
    const COMMAND: Command = Command::of_site("get-access-token-by-refresh-token").with_reason(reason);
    type Answer = Refreshed;
}

/// The provider's own words (RFC 6749 section 5.2), where a version of oxd passes them on. Usually oxd answers 500
/// `internal_error`, for a refused token and for a broken token endpoint alike: [`may_be_refused`].
fn reason(answer: &BadAnswer, body: &str) -> Option<Reason> {
    let refused =
        answer.passed_through.is_none() && answer.foreign.is_none() && body.contains("invalid_grant");
    refused.then_some(Reason::RefreshRefused)
}

/// Whether an error is what oxd answers when the provider refuses a refresh token, among other things.
pub(in crate::oxd) fn may_be_refused(error: &Error) -> bool {
    matches!(error, Error::Answer(bad) if bad.status == 500 && bad.error == "internal_error")
}

/// The same error, as the refusal that it turned out to be.
pub(in crate::oxd) fn refused(error: Error) -> Error {
    match error {
        Error::Answer(mut bad) => {
            bad.reason = Some(Reason::RefreshRefused);
            Error::Answer(bad)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::tests::failure;

    #[test]
    fn the_providers_own_word_is_taken_and_nothing_else() {
        let reason = |status, body| failure(GetAccessTokenByRefreshToken::COMMAND, status, body);
        for (status, body) in [
            (500, r#"{"error": "internal_error", "details": "invalid_grant"}"#),
            (
                500,
                r#"{"code": 500, "message": "{\"error\":\"invalid_grant\"}"}"#,
            ),
        ] {
            assert_eq!(reason(status, body), Reason::RefreshRefused, "{body}");
        }
        for (status, body) in [
            (500, r#"{"error": "internal_error"}"#),
            (400, r#"{"error": "bad_request"}"#),
            (400, r#"{"error": "invalid_oxd_id"}"#),
            (500, r#"{"code": 500, "message": "It has been logged (ID 7)."}"#),
            (400, "invalid_grant"),
        ] {
            assert_eq!(reason(status, body), Reason::OxdAnswer, "{body}");
        }
    }
}
