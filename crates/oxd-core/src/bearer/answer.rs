//! Answers to requests with a bearer token, and challenges (RFC 6750 section 3).

use std::fmt::Write as _;

use serde_json::json;

use super::Outcome;
use crate::base::{Failure, Reason, Reference};
use crate::config::BearerSettings;
use crate::http::audit::{Event, Kind};
use crate::http::{RequestEnv, Response};

/// Where a resource describes itself; the path of the resource follows (RFC 9728 section 3.1).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The value of `WWW-Authenticate` without an error: to a request that brings no token.
pub(crate) fn challenge(env: &RequestEnv<'_>, bearer: &BearerSettings<'_>) -> String {
    let host = || {
        let origin = env.origin();
        let host = origin.host().to_owned();
        host.chars()
            .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))
            .collect()
    };
    let realm: String = bearer.realm.map_or_else(host, str::to_owned);
    let mut challenge = format!("Bearer realm=\"{realm}\"");
    if let Some(path) = bearer.resource {
        let address = metadata_address(path);
        // Writing into a String cannot fail.
        let _ = write!(
            challenge,
            ", resource_metadata=\"{}\"",
            env.origin().url_of(&address)
        );
    }
    challenge
}

/// The address of the document about the resource with a path (RFC 9728 section 3.1).
fn metadata_address(path: &str) -> String {
    match path {
        "/" => WELL_KNOWN.to_owned(),
        path => format!("{WELL_KNOWN}{path}"),
    }
}

/// The answer to a token that is refused, or to a header that cannot be understood.
pub(crate) fn refused(env: &RequestEnv<'_>, bearer: &BearerSettings<'_>, outcome: Outcome) -> Response {
    match outcome {
        Outcome::Refused(refusal) => {
            let mut failure = Failure::new(Reason::InvalidToken, &*refusal.detail);
            if !refusal.remedy.is_empty() {
                failure = Failure::new(Reason::TokenUnchecked, &*refusal.detail).with_remedy(refusal.remedy);
            }
            let answer = error(env, bearer, &failure, "invalid_token", refusal.told, None);
            in_trail(env, answer, failure.reason)
        }
        Outcome::Malformed(told) => {
            let failure = Failure::new(Reason::InvalidRequest, told);
            let answer = error(env, bearer, &failure, "invalid_request", told, None);
            in_trail(env, answer, failure.reason)
        }
        Outcome::Unknown(failure) => unavailable(env, &failure),
    }
}

/// Writes the refusal of a token to the audit trail.
pub(crate) fn in_trail(env: &RequestEnv<'_>, answer: Response, reason: Reason) -> Response {
    env.audited(answer, || {
        Event::new(Kind::TokenRefused, reason.code()).at_rule(None)
    })
}

/// The reason to refuse a token that the place's rules do not let in; `scope` are the scopes that an unmet
/// `Require oxd-scope` wants.
pub(crate) fn reason_of(scope: Option<&[String]>) -> Reason {
    match scope {
        Some(_) => Reason::InsufficientScope,
        None => Reason::Forbidden,
    }
}

/// The answer to such a token; `failure` is for the log.
pub(crate) fn forbidden(
    env: &RequestEnv<'_>,
    bearer: &BearerSettings<'_>,
    failure: &Failure,
    scope: Option<&[String]>,
) -> Response {
    match scope {
        Some(wanted) => {
            let scope = wanted.join(" ");
            let told = "the token lacks a scope";
            error(env, bearer, failure, "insufficient_scope", told, Some(&scope))
        }
        None => {
            let (reference, told) = (note(env, failure), "the token does not open this address");
            finished(Reason::Forbidden, reference, Reason::Forbidden.code(), told)
        }
    }
}

/// The answer where nobody can say whether a token works.
pub(crate) fn unavailable(env: &RequestEnv<'_>, failure: &Failure) -> Response {
    let mut answer = env.refuse(failure, None, None);
    // What has gone wrong behind it is not the client's: it may come again.
    if matches!(failure.reason.status(), 502 | 504) {
        answer.status = 503;
        answer = answer.with_header("Retry-After", "5");
    }
    answer
}

fn error(
    env: &RequestEnv<'_>,
    bearer: &BearerSettings<'_>,
    failure: &Failure,
    word: &'static str,
    told: &str,
    scope: Option<&str>,
) -> Response {
    let mut challenge = challenge(env, bearer);
    // Writing into a String cannot fail.
    let _ = write!(challenge, ", error=\"{word}\", error_description=\"{told}\"");
    if let Some(scope) = scope {
        let _ = write!(challenge, ", scope=\"{scope}\"");
    }
    let reference = note(env, failure);
    finished(failure.reason, reference, word, told).with_header("WWW-Authenticate", challenge)
}

fn note(env: &RequestEnv<'_>, failure: &Failure) -> Reference {
    env.stats.refused(failure.reason);
    let reference = Reference::new(env.host);
    env.log_failure(failure, &reference);
    reference
}

/// JSON, as no browser sends a bearer token by itself.
fn finished(reason: Reason, reference: Reference, word: &str, told: &str) -> Response {
    let body = json!({
        "error": word,
        "error_description": told,
        "reference": reference.on_page(),
    });
    let mut answer = Response::json(reason.status(), &body);
    answer.code = Some(reason.code());
    answer.reference = Some(reference);
    answer
}
