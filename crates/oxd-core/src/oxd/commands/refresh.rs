//! `get-access-token-by-refresh-token`: a new access token for a session.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::base::{Reason, Secret};
use crate::oxd::BadAnswer;
use crate::oxd::Command;

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
}

impl Request for GetAccessTokenByRefreshToken<'_> {
    const COMMAND: Command = Command::of_site("get-access-token-by-refresh-token").with_reason(reason);
    type Answer = Refreshed;
}

/// oxd says it in its own words or in those of the provider (RFC 6749 section 5.2), with 400 or with 500.
fn reason(answer: &BadAnswer, body: &str) -> Option<Reason> {
    let refused = answer.status == 400 || body.contains("invalid_grant");
    refused.then_some(Reason::RefreshRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::tests::failure;

    #[test]
    fn a_refused_token_is_told_from_a_broken_token_endpoint() {
        let reason = |status, body| failure(GetAccessTokenByRefreshToken::COMMAND, status, body);
        for (status, body) in [
            (400, r#"{"error": "bad_request"}"#),
            (500, r#"{"error": "internal_error", "details": "invalid_grant"}"#),
            (
                500,
                r#"{"code": 500, "message": "{\"error\":\"invalid_grant\"}"}"#,
            ),
            (403, "invalid_grant"),
        ] {
            assert_eq!(reason(status, body), Reason::RefreshRefused, "{body}");
        }
        assert_eq!(reason(500, r#"{"error": "internal_error"}"#), Reason::OxdAnswer);
    }
}
