//! Refreshes a session's tokens and claims; one request does it for all requests with the session.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::backoff;
use crate::base::{Failure, Reason, Seconds, Secret, Signal, wall};
use crate::config::{RefusedRefresh, Settings, TokenRefresh, UserInfo};
use crate::flow::Ctx;
use crate::http::audit::{Event, Kind};
use crate::login;
use crate::session::{self, NewTokens, Opened, SessionRecord, StoreLock, Tokens, Written, claims};
use crate::shm::Mark;
use crate::shm::stats::{End, Renewal};

/// Whether `OxdTokenRefresh` asks for a fresh access token now.
fn wants_tokens(settings: &Settings<'_>, record: &SessionRecord<'_>, now: Seconds) -> bool {
    match settings.session().token_refresh {
        TokenRefresh::Off => false,
        TokenRefresh::Ahead(ahead) => {
            let due = !record.access_expires.is_zero() && record.access_expires <= now.saturating_add(ahead);
            due && record.can_refresh
        }
    }
}

/// Whether `OxdUserInfo` asks for fresh claims now.
fn wants_claims(settings: &Settings<'_>, record: &SessionRecord<'_>, now: Seconds) -> bool {
    match settings.session().user_info {
        UserInfo::Every(interval) => now >= record.informed.saturating_add(interval),
        UserInfo::Off | UserInfo::AtLogin => false,
    }
}

/// Whether a request of this session may have to call oxd.
pub(super) fn may_refresh(settings: &Settings<'_>, session: &Opened<'_>, now: Seconds) -> bool {
    wants_tokens(settings, session.record, now) || wants_claims(settings, session.record, now)
}

/// The result of a refresh.
#[derive(Debug, PartialEq)]
pub(super) enum Refresh {
    /// Nothing was wanted, or oxd failed: the session stays as it is.
    Unchanged,
    /// What it is now, and the cookies that the browser needs for it.
    Changed(Written, Vec<String>),
    /// The session was ended, by the provider or by another request.
    Ended,
    /// The provider has refused the refresh token, and the access token has expired (`OxdTokenRefresh TIME 401`).
    Unauthorized,
}

/// How often a request whose access token has run out looks for the result of another process's refresh. A refresh in its
/// own process wakes it.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// Wakes the requests of this process that wait for a refresh when one has ended.
static REFRESHED: Signal = Signal::new();

/// Brings a session's tokens and claims up to date, as far as that is wanted now.
///
/// One request does it for all that carry the session, in all processes and on all machines that share a store: a
/// refresh token may be good for one use only. The others go on at once with the session that they have; where its access
/// token has run out, they wait for the new one, `OxdServerTimeout`'s connect time at the most.
pub(super) fn refresh(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Refresh, Failure> {
    if !may_refresh(ctx.settings, session, ctx.now) {
        return Ok(Refresh::Unchanged);
    }
    let tokens = session.open_tokens(ctx);
    let Some(tokens) = tokens.as_deref().and_then(Tokens::read) else {
        return Ok(Refresh::Unchanged);
    };
    if let Some(done) = without_call(ctx, session, &tokens)? {
        return Ok(done);
    }
    if let Some(done) = try_refresh(ctx, session, &tokens)? {
        return Ok(done);
    }
    let expires = session.record.access_expires;
    let works = expires.is_zero() || ctx.now < expires;
    if works {
        return Ok(Refresh::Unchanged);
    }
    // Those who wait are limited like those who call.
    let Ok(_place) = ctx.oxd.wait_place() else {
        return Ok(Refresh::Unchanged);
    };
    let deadline = Instant::now() + ctx.settings.server().timeouts.connect;
    loop {
        let seen = REFRESHED.count();
        if let Some(done) = try_refresh(ctx, session, &tokens)? {
            return Ok(done);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Refresh::Unchanged);
        }
        REFRESHED.wait(seen, left.min(LOOKS_EVERY));
    }
}

