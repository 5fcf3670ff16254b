//! The access decision of a protected location. The Apache layer applies it.

use std::borrow::Cow;

use super::authn;
use super::refresh::{self, Refresh};
use super::rule::Unmet;
use crate::base::{Failure, Level, Seconds, SiteId};
use crate::bearer::{self, Presented, presented};
use crate::config::{BearerSettings, UnauthAction};
use crate::flow::Ctx;
use crate::http::{Form, Request, RequestEnv, Response};
use crate::login;
use crate::session::{self, Opened, SessionEnv, SessionMemory, TokensAt, Via};
use crate::shm::{About, Mark};
use crate::uma::{self, Unopened};

/// A session that was opened for this request before, or for the one that it came from.
#[derive(Clone, Copy)]
pub struct Held<'r> {
    /// The session.
    pub session: Opened<'r>,
    /// The site that it was opened for.
    pub site: SiteId<'r>,
}

/// A request at a protected place, as far as [`Ctx`] does not know it.
#[derive(Clone, Copy)]
pub struct Visit<'v, 'r> {
    /// Whether this is a subrequest, whose answer no browser sees.
    pub is_subrequest: bool,
    /// Whether the answer carries a renewed session already: an internal redirect takes its headers along.
    pub is_renewed: bool,
    /// The session that is known already.
    pub held: Option<&'v Held<'r>>,
    /// The identity of the bearer token, where it was checked for this place already.
    pub token: Option<&'v Opened<'r>>,
    /// Memory with the lifetime of the request.
    pub memory: &'v dyn SessionMemory<'r>,
    /// Reads the request's form, up to so many bytes; an HTTP status when it cannot be read.
    pub read_form: &'v dyn Fn(usize) -> Result<Form, u16>,
}

/// The decision of a protected location.
#[derive(Debug)]
// Most requests are admitted; a box would cost each an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Admission<'r> {
    /// The request is admitted as a user.
    Admit(Admitted<'r>),
    /// The request is admitted without a user (`OxdUnauthAction pass`).
    Pass,
    /// It is answered.
    Respond(Response),
    /// A bare status, for subrequests: no browser follows their redirect or reads their page.
    Status(u16),
}

/// An admitted user.
#[derive(Debug)]
pub struct Admitted<'r> {
    /// The session, with fresh tokens and claims where they were due.
    pub session: Opened<'r>,
    /// `REMOTE_USER`; ends with a NUL where it is borrowed from the session's record.
    pub user: Cow<'r, [u8]>,
    /// `Set-Cookie` lines that the answer has to carry.
    pub cookies: Vec<String>,
    /// Whether the session was written down or refreshed just now.
    pub is_renewed: bool,
}

/// Decides about a request at a protected place.
#[inline]
pub fn enter<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>) -> Admission<'r> {
    let Some(bearer) = ctx.settings.bearer() else {
        return enter_with_session(ctx, visit);
    };
    match presented(ctx.request) {
        Presented::Nothing => challenged(ctx, &bearer, enter_with_session(ctx, visit)),
        token => enter_with_token(ctx, visit, &bearer, token),
    }
}

/// The token decides, session or not.
fn enter_with_token<'r>(
    ctx: &Ctx<'_>,
    visit: &Visit<'_, 'r>,
    bearer: &BearerSettings<'_>,
    token: Presented<'_>,
) -> Admission<'r> {
    let refuse = |response: Response| match visit.is_subrequest {
        true => Admission::Status(response.status),
        false => Admission::Respond(response),
    };
    let identity = match identity_of(ctx, visit, bearer, token) {
        Ok(identity) => identity,
        Err(outcome) => return refuse(bearer::refused(ctx, bearer, outcome)),
    };
    match identity.user(&ctx.settings.identity()) {
        Some(user) => Admission::Admit(Admitted {
            session: identity,
            user,
            cookies: Vec::new(),
            is_renewed: false,
        }),
        None => refuse(authn::nameless(ctx, identity.record)),
    }
}

/// The identity of a token, checked for this place.
fn identity_of<'r>(
    ctx: &Ctx<'_>,
    visit: &Visit<'_, 'r>,
    bearer: &BearerSettings<'_>,
    token: Presented<'_>,
) -> Result<Opened<'r>, bearer::Outcome> {
    if let Some(known) = visit.token {
        return Ok(*known);
    }
    let record = bearer::record_of(ctx, bearer, token)?;
    bearer::opened(&record, visit.memory).map_err(bearer::Outcome::Unknown)
}

