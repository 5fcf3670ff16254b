//! Checks of a login's answers that the module does itself: user, nonce, age.

use serde_json::{Map, Value};

use super::pending::Pending;
use crate::base::{CLOCK_LEEWAY, Failure, Reason, Seconds, numeric_date};
use crate::oxd::commands::tokens_by_code::Tokens;

/// Checks nonce, subject and expiry. oxd has verified signature, issuer and audience, but knows neither the login of
/// this browser nor the clock of this machine.
pub(super) fn check_id_token(now: Seconds, tokens: &Tokens, pending: &Pending) -> Result<String, Failure> {
    let claims = &tokens.id_token_claims;
    let nonce = claims.get("nonce").and_then(Value::as_str);
    if nonce != Some(pending.nonce.as_str()) {
        return Err(Failure::new(
            Reason::NonceMismatch,
            "the id token's nonce is not the one that was sent",
        ));
    }
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|s| !s.is_empty());
    let subject = subject.ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no sub"))?;
    let exp = claims
        .get("exp")
        .and_then(numeric_date)
        .ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no usable exp"))?;
    if exp.saturating_add(CLOCK_LEEWAY) <= now {
        let detail = format!("the id token ran out {} s ago", now.saturating_sub(exp));
        return Err(Failure::new(Reason::IdTokenInvalid, detail));
    }
    if let Some(age) = pending.max_age {
        let since = claims.get("auth_time").and_then(numeric_date);
        let since = since.ok_or_else(|| {
            Failure::new(
                Reason::AuthenticationTooOld,
                "max_age was sent (OxdMaxAge), but the ID token has no auth_time",
            )
        })?;
        if since.saturating_add(age).saturating_add(CLOCK_LEEWAY) < now {
            let detail = format!(
                "the user authenticated {} s ago, OxdMaxAge allows {age}",
                now.saturating_sub(since)
            );
            return Err(Failure::new(Reason::AuthenticationTooOld, detail));
        }
    }
    Ok(subject.to_owned())
}

/// oxd returns the provider's answer with status 200 even when it is an error.
pub(crate) fn check_user_info(info: &Map<String, Value>, subject: &str) -> Result<(), Failure> {
    if let Some(error) = info.get("error") {
        let description = info
            .get("error_description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return Err(Failure::new(
            Reason::UserInfoError,
            format!("get-user-info answered {error} ({description})"),
        ));
    }
    match info.get("sub").and_then(Value::as_str) {
        Some(named) if named == subject => Ok(()),
        Some(named) => Err(Failure::new(
            Reason::SubjectMismatch,
            format!("user info speaks of {named:?}, the id token of {subject:?}"),
        )),
        // OpenID Connect Core 5.3.2: sub must always be there.
        None => Err(Failure::new(Reason::SubjectMismatch, "user info names no sub")),
    }
}
