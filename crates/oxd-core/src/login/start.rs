//! The beginning of a login: step 3 of the tutorial (`get-authorization-url`), and where it will end.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Map;
use url::{Url, form_urlencoded};

use super::pending::{self, Pending};
use super::target::{LINK_LIMIT, fallback_address, from_elsewhere, start_over};
use crate::base::{Failure, Level, Reason, Reference, Seconds, Step, random_text};
use crate::config::CookieSecure;
use crate::flow::Ctx;
use crate::http::audit::{Event, Kind};
use crate::http::{Response, check_return_address};
use crate::oxd::Request as _;
use crate::oxd::commands::authorization_url::GetAuthorizationUrl;
use crate::pages::Told;
use crate::shm::stats;

/// Prefix of the state of a restarted login. It detects browsers that do not store cookies.
pub(super) const RESTART_MARK: char = 'r';
/// Bytes of randomness in state and nonce.
const RANDOM_BYTES: usize = 18;

/// The parameters of `BASE/login`.
#[derive(Debug, Default)]
pub(crate) struct LoginRequest {
    /// Where the login ends (`return_to`).
    return_to: Vec<String>,
    /// The same from a third party (OpenID Connect Core 4, `target_link_uri`).
    target_link_uri: Vec<String>,
    /// The issuer with which a third party wants the user to sign in (`iss`).
    iss: Vec<String>,
    /// Whom the third party expects (`login_hint`).
    login_hint: Vec<String>,
    /// Whether the provider is to ask who the user is (`prompt=login`): they want to sign in with another account.
    asks_anew: bool,
    /// Whether this login restarts one whose callback belonged to no pending login (`retry`).
    is_retry: bool,
}

/// The parameter of a restarted login. It travels in the address, because the browser may keep no cookies.
pub(super) const RETRY: &str = "retry";
/// The longest `login_hint`, in bytes: an address of a mailbox or a number of a telephone.
const HINT_LIMIT: usize = 320;

impl LoginRequest {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let mut request = Self::default();
        for (name, value) in form_urlencoded::parse(encoded) {
            let value = value.into_owned();
            match name.as_ref() {
                "return_to" => request.return_to.push(value),
                "target_link_uri" => request.target_link_uri.push(value),
                "iss" => request.iss.push(value),
                "login_hint" => request.login_hint.push(value),
                "prompt" if value == "login" => request.asks_anew = true,
                RETRY => request.is_retry = true,
                _ => {}
            }
        }
        request
    }

    /// Whether a third party initiates the login.
    pub(crate) fn is_initiated(&self) -> bool {
        !(self.iss.is_empty() && self.target_link_uri.is_empty() && self.login_hint.is_empty())
    }
}

/// `BASE/login`: starts a login that ends at the address that the request names, or at the default address.
pub(crate) fn from_link(ctx: &Ctx<'_>, request: &LoginRequest) -> Response {
    let targets: Vec<&String> = request.return_to.iter().chain(&request.target_link_uri).collect();
    let checked = match targets.as_slice() {
        [] => Some(fallback_address(ctx)),
        [one] => check_return_address(one, &ctx.origin(), ctx.settings.login().return_hosts)
            .filter(|address| address.len() <= LINK_LIMIT),
        _ => None,
    };
    let Some(target) = checked else {
        let failure = Failure::new(Reason::ReturnAddress, format!("return address {targets:?}"));
        return ctx.refuse(&failure, None, start_over(ctx, None).as_deref());
    };
    match request.iss.as_slice() {
        [] => {}
        [iss] if matches!(ctx.is_own_issuer(iss), Ok(Some(true))) => {}
        others => {
            let failure = Failure::new(
                Reason::IssuerMismatch,
                format!("a third party initiated a login with {others:?}"),
            );
            return ctx.refuse(&failure, None, start_over(ctx, None).as_deref());
        }
    }
    let hint = request.login_hint.first().map(String::as_str);
    let overrides = AuthRequestOverrides {
        max_age: ctx.request.max_age_at(&target),
        login_hint: hint
            .filter(|hint| !hint.is_empty() && hint.len() <= HINT_LIMIT && !hint.contains(char::is_control)),
        asks_anew: request.asks_anew,
        is_retry: request.is_retry,
        ..AuthRequestOverrides::default()
    };
    start_with(ctx, target, overrides)
}

