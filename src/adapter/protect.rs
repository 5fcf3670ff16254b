//! Protected locations: `AuthType oxd`. oxd-core decides ([`oxd_core::access`]); this module applies the decision to
//! httpd's request.

use std::borrow::Cow;

use oxd_core::access::{
    self, Admission, Admitted, Held, brings_token, enter, enter_without_site, greet, known, refuse,
    token_for_rule,
};
use oxd_core::base::Failure;
use oxd_core::config::UnauthAction;
use oxd_core::http::cookie;
use oxd_core::session::{Opened, Via};
use oxd_core::uma::Unopened;

use super::child;
use super::context::Place;
use super::handler;
use super::identity;
use super::respond::{make_private, send_cookies, send_early};
use crate::ffi::Status;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::request::{Request, is_word};
use crate::ffi::request_state::{Cookies, PoolText};
use crate::ffi::table::Table;

/// The configuration of the location, if it has `AuthType oxd`.
fn protected<'r>(request: Request<'r>) -> Option<&'r DirConfig<'r>> {
    let here = request.config_id();
    let is_known = || request.own_state(|state| state.protected_at == Some(here));
    request
        .config()
        .filter(|_| is_known() || is_word(request.auth_type(), "oxd"))
}

/// The check_authn hook: `AuthType oxd`.
pub fn authenticate<'r>(request: Request<'r>) -> Status {
    let Some(config) = protected(request) else {
        return Status::Declined;
    };
    // The hooks that follow need not ask for the type of authentication again.
    let here = request.config_id();
    request.update_state(|state| state.protected_at = Some(here));
    let place = Place::of(request, config);
    if request.has_user() && place.has_token() {
        // An RPT has opened the place already; another rule asks for a user.
        return Status::Ok;
    }
    if let Some(unopened) = request.own_state(|state| state.unopened)
        && place.settings.bearer().is_none()
        && (place.brings_token() || place.is_script())
        && !place.has_session()
    {
        return answer_unopened(request, &place, unopened);
    }
    // Carried out where it is made: an admission is large to hand on.
    let enters = |admission: Admission<'r>| {
        if matches!(admission, Admission::Pass) {
            // mod_authz_user requires a user name, even an empty one; `finish` removes the empty name again.
            request.set_user(c"".into());
        }
        carry_out(request, &place, admission)
    };
    place.visit(|visit| {
        let decided = place.decide(|ctx| enters(enter(ctx, visit)));
        decided
            .unwrap_or_else(|missing| enters(enter_without_site(&place.env(), visit.is_subrequest, &missing)))
    })
}

/// Answers a client whose RPT, or its absence, has not opened the resource.
fn answer_unopened<'r>(request: Request<'r>, place: &Place<'r>, unopened: Unopened<'r>) -> Status {
    if request.is_subrequest() {
        return Status::Http(401);
    }
    place.answer(send_early, |ctx| access::unopened(ctx, unopened))
}

/// Applies an access decision to the request.
fn carry_out<'r>(request: Request<'r>, place: &Place<'r>, admission: Admission<'r>) -> Status {
    match admission {
        Admission::Admit(admitted) => admit(request, place, admitted),
        Admission::Pass => Status::Ok,
        Admission::Respond(answer) => send_early(request, &answer),
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
        // A cache that served this response to others would give them the session cookie.
        request.add(Table::ErrHeadersOut, c"Cache-Control", c"private");
    }
    make_private(request);
    keep(request, place, &admitted.session, admitted.is_renewed);
    if admitted.session.via() == Via::Bearer {
        hide_token(request, place);
    }
    request.set_user(user);
    request.set_auth_type(c"oxd");
    identity::publish(request, &place.settings, &admitted.session);
    Status::Ok
}

/// `OxdBearerPass Off`: takes the header away from the application, which the token is not meant for.
pub(super) fn hide_token<'r>(request: Request<'r>, place: &Place<'r>) {
    if place.settings.bearer().is_some_and(|bearer| bearer.pass) {
        return;
    }
    if let Some(header) = request.header(c"Authorization") {
        request.update_state(|state| state.authorization = Some(header));
        request.unset(Table::HeadersIn, c"Authorization");
    }
}

