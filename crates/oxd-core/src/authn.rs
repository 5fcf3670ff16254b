//! What a protected place answers to a request without a session, and what keeps a session's tokens fresh.

use serde_json::Value;

use crate::callback;
use crate::claims;
use crate::clock::{CLOCK_LEEWAY, Seconds};
use crate::crypto::KeyRing;
use crate::facts::{Facts, Level, Outside};
use crate::login::{self, Wish};
use crate::oxd::api::Commands;
use crate::reason::{Failure, Reason};
use crate::record::Parts;
use crate::respond::Response;
use crate::session::{self, Opened};
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
fn wants_tokens(settings: &Settings<'_>, parts: &Parts<'_>, now: Seconds) -> bool {
    settings.token_refresh.flatten().is_some_and(|ahead| {
        let due = parts.access_expires != 0 && parts.access_expires <= now.saturating_add(ahead);
        due && !parts.texts.refresh_token.is_empty()
    })
}

/// Whether `OxdUserInfo` asks for fresh claims now.
fn wants_claims(settings: &Settings<'_>, parts: &Parts<'_>, now: Seconds) -> bool {
    let every = settings.user_info_every.flatten();
    every.is_some_and(|every| now >= parts.informed.saturating_add(every))
}

/// Whether a request of this session may have to call oxd.
pub fn may_refresh(settings: &Settings<'_>, session: &Opened<'_>, now: Seconds) -> bool {
    wants_tokens(settings, &session.parts, now) || wants_claims(settings, &session.parts, now)
}

/// What became of a session that was to be refreshed.
#[derive(Debug, PartialEq)]
pub enum Refresh {
    /// Nothing was wanted, or oxd failed: the session stays as it is.
    Unchanged,
    /// Its new record.
    Changed(Vec<u8>),
    /// The provider has ended it.
    Ended,
}

/// Brings a session's tokens and claims up to date, as far as that is wanted now.
pub fn refresh(ctx: &Ctx<'_>, session: &Opened<'_>) -> Refresh {
    let now = ctx.facts.now;
    let log = |what: &str, failure: &Failure| {
        ctx.log(failure.reason.level(), || {
            format!("{what} were not refreshed: {}", failure.log_line())
        });
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut record = None;
    if wants_tokens(ctx.settings, &session.parts, now) {
        let token = text(session.parts.texts.refresh_token);
        match ctx.oxd.refresh(&token, &ctx.settings.scopes()) {
            Ok(new) => record = Some(session.with_tokens(now, &new)),
            Err(failure) => {
                log("the session's tokens", &failure);
                if failure.reason == Reason::RefreshRefused {
                    return Refresh::Ended;
                }
            }
        }
    }
    if wants_claims(ctx.settings, &session.parts, now) {
        let parts = record.as_deref().and_then(Parts::read).unwrap_or(session.parts);
        match fresh_claims(
            ctx,
            &parts,
            &text(parts.texts.access_token),
            &text(parts.texts.id_token),
        ) {
            Ok(claims) => {
                record = Some(
                    Parts {
                        seen: now,
                        informed: now,
                        claims: &claims,
                        ..parts
                    }
                    .write(),
                )
            }
            Err(failure) => log("the session's claims", &failure),
        }
    }
    record.map_or(Refresh::Unchanged, Refresh::Changed)
}

/// The claims of the session's id token with what user info says now.
fn fresh_claims(ctx: &Ctx<'_>, parts: &Parts<'_>, access: &str, id_token: &str) -> Result<Vec<u8>, Failure> {
    let info = ctx.oxd.user_info_again(access, id_token, parts.informed)?;
    let whole = claims::of_id_token(id_token).filter(|claims| claims.contains_key("sub"));
    let base = whole.unwrap_or_else(|| claims::to_json(parts));
    let subject = base.get("sub").and_then(Value::as_str).unwrap_or_default();
    callback::check_user_info(&info, subject)?;
    Ok(claims::encode(&claims::merge(&base, Some(info))))
}

/// The answer to a request whose session the provider has ended.
pub fn ended(ctx: &Ctx<'_>) -> Response {
    let mut response = unauthenticated(ctx);
    response.cookies.extend(session::end(ctx));
    response
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod age_tests;
