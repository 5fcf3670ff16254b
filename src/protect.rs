//! Protected places: `AuthType oxd`. From a request with a session to the identity that the application gets.

use std::borrow::Cow;

use oxd_core::authn::{self, Ctx, Refresh};
use oxd_core::cookie;
use oxd_core::crypto::KeyRing;
use oxd_core::endpoint::{self, Form};
use oxd_core::preserve;
use oxd_core::respond::Response;
use oxd_core::session::{self, Opened};
use oxd_core::settings::{Settings, UnauthAction};
use oxd_core::state;

use crate::child;
use crate::ffi::Status;
use crate::ffi::hooks::is_word;
use crate::ffi::kept::PoolText;
use crate::ffi::request::{Request, Table};
use crate::ffi::rules;
use crate::handler;
use crate::identity;

/// The check_authn hook: `AuthType oxd`.
pub fn authenticate(request: Request<'_>) -> Status {
    let Some(config) = request.config().filter(|_| is_word(request.auth_type(), "oxd")) else {
        return Status::Declined;
    };
    let settings = &config.settings;
    match find(request, settings, keys(settings)) {
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
    let session = find(request, settings, keys(settings))?;
    keep(request, settings, &session);
    Some(session)
}

fn keep<'r>(request: Request<'r>, settings: &Settings<'r>, session: &Opened<'r>) {
    if let Some(site) = settings.effective_oxd_id() {
        request.keep(|kept| kept.session = Some((session.record(), site)));
    }
}

/// The session of a request: of the one it came from, or of its cookies.
fn find<'r>(request: Request<'r>, settings: &Settings<'r>, keys: &KeyRing) -> Option<Opened<'r>> {
    let kept = request.kept();
    if let (Some((record, site)), Some(wanted)) = (kept.session, settings.effective_oxd_id())
        && site == wanted
    {
        return session::reopen(settings, request.seconds(), record);
    }
    let cookies = kept.cookies.or_else(|| request.header(c"Cookie"))?.to_bytes();
    session::open(settings, keys, request.seconds(), cookies, |len| {
        request.pool().bytes(len)
    })
}

/// Lets the request in with the session's identity.
fn admit<'r>(request: Request<'r>, settings: &Settings<'r>, session: Opened<'r>) -> Status {
    let mut session = session;
    // An internal redirect takes the headers of the answer along, and what was written into them.
    let is_due = session.is_due(settings, request.seconds());
    let wants_cookie = is_due && !request.is_subrequest() && !request.kept().renewed;
    if wants_cookie || authn::may_refresh(settings, &session, request.seconds()) {
        match renew(request, settings, session) {
            Some(renewed) => session = renewed,
            None if request.is_subrequest() => return Status::Http(401),
            None => return handler::with_context(request, settings, authn::ended),
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

/// Writes the session's cookie anew, with fresh tokens and claims where they are wanted. What fails leaves the session
/// as it is; `None` when the provider has ended it.
fn renew<'r>(request: Request<'r>, settings: &Settings<'r>, session: Opened<'r>) -> Option<Opened<'r>> {
    let mut outcome = Refresh::Unchanged;
    handler::in_context(request, settings, |ctx: &Ctx<'_>| {
        outcome = authn::refresh(ctx, &session);
        let cookies = match &outcome {
            Refresh::Changed(record) => session::cookies_for(ctx, record).unwrap_or_default(),
            Refresh::Unchanged => endpoint::renewal(ctx, &session),
            Refresh::Ended => Vec::new(),
        };
        if !cookies.is_empty() {
            handler::send_cookies(request, &cookies);
            request.keep(|kept| kept.renewed = true);
            // A cache that keeps this answer for others would hand them the session.
            request.add(Table::ErrHeadersOut, c"Cache-Control", c"private");
        }
    });
    match outcome {
        Refresh::Unchanged => Some(session),
        Refresh::Ended => None,
        Refresh::Changed(record) => {
            let place = request.pool().bytes(record.len());
            place.copy_from_slice(&record);
            Some(session::reopen(settings, request.seconds(), place).unwrap_or(session))
        }
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
        .and_then(|(record, _)| session::reopen(settings, request.seconds(), record))
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
    if !ours || !rules::claims_in_expressions() || request.own_kept().is_some_and(|kept| kept.deciding) {
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
        return Status::Declined;
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
    let Some(config) = request.config().filter(|config| config.configured) else {
        return Status::Declined;
    };
    let Some(header) = request.header(c"Cookie") else {
        return Status::Declined;
    };
    if is_word(request.handler(), "oxd") {
        return Status::Declined;
    }
    let own = config.settings.session_cookie().as_bytes();
    let is_own = |name: &[u8]| {
        name.starts_with(state::PREFIX.as_bytes())
            || name
                .strip_prefix(own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    let Some(others) = cookie::without(header.to_bytes(), is_own) else {
        return Status::Declined;
    };
    // Subrequests share the table of headers with the request that they came from: what is taken out here is missing
    // there too, so it is kept where all of them find it.
    request.first().keep(|kept| kept.cookies = Some(header));
    if others.is_empty() {
        request.unset(Table::HeadersIn, c"Cookie");
    } else {
        request.set(Table::HeadersIn, c"Cookie", request.pool().text(&others));
    }
    Status::Declined
}
