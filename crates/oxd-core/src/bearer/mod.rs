//! Bearer tokens (RFC 6750): a request that brings an access token in its `Authorization` header is that token's, session
//! or not.
//!
//! What the token says becomes a record in the form of a session's, so that rules, expressions and the application find
//! it where they find a session's claims.

mod answer;
mod check;
mod header;

pub(crate) use answer::{WELL_KNOWN, challenge, forbidden, in_trail, reason_of, refused, unavailable};
pub(crate) use header::{Presented, presented};

use std::sync::Arc;

use crate::base::{Failure, Millis, Reason};
use crate::config::{BearerMode, BearerSettings, Provider};
use crate::flow::Ctx;
use crate::session::{Opened, SessionMemory};
use crate::shm::stats::{Token, Worth};
use crate::tokens::cache::{Answer, Finding, Known, Refusal, TokenKey, token_key};
use crate::tokens::jws;

/// How long it is remembered that a token could not be checked.
const FAILED_FOR: Millis = Millis(1_000);
/// How long it is remembered at most that a token is refused: it may be one that the provider issues now.
const REFUSED_FOR: Millis = Millis(5_000);

/// The part of its time, at the end, in which an answer is found out anew by one request while the others still use it: so
/// that not all of them wait when it ends.
const DUE_PART: u64 = 10;

/// Why a request is not let in with what it brings.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The token is refused.
    Refused(Refusal),
    /// The request is malformed; the text is for the client.
    Malformed(&'static str),
    /// Nobody knows: oxd is away, busy, or fails.
    Unknown(Failure),
}

/// The record of the token that a request brings, checked for this place. Answers are kept (`OxdBearerCache`).
///
/// # Errors
/// It is refused, or cannot be checked now.
pub(crate) fn record_of(
    ctx: &Ctx<'_>,
    bearer: &BearerSettings<'_>,
    presented: Presented<'_>,
) -> Result<Arc<[u8]>, Outcome> {
    let token = match presented {
        Presented::Token(token) => token,
        Presented::NoToken(told) => {
            return Err(Outcome::Refused(Refusal {
                told,
                detail: told.into(),
                remedy: "",
            }));
        }
        Presented::Malformed(told) => return Err(Outcome::Malformed(told)),
        Presented::Nothing => return Err(Outcome::Malformed("there is no bearer token")),
    };
    let (key, tokens) = (key_of(ctx, bearer, token), bearer.cache.tokens);
    let known = ctx.tokens.known(tokens, &key, ctx.millis);
    let due = match known {
        Known::Fresh(finding) => {
            ctx.stats.token(Token::Access, Worth::Kept);
            return outcome(finding);
        }
        Known::Due(finding) => Some(finding),
        Known::Nothing => None,
    };
    let found = finding_of(ctx, bearer, token, &key, due);
    let worth = match &found {
        Ok(Finding::Active(_)) => Worth::Active,
        Ok(Finding::Refused(_)) => Worth::Refused,
        Ok(Finding::Failed(_)) | Err(_) => Worth::Unknown,
    };
    ctx.stats.token(Token::Access, worth);
    outcome(found.map_err(Outcome::Unknown)?)
}

fn outcome(finding: Finding) -> Result<Arc<[u8]>, Outcome> {
    match finding {
        Finding::Active(record) => Ok(record),
        Finding::Refused(refusal) => Err(Outcome::Refused(refusal)),
        Finding::Failed(failure) => Err(Outcome::Unknown(failure)),
    }
}

fn finding_of(
    ctx: &Ctx<'_>,
    bearer: &BearerSettings<'_>,
    token: &str,
    key: &TokenKey,
    due: Option<Finding>,
) -> Result<Finding, Failure> {
    let tokens = bearer.cache.tokens;
    if let Some(known) = due {
        let new = answer(ctx, bearer, token);
        // Whoever cannot be asked now leaves what is known.
        if matches!(new.finding, Finding::Failed(_)) {
            return Ok(known);
        }
        ctx.tokens.replace(tokens, key, new.clone());
        return Ok(new.finding);
    }
    let verified_here = bearer.mode != BearerMode::Introspect && jws::read(token).is_ok();
    if verified_here {
        // A signature needs no oxd once the keys are known: nobody waits for another one's check.
        let new = answer(ctx, bearer, token);
        ctx.tokens.replace(tokens, key, new.clone());
        return Ok(new.finding);
    }
    ctx.one_question(tokens, key, "token", || answer(ctx, bearer, token))
}

/// A hash over the token and all that the answer about it depends on.
fn key_of(ctx: &Ctx<'_>, bearer: &BearerSettings<'_>, token: &str) -> TokenKey {
    let server = ctx.settings.server();
    let mode = match bearer.mode {
        BearerMode::Off | BearerMode::Introspect => "introspect",
        BearerMode::Jwt => "jwt",
        BearerMode::JwtOrIntrospect => "jwt introspect",
    };
    let mut parts = vec![
        mode,
        ctx.site.as_str(),
        server.url.map_or("", |url| url.as_str()),
        server.provider.map(Provider::name).unwrap_or_default(),
        server.client_id.unwrap_or_default(),
        token,
    ];
    parts.extend(bearer.audience.iter().map(String::as_str));
    token_key(&parts)
}

/// Asks or verifies, and says how long the answer may be kept.
fn answer(ctx: &Ctx<'_>, bearer: &BearerSettings<'_>, token: &str) -> Answer {
    let kept = bearer.cache.time.millis();
    let after = |time: Millis| ctx.millis.saturating_add(time);
    let refused = |refusal| Answer::until(Finding::Refused(refusal), after(kept.min(REFUSED_FOR)));
    match check::check(ctx, bearer, token) {
        Ok(checked) => {
            let finding = Finding::Active(checked.record.into());
            match checked.expires {
                // With the token ends what could be found out anew.
                Some(expires) if expires.millis() <= after(kept) => Answer::until(finding, expires.millis()),
                _ => Answer::due(finding, after(Millis(kept.0 - kept.0 / DUE_PART)), after(kept)),
            }
        }
        Err(Outcome::Refused(refusal)) => refused(refusal),
        Err(Outcome::Malformed(told)) => refused(Refusal {
            told,
            detail: told.into(),
            remedy: "",
        }),
        Err(Outcome::Unknown(failure)) => Answer::until(Finding::Failed(failure), after(FAILED_FOR)),
    }
}

/// The identity of a record that [`record_of`] has made, copied into memory that lives as long as the request.
pub(crate) fn opened<'r>(record: &[u8], memory: &dyn SessionMemory<'r>) -> Result<Opened<'r>, Failure> {
    let broken = || Failure::new(Reason::Internal, "the record of a token cannot be read");
    Opened::of_token(record, memory).ok_or_else(broken)
}

#[cfg(test)]
mod tests;