/// Says in an answer with 401 that a bearer token would do as well (RFC 6750 section 3).
fn challenged<'r>(ctx: &Ctx<'_>, bearer: &BearerSettings<'_>, admission: Admission<'r>) -> Admission<'r> {
    match admission {
        Admission::Respond(mut response) if response.status == 401 => {
            response.headers.retain(|(name, _)| *name != "WWW-Authenticate");
            Admission::Respond(response.with_header("WWW-Authenticate", bearer::challenge(ctx, bearer)))
        }
        other => other,
    }
}

#[inline]
fn enter_with_session<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>) -> Admission<'r> {
    let session = match find(ctx, visit.held, visit.memory) {
        Ok(session) => session,
        // The user is unknown while the store is away: neither admitted nor sent to log in.
        Err(failure) => return unavailable(ctx, visit, &failure),
    };
    match session {
        Some(session) if is_fresh(ctx, &session) && !lacks_tokens(ctx, visit, &session) => {
            admit(ctx, visit, session)
        }
        _ if passes(ctx) => Admission::Pass,
        // The main request, if it is protected, has sent its own redirect.
        _ if visit.is_subrequest => Admission::Status(401),
        Some(session) if !is_fresh(ctx, &session) => sign_in(ctx, visit, authn::aged),
        Some(_) => sign_in(ctx, visit, authn::unauthenticated),
        None => sign_in(ctx, visit, authn::unauthenticated),
    }
}

/// The same where no rule asks for a user (`Require all granted` with `OxdUnauthAction pass`): with a session at hand,
/// its user is known there too.
pub fn greet<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>) -> Result<Admission<'r>, Failure> {
    if let Some(bearer) = ctx.settings.bearer()
        && !matches!(presented(ctx.request), Presented::Nothing)
    {
        let admission = enter_with_token(ctx, visit, &bearer, presented(ctx.request));
        return Ok(match admission {
            Admission::Admit(_) => admission,
            // Nobody has to be known here.
            _ => Admission::Pass,
        });
    }
    let session = known(ctx, visit.held, visit.memory)?;
    Ok(session.map_or(Admission::Pass, |session| admit(ctx, visit, session)))
}

/// The decision where the place has no site, and so no sessions; `missing` names the directive.
pub fn enter_without_site<'r>(env: &RequestEnv<'_>, is_subrequest: bool, missing: &Failure) -> Admission<'r> {
    match env.settings.access().unauth_action {
        UnauthAction::Pass => Admission::Pass,
        _ if is_subrequest => Admission::Status(401),
        _ => Admission::Respond(env.refuse(missing, None, None)),
    }
}

/// Whether a request brings a bearer token, or something in its form, whatever a place makes of it.
pub fn has_bearer_header(request: &dyn Request) -> bool {
    !matches!(presented(request), Presented::Nothing)
}

/// Whether the request brings something that this place takes for a bearer token: then [`token_for_rule`] tells its
/// identity, and no session does.
pub fn brings_token(env: &RequestEnv<'_>) -> bool {
    env.settings.bearer().is_some() && !matches!(presented(env.request), Presented::Nothing)
}

/// The identity of a request's bearer token for a rule or an expression; `None` where the token is refused.
///
/// # Errors
/// It cannot be checked now.
pub fn token_for_rule<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>) -> Result<Option<Opened<'r>>, Failure> {
    let Some(bearer) = ctx.settings.bearer() else {
        return Ok(None);
    };
    match identity_of(ctx, visit, &bearer, presented(ctx.request)) {
        Ok(identity) => Ok(Some(identity)),
        Err(bearer::Outcome::Unknown(failure)) => Err(failure),
        Err(bearer::Outcome::Refused(_) | bearer::Outcome::Malformed(_)) => Ok(None),
    }
}

/// The session of a request for a rule or an expression: the one that this location would accept (`OxdMaxAge`).
pub fn known<'r>(
    env: &SessionEnv<'_>,
    held: Option<&Held<'r>>,
    memory: &dyn SessionMemory<'r>,
) -> Result<Option<Opened<'r>>, Failure> {
    let session = find(env, held, memory)?;
    Ok(session.filter(|session| is_fresh(env, session)))
}

