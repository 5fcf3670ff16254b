//! Responses of a protected location to requests that it does not admit.

use super::rule::Unmet;
use crate::base::{CLOCK_LEEWAY, Failure, Level, Reason, Reference, Seconds};
use crate::config::{AccessSettings, UnauthAction, UnautzAction};
use crate::flow::Ctx;
use crate::http::Response;
use crate::http::audit::{Event, Kind};
use crate::login::{self, AuthRequestOverrides};
use crate::pages::{Details, Told};
use crate::session;
use crate::session::SessionRecord;

/// The least time for which a login that asked for `max_age` satisfies the location that it was made for.
const SATISFIES_FOR: Seconds = Seconds(5);

/// Whether a session's user authenticated longer ago than the location allows (`OxdMaxAge`), or at an unknown time.
///
/// A login that asked for this `max_age`, and whose answer met it, satisfies the location for a moment in any case:
/// otherwise a provider with another clock, or an answer at the last second, would cause a login loop.
pub(super) fn is_aged(settings: &AccessSettings, record: &SessionRecord<'_>, now: Seconds) -> bool {
    settings.max_age.is_some_and(|age| {
        let is_young = !record.auth_time.is_zero() && now <= record.auth_time.saturating_add(age);
        let asked = record.asked_age.is_some_and(|asked| asked <= age);
        let moment = age.clamp(SATISFIES_FOR, CLOCK_LEEWAY);
        let is_new = asked && now < record.issued.saturating_add(moment);
        !(is_young || is_new)
    })
}

/// The answer to a request without a session (`OxdUnauthAction`).
pub(super) fn unauthenticated(ctx: &Ctx<'_>) -> Response {
    sign_in(ctx, false)
}

/// The answer to a request whose session has become too old for the place: the provider may still know the user.
pub(super) fn aged(ctx: &Ctx<'_>) -> Response {
    sign_in(ctx, true)
}

/// Whether a request without a session is sent to the provider.
pub(super) fn starts_login(ctx: &Ctx<'_>) -> bool {
    match ctx.settings.access().unauth_action {
        UnauthAction::Auto => ctx.request.method().can_be_repeated() && !ctx.request.is_script(),
        // A redirect would lose a form's data silently; so even here a form gets 401.
        UnauthAction::Login => ctx.request.method().can_be_repeated(),
        UnauthAction::Status(_) | UnauthAction::Pass => false,
    }
}

fn sign_in(ctx: &Ctx<'_>, silent: bool) -> Response {
    let action = ctx.settings.access().unauth_action;
    if let UnauthAction::Status(status) = action
        && status != 401
    {
        return refuse_bare(ctx, status);
    }
    let log_in = starts_login(ctx);
    let target = login::own_address(ctx);
    if log_in && ctx.request.is_prefetch() {
        let failure = Failure::new(Reason::Prefetch, ctx.request.path());
        return ctx.refuse(&failure, None, None);
    }
    if log_in && ctx.request.is_framed() {
        // A provider refuses to be shown in a frame; the link opens the whole window.
        let link = login::login_link(ctx, &target).unwrap_or(target);
        let failure = Failure::new(Reason::LoginRequired, "no session, in a frame");
        return ctx.refuse(&failure, None, Some(&link)).framed();
    }
    if log_in {
        return login::start_with(
            ctx,
            target,
            AuthRequestOverrides {
                silent,
                ..AuthRequestOverrides::default()
            },
        );
    }
    let link = login::login_link(ctx, &target);
    ctx.refuse(
        &Failure::new(Reason::LoginRequired, "no session"),
        None,
        link.as_deref(),
    )
}

/// The answer to a user whom the place's rules do not let in (`OxdUnautzAction`).
pub(super) fn unauthorized(ctx: &Ctx<'_>, session: Option<&SessionRecord<'_>>, unmet: Unmet<'_>) -> Response {
    let wanted = unmet.acr;
    let default = if wanted.is_some() {
        UnautzAction::Login
    } else {
        UnautzAction::Status(403)
    };
    match ctx.settings.access().unautz_action.unwrap_or(default) {
        UnautzAction::Login => step_up(ctx, session, unmet),
        UnautzAction::Status(401) => not_let_in(ctx, Reason::LoginRequired, session, unmet),
        UnautzAction::Status(_) => match unmet.scope {
            Some(_) => not_let_in(ctx, Reason::InsufficientScope, session, unmet),
            None => not_let_in(ctx, Reason::Forbidden, session, unmet),
        },
    }
}

/// Refuses a user whom no rule of the place lets in.
fn not_let_in(
    ctx: &Ctx<'_>,
    reason: Reason,
    session: Option<&SessionRecord<'_>>,
    unmet: Unmet<'_>,
) -> Response {
    let failure = why_not(ctx, reason, session, unmet);
    let answer = refuse_user(ctx, session, &failure, Details::default());
    in_trail(ctx, answer, reason, session, unmet)
}

/// The answer to a user who is signed in: the page says as whom, and offers to sign in with another account.
fn refuse_user(
    ctx: &Ctx<'_>,
    session: Option<&SessionRecord<'_>>,
    failure: &Failure,
    details: Details<'_>,
) -> Response {
    let user = session.map(|record| session::person(record, &ctx.settings.identity()));
    let other_account = login::other_account_link(ctx, &login::own_address(ctx));
    let details = Details {
        other_account: user.as_ref().and(other_account.as_deref()),
        user: user.as_deref(),
        ..details
    };
    ctx.refuse_with(failure, &details)
}