/// Stores a session for later use by this request, its subrequests and its internal redirects. A token is stored for
/// this place alone: another one may take other tokens.
pub(super) fn keep<'r>(request: Request<'r>, place: &Place<'r>, session: &Opened<'r>, is_renewed: bool) {
    if session.via() == Via::Bearer {
        let kept = request.pool().keep((request.config_id(), *session));
        return request.update_state(|state| state.token = Some(kept));
    }
    let held = place.settings.site.map(|site| {
        let session = *session;
        request.pool().keep(Held { session, site })
    });
    request.update_state(|state| {
        state.session = held.or(state.session);
        state.renewed |= is_renewed;
    });
}

/// The session of a request for a rule or an expression. The first lookup stores it with the request.
pub fn session_of(request: Request<'_>) -> Option<Opened<'_>> {
    let place = Place::of(request, request.config().filter(|config| config.configured)?);
    session_at(request, &place)
}

/// The session for `oxd_claim()`.
pub fn session_for_expression(request: Request<'_>) -> Option<Opened<'_>> {
    if !request.has_user() {
        request.update_state(|state| state.claim_requested = true);
    }
    session_of(request)
}

pub(super) fn session_at<'r>(request: Request<'r>, place: &Place<'r>) -> Option<Opened<'r>> {
    let env = place.session_env()?;
    let found = place.visit(|visit| {
        if let Some(known) = visit.token {
            Ok(Some(*known))
        } else if brings_token(&env) {
            place
                .decide(|ctx| token_for_rule(ctx, visit))
                .and_then(|found| found)
        } else {
            known(&env, visit.held, visit.memory)
        }
    });
    let session = found.unwrap_or_else(|failure| {
        // Where the location requires a login, its own check responds; a rule only sees that there is no session.
        log(request, &failure);
        None
    })?;
    keep(request, place, &session, false);
    Some(session)
}

pub(super) fn log(request: Request<'_>, failure: &Failure) {
    request.log(failure.reason.level(), &failure.log_line());
}

/// The check_authz hook, before mod_authz_core's own. It evaluates the same rules, but responds 403 to a user that they
/// reject: httpd would respond 401, as if another password could help.
pub fn authorize(request: Request<'_>) -> Status {
    let Some(config) = protected(request) else {
        return Status::Declined;
    };
    match request.rules_decide() {
        Status::Http(403) if !request.is_subrequest() => refused(request, config),
        decision => decision,
    }
}

/// Responds to a user that the rules reject.
fn refused<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Status {
    let unmet = request.own_state(|state| state.unmet);
    let mut held: Option<&Held<'r>> = None;
    request.each_state(|state| held = held.or(state.session));
    let place = Place::of(request, config);
    if let Some(unopened) = request.own_state(|state| state.unopened) {
        return answer_unopened(request, &place, unopened);
    }
    let token = place.visit(|visit| visit.token.copied());
    place.answer(send_early, |ctx| {
        let reopen = |held: &Held<'r>| held.session.reopened(&ctx.settings.session(), ctx.now);
        refuse(ctx, token.or_else(|| held.and_then(reopen)).as_ref(), unmet)
    })
}

/// The access_checker_ex hook, before mod_authz_core's, where a `Require not` asks for a claim: the absence of the claim
/// would let a visitor in who has not signed in yet.
pub fn before_rules(request: Request<'_>) -> Status {
    let is_evaluating = || request.own_state(|state| state.evaluating_rules);
    if !child::claims_are_negated() || is_evaluating() || !needs_user_for_claims(request) {
        return Status::Declined;
    }
    request.update_state(|state| (state.evaluating_rules, state.claim_requested) = (true, false));
    let decision = request.rules_decide();
    let asked = request.own_state(|state| state.claim_requested);
    if decision != Status::Ok || !asked {
        return decision;
    }
    match authenticate(request) {
        Status::Ok => authorize(request),
        other => other,
    }
}

/// Whether a rule of the location that asks for a claim needs a user, and there is none yet.
fn needs_user_for_claims(request: Request<'_>) -> bool {
    is_word(request.auth_type(), "oxd")
        && !request.has_user()
        && !is_word(request.configured_handler(), "oxd")
}

/// Evaluates a `Require expr`, which `evaluate` does. mod_authz_core knows of its own variables that they need a user, but
/// not of `oxd_claim`: without a user, a rule that asks for a claim is neither met nor unmet.
pub fn check_expression<A>(request: Request<'_>, evaluate: impl FnOnce() -> A) -> Option<A> {
    if !needs_user_for_claims(request) {
        return Some(evaluate());
    }
    let asked_before = request.own_state(|state| state.claim_requested);
    request.update_state(|state| state.claim_requested = false);
    let answer = evaluate();
    let asks = request.own_state(|state| state.claim_requested);
    request.update_state(|state| state.claim_requested = asks || asked_before);
    (!asks).then_some(answer)
}

/// The access_checker_ex hook, after all others: the handler's own endpoints are open to everyone. Otherwise no login
/// would be possible where a whole site is protected. Rules that need no user (`Require ip`) have been evaluated before.
pub fn open_handler(request: Request<'_>) -> Status {
    // The type of authentication costs more to ask for.
    let is_ours =
        is_word(request.configured_handler(), "oxd") || handler::described_resource(request).is_some();
    if is_ours && is_word(request.auth_type(), "oxd") {
        return Status::Ok;
    }
    Status::Declined
}

/// The header_parser hook, first of all: removes forged identity headers of a request that the client sent, or that
/// another request was redirected to.
pub fn clean(request: Request<'_>) -> Status {
    identity::remove_look_alikes(request);
    Status::Declined
}

/// The access_checker hook, first of all: the same for subrequests, which have no header_parser phase.
pub fn clean_subrequest(request: Request<'_>) -> Status {
    if request.is_subrequest() {
        identity::remove_look_alikes(request);
    }
    Status::Declined
}

/// The fixups hook, first of all: remembers the query string of a request to the handler, which rewrite rules of a
/// directory may change.
pub fn guard_handler(request: Request<'_>) -> Status {
    if is_word(request.configured_handler(), "oxd") {
        request.update_state(|state| state.handler_query = Some(request.query()));
    }
    Status::Declined
}

/// The fixups hook, last of all: the final steps before the content is generated.
pub fn finish(request: Request<'_>) -> Status {
    keep_handler(request);
    follow_fast_redirect(request);
    known_anyway(request).unwrap_or(Status::Declined)
}

/// The handler's own addresses stay the handler's: a front controller's rewrite rules in a directory or a `.htaccess`
/// file (mod_rewrite) would take every address that names no file.
fn keep_handler(request: Request<'_>) {
    let query = request.own_state(|state| state.handler_query);
    if let Some(query) = query.filter(|_| is_word(request.handler(), "redirect-handler")) {
        request.take_back(c"oxd", query);
    }
}

/// Where httpd has replaced the request's location after its headers were cleaned (`DirectoryIndex`,
/// `FallbackResource`, MultiViews), the new location decides which headers are ours, and gets the identity.
fn follow_fast_redirect(request: Request<'_>) {
    let Some(config) = request.config().filter(|config| config.configured) else {
        return;
    };
    let mut cleaned_for = None;
    request.each_state(|state| cleaned_for = cleaned_for.or(state.cleaned_for));
    if cleaned_for == Some(request.config_id()) {
        return;
    }
    identity::remove_look_alikes(request);
    if protected(request).is_none() {
        return;
    }
    let place = Place::of(request, config);
    let Some(session) = session_at(request, &place) else {
        return;
    };
    if !request.has_user() {
        let user = session.user(&place.settings.identity());
        let user = user.map(|user| request.pool().text(&user));
        if let Some(user) = user {
            request.set_user(user.into());
            request.set_auth_type(c"oxd");
        }
    }
    make_private(request);
    identity::publish_again(request, &place.settings, &session);
}

/// `OxdUnauthAction pass`: removes the empty user name. Where no rule needed a user (`Require all granted`), httpd
/// skipped authentication, so this sets the user of an existing session. `None` where there is nothing to do.
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
            // A failure must not block a public page.
            log(request, &failure);
            None
        }
    }
}

/// The post_read_request hook: takes the module's own cookies out of the request, before anything that a directory
/// configures can read them, and before any backend, CGI script or proxied server sees them.
pub fn hide_cookies(request: Request<'_>) -> Status {
    let Some(header) = request.header(c"Cookie") else {
        return Status::Declined;
    };
    let is_own =
        |name: &[u8]| name.starts_with(cookie::LOGIN_PREFIX.as_bytes()) || child::is_session_cookie(name);
    let Some(split) = cookie::split(header.to_bytes(), is_own) else {
        return Status::Declined;
    };
    let cookies = Cookies {
        header: split.whole.map_or(header, |whole| request.pool().text(&whole)),
        is_alone: split.is_alone,
    };
    request.update_state(|state| state.cookies = Some(cookies));
    if split.others.is_empty() {
        request.unset(Table::HeadersIn, c"Cookie");
    } else {
        request.set(Table::HeadersIn, c"Cookie", request.pool().text(&split.others));
    }
    Status::Declined
}
