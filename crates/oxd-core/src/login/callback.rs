//! The callback of a login: steps 4 and 5 of the tutorial (`get-tokens-by-code`, `get-user-info`), and the response to
//! a callback that belongs to no login of this browser.

use serde_json::Value;
use url::form_urlencoded;

use super::pending::{self, Pending};
use super::start::{self, AuthRequestOverrides, RESTART_MARK, RETRY, refuse_login};
use super::target::{COOKIE_LIMIT, fallback_address, start_over};
use super::verify::{check_id_token, check_user_info};
use crate::base::{Failure, Level, Reason, Reference, Secret, Step};
use crate::config::{CookieSecure, SameSite, UserInfo};
use crate::flow::Ctx;
use crate::http::Response;
use crate::http::audit::{Event, Kind, Who};
use crate::oxd::Request as _;
use crate::oxd::commands::tokens_by_code::GetTokensByCode;
use crate::oxd::commands::user_info::GetUserInfo;
use crate::pages::{self, Told};
use crate::session::{self, Created, NewSession, Tokens, claims};
use crate::shm::stats;

/// The provider's answer, from the query or a form.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    code: Vec<String>,
    state: Vec<String>,
    error: Vec<String>,
    description: Option<String>,
    /// The issuer of the answer (RFC 9207 section 2).
    iss: Vec<String>,
}

impl Returned {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let mut returned = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let value = value.into_owned();
            match name.as_ref() {
                "code" => returned.code.push(value),
                "state" => returned.state.push(value),
                "error" => returned.error.push(value),
                "iss" => returned.iss.push(value),
                "error_description" => returned.description = Some(value),
                _ => {}
            }
        }
        returned
    }

    /// Whether this is an answer of the provider at all.
    pub(crate) fn is_callback(&self) -> bool {
        !(self.code.is_empty() && self.state.is_empty() && self.error.is_empty())
    }
}

