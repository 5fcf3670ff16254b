//! The end of a login: steps 4 and 5 of the tutorial (`get-tokens-by-code`, `get-user-info`), and what a callback
//! meets that belongs to no login of this browser.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::pending::{self, Pending};
use super::start::{self, RESTART_MARK, Wish, start_over};
use crate::access::authn::Ctx;
use crate::base::clock::{CLOCK_LEEWAY, numeric_date};
use crate::base::log::Level;
use crate::base::reason::{Failure, Reason, Step};
use crate::base::reference::Reference;
use crate::config::settings::SameSite;
use crate::http::response::Response;
use crate::oxd::Request as _;
use crate::oxd::commands::tokens_by_code::{GetTokensByCode, Tokens};
use crate::oxd::commands::user_info::GetUserInfo;
use crate::pages;
use crate::session;
use crate::session::claims;
use crate::shm::stats;

/// What the provider sent back, from the query or a form.
#[derive(Debug, Default)]
pub struct Returned {
    code: Vec<String>,
    state: Vec<String>,
    error: Vec<String>,
    description: Option<String>,
}

impl Returned {
    /// Reads `application/x-www-form-urlencoded` text.
    pub fn parse(encoded: &[u8]) -> Self {
        let mut returned = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let value = value.into_owned();
            match name.as_ref() {
                "code" => returned.code.push(value),
                "state" => returned.state.push(value),
                "error" => returned.error.push(value),
                "error_description" => returned.description = Some(value),
                _ => {}
            }
        }
        returned
    }

    /// Whether this is an answer of the provider at all.
    pub fn is_callback(&self) -> bool {
        !(self.code.is_empty() && self.state.is_empty() && self.error.is_empty())
    }
}

/// The provider sent the browser back.
pub fn answer(ctx: &Ctx<'_>, returned: &Returned) -> Response {
    let malformed = |detail: &str| {
        ctx.stats.login_failed(Reason::CallbackMalformed, ctx.facts.now);
        ctx.refuse(
            &Failure::new(Reason::CallbackMalformed, detail),
            None,
            start_over(ctx, None).as_deref(),
        )
    };
    if returned.code.len() > 1 || returned.state.len() > 1 || returned.error.len() > 1 {
        return malformed("code, state or error came twice");
    }
    let one = |values: &'_ [String]| values.first().filter(|v| !v.is_empty()).cloned();
    let state = one(&returned.state);
    let pending = state.as_deref().and_then(|state| pending::find(ctx, state));
    if let Some(error) = one(&returned.error) {
        return provider_error(ctx, &error, returned.description.as_deref(), pending.as_ref());
    }
    let (Some(code), Some(state)) = (one(&returned.code), state) else {
        return malformed("code or state is missing");
    };
    let Some(pending) = pending else {
        return stale(ctx, &state);
    };
    // Before the code is shown to oxd: of two copies of a login, one goes on.
    if !pending::take(ctx, &pending) {
        return stale(ctx, &state);
    }
    match finish(ctx, &code, &pending) {
        Ok(response) => response,
        Err(failure) => {
            ctx.stats.login_failed(failure.reason, ctx.facts.now);
            let link = start_over(ctx, Some(&pending.target));
            let response = ctx.refuse(&failure, None, link.as_deref());
            // As long as oxd has not seen the code, loading the page again can still complete the login.
            let unseen = matches!(
                failure.reason,
                Reason::OxdUnreachable | Reason::OxdResting | Reason::OxdBusy
            );
            if unseen {
                pending::give_back(ctx, &pending);
                response
            } else {
                response.with_cookie(pending::end(ctx, &pending.state))
            }
        }
    }
}

/// The provider answered with an error (RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6).
fn provider_error(
    ctx: &Ctx<'_>,
    error: &str,
    description: Option<&str>,
    pending: Option<&Pending>,
) -> Response {
    if let Some(pending) = pending.filter(|pending| pending.silent && needs_a_page(error)) {
        ctx.log(Level::Debug, || {
            format!("the provider has to ask the user ({error}): a visible login")
        });
        let wish = Wish {
            acr: &pending.step_up,
            silent: false,
            max_age: pending.max_age,
        };
        return start::start_with(ctx, pending.target.clone(), wish)
            .with_cookie(pending::end(ctx, &pending.state));
    }
    let reason = if error == "access_denied" {
        Reason::AccessDenied
    } else {
        Reason::ProviderError
    };
    ctx.stats.login_failed(reason, ctx.facts.now);
    let said = description.unwrap_or_default();
    let failure = Failure::new(reason, format!("the provider answered {error:?} ({said:?})"));
    // Anybody can make a link to the callback; only an answer to a login of this browser gets to speak on the page.
    let told = pending.map(|_| description.filter(|d| !d.trim().is_empty()).unwrap_or(error));
    let response = ctx.refuse(
        &failure,
        told,
        start_over(ctx, pending.map(|p| p.target.as_str())).as_deref(),
    );
    match pending {
        Some(pending) => response.with_cookie(pending::end(ctx, &pending.state)),
        None => response,
    }
}

/// Errors by which a provider says that it cannot answer without showing a page (OpenID Connect Core 3.1.2.6).
fn needs_a_page(error: &str) -> bool {
    [
        "login_required",
        "interaction_required",
        "consent_required",
        "account_selection_required",
    ]
    .contains(&error)
}

