//! What a protected place answers to a request without a session, and what keeps a session's tokens fresh.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::base::clock::{CLOCK_LEEWAY, Seconds, wall};
use crate::base::crypto::KeyRing;
use crate::base::log::Level;
use crate::base::reason::{Failure, Reason};
use crate::base::reference::Reference;
use crate::config::settings::{Settings, UnauthAction, UnautzAction};
use crate::http::request::{Facts, Outside};
use crate::http::response::Response;
use crate::login::callback;
use crate::login::{self, Wish};
use crate::oxd::Oxd;
use crate::session::claims;
use crate::session::record::Parts;
use crate::session::store::Store;
use crate::session::{self, Opened, between_machines};
use crate::shm::memory::{Mark, Memory};
use crate::shm::stats::{End, Renewal, Stats};

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
    pub oxd: &'a dyn Oxd,
    /// What all processes of the server remember together.
    pub memory: Memory<'a>,
    /// Where the place's sessions are; `None` where they live in cookies.
    pub store: Option<&'a dyn Store>,
    /// What is counted.
    pub stats: Stats<'a>,
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
        self.stats.refused(failure.reason);
        Response::refusal(failure, self.facts, self.outside, told, start_over)
    }

    /// The answer to a request without a session with a status for which httpd writes the page.
    fn refuse_bare(&self, status: u16) -> Response {
        let failure = Failure::new(
            Reason::LoginRequired,
            format!("no session, OxdUnauthAction {status}"),
        );
        self.stats.refused(failure.reason);
        let reference = Reference::new(self.outside);
        self.log(failure.reason.level(), || {
            format!("{} [ref {}]", failure.log_line(), reference.in_log())
        });
        let mut answer = Response::bare(status);
        answer.code = Some(failure.reason.code());
        answer.reference = Some(reference);
        answer
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
        UnauthAction::Status(status) if status != 401 => return ctx.refuse_bare(status),
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
    /// Its new record, and the cookies that the browser needs for it.
    Changed(Vec<u8>, Vec<String>),
    /// The provider has ended it, or somebody else has meanwhile.
    Ended,
}

/// How long a request waits for another one's refresh although its own access token still works: longer than a refresh
/// takes, and too short for a slow oxd to fill the server with waiting requests.
const WAITS_AT_MOST: Duration = Duration::from_secs(1);
/// How often a request looks whether another has refreshed its session.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// Brings a session's tokens and claims up to date, as far as that is wanted now.
///
/// One request does it for all that carry the session, in all processes and on all machines that share a store: a
/// refresh token may be good for one use only. The others wait for it, and only for a moment while the access token
/// still works.
pub fn refresh(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Refresh, Failure> {
    let now = ctx.facts.now;
    if !may_refresh(ctx.settings, session, now) {
        return Ok(Refresh::Unchanged);
    }
    let works = session.parts.access_expires == 0 || now.saturating_add(1) < session.parts.access_expires;
    // As long as the one that is at it may take: a token for us, the refresh, user info.
    let patience = if works {
        WAITS_AT_MOST
    } else {
        ctx.settings.timeouts().total.saturating_mul(3)
    };
    let mark = Mark::of_session(&session.parts.id);
    let began = Instant::now();
    loop {
        if let Some(record) = session::newer(ctx, session)? {
            return adopt(ctx, record);
        }
        if session::is_replaced(ctx, session) {
            return Ok(Refresh::Unchanged);
        }
        let until = wall().saturating_add(ctx.settings.timeouts().total.as_secs().saturating_mul(4) + 5);
        if let Some(_lease) = ctx.memory.lease(mark, wall(), until)
            && between_machines::claim(ctx, session)?
        {
            // Another may have been at it between the look and the lease.
            let done = match session::newer(ctx, session)? {
                Some(record) => adopt(ctx, record),
                None if session::is_replaced(ctx, session) => Ok(Refresh::Unchanged),
                None => refresh_now(ctx, session),
            };
            between_machines::give_back(ctx, session);
            return done;
        }
        if began.elapsed() >= patience {
            return Ok(Refresh::Unchanged);
        }
        thread::sleep(LOOKS_EVERY);
    }
}

/// Takes over what another request has made of the session.
fn adopt(ctx: &Ctx<'_>, record: Vec<u8>) -> Result<Refresh, Failure> {
    ctx.stats.renewal(Renewal::Shared);
    let lines = session::adopted(ctx, &record)?;
    Ok(lines.map_or(Refresh::Ended, |lines| Refresh::Changed(record, lines)))
}

fn refresh_now(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Refresh, Failure> {
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
        match ctx
            .oxd
            .refresh(&token, &ctx.settings.scopes())
            .map_err(Failure::from)
        {
            Ok(new) => {
                ctx.stats.renewal(Renewal::Tokens);
                record = Some(session.with_tokens(now, &new));
            }
            Err(failure) => {
                ctx.stats.renewal(Renewal::Failed);
                log("the session's tokens", &failure);
                if failure.reason == Reason::RefreshRefused {
                    ctx.stats.ended(End::Provider);
                    session::end_own(ctx)?;
                    return Ok(Refresh::Ended);
                }
            }
        }
    }
    if wants_claims(ctx.settings, &session.parts, now) {
        let parts = record.as_deref().and_then(Parts::read).unwrap_or(session.parts);
        let (access, id_token) = (text(parts.texts.access_token), text(parts.texts.id_token));
        match fresh_claims(ctx, &parts, &access, &id_token) {
            Ok(claims) => {
                let fresh = Parts {
                    seen: now,
                    informed: now,
                    // One step, whatever was renewed: the version that requests carry is the old session's.
                    version: session.parts.version.saturating_add(1),
                    claims: &claims,
                    ..parts
                };
                ctx.stats.renewal(Renewal::Claims);
                record = Some(fresh.write());
            }
            Err(failure) => {
                ctx.stats.renewal(Renewal::Failed);
                log("the session's claims", &failure);
            }
        }
    }
    let Some(record) = record else {
        return Ok(Refresh::Unchanged);
    };
    match session::publish(ctx, &record) {
        Ok(Some(lines)) => Ok(Refresh::Changed(record, lines)),
        Ok(None) => Ok(Refresh::Ended),
        // The new tokens are good for this request at least; the old session stays as it is.
        Err(failure) if failure.reason == Reason::SessionTooLarge => {
            log("the session's tokens", &failure);
            Ok(Refresh::Changed(record, Vec::new()))
        }
        Err(failure) => Err(failure),
    }
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
    response.cookies.extend(session::clear(ctx));
    response
}

#[cfg(test)]
mod tests;