/// Who is not let in where, by which rules, and what is missing for each: so that an administrator need not guess. Values
/// of claims may be nobody's business who reads the log; `LogLevel oxd:debug` shows them. The text is for the log alone, and
/// left out where the level hides the line.
pub(super) fn why_not(
    ctx: &Ctx<'_>,
    reason: Reason,
    identity: Option<&SessionRecord<'_>>,
    unmet: Unmet<'_>,
) -> Failure {
    if !ctx.host.logs(reason.level()) {
        return Failure::new(reason, String::new());
    }
    let with_values = ctx.host.logs(Level::Debug);
    let who = identity.map_or_else(|| "the user".to_owned(), |record| record.named_in_log(ctx));
    let path = ctx.request.path();
    match unmet.explained(identity, with_values) {
        Some(rules) => Failure::new(reason, format!("{path} does not let {who} in: {rules}")),
        None => Failure::new(reason, format!("no Require at {path} lets {who} in"))
            .with_remedy("LogLevel authz_core:debug lists the result of each Require"),
    }
}

/// Writes a refusal of a known user to the audit trail.
pub(super) fn in_trail(
    ctx: &Ctx<'_>,
    answer: Response,
    reason: Reason,
    identity: Option<&SessionRecord<'_>>,
    unmet: Unmet<'_>,
) -> Response {
    let who = || identity.map(SessionRecord::who).unwrap_or_default();
    ctx.audited(answer, || {
        Event::new(Kind::AccessRefused, reason.code())
            .about(who())
            .at_rule(unmet.text())
    })
}

/// Sends the user to log in again, unless that was tried without success or the client cannot follow a redirect.
fn step_up(ctx: &Ctx<'_>, session: Option<&SessionRecord<'_>>, unmet: Unmet<'_>) -> Response {
    let wanted = unmet.acr.unwrap_or_default();
    let asked = if wanted.is_empty() {
        vec![login::ANY_ACR.to_owned()]
    } else {
        wanted.to_vec()
    };
    let refused = session.map_or(&b""[..], |record| record.strings.refused);
    let tried = |acr: &String| refused.split(|b| *b == b' ').any(|word| word == acr.as_bytes());
    let hopeless = asked.iter().all(tried);
    if !hopeless && ctx.request.method().can_be_repeated() && !ctx.request.is_script() {
        let overrides = AuthRequestOverrides {
            acr: &asked,
            ..AuthRequestOverrides::default()
        };
        return login::start_with(ctx, login::own_address(ctx), overrides);
    }
    if wanted.is_empty() {
        return not_let_in(ctx, Reason::Forbidden, session, unmet);
    }
    let failure = why_not(ctx, Reason::AcrNotMet, session, unmet);
    let link = login::login_link(ctx, &login::own_address(ctx));
    // With a name of its own: Rust 1.88 ends the life of such a text before that of what borrows it.
    let wanted = wanted.join(", ");
    let details = Details {
        told: Some(Told::Acr(&wanted)),
        link: link.as_deref(),
        ..Details::default()
    };
    let answer = refuse_user(ctx, session, &failure, details);
    in_trail(ctx, answer, Reason::AcrNotMet, session, unmet)
}

/// A user without the claim that should become `REMOTE_USER`.
pub(super) fn nameless(ctx: &Ctx<'_>, identity: &SessionRecord<'_>) -> Response {
    let claim = &ctx.settings.identity().remote_user.claim;
    let detail = format!(
        "{} has no claim '{claim}' that OxdRemoteUser could make a user name of",
        identity.named_in_log(ctx)
    );
    let answer = ctx.refuse(&Failure::new(Reason::NoUserName, detail), None, None);
    in_trail(ctx, answer, Reason::NoUserName, Some(identity), Unmet::default())
}

/// The answer to a request whose session the provider has ended.
pub(super) fn ended(ctx: &Ctx<'_>) -> Response {
    let mut response = unauthenticated(ctx);
    response.cookies.extend(session::clear(ctx));
    response
}

/// The answer to a request whose access token has expired and cannot be refreshed (`OxdTokenRefresh TIME 401`). The
/// session stays.
pub(super) fn expired(ctx: &Ctx<'_>) -> Response {
    let link = login::login_link(ctx, &login::own_address(ctx));
    let failure = Failure::new(
        Reason::RefreshRefused,
        "the access token has expired, and the provider has refused the refresh token",
    );
    ctx.refuse(&failure, None, link.as_deref())
}

/// The answer to a request without a session with a status for which httpd writes the page.
fn refuse_bare(ctx: &Ctx<'_>, status: u16) -> Response {
    let failure = Failure::new(
        Reason::LoginRequired,
        format!("no session, OxdUnauthAction {status}"),
    );
    ctx.stats.refused(failure.reason);
    let reference = Reference::new(ctx.host);
    ctx.log_failure(&failure, &reference);
    Response::bare(status)
        .in_language(ctx.language())
        .about(failure.reason, reference)
}

#[cfg(test)]
mod tests;
