//! What a protected place answers to a request without a session, and what keeps a session's tokens fresh.

use crate::clock::{CLOCK_LEEWAY, Seconds};
use crate::crypto::KeyRing;
use crate::facts::{Facts, Level, Outside};
use crate::login::{self, Wish};
use crate::oxd::api::Commands;
use crate::reason::{Failure, Reason};
use crate::record::Parts;
use crate::respond::Response;
use crate::session::Opened;
use crate::settings::{Settings, UnauthAction, UnautzAction};

/// Everything that a rule looks at.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// The merged configuration of the place.
    pub settings: &'a Settings<'a>,
    /// The request.
    pub facts: &'a Facts<'a>,
    /// The keys for cookies: `OxdCryptoKey`, or the server's random ones.
    pub keys: &'a KeyRing,
    /// The world.
    pub outside: &'a dyn Outside,
    /// oxd.
    pub oxd: &'a dyn Commands,
}

impl Ctx<'_> {
    /// Writes a line to the log, built only if the level is on.
    pub fn log(&self, level: Level, line: impl FnOnce() -> String) {
        if self.outside.logs(level) {
            self.outside.log(level, &line());
        }
    }

    /// The answer to a refusal, with a link to where the login begins.
    pub fn refuse(&self, failure: &Failure, told: Option<&str>, start_over: Option<&str>) -> Response {
        Response::refusal(failure, self.facts, self.outside, told, start_over)
    }
}

/// Whether a session's user authenticated longer ago than the place allows (`OxdMaxAge`).
///
/// A login that has just ended counts as fresh for a while whatever the provider says, or a provider that is a little
/// behind would be asked again and again.
pub fn is_aged(settings: &Settings<'_>, parts: &Parts<'_>, now: Seconds) -> bool {
    settings.max_age.is_some_and(|age| {
        let since = if parts.auth_time == 0 {
            parts.issued
        } else {
            parts.auth_time
        };
        now > since.saturating_add(age) && now >= parts.issued.saturating_add(age.min(CLOCK_LEEWAY))
    })
}

/// The answer to a request without a session (`OxdUnauthAction`).
pub fn unauthenticated(ctx: &Ctx<'_>) -> Response {
    sign_in(ctx, false)
}

/// The answer to a request whose session has become too old for the place: the provider may still know the user.
pub fn aged(ctx: &Ctx<'_>) -> Response {
    sign_in(ctx, true)
}

fn sign_in(ctx: &Ctx<'_>, silent: bool) -> Response {
    let action = ctx.settings.unauth_action.unwrap_or(UnauthAction::Auto);
    let log_in = match action {
        UnauthAction::Status(status) if status != 401 => return Response::bare(status),
        UnauthAction::Auto => ctx.facts.method.can_be_repeated() && !ctx.facts.is_script(),
        // What a form has sent would be lost without a word: even here it gets 401 instead.
        UnauthAction::Login => ctx.facts.method.can_be_repeated(),
        UnauthAction::Status(_) | UnauthAction::Pass => false,
    };
    let target = login::own_address(ctx);
    if log_in {
        return login::start_with(
            ctx,
            target,
            Wish {
                silent,
                ..Wish::default()
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

/// The answer to a user whom the place's rules do not let in (`OxdUnautzAction`). `wanted` are the values of an unmet
/// `Require oxd-acr`.
pub fn unauthorized(ctx: &Ctx<'_>, session: Option<&Parts<'_>>, wanted: Option<&[String]>) -> Response {
    let default = if wanted.is_some() {
        UnautzAction::Login
    } else {
        UnautzAction::Status(403)
    };
    match ctx.settings.unautz_action.unwrap_or(default) {
        UnautzAction::Login => step_up(ctx, session, wanted.unwrap_or_default()),
        UnautzAction::Status(401) => {
            ctx.refuse(&Failure::new(Reason::LoginRequired, "not let in"), None, None)
        }
        UnautzAction::Status(_) => forbidden(ctx),
    }
}

fn forbidden(ctx: &Ctx<'_>) -> Response {
    let detail = format!("no Require at {} lets this user in", ctx.facts.path);
    ctx.refuse(&Failure::new(Reason::Forbidden, detail), None, None)
}

/// Sends the user to log in again, unless that was tried and has not helped, or cannot help who asks.
fn step_up(ctx: &Ctx<'_>, session: Option<&Parts<'_>>, wanted: &[String]) -> Response {
    let asked = if wanted.is_empty() {
        vec![login::ANY_ACR.to_owned()]
    } else {
        wanted.to_vec()
    };
    let refused = session.map_or(&b""[..], |parts| parts.texts.refused);
    let tried = |acr: &String| refused.split(|b| *b == b' ').any(|word| word == acr.as_bytes());
    let hopeless = asked.iter().all(tried);
    if !hopeless && ctx.facts.method.can_be_repeated() && !ctx.facts.is_script() {
        let wish = Wish {
            acr: &asked,
            ..Wish::default()
        };
        return login::start_with(ctx, login::own_address(ctx), wish);
    }
    if wanted.is_empty() {
        return forbidden(ctx);
    }
    let detail = format!(
        "{} needs one of the acr values {}",
        ctx.facts.path,
        wanted.join(" ")
    );
    let link = login::login_link(ctx, &login::own_address(ctx));
    ctx.refuse(
        &Failure::new(Reason::AcrNotMet, detail),
        Some(&wanted.join(", ")),
        link.as_deref(),
    )
}

/// A user without the claim that should become `REMOTE_USER`.
pub fn nameless(ctx: &Ctx<'_>) -> Response {
    let claim = ctx.settings.remote_user.map_or("sub", |rule| rule.claim.as_str());
    let detail = format!("the session has no claim '{claim}' that OxdRemoteUser could make a user name of");
    ctx.refuse(&Failure::new(Reason::NoUserName, detail), None, None)
}

/// Whether `OxdTokenRefresh` asks for a fresh access token now.
pub fn may_refresh(settings: &Settings<'_>, session: &Opened<'_>, now: Seconds) -> bool {
    let parts = &session.parts;
    settings.token_refresh.flatten().is_some_and(|ahead| {
        let due = parts.access_expires != 0 && parts.access_expires <= now.saturating_add(ahead);
        due && !parts.texts.refresh_token.is_empty()
    })
}

/// A session's record with a fresh access token, when `OxdTokenRefresh` asks for one now.
///
/// A refusal or a dead oxd leaves the session as it is.
pub fn refreshed(ctx: &Ctx<'_>, session: &Opened<'_>) -> Option<Vec<u8>> {
    if !may_refresh(ctx.settings, session, ctx.facts.now) {
        return None;
    }
    let token = std::str::from_utf8(session.parts.texts.refresh_token).ok()?;
    match ctx.oxd.refresh(token, &ctx.settings.scopes()) {
        Ok(new) => Some(session.with_tokens(ctx.facts.now, &new)),
        Err(failure) => {
            ctx.log(failure.reason.level(), || {
                format!("the access token was not refreshed: {}", failure.log_line())
            });
            None
        }
    }
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod age_tests;