/// The session of a request: the one that is known already, or that of its cookies. In line, as a session is large to
/// hand on.
#[inline(always)]
fn find<'r>(
    env: &SessionEnv<'_>,
    held: Option<&Held<'r>>,
    memory: &dyn SessionMemory<'r>,
) -> Result<Option<Opened<'r>>, Failure> {
    let session = match held {
        Some(held) if held.site == env.site => held.session.reopened(&env.settings.session(), env.now),
        _ => session::open(env, memory)?,
    };
    Ok(match session {
        // The application gets them.
        Some(session) if env.settings.identity().pass_tokens.has_any() => {
            Some(session.with_open_tokens(env, memory))
        }
        other => other,
    })
}

/// How long nobody is asked to sign in again for tokens, once that was done for a user: another login has not brought them.
const TOKENS_SOUGHT: Seconds = Seconds(3_600);

/// Whether the user should sign in again because this place needs the session's tokens and the browser has not sent them:
/// their cookie has the path of the handler, from a time when no page wanted them.
///
/// It is asked for once, and only where a login can be started: a browser may not keep the cookie, and another httpd with
/// the same sessions may give it that path again. Then the session goes on without.
fn lacks_tokens(ctx: &Ctx<'_>, visit: &Visit<'_, '_>, session: &Opened<'_>) -> bool {
    if !matches!(session.tokens, TokensAt::Cookie) {
        return false;
    }
    let is_wanted = ctx.settings.identity().pass_tokens.has_any()
        || ctx.settings.uma().is_some()
        || refresh::may_refresh(ctx.settings, session, ctx.now);
    if !is_wanted || visit.is_subrequest || session.open_tokens(ctx).is_some() {
        return false;
    }
    let can_help = authn::starts_login(ctx);
    let user = session.record.marks.user.to_string();
    let mark = Mark::of(About::TokensSought, ctx.site, &[&user]);
    let was_sought = ctx.memory.noted_moment(mark, ctx.now).is_some();
    let name = ctx.settings.cookie().name;
    if can_help && !was_sought {
        ctx.memory
            .note_moment(mark, ctx.millis, ctx.now, ctx.now.saturating_add(TOKENS_SOUGHT));
        ctx.log(Level::Warning, || {
            format!(
                "this place wants the tokens of a session whose cookie {name}.tokens the browser has not sent; the user \
                 signs in again, and this is not asked for again for an hour"
            )
        });
        return true;
    }
    ctx.log(Level::Debug, || {
        format!("the browser has sent no cookie {name}.tokens of this session; it goes on without its tokens")
    });
    false
}

/// The identity of an RPT's record, in memory that lives as long as the request.
///
/// # Errors
/// The record cannot be read.
pub fn identity_of_rpt<'r>(record: &[u8], visit: &Visit<'_, 'r>) -> Result<Opened<'r>, Failure> {
    bearer::opened(record, visit.memory)
}

/// The answer to a client whose RPT does not open what it asks for, or that brings none.
pub fn unopened(ctx: &Ctx<'_>, why: Unopened<'_>) -> Response {
    uma::answer(ctx, why)
}

/// The response to a user that the location's rules reject. `identity` is the request's session or token.
pub fn refuse(ctx: &Ctx<'_>, identity: Option<&Opened<'_>>, unmet: Unmet<'_>) -> Response {
    if let (Some(identity), Some(bearer)) = (
        identity.filter(|known| known.via() == Via::Bearer),
        ctx.settings.bearer(),
    ) {
        let reason = bearer::reason_of(unmet.scope);
        let failure = authn::why_not(ctx, reason, Some(identity.record), unmet);
        let answer = bearer::forbidden(ctx, &bearer, &failure, unmet.scope);
        return authn::in_trail(ctx, answer, reason, Some(identity.record), unmet);
    }
    let session = identity.filter(|session| is_fresh(ctx, session));
    if session.is_none() && passes(ctx) {
        // Without a user no rule about users can be met; a login can change that.
        return authn::unauthenticated(ctx);
    }
    authn::unauthorized(ctx, session.map(|session| session.record), unmet)
}

