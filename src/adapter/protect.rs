//! Protected places: `AuthType oxd`. From a request with a session to the identity that the application gets.

use std::borrow::Cow;
use std::ffi::CStr;

use oxd_core::access::authn::{self, Ctx, Refresh};
use oxd_core::base::crypto::KeyRing;
use oxd_core::base::reason::Failure;
use oxd_core::config::settings::{Settings, UnauthAction};
use oxd_core::handler::routes::Form;
use oxd_core::http::cookie;
use oxd_core::http::response::Response;
use oxd_core::login::pending;
use oxd_core::login::preserve;
use oxd_core::session::{self, Keep, Opened};

use crate::adapter::child;
use crate::adapter::handler;
use crate::adapter::identity;
use crate::adapter::store;
use crate::ffi::Status;
use crate::ffi::request::Request;
use crate::ffi::request::is_word;
use crate::ffi::request_state::{KeptSession, PoolText};
use crate::ffi::table::Table;

/// The check_authn hook: `AuthType oxd`.
pub fn authenticate(request: Request<'_>) -> Status {
    let Some(config) = request.config().filter(|_| is_word(request.auth_type(), "oxd")) else {
        return Status::Declined;
    };
    let settings = &config.settings;
    let session = match find(request, settings) {
        Ok(session) => session,
        // Nobody knows who this is: neither let in, nor sent to sign in again.
        Err(_) if request.is_subrequest() => return Status::Http(503),
        Err(failure) => {
            return handler::with_context(request, settings, |ctx| ctx.refuse(&failure, None, None));
        }
    };
    match session {
        Some(session) if is_fresh(request, settings, &session) => admit(request, settings, session),
        _ if passes(settings) => {
            // mod_authz_user wants a name, whatever it is; `finish` takes the empty one away again.
            request.set_user(c"".into());
            Status::Ok
        }
        // Nobody follows the redirect of a subrequest; the main request, if it is protected, has sent its own.
        _ if request.is_subrequest() => Status::Http(401),
        Some(_) => sign_in(request, settings, authn::aged),
        None => sign_in(request, settings, authn::unauthenticated),
    }
}

/// Whether a session is young enough for the place (`OxdMaxAge`).
fn is_fresh(request: Request<'_>, settings: &Settings<'_>, session: &Opened<'_>) -> bool {
    !authn::is_aged(settings, &session.parts, request.seconds())
}

/// Answers a request that needs a sign-in first; a form that came with it is kept where that is asked for.
fn sign_in(request: Request<'_>, settings: &Settings<'_>, answer: fn(&Ctx<'_>) -> Response) -> Status {
    let form = match preserve::limit(settings, request.method()).map(|limit| request.read_body(limit)) {
        None => Form::None,
        Some(Ok(Some(bytes))) => Form::Read(bytes),
        Some(Ok(None)) => Form::TooLarge,
        Some(Err(status)) => return Status::Http(status),
    };
    handler::with_context(request, settings, |ctx| {
        let kept = if matches!(form, Form::None) {
            None
        } else {
            preserve::offer(ctx, &form)
        };
        kept.unwrap_or_else(|| answer(ctx))
    })
}

/// Whether requests without a session go on here.
fn passes(settings: &Settings<'_>) -> bool {
    settings.unauth_action == Some(UnauthAction::Pass)
}

/// The keys of a place.
pub fn keys<'a>(settings: &Settings<'a>) -> &'a KeyRing {
    settings.crypto_key.unwrap_or_else(|| child::random_keys())
}

/// The session of a request for a rule or an expression, wherever it is asked; it is found once and kept.
pub fn session_of<'r>(request: Request<'r>) -> Option<Opened<'r>> {
    request.keep(|kept| kept.asked = true);
    let settings = &request.config().filter(|config| config.configured)?.settings;
    let session = find(request, settings).unwrap_or_else(|failure| {
        // Where the place asks for a sign-in, its own check answers; here there is only nobody.
        request.log(failure.reason.level(), &failure.log_line());
        None
    })?;
    keep(request, settings, &session);
    Some(session)
}

fn keep<'r>(request: Request<'r>, settings: &Settings<'r>, session: &Opened<'r>) {
    if let Some(site) = settings.effective_oxd_id() {
        let (record, used) = (session.record(), session.used);
        request.keep(|kept| kept.session = Some(KeptSession { record, site, used }));
    }
}