/// Stands for any authentication in a step-up: the user only has to log in again.
pub(crate) const ANY_ACR: &str = "*";

/// Per-request overrides of the authorization request; the directives give the rest.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct AuthRequestOverrides<'w> {
    /// One of these acr values, in place of `OxdAcrValues` (step-up).
    pub acr: &'w [String],
    /// The provider is asked to show no page (`prompt=none`, OpenID Connect Core 3.1.2.1).
    pub silent: bool,
    /// `OxdMaxAge` of the place that the login began at, where this is another one.
    pub max_age: Option<Seconds>,
    /// Whom a third party expects to sign in (OpenID Connect Core 4).
    pub login_hint: Option<&'w str>,
    /// The provider is asked to let the user authenticate again, whoever is signed in there (`prompt=login`).
    pub asks_anew: bool,
    /// Whether this login restarts one.
    pub is_retry: bool,
}

/// Starts a login with overrides.
pub(crate) fn start_with(ctx: &Ctx<'_>, target: String, overrides: AuthRequestOverrides<'_>) -> Response {
    warn_of_http(ctx);
    let target = from_elsewhere(ctx, target);
    match try_start(ctx, &target, overrides) {
        Ok(response) => response,
        Err(failure) => refuse_login(ctx, &failure, None, Some(&target)),
    }
}

/// The answer to a login that has failed, at its start or at its end. `told` replaces the reason's own text for the user.
pub(super) fn refuse_login(
    ctx: &Ctx<'_>,
    failure: &Failure,
    told: Option<Told<'_>>,
    link: Option<&str>,
) -> Response {
    ctx.stats.login_failed(failure.reason, ctx.now);
    let answer = ctx.refuse(failure, told, link);
    ctx.audited(answer, || Event::new(Kind::LoginRefused, failure.reason.code()))
}

/// Warns once of a site whose requests come over http while it expects https: behind a proxy that ends TLS, the origin is
/// wrong until its header is trusted.
fn warn_of_http(ctx: &Ctx<'_>) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    let is_secure = ctx.settings.cookie().secure == CookieSecure::On;
    // Browsers keep such cookies of this machine, whatever the scheme.
    if is_secure
        && !WARNED.load(Ordering::Relaxed)
        && !ctx.origin().is_https()
        && !is_loopback(ctx.origin().host())
    {
        WARNED.store(true, Ordering::Relaxed);
        ctx.log(Level::Warning, || {
            "OxdCookieSecure On, but this request came over http: browsers keep no such cookie, and no login can end; if a \
             proxy ends TLS before httpd, name its header with OxdTrustForwarded (X-Forwarded-Proto), otherwise take \
             OxdCookieSecure out"
                .to_owned()
        });
        return;
    }
    let Some(uri) = ctx.settings.registered_redirect_uri() else {
        return;
    };
    let may_warn = uri.starts_with("https://") && !WARNED.load(Ordering::Relaxed);
    if may_warn && !ctx.origin().is_https() && !WARNED.swap(true, Ordering::Relaxed) {
        ctx.log(Level::Warning, || {
            format!(
                "the site is registered with {uri}, but this request came over http: if a proxy ends TLS before httpd, \
                 name its header with OxdTrustForwarded (X-Forwarded-Proto), or cookies lack Secure"
            )
        });
    }
}