/// The provider sent the browser back.
pub(crate) fn answer(ctx: &Ctx<'_>, returned: &Returned) -> Response {
    let malformed = |detail: &str| {
        let failure = Failure::new(Reason::CallbackMalformed, detail);
        refuse_login(ctx, &failure, None, start_over(ctx, None).as_deref())
    };
    let parameters = [&returned.code, &returned.state, &returned.error, &returned.iss];
    if parameters.iter().any(|values| values.len() > 1) {
        return malformed("code, state, error or iss came twice");
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
    // Before oxd sees the code: of two copies of a login only one continues.
    if !pending::take(ctx, &pending) {
        return stale(ctx, &state);
    }
    let iss = one(&returned.iss);
    let finished =
        check_issuer(ctx, iss.as_deref()).and_then(|()| finish(ctx, &code, &pending, iss.as_deref()));
    match finished {
        Ok(response) => response,
        Err(failure) => {
            let failure = with_redirect_uri(ctx, failure);
            let link = start_over(ctx, Some(&pending.target));
            let response = refuse_login(ctx, &failure, None, link.as_deref());
            // As long as oxd has not seen the code, loading the page again can still complete the login.
            let unseen = matches!(
                failure.reason,
                Reason::OxdUnreachable | Reason::BreakerOpen | Reason::OxdBusy
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

/// A refused code where the provider was asked for a redirect URI by name: oxd exchanges every code with the first
/// registered one, and a provider that compares them refuses the code.
fn with_redirect_uri(ctx: &Ctx<'_>, failure: Failure) -> Failure {
    match (failure.reason, ctx.settings.login().redirect_uri) {
        (Reason::CodeInvalid, Some(uri)) => failure.with_remedy(format!(
            "OxdRedirectUri is {uri}: oxd exchanges every code with the first address that the site is registered \
             with, so that it must be that one (oxdctl check compares them)"
        )),
        _ => failure,
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
        // A silent login asks for no acr.
        let overrides = AuthRequestOverrides {
            max_age: pending.max_age,
            ..AuthRequestOverrides::default()
        };
        return start::start_with(ctx, pending.target.clone(), overrides)
            .with_cookie(pending::end(ctx, &pending.state));
    }
    let reason = if error == "access_denied" {
        Reason::AccessDenied
    } else {
        Reason::ProviderError
    };
    let said = description.unwrap_or_default();
    let failure = Failure::new(reason, format!("the provider answered {error:?} ({said:?})"));
    // Anybody can make a link to the callback; only an answer to a login of this browser gets to speak on the page.
    let told = pending.map(|_| description.filter(|d| !d.trim().is_empty()).unwrap_or(error));
    let told = told.map(Told::Provider);
    let link = start_over(ctx, pending.map(|p| p.target.as_str()));
    let response = refuse_login(ctx, &failure, told, link.as_deref());
    match pending {
        Some(pending) => response.with_cookie(pending::end(ctx, &pending.state)),
        None => response,
    }
}

/// Errors of a provider that cannot answer without showing a page (OpenID Connect Core 3.1.2.6).
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
        session.map(|session| {
            let tokens = session.open_tokens(ctx);
            let target = tokens
                .as_deref()
                .and_then(Tokens::read)
                .map(|tokens| tokens.target);
            target.map_or_else(
                || fallback_address(ctx),
                |target| String::from_utf8_lossy(target).into_owned(),
            )
        })
    });
    let target = match target {
        Ok(target) => target,
        Err(failure) => return refuse_login(ctx, &failure, None, None),
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
        let (seen, cause) = cookie_trouble(ctx);
        let failure = Failure::new(failure.reason, format!("{}; {cause}", failure.detail));
        return refuse_login(ctx, &failure, Some(seen), start_over(ctx, None).as_deref());
    }
    let restart = start_over(ctx, None).map(|login| format!("{login}?{RETRY}=1"));
    match (restart, pending::mark_restart(ctx)) {
        (Some(login), Ok(mark)) => {
            let reference = Reference::new(ctx.host);
            ctx.log(Level::Info, || {
                let line = failure.log_line();
                format!("{line}; the login is restarted {}", ctx.found_by(&reference))
            });
            ctx.stats.login(stats::Login::Restarted, ctx.now);
            let mut response = Response::redirect(302, login)
                .with_cookie(mark)
                .as_step(Step::LoginRestarted);
            response.reference = Some(reference);
            response
        }
        _ => refuse_login(ctx, &failure, None, None),
    }
}

/// Refuses an answer that names another issuer than the site's provider, before oxd sends the code to it (RFC 9207
/// section 2.4).
fn check_issuer(ctx: &Ctx<'_>, named: Option<&str>) -> Result<(), Failure> {
    let Some(named) = named else {
        return Ok(());
    };
    // Where oxd does not tell, the ID token's issuer is compared.
    match ctx.is_own_issuer(named).unwrap_or_default() {
        Some(false) => Err(foreign_issuer(named, "another")),
        _ => Ok(()),
    }
}

fn foreign_issuer(named: &str, own: &str) -> Failure {
    Failure::new(
        Reason::IssuerMismatch,
        format!("the callback's iss is {named:?}, the provider's issuer is {own}"),
    )
}

/// Why a browser may have brought no cookie of its login: for its user, and for the administrator.
fn cookie_trouble(ctx: &Ctx<'_>) -> (Told<'static>, String) {
    const SITE: Told<'_> = Told::Cause("cookie-settings");
    let (cookie, origin) = (&ctx.settings.cookie(), ctx.origin());
    let path = ctx.request.path();
    if cookie.secure == CookieSecure::On && !origin.is_https() {
        return (SITE, "OxdCookieSecure On, but the request came over http".into());
    }
    if let Some(domain) = cookie.domain.filter(|domain| !is_within(origin.host(), domain)) {
        let detail = format!(
            "OxdCookieDomain {domain} does not cover the host {}",
            origin.host()
        );
        return (SITE, detail);
    }
    if !path.starts_with(cookie.path.trim_end_matches('/')) {
        return (
            SITE,
            format!("OxdCookiePath {} does not cover {path}", cookie.path),
        );
    }
    (
        Told::Cause("cookie-missing"),
        "the browser keeps no cookies, or took longer than OxdStateTimeout".into(),
    )
}

/// Whether a cookie of a domain reaches a host (RFC 6265 section 5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    let (host, domain) = (
        host.to_ascii_lowercase(),
        domain.trim_start_matches('.').to_ascii_lowercase(),
    );
    host.strip_suffix(domain.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Exchanges the code and makes the session. `iss` is the issuer that the callback named.
fn finish(ctx: &Ctx<'_>, code: &str, pending: &Pending, iss: Option<&str>) -> Result<Response, Failure> {
    let state = &pending.state;
    let auth = ctx.settings.server().client_auth;
    let tokens = GetTokensByCode { code, state, auth }.send(ctx.oxd)?;
    let subject = check_id_token(ctx.now, &tokens, pending)?;
    let own = tokens.id_token_claims.get("iss").and_then(Value::as_str);
    if let (Some(named), Some(own)) = (iss, own)
        && named.trim_end_matches('/') != own.trim_end_matches('/')
    {
        return Err(foreign_issuer(named, own));
    }
    let user_info = match ctx.settings.session().user_info {
        UserInfo::Off => None,
        UserInfo::AtLogin | UserInfo::Every(_) => {
            let request = GetUserInfo {
                access_token: tokens.access_token.expose(),
                id_token: tokens.id_token.expose(),
            };
            let info = request.send(ctx.oxd)?;
            check_user_info(&info, &subject)?;
            Some(info)
        }
    };
    let new = NewSession {
        access_token: tokens.access_token.expose(),
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh_token.as_ref().map(Secret::expose),
        id_token: tokens.id_token.expose(),
        claims: &claims::merge(&tokens.id_token_claims, user_info),
        // A long address is not worth the room in each request.
        target: if pending.target.len() > COOKIE_LIMIT {
            ctx.base.unwrap_or("/")
        } else {
            &pending.target
        },
        asked_age: pending.max_age,
        requested_acr: &pending.step_up,
        scope: &pending.scope,
    };
    let Created { mut cookies, who } = session::create(ctx, &new)?;
    ctx.stats.login(stats::Login::Completed, ctx.now);
    ctx.audit(|| {
        let kind = if pending.step_up.is_empty() {
            Kind::Login
        } else {
            Kind::StepUp
        };
        let acr = new.claims.get("acr").and_then(Value::as_str);
        Event::new(kind, Step::LoginDone.code())
            .about(Who {
                sub: Some(subject.as_str().into()),
                ..who
            })
            .with_acr(acr.map(Into::into))
    });
    cookies.push(pending::end(ctx, &pending.state));
    cookies.extend(pending::unmark(ctx));
    ctx.log(Level::Debug, || {
        format!("login of {subject:?} done, on to {}", pending.target)
    });
    // With Strict the browser would hold the new cookie back on a redirect: the chain began at the provider.
    let strict = ctx.settings.cookie().same_site == SameSite::Strict;
    let mut response = if strict {
        ctx.page(200, |view| pages::onward(view, &pending.target))
    } else {
        Response::redirect(303, pending.target.clone())
    };
    response.cookies = cookies;
    Ok(response.as_step(Step::LoginDone))
}

#[cfg(test)]
mod tests;