/// The session of a request: of the one it came from, or of its cookies. An error when the store cannot be asked.
fn find<'r>(request: Request<'r>, settings: &Settings<'r>) -> Result<Option<Opened<'r>>, Failure> {
    let (kept, now) = (request.kept(), request.seconds());
    if let (Some(session), Some(wanted)) = (kept.session, settings.effective_oxd_id())
        && session.site == wanted
    {
        return Ok(session::reopen(settings, now, session.record, session.used));
    }
    let Some(cookies) = kept.cookies.or_else(|| request.header(c"Cookie")) else {
        return Ok(None);
    };
    let keep = Keep {
        settings,
        keys: keys(settings),
        memory: child::memory(),
        store: store::of(settings),
        stats: child::stats(),
    };
    session::open(&keep, now, cookies.to_bytes(), |len| request.pool().bytes(len))
}

/// Lets the request in with the session's identity.
fn admit<'r>(request: Request<'r>, settings: &Settings<'r>, session: Opened<'r>) -> Status {
    let mut session = session;
    // An internal redirect takes the headers of the answer along, and what was written into them.
    let is_due = session.is_due(settings, request.seconds());
    let wants_touch = is_due && !request.is_subrequest();
    let wants_refresh = authn::may_refresh(settings, &session, request.seconds());
    if (wants_touch || wants_refresh) && !request.kept().renewed {
        match renew(request, settings, session) {
            Ok(Some(renewed)) => session = renewed,
            Ok(None) if request.is_subrequest() => return Status::Http(401),
            Ok(None) => return handler::with_context(request, settings, authn::ended),
            Err(_) if request.is_subrequest() => return Status::Http(503),
            Err(failure) => {
                return handler::with_context(request, settings, |ctx| ctx.refuse(&failure, None, None));
            }
        }
    }
    keep(request, settings, &session);
    let user = match session.user(settings) {
        Some(Cow::Borrowed(text)) => PoolText::terminated(text),
        Some(Cow::Owned(text)) => Some(request.pool().text(&text).into()),
        None => None,
    };
    let Some(user) = user else {
        return handler::with_context(request, settings, authn::nameless);
    };
    request.set_user(user);
    request.set_auth_type(c"oxd");
    identity::publish(request, settings, &session);
    Status::Ok
}

/// Writes down that the session is used, with fresh tokens and claims where they are wanted. `Ok(None)` when the session
/// is over after all; an error when the store cannot be asked.
fn renew<'r>(
    request: Request<'r>,
    settings: &Settings<'r>,
    session: Opened<'r>,
) -> Result<Option<Opened<'r>>, Failure> {
    let mut outcome = Ok(Refresh::Unchanged);
    handler::in_context(request, settings, |ctx: &Ctx<'_>| {
        outcome = refresh_or_touch(ctx, &session).map(|(outcome, cookies)| {
            if !cookies.is_empty() {
                handler::send_cookies(request, &cookies);
                // A cache that keeps this answer for others would hand them the session.
                request.add(Table::ErrHeadersOut, c"Cache-Control", c"private");
            }
            request.keep(|kept| kept.renewed = true);
            outcome
        });
    });
    match outcome? {
        Refresh::Unchanged => Ok(Some(session)),
        Refresh::Ended => Ok(None),
        Refresh::Changed(record, _) => {
            let now = request.seconds();
            let place = request.pool().bytes(record.len());
            place.copy_from_slice(&record);
            Ok(Some(
                session::reopen(settings, now, place, now).unwrap_or(session),
            ))
        }
    }
}