/// Takes over a refresh that has been done, or does it; `None` while another request is at it.
fn try_refresh(ctx: &Ctx<'_>, session: &Opened<'_>, tokens: &Tokens<'_>) -> Result<Option<Refresh>, Failure> {
    if let Some(done) = done_by_another(ctx, session)? {
        return Ok(Some(done));
    }
    let mark = Mark::of_session(&session.record.id);
    let total = ctx.settings.server().timeouts.total;
    let until = wall()
        .saturating_add(Seconds::of(total.saturating_mul(4)))
        .saturating_add(Seconds(5));
    let Some(lease) = ctx.memory.lease(mark, wall(), until) else {
        return Ok(None);
    };
    let done = match StoreLock::take(ctx, session) {
        Ok(Some(lock)) => {
            // Another request may have refreshed, or failed, between the check and the lock.
            let done = match done_by_another(ctx, session) {
                Ok(None) => match without_call(ctx, session, tokens) {
                    Ok(None) => refresh_now(ctx, session, tokens).map(Some),
                    done => done,
                },
                done => done,
            };
            drop(lock);
            done
        }
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    drop(lease);
    REFRESHED.notify();
    done
}

/// The result of a refresh that another request has done, if there is one.
fn done_by_another(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Option<Refresh>, Failure> {
    if let Some(written) = session::newer(ctx, session)? {
        return adopt(ctx, written).map(Some);
    }
    Ok(session::is_replaced(ctx, session).then_some(Refresh::Unchanged))
}

/// Takes over the result of another request's refresh.
fn adopt(ctx: &Ctx<'_>, written: Written) -> Result<Refresh, Failure> {
    ctx.stats.renewal(Renewal::Shared);
    let lines = session::adopted(ctx, &written)?;
    Ok(lines.map_or(Refresh::Ended, |lines| Refresh::Changed(written, lines)))
}

/// The result where oxd need not be called: nothing is wanted that was not tried a moment ago, or refused.
fn without_call(
    ctx: &Ctx<'_>,
    session: &Opened<'_>,
    tokens: &Tokens<'_>,
) -> Result<Option<Refresh>, Failure> {
    let wants_new = wants_tokens(ctx.settings, session.record, ctx.now);
    let is_refused = wants_new && backoff::is_refused(ctx, tokens);
    let wants_call = wants_claims(ctx.settings, session.record, ctx.now) || (wants_new && !is_refused);
    if wants_call && !backoff::waits(ctx, session) {
        return Ok(None);
    }
    if is_refused {
        return after_refusal(ctx, session).map(Some);
    }
    Ok(Some(Refresh::Unchanged))
}

/// What happens to a session whose refresh token the provider has refused: nothing as long as its access token works.
fn after_refusal(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Refresh, Failure> {
    let expires = session.record.access_expires;
    if expires.is_zero() || ctx.now < expires {
        return Ok(Refresh::Unchanged);
    }
    Ok(match ctx.settings.session().refused_refresh {
        RefusedRefresh::Keep => Refresh::Unchanged,
        RefusedRefresh::Unauthorized => Refresh::Unauthorized,
        RefusedRefresh::Login => {
            ctx.stats.ended(End::Provider);
            session::end_own(ctx)?;
            let event = || Event::new(Kind::SessionEnded, Reason::RefreshRefused.code());
            ctx.audit(|| event().about(session.record.who()).by(End::Provider));
            Refresh::Ended
        }
    })
}

fn refresh_now(ctx: &Ctx<'_>, session: &Opened<'_>, tokens: &Tokens<'_>) -> Result<Refresh, Failure> {
    let (mut written, mut has_failed, mut is_refused) = (None, false, false);
    // Who has waited for oxd in vain does not wait again: the claims are fetched by a later request.
    let mut is_away = false;
    if wants_tokens(ctx.settings, session.record, ctx.now) && !backoff::is_refused(ctx, tokens) {
        match new_tokens(ctx, session, tokens) {
            Ok(renewed) => written = Some(renewed),
            Err(failure) if failure.reason == Reason::RefreshRefused => {
                backoff::refused(ctx, session, tokens);
                let event = || Event::new(Kind::RefreshRefused, failure.reason.code());
                ctx.audit(|| event().about(session.record.who()).by(End::Provider));
                is_refused = true;
            }
            Err(failure) => {
                has_failed = true;
                is_away = failure.reason.is_oxd_away();
            }
        }
    }
    if wants_claims(ctx.settings, session.record, ctx.now) && !is_away {
        match new_claims(ctx, session, tokens, written.as_ref()) {
            Some(renewed) => written = Some(renewed),
            None => has_failed = true,
        }
    }
    if has_failed {
        backoff::failed(ctx, session);
    } else {
        backoff::worked(ctx, session);
    }
    let Some(written) = written else {
        return if is_refused {
            after_refusal(ctx, session)
        } else {
            Ok(Refresh::Unchanged)
        };
    };
    match session::publish(ctx, session.record.version, &written) {
        Ok(Some(lines)) => Ok(Refresh::Changed(written, lines)),
        Ok(None) => Ok(Refresh::Ended),
        // The new tokens are good for this request at least; the old session stays as it is.
        Err(failure) if failure.reason == Reason::SessionTooLarge => {
            backoff::report(ctx, "tokens", Some(&failure));
            Ok(Refresh::Changed(written, Vec::new()))
        }
        Err(failure) => Err(failure),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The session with new tokens from oxd; a failure is counted and logged.
fn new_tokens(ctx: &Ctx<'_>, session: &Opened<'_>, tokens: &Tokens<'_>) -> Result<Written, Failure> {
    let token = text(tokens.refresh_token);
    let scope: Vec<&str> = ctx.settings.login().scope.iter().map(String::as_str).collect();
    match ctx.oxd.refresh(&token, &scope).map_err(Failure::from) {
        Ok(new) => {
            ctx.stats.renewal(Renewal::Tokens);
            backoff::report(ctx, "tokens", None);
            let scope = new.scope();
            let new = NewTokens {
                access_token: new.access_token.expose(),
                expires_in: new.expires_in,
                refresh_token: new.refresh_token.as_ref().map(Secret::expose),
                scope: scope.as_deref(),
            };
            Ok(session.renewed(*tokens, ctx.now, new))
        }
        Err(failure) => {
            ctx.stats.renewal(Renewal::Failed);
            backoff::report(ctx, "tokens", Some(&failure));
            Err(failure)
        }
    }
}

/// The session with new claims from oxd, on top of one with new tokens if there is one; a failure is counted and logged.
fn new_claims(
    ctx: &Ctx<'_>,
    session: &Opened<'_>,
    tokens: &Tokens<'_>,
    renewed: Option<&Written>,
) -> Option<Written> {
    let record = renewed.and_then(|written| SessionRecord::read(&written.record));
    let record = record.unwrap_or(*session.record);
    let tokens = renewed
        .and_then(|written| Tokens::read(&written.tokens))
        .unwrap_or(*tokens);
    let (access, id_token) = (text(tokens.access_token), text(tokens.id_token));
    match fresh_claims(ctx, &record, &access, &id_token) {
        Ok(claims) => {
            ctx.stats.renewal(Renewal::Claims);
            backoff::report(ctx, "claims", None);
            let fresh = SessionRecord {
                seen: ctx.now,
                informed: ctx.now,
                // One step, whatever was renewed: the version that requests carry is the old session's.
                version: session.record.version.saturating_add(1),
                claims: &claims,
                ..record
            };
            Some(Written {
                record: fresh.write(),
                tokens: tokens.write(),
            })
        }
        Err(failure) => {
            ctx.stats.renewal(Renewal::Failed);
            backoff::report(ctx, "claims", Some(&failure));
            None
        }
    }
}

/// The claims of the session's id token with those of a new user info answer.
fn fresh_claims(
    ctx: &Ctx<'_>,
    record: &SessionRecord<'_>,
    access: &str,
    id_token: &str,
) -> Result<Vec<u8>, Failure> {
    let info = ctx.oxd.user_info_again(access, id_token, record.informed)?;
    let whole = claims::of_id_token(id_token).filter(|claims| claims.contains_key("sub"));
    let base = whole.unwrap_or_else(|| claims::to_json(record));
    let subject = base.get("sub").and_then(Value::as_str).unwrap_or_default();
    login::check_user_info(&info, subject)?;
    Ok(claims::encode(&claims::merge(&base, Some(info))))
}

#[cfg(test)]
mod machines_tests;
#[cfg(test)]
mod tests;
