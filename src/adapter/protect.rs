//! Protected places: `AuthType oxd`. oxd-core decides ([`oxd_core::access`]), httpd's request gets what follows from it.

use std::borrow::Cow;
use std::ffi::CStr;

use oxd_core::access::rule::{Rule, Verdict};
use oxd_core::access::{Admission, Admitted, Held, enter, enter_without_site, find, greet, refuse};
use oxd_core::base::Failure;
use oxd_core::config::UnauthAction;
use oxd_core::http::cookie;
use oxd_core::session::{self, Opened};

use super::child;
use super::context::Place;
use super::identity;
use super::respond::{send, send_cookies};
use crate::ffi::Status;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::request::{Request, is_word};
use crate::ffi::request_state::PoolText;
use crate::ffi::table::Table;

/// The place's configuration, where it has `AuthType oxd`.
fn protected<'r>(request: Request<'r>) -> Option<&'r DirConfig<'r>> {
    request.config().filter(|_| is_word(request.auth_type(), "oxd"))
}

/// The check_authn hook: `AuthType oxd`.
pub fn authenticate(request: Request<'_>) -> Status {
    let Some(config) = protected(request) else {
        return Status::Declined;
    };
    let place = Place::of(request, config);
    let admission = place.visit(|visit| {
        let decided = place.decide(|ctx| enter(ctx, visit));
        decided.unwrap_or_else(|missing| enter_without_site(&place.env(), visit.is_subrequest, &missing))
    });
    if matches!(admission, Admission::Pass) {
        // mod_authz_user wants a name, whatever it is; `finish` takes the empty one away again.
        request.set_user(c"".into());
    }
    carry_out(request, &place, admission)
}

/// Does what a place has decided.
fn carry_out<'r>(request: Request<'r>, place: &Place<'r>, admission: Admission<'r>) -> Status {
    match admission {
        Admission::Admit(admitted) => admit(request, place, admitted),
        Admission::Pass => Status::Ok,
        Admission::Respond(answer) => send(request, &answer),
        Admission::Status(status) => Status::Http(status),
    }
}

fn admit<'r>(request: Request<'r>, place: &Place<'r>, admitted: Admitted<'r>) -> Status {
    let user = match admitted.user {
        Cow::Borrowed(text) => PoolText::terminated(text),
        Cow::Owned(text) => Some(request.pool().text(&text).into()),
    };
    let Some(user) = user else {
        request.log(
            oxd_core::base::Level::Error,
            "internal: a user's name in a session's record does not end",
        );
        return Status::Http(500);
    };
    if !admitted.cookies.is_empty() {
        send_cookies(request, &admitted.cookies);
        // A cache that keeps this answer for others would hand them the session.
        request.add(Table::ErrHeadersOut, c"Cache-Control", c"private");
    }
    keep(request, place, &admitted.session, admitted.is_renewed);
    request.set_user(user);
    request.set_auth_type(c"oxd");
    identity::publish(request, &place.settings, &admitted.session);
    Status::Ok
}

/// Keeps a session for whoever asks for it later, here or in a request that comes from this one.
fn keep<'r>(request: Request<'r>, place: &Place<'r>, session: &Opened<'r>, is_renewed: bool) {
    let held = place.settings.site.map(|site| Held {
        bytes: session.bytes(),
        site,
        used: session.used,
    });
    request.keep(|kept| {
        kept.session = held.or(kept.session);
        kept.renewed |= is_renewed;
    });
}

/// The session of a request for a rule or an expression, wherever it is asked; it is found once and kept.
pub fn session_of(request: Request<'_>) -> Option<Opened<'_>> {
    let place = Place::of(request, request.config().filter(|config| config.configured)?);
    session_at(request, &place)
}

fn session_at<'r>(request: Request<'r>, place: &Place<'r>) -> Option<Opened<'r>> {
    request.keep(|kept| kept.asked = true);
    let env = place.session_env()?;
    let found = place.visit(|visit| find(&env, visit.held, visit.memory));
    let session = found.unwrap_or_else(|failure| {
        // Where the place asks for a sign-in, its own check answers; here there is only nobody.
        log(request, &failure);
        None
    })?;
    keep(request, place, &session, false);
    Some(session)
}

fn log(request: Request<'_>, failure: &Failure) {
    request.log(failure.reason.level(), &failure.log_line());
}

/// What a `Require` of the module answers (mod_auth.h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The rule is met.
    Granted,
    /// It is not.
    Denied,
    /// Nobody is signed in yet.
    NoUser,
}

