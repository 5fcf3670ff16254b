//! The module's `Require` rules: oxd-core decides about each; this module hands it the request, and its user where the rule
//! is about one.

use oxd_core::access::identity_of_rpt;
use std::ffi::CStr;

use oxd_core::access::rule::{Explain, ExpressionRule, Refusing, Rule, Standing, Verdict};
use oxd_core::base::Failure;
use oxd_core::session::Opened;
use oxd_core::uma::{Decision, Unopened};

use super::context::Place;
use super::identity;
use super::protect::{hide_token, keep, log, session_at};
use super::respond::make_private;
use crate::ffi::request::Request;

/// The result of one of the module's `Require` rules (mod_auth.h).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// The rule is met.
    Granted,
    /// The rule is not met.
    Denied,
    /// No user is signed in yet.
    NoUser,
}

impl Answer {
    /// The answer that lets nobody in by this rule: that of one that refuses, or cannot be checked.
    pub fn refusal(standing: Standing) -> Self {
        if standing.refuses_who_meets() {
            Self::Granted
        } else {
            Self::Denied
        }
    }
}

/// Checks a rule for a request. The rule needs a user first, then it checks the session.
pub fn check<'r, R: Rule>(request: Request<'r>, rule: &'r R, standing: Standing) -> Answer {
    if !R::NEEDS_USER {
        return check_request(request, rule);
    }
    if !request.has_user() {
        return Answer::NoUser;
    }
    // `OxdUnauthAction pass` admitted the request without a user; an existing session may be too old for this location.
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
    let verdict = match place.decide(|ctx| rule.check(ctx, &session)) {
        Ok(verdict) => verdict,
        Err(missing) => {
            log(request, &missing);
            return Answer::refusal(standing);
        }
    };
    let is_met = verdict == Verdict::Met;
    if is_met == standing.refuses_who_meets() {
        note_refusing(request, rule, standing);
        // Who is refused by a negated rule does not lack what it names.
        request.update_state(|state| match verdict {
            Verdict::StepUp(values) => state.unmet.acr = Some(values),
            Verdict::Scopes(scopes) => state.unmet.scope = Some(scopes),
            Verdict::Met | Verdict::Unmet => {}
        });
    }
    if is_met { Answer::Granted } else { Answer::Denied }
}

/// Remembers a rule that has refused the user, for the line in the log if no other rule lets the user in.
fn note_refusing<'r>(request: Request<'r>, rule: &'r dyn Explain, standing: Standing) {
    let before = request.own_state(|state| state.unmet.rules);
    let refusing = request.pool().keep(Refusing {
        rule,
        standing,
        before,
    });
    request.update_state(|state| state.unmet.rules = Some(refusing));
}

/// The same for a `Require expr`.
pub fn note_expression<'r>(request: Request<'r>, expression: &'r CStr, standing: Standing) {
    if request.has_user() && request.config().is_some_and(|config| config.configured) {
        let text = expression.to_str().unwrap_or_default();
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let text = unquoted.unwrap_or(text);
        note_refusing(request, request.pool().keep(ExpressionRule(text)), standing);
    }
}

/// Checks a rule that is about the request itself. A token decides, else a session; who has neither signs in first, but
/// for scripts.
fn check_request<'r, R: Rule>(request: Request<'r>, rule: &'r R) -> Answer {
    let unmet = || match request.has_user() {
        true => Answer::Denied,
        false => Answer::NoUser,
    };
    if request.own_state(|state| state.unopened.is_some()) {
        return unmet();
    }
    let config = request.config().filter(|config| config.configured);
    let Some(place) = config.map(|config| Place::of(request, config)) else {
        return unmet();
    };
    if !place.brings_token() && !request.has_user() && place.has_session() {
        return Answer::NoUser;
    }
    let method = request.method_name().to_string_lossy();
    let session = match place.brings_token() || request.has_empty_user() || !request.has_user() {
        true => None,
        false => session_at(request, &place),
    };
    let decided = place.decide(|ctx| match &session {
        Some(session) => Some(rule.decide_for(ctx, &method, session)),
        None => rule.decide(ctx, &method),
    });
    match decided {
        Ok(None) => unmet(),
        Ok(Some(decision)) => match apply(request, &place, decision) {
            None => Answer::Granted,
            Some(unopened) => {
                request.update_state(|state| state.unopened = Some(unopened));
                unmet()
            }
        },
        Err(missing) => {
            let detail = keep_text(request, &missing.detail);
            let unopened = Unopened::Refused(missing.reason, detail);
            request.update_state(|state| state.unopened = Some(unopened));
            unmet()
        }
    }
}

/// Carries out a decision about the request; what is to be answered where it is not let in.
fn apply<'r>(request: Request<'r>, place: &Place<'r>, decision: Decision) -> Option<Unopened<'r>> {
    let refused = |failure: &Failure| {
        Some(Unopened::Refused(
            failure.reason,
            keep_text(request, &failure.detail),
        ))
    };
    match decision {
        Decision::Open => None,
        Decision::Granted(record) => match place.visit(|visit| identity_of_rpt(&record, visit)) {
            Ok(identity) => {
                become_client(request, place, &identity);
                None
            }
            Err(failure) => refused(&failure),
        },
        Decision::Ticket(challenge) => Some(Unopened::Ticket(keep_text(request, &challenge))),
        Decision::Gather { url, cookies } => Some(Unopened::Gather {
            url: keep_text(request, &url),
            cookies: keep_text(request, &cookies.join("\n")),
        }),
        Decision::Refused(failure) => refused(&failure),
    }
}

fn keep_text<'r>(request: Request<'r>, text: &str) -> &'r str {
    request.pool().text(text.as_bytes()).to_str().unwrap_or_default()
}

/// The identity of an RPT for the application, unless the request has a user already.
fn become_client<'r>(request: Request<'r>, place: &Place<'r>, identity: &Opened<'r>) {
    if request.has_user() {
        return;
    }
    make_private(request);
    keep(request, place, identity, false);
    hide_token(request, place);
    if let Some(user) = identity.user(&place.settings.identity()) {
        request.set_user(request.pool().text(&user).into());
        request.set_auth_type(c"oxd");
    }
    identity::publish(request, &place.settings, identity);
}