/// Whether a host is this machine under a name that browsers know as such.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn try_start(ctx: &Ctx<'_>, target: &str, overrides: AuthRequestOverrides<'_>) -> Result<Response, Failure> {
    let random = || random_text(ctx.host, RANDOM_BYTES);
    let mut state = random()?;
    if overrides.is_retry || pending::was_restarted(ctx) {
        state.insert(0, RESTART_MARK);
    } else {
        state.insert(0, 's');
    }
    let nonce = random()?;
    let (request, form_post) = authorization_request(ctx, &state, &nonce, overrides)?;
    let answer = request.send(ctx.oxd)?;
    let broken = |what: &str| {
        Failure::new(
            Reason::OxdAnswer,
            format!("get-authorization-url answered an authorization_url {what}"),
        )
    };
    let url = Url::parse(&answer.authorization_url).map_err(|_| broken("that is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(broken("that is neither http nor https"));
    }
    // oxd, or a gateway before it, may have put a state of its own in place of ours.
    let (mut state, mut nonce) = (None, None);
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "state" if state.is_none() => state = Some(value),
            "nonce" if nonce.is_none() => nonce = Some(value),
            _ => {}
        }
    }
    let of_url = |value: Option<Cow<'_, str>>| value.filter(|text| !text.is_empty()).map(Cow::into_owned);
    let pending = Pending {
        state: of_url(state).ok_or_else(|| broken("without a state"))?,
        nonce: of_url(nonce).ok_or_else(|| broken("without a nonce"))?,
        target: target.to_owned(),
        since: ctx.now,
        form_post,
        step_up: overrides.acr.to_vec(),
        max_age: overrides.max_age.or(ctx.settings.access().max_age),
        scope: ctx.settings.login().scope.join(" "),
        is_gathering: false,
        silent: overrides.silent,
        is_long: false,
    };
    let mut response = Response::redirect(302, url.into());
    response.cookies = pending::begin(ctx, pending)?;
    ctx.stats.login(stats::Login::Begun, ctx.now);
    let step = match overrides {
        AuthRequestOverrides { silent: true, .. } => Step::SilentLoginStarted,
        AuthRequestOverrides { acr: [_, ..], .. } => Step::StepUpStarted,
        _ => Step::LoginStarted,
    };
    let reference = Reference::new(ctx.host);
    ctx.log(Level::Debug, || {
        format!("{}: to end at {target} {}", step.code(), ctx.found_by(&reference))
    });
    response.reference = Some(reference);
    Ok(response.as_step(step))
}

/// The request for an authorization URL, and whether it asks for `response_mode=form_post`.
fn authorization_request<'r>(
    ctx: &Ctx<'r>,
    state: &'r str,
    nonce: &'r str,
    overrides: AuthRequestOverrides<'r>,
) -> Result<(GetAuthorizationUrl<'r>, bool), Failure> {
    let settings = ctx.settings.login();
    let mut acr_values: Vec<&str> = overrides.acr.iter().map(String::as_str).collect();
    acr_values.retain(|acr| *acr != ANY_ACR);
    if acr_values.is_empty() {
        acr_values.extend(settings.acr_values.iter().map(String::as_str));
    }
    let custom = settings.custom_params.iter();
    let mut request = GetAuthorizationUrl {
        scope: settings.scope.iter().map(String::as_str).collect(),
        state: Some(state),
        nonce: Some(nonce),
        acr_values,
        prompt: if overrides.silent {
            Some("none")
        } else if overrides.asks_anew {
            Some("login")
        } else {
            settings.prompt
        },
        redirect_uri: settings.redirect_uri,
        custom_parameters: custom.map(|(n, v)| (n.clone(), v.as_str().into())).collect(),
        params: Map::new(),
    };
    let mut form_post = false;
    let params = &mut request.params;
    if let Some(age) = overrides.max_age.or(ctx.settings.access().max_age) {
        params.insert("max_age".into(), age.to_string().into());
    }
    if let Some(hint) = overrides.login_hint {
        params.insert("login_hint".into(), hint.into());
    }
    for param in settings.auth_params {
        let value = ctx.host.evaluate(param.value).map_err(|why| {
            Failure::new(
                Reason::Internal,
                format!("OxdAuthParam {}: the expression failed: {why}", param.name),
            )
        })?;
        // An expression that yields nothing for this request asks for no parameter.
        if !value.is_empty() {
            form_post |= param.name == "response_mode" && value == "form_post";
            params.insert(param.name.to_owned(), value.into());
        }
    }
    Ok((request, form_post))
}

#[cfg(test)]
mod tests;