/// Whether a session is young enough for the place (`OxdMaxAge`).
fn is_fresh(env: &RequestEnv<'_>, session: &Opened<'_>) -> bool {
    !authn::is_aged(&env.settings.access(), session.record, env.now)
}

/// Whether this place admits anonymous requests.
fn passes(ctx: &Ctx<'_>) -> bool {
    ctx.settings.access().unauth_action == UnauthAction::Pass
}

fn unavailable<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>, failure: &Failure) -> Admission<'r> {
    if visit.is_subrequest {
        Admission::Status(503)
    } else {
        Admission::Respond(ctx.refuse(failure, None, None))
    }
}

/// The response to a request that must log in first. A form is preserved where `OxdPostPreserve` is on.
fn sign_in<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>, answer: fn(&Ctx<'_>) -> Response) -> Admission<'r> {
    let limit = login::form_limit(&ctx.settings.access(), ctx.request.method());
    let kept = match limit.map(visit.read_form) {
        None => None,
        Some(Ok(form)) => login::offer_form(ctx, &form),
        Some(Err(status)) => return Admission::Status(status),
    };
    Admission::Respond(kept.unwrap_or_else(|| answer(ctx)))
}

/// Lets the request in with the session's identity, renewed where that is due.
#[inline]
fn admit<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>, session: Opened<'r>) -> Admission<'r> {
    let is_due = !visit.is_subrequest && session.is_due(&ctx.settings.session(), ctx.now);
    // A subrequest's cookies never reach the browser: a refreshed session could be kept in a store only.
    let can_keep = !visit.is_subrequest || ctx.settings.store.is_some();
    let wants_refresh = can_keep && refresh::may_refresh(ctx.settings, &session, ctx.now);
    let is_renewed = (is_due || wants_refresh) && !visit.is_renewed;
    let (session, cookies) = if is_renewed {
        match renew(ctx, visit, session) {
            Ok(Renewal::Goes(session, cookies)) => (session, cookies),
            Ok(Renewal::Refused) if visit.is_subrequest => return Admission::Status(401),
            Ok(Renewal::Ended) if visit.is_subrequest => return Admission::Status(401),
            Ok(Renewal::Refused) => return Admission::Respond(authn::expired(ctx)),
            Ok(Renewal::Ended) => return Admission::Respond(authn::ended(ctx)),
            Err(failure) => return unavailable(ctx, visit, &failure),
        }
    } else {
        (session, Vec::new())
    };
    match session.user(&ctx.settings.identity()) {
        Some(user) => Admission::Admit(Admitted {
            session,
            user,
            cookies,
            is_renewed,
        }),
        None => Admission::Respond(authn::nameless(ctx, session.record)),
    }
}

/// A session after it was refreshed or its use recorded.
// Nearly always the large variant.
#[allow(clippy::large_enum_variant)]
enum Renewal<'r> {
    /// It goes on, with cookies for the answer.
    Goes(Opened<'r>, Vec<String>),
    /// It has ended.
    Ended,
    /// Its access token has expired for good.
    Refused,
}

/// Refreshes tokens and claims where due, or else records the use of the session. An error when the store is
/// unavailable.
fn renew<'r>(ctx: &Ctx<'_>, visit: &Visit<'_, 'r>, session: Opened<'r>) -> Result<Renewal<'r>, Failure> {
    match refresh::refresh(ctx, &session)? {
        Refresh::Changed(written, cookies) => {
            let renewed = Opened::of_written(&written, ctx.now, visit.memory)
                .and_then(|renewed| renewed.reopened(&ctx.settings.session(), ctx.now));
            Ok(Renewal::Goes(renewed.unwrap_or(session), cookies))
        }
        Refresh::Ended => Ok(Renewal::Ended),
        Refresh::Unauthorized => Ok(Renewal::Refused),
        Refresh::Unchanged if session.is_due(&ctx.settings.session(), ctx.now) => {
            let cookies = session::touch(ctx, &session)?;
            Ok(cookies.map_or(Renewal::Ended, |cookies| Renewal::Goes(session, cookies)))
        }
        Refresh::Unchanged => Ok(Renewal::Goes(session, Vec::new())),
    }
}

#[cfg(test)]
mod tests;