/// Asks a rule about a request: it needs a user first, then it looks at the session.
pub fn check<'r, R: Rule>(request: Request<'r>, rule: &'r R) -> Answer {
    if !request.has_user() {
        return Answer::NoUser;
    }
    // Somebody whom `OxdUnauthAction pass` lets go on; a session at hand may be too old for the place.
    if request.has_empty_user() {
        return Answer::Denied;
    }
    let config = request.config().filter(|config| config.configured);
    let Some(place) = config.map(|config| Place::of(request, config)) else {
        return Answer::Denied;
    };
    let Some(session) = session_at(request, &place) else {
        return Answer::Denied;
    };
    match place.decide(|ctx| rule.check(ctx, &session)) {
        Ok(Verdict::Met) => Answer::Granted,
        Ok(Verdict::Unmet) => Answer::Denied,
        Ok(Verdict::StepUp(values)) => {
            request.keep(|kept| kept.wanted_acr = Some(values));
            Answer::Denied
        }
        Err(missing) => {
            log(request, &missing);
            Answer::Denied
        }
    }
}

/// The check_authz hook, before mod_authz_core's own: the same rules are heard, but a user whom they do not let in gets
/// 403. httpd would answer 401, as if another password could help.
pub fn authorize(request: Request<'_>) -> Status {
    let Some(config) = protected(request) else {
        return Status::Declined;
    };
    match request.rules_decide() {
        Status::Http(403) if !request.is_subrequest() => refused(request, config),
        decision => decision,
    }
}

/// Answers a user whom the rules do not let in.
fn refused<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Status {
    let wanted = request.own_kept().and_then(|kept| kept.wanted_acr);
    let held = request.kept().session;
    Place::of(request, config).answer(|ctx| {
        let reopen = |held: Held<'r>| session::reopen(&ctx.settings.session, ctx.now, held.bytes, held.used);
        refuse(ctx, held.and_then(reopen).as_ref(), wanted)
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
    match known_anyway(request) {
        None | Some(Status::Ok) => hide_cookies(request),
        Some(other) => other,
    }
}

/// `OxdUnauthAction pass`: takes the empty user away, and hands a session's user on where no rule needed one (`Require
/// all granted`), so that httpd has not asked for it. `None` where there is nothing to do.
fn known_anyway(request: Request<'_>) -> Option<Status> {
    let config = request.config().filter(|config| config.configured)?;
    let passes = config.settings.unauth_action() == UnauthAction::Pass;
    if !passes || !is_word(request.auth_type(), "oxd") || is_word(request.handler(), "oxd") {
        return None;
    }
    if request.has_empty_user() {
        request.unset_user();
        return None;
    }
    if request.has_user() {
        return None;
    }
    let place = Place::of(request, config);
    let greeted = place.visit(|visit| place.decide(|ctx| greet(ctx, visit)));
    match greeted.and_then(|decided| decided) {
        Ok(admission) => Some(carry_out(request, &place, admission)),
        Err(failure) => {
            // A public page is shown all the same.
            log(request, &failure);
            None
        }
    }
}

/// The last step of all: a backend, a CGI script or a proxied server does not see the module's own cookies.
fn hide_cookies(request: Request<'_>) -> Status {
    let Some(header) = request.header(c"Cookie") else {
        return Status::Declined;
    };
    if is_word(request.handler(), "oxd") {
        return Status::Declined;
    }
    let is_own =
        |name: &[u8]| name.starts_with(cookie::LOGIN_PREFIX.as_bytes()) || child::is_session_cookie(name);
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