fn refresh_or_touch(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<(Refresh, Vec<String>), Failure> {
    match authn::refresh(ctx, session)? {
        Refresh::Changed(record, cookies) => Ok((Refresh::Changed(record, Vec::new()), cookies)),
        Refresh::Ended => Ok((Refresh::Ended, Vec::new())),
        Refresh::Unchanged if session.is_due(ctx.settings, ctx.facts.now) => {
            Ok(match session::touch(ctx, session)? {
                Some(cookies) => (Refresh::Unchanged, cookies),
                None => (Refresh::Ended, Vec::new()),
            })
        }
        Refresh::Unchanged => Ok((Refresh::Unchanged, Vec::new())),
    }
}

/// The check_authz hook, before mod_authz_core's own: the same rules are heard, but a user whom they do not let in gets
/// 403. httpd would answer 401, as if another password could help.
pub fn authorize(request: Request<'_>) -> Status {
    let Some(config) = request.config().filter(|_| is_word(request.auth_type(), "oxd")) else {
        return Status::Declined;
    };
    match request.rules_decide() {
        Status::Http(403) if !request.is_subrequest() => refuse(request, &config.settings),
        decision => decision,
    }
}

/// Answers a user whom the rules do not let in.
fn refuse(request: Request<'_>, settings: &Settings<'_>) -> Status {
    let wanted = request.own_kept().and_then(|kept| kept.wanted_acr);
    let session = request
        .kept()
        .session
        .and_then(|kept| session::reopen(settings, request.seconds(), kept.record, kept.used))
        .filter(|session| is_fresh(request, settings, session));
    if session.is_none() && passes(settings) {
        // Nobody is signed in, so that no rule about users can be met: here a sign-in is what helps.
        return handler::with_context(request, settings, authn::unauthenticated);
    }
    handler::with_context(request, settings, |ctx| {
        authn::unauthorized(ctx, session.as_ref().map(|s| &s.parts), wanted)
    })
}

/// The access_checker_ex hook, before mod_authz_core's: rules that ask for a claim without asking for a user
/// (`Require expr "oxd_claim(...)"`).
///
/// httpd hears the rules once before anybody is signed in. mod_authz_core knows of its own expressions that they need a
/// user; of ours it does not, and would refuse a visitor who only has to sign in, or let a user in without a name.
pub fn before_rules(request: Request<'_>) -> Status {
    let ours = is_word(request.auth_type(), "oxd") && !request.has_user();
    if !ours || !child::claims_in_expressions() || request.own_kept().is_some_and(|kept| kept.deciding) {
        return Status::Declined;
    }
    if is_word(request.configured_handler(), "oxd") {
        return Status::Declined;
    }
    request.keep(|kept| (kept.deciding, kept.asked) = (true, true));
    // With a session at hand, the rules need to be heard only once, with its user.
    if session_of(request).is_none() {
        request.keep(|kept| kept.asked = false);
        let decision = request.rules_decide();
        if !request.own_kept().is_some_and(|kept| kept.asked) {
            return decision;
        }
    }
    match authenticate(request) {
        Status::Ok => authorize(request),
        other => other,
    }
}

/// The access_checker_ex hook, last of all: the handler's own addresses are open to everyone, or nobody could log in
/// where a whole site is protected. A rule that needs no user (`Require ip`) has been heard by then.
pub fn open_handler(request: Request<'_>) -> Status {
    let is_ours = is_word(request.configured_handler(), "oxd") && is_word(request.auth_type(), "oxd");
    if is_ours { Status::Ok } else { Status::Declined }
}

/// The fixups hook, last of all: what is left to do before the content.
pub fn finish(request: Request<'_>) -> Status {
    let Some(config) = request.config().filter(|config| config.configured) else {
        // A place without any directive of ours may still be one that the browser sends our cookies to.
        return hide_cookies(request);
    };
    if passes(&config.settings) && is_word(request.auth_type(), "oxd") && !is_word(request.handler(), "oxd") {
        if request.has_empty_user() {
            request.unset_user();
        } else if !request.has_user() {
            // No rule needed a user (`Require all granted`), so that httpd has not asked for one.
            let session = session_of(request);
            if let Some(session) = session.filter(|s| is_fresh(request, &config.settings, s)) {
                return match admit(request, &config.settings, session) {
                    Status::Ok => hide_cookies(request),
                    other => other,
                };
            }
        }
    }
    hide_cookies(request)
}

/// The last step of all: a backend, a CGI script or a proxied server does not see the module's own cookies.
fn hide_cookies(request: Request<'_>) -> Status {
    let Some(header) = request.header(c"Cookie") else {
        return Status::Declined;
    };
    if is_word(request.handler(), "oxd") {
        return Status::Declined;
    }
    let is_own = |name: &[u8]| name.starts_with(pending::PREFIX.as_bytes()) || child::is_session_cookie(name);
    let Some(others) = cookie::without(header.to_bytes(), is_own) else {
        return Status::Declined;
    };
    // What is taken out here may be missing for other requests that come from the same one, so it is kept where all of
    // them find it.
    if request.is_first() {
        request.keep(|kept| kept.cookies = Some(header));
    } else {
        request.with_first(|first| keep_cookies(first, header));
    }
    if others.is_empty() {
        request.unset(Table::HeadersIn, c"Cookie");
    } else {
        request.set(Table::HeadersIn, c"Cookie", request.pool().text(&others));
    }
    Status::Declined
}

/// Keeps another request's `Cookie` header, which may be gone before this one is.
fn keep_cookies(first: Request<'_>, header: &CStr) {
    let known = first.own_kept().and_then(|kept| kept.cookies);
    if known != Some(header) {
        let copy = first.pool().text(header.to_bytes());
        first.keep(|kept| kept.cookies = Some(copy));
    }
}