/// A callback that belongs to no login of this browser: back button, bookmark, a login that took too long, an attack.
fn stale(ctx: &Ctx<'_>, state: &str) -> Response {
    let target = session::with_own(ctx, |session| {
        session.map(|s| String::from_utf8_lossy(s.parts.texts.target).into_owned())
    });
    let target = match target {
        Ok(target) => target,
        Err(failure) => {
            ctx.stats.login_failed(failure.reason, ctx.facts.now);
            return ctx.refuse(&failure, None, None);
        }
    };
    if let Some(target) = target {
        ctx.log(Level::Debug, || {
            "a callback without a login in progress: on to the session's address".into()
        });
        return Response::redirect(303, target).as_step(Step::AlreadySignedIn);
    }
    let failure = Failure::new(
        Reason::StateUnknown,
        "a callback whose state this browser has no login for",
    );
    if state.starts_with(RESTART_MARK) || pending::was_restarted(ctx) {
        ctx.stats.login_failed(failure.reason, ctx.facts.now);
        return ctx.refuse(&failure, None, start_over(ctx, None).as_deref());
    }
    match (start_over(ctx, None), pending::mark_restart(ctx)) {
        (Some(login), Ok(mark)) => {
            let reference = Reference::new(ctx.outside);
            ctx.log(Level::Info, || {
                let line = failure.log_line();
                format!("{line}; the login is restarted [ref {}]", reference.in_log())
            });
            ctx.stats.login(stats::Login::Restarted, ctx.facts.now);
            let mut response = Response::redirect(302, login)
                .with_cookie(mark)
                .as_step(Step::LoginRestarted);
            response.reference = Some(reference);
            response
        }
        _ => {
            ctx.stats.login_failed(failure.reason, ctx.facts.now);
            ctx.refuse(&failure, None, None)
        }
    }
}

/// Exchanges the code and makes the session.
fn finish(ctx: &Ctx<'_>, code: &str, pending: &Pending) -> Result<Response, Failure> {
    let state = &pending.state;
    let tokens = GetTokensByCode { code, state }.send(ctx.oxd)?;
    let subject = check_id_token(ctx, &tokens, pending)?;
    let user_info = if ctx.settings.user_info.unwrap_or(true) {
        let request = GetUserInfo {
            access_token: tokens.access_token.expose(),
            id_token: tokens.id_token.expose(),
        };
        let info = request.send(ctx.oxd)?;
        check_user_info(&info, &subject)?;
        Some(info)
    } else {
        None
    };
    let merged = claims::merge(&tokens.id_token_claims, user_info);
    let mut cookies = session::create(ctx, &tokens, &merged, pending)?;
    ctx.stats.login(stats::Login::Completed, ctx.facts.now);
    cookies.push(pending::end(ctx, &pending.state));
    cookies.extend(pending::unmark(ctx));
    ctx.log(Level::Debug, || {
        format!("login of {subject:?} done, on to {}", pending.target)
    });
    // With Strict the browser would hold the new cookie back on a redirect: the chain began at the provider.
    let strict = ctx.settings.cookie_same_site == Some(SameSite::Strict);
    let mut response = if strict {
        Response::page(200, pages::onward(&pending.target))
    } else {
        Response::redirect(303, pending.target.clone())
    };
    response.cookies = cookies;
    Ok(response.as_step(Step::LoginDone))
}

/// oxd has verified signature, issuer and audience; what it cannot know is whose login this is, and the time here.
fn check_id_token(ctx: &Ctx<'_>, tokens: &Tokens, pending: &Pending) -> Result<String, Failure> {
    let claims = &tokens.id_token_claims;
    let nonce = claims.get("nonce").and_then(Value::as_str);
    if pending.nonce.is_some() && nonce != pending.nonce.as_deref() {
        return Err(Failure::new(
            Reason::NonceMismatch,
            "the id token's nonce is not the one that was sent",
        ));
    }
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|s| !s.is_empty());
    let subject = subject.ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no sub"))?;
    let exp = claims
        .get("exp")
        .and_then(numeric_date)
        .ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no usable exp"))?;
    if exp.saturating_add(CLOCK_LEEWAY) <= ctx.facts.now {
        let detail = format!("the id token ran out {} s ago", ctx.facts.now - exp);
        return Err(Failure::new(Reason::IdTokenInvalid, detail));
    }
    if let Some(age) = pending.max_age {
        let since = claims.get("auth_time").and_then(numeric_date);
        let since = since.ok_or_else(|| {
            Failure::new(
                Reason::IdTokenInvalid,
                "OxdMaxAge was asked for, but the id token has no auth_time",
            )
        })?;
        if since.saturating_add(age).saturating_add(CLOCK_LEEWAY) < ctx.facts.now {
            let detail = format!(
                "the user authenticated {} s ago, OxdMaxAge allows {age}",
                ctx.facts.now - since
            );
            return Err(Failure::new(Reason::IdTokenInvalid, detail));
        }
    }
    Ok(subject.to_owned())
}

/// oxd hands on the provider's answer with status 200 even when it is a refusal.
pub fn check_user_info(info: &Map<String, Value>, subject: &str) -> Result<(), Failure> {
    if let Some(error) = info.get("error") {
        let description = info
            .get("error_description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return Err(Failure::new(
            Reason::UserInfoError,
            format!("get-user-info answered {error} ({description})"),
        ));
    }
    match info.get("sub").and_then(Value::as_str) {
        Some(named) if named == subject => Ok(()),
        Some(named) => Err(Failure::new(
            Reason::SubjectMismatch,
            format!("user info speaks of {named:?}, the id token of {subject:?}"),
        )),
        // OpenID Connect Core 5.3.2: sub must always be there.
        None => Err(Failure::new(Reason::SubjectMismatch, "user info names no sub")),
    }
}

#[cfg(test)]
mod tests;
