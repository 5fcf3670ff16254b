//! A login from its beginning to the session: steps 3 to 5 of the tutorial.

use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded;

use crate::address::check_return_address;
use crate::authn::Ctx;
use crate::claims;
use crate::clock::{CLOCK_LEEWAY, numeric_date};
use crate::crypto::random_text;
use crate::facts::Level;
use crate::oxd::api::Tokens;
use crate::page;
use crate::reason::{Failure, Reason};
use crate::respond::Response;
use crate::session;
use crate::settings::SameSite;
use crate::state::{self, Pending};

/// The longest return address that is kept, in bytes; it travels in a cookie.
const TARGET_LIMIT: usize = 1_500;
/// What the state of a restarted login begins with: a browser that keeps no cookies is told apart by it.
const RESTART_MARK: char = 'r';
/// Bytes of randomness in state and nonce.
const RANDOM_BYTES: usize = 18;

/// The address that the browser asked for, as a login may return to it.
pub fn own_address(ctx: &Ctx<'_>) -> String {
    let origin = ctx.facts.origin(ctx.settings);
    let Ok(url) = Url::parse(&origin.url_of(ctx.facts.target)) else {
        return fallback_address(ctx);
    };
    let local = &url[url::Position::BeforePath..url::Position::AfterQuery];
    // A path that begins with two slashes would be read as a host; whole, it can be read in one way only.
    let mut address = if local.starts_with("//") { url.to_string() } else { local.to_owned() };
    if address.len() > TARGET_LIMIT {
        ctx.log(Level::Info, || "the address is too long to be kept during the login: its query is left out".into());
        address.truncate(address.find('?').unwrap_or(address.len()));
        if address.len() > TARGET_LIMIT {
            return fallback_address(ctx);
        }
    }
    address
}

/// Where a login ends that names no return address (`OxdDefaultUrl`).
pub fn fallback_address(ctx: &Ctx<'_>) -> String {
    ctx.settings.default_url.cloned().or_else(|| ctx.facts.base.map(str::to_owned)).unwrap_or_else(|| "/".into())
}

/// The link that starts a login and comes back to an address; `None` when no handler is known.
pub fn login_link(ctx: &Ctx<'_>, target: &str) -> Option<String> {
    let base = ctx.facts.base?.trim_end_matches('/');
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", target).finish();
    Some(format!("{base}/login?{query}"))
}

/// `BASE/login`: starts a login that ends at `return_to`, or at the default address.
pub fn from_link(ctx: &Ctx<'_>, return_to: &[String]) -> Response {
    let checked = match return_to {
        [] => Some(fallback_address(ctx)),
        [one] => check_return_address(
            one,
            &ctx.facts.origin(ctx.settings),
            ctx.settings.return_hosts.map_or(&[], Vec::as_slice),
        )
        .filter(|address| address.len() <= TARGET_LIMIT),
        _ => None,
    };
    match checked {
        Some(target) => start(ctx, target),
        None => {
            let failure = Failure::new(Reason::ReturnAddress, format!("return_to {return_to:?}"));
            ctx.refuse(&failure, None, start_over(ctx, None).as_deref())
        }
    }
}

/// Starts a login: asks oxd for the address at the provider and sends the browser there.
pub fn start(ctx: &Ctx<'_>, target: String) -> Response {
    match try_start(ctx, &target) {
        Ok(response) => response,
        Err(failure) => ctx.refuse(&failure, None, Some(&target)),
    }
}

fn try_start(ctx: &Ctx<'_>, target: &str) -> Result<Response, Failure> {
    let random = || {
        random_text(ctx.outside, RANDOM_BYTES)
            .map_err(|_| Failure::new(Reason::Internal, "the system gave no random bytes"))
    };
    let mut state = random()?;
    if state::was_restarted(ctx) {
        state.insert(0, RESTART_MARK);
    } else {
        state.insert(0, 's');
    }
    let (request, form_post) = authorization_request(ctx, &state, &random()?)?;
    let answer = ctx.oxd.authorization_url(request)?;
    let broken = |what: &str| {
        Failure::new(Reason::OxdAnswer, format!("get-authorization-url answered an authorization_url {what}"))
    };
    let url = Url::parse(&answer.authorization_url).map_err(|_| broken("that is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(broken("that is neither http nor https"));
    }
    let of_url = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
    let pending = Pending {
        // oxd, or a gateway before it, may have put a state of its own in place of ours.
        state: of_url("state").filter(|s| !s.is_empty()).ok_or_else(|| broken("without a state"))?,
        nonce: of_url("nonce"),
        target: target.to_owned(),
        since: ctx.facts.now,
        form_post,
    };
    let mut response = Response::redirect(302, url.to_string());
    response.cookies = state::begin(ctx, &pending)?;
    ctx.log(Level::Debug, || format!("login started, to end at {target}"));
    Ok(response)
}

/// The members of `get-authorization-url`, and whether the provider is asked to answer with a form.
fn authorization_request(ctx: &Ctx<'_>, state: &str, nonce: &str) -> Result<(Map<String, Value>, bool), Failure> {
    let settings = ctx.settings;
    let mut request = Map::new();
    request.insert("scope".into(), settings.scopes().into());
    request.insert("state".into(), state.into());
    request.insert("nonce".into(), nonce.into());
    if let Some(acr) = settings.acr_values {
        request.insert("acr_values".into(), json!(acr));
    }
    if let Some(prompt) = settings.prompt {
        request.insert("prompt".into(), prompt.as_str().into());
    }
    if let Some(uri) = settings.redirect_uri {
        request.insert("redirect_uri".into(), uri.as_str().into());
    }
    if let Some(custom) = settings.custom_params {
        let custom: Map<_, _> = custom.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
        request.insert("custom_parameters".into(), custom.into());
    }
    let mut form_post = false;
    let mut params = Map::new();
    for param in settings.auth_params.into_iter().flatten() {
        let value = ctx.outside.evaluate(param.value).map_err(|why| {
            Failure::new(Reason::Internal, format!("OxdAuthParam {}: the expression failed: {why}", param.name))
        })?;
        // An expression that yields nothing for this request asks for no parameter.
        if !value.is_empty() {
            form_post |= param.name == "response_mode" && value == "form_post";
            params.insert(param.name.clone(), value.into());
        }
    }
    if !params.is_empty() {
        request.insert("params".into(), params.into());
    }
    Ok((request, form_post))
}

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
pub fn callback(ctx: &Ctx<'_>, returned: &Returned) -> Response {
    let malformed = |detail: &str| {
        ctx.refuse(&Failure::new(Reason::CallbackMalformed, detail), None, start_over(ctx, None).as_deref())
    };
    if returned.code.len() > 1 || returned.state.len() > 1 || returned.error.len() > 1 {
        return malformed("code, state or error came twice");
    }
    let one = |values: &'_ [String]| values.first().filter(|v| !v.is_empty()).cloned();
    let state = one(&returned.state);
    let pending = state.as_deref().and_then(|state| state::find(ctx, state));
    if let Some(error) = one(&returned.error) {
        return provider_error(ctx, &error, returned.description.as_deref(), pending.as_ref());
    }
    let (Some(code), Some(state)) = (one(&returned.code), state) else {
        return malformed("code or state is missing");
    };
    let Some(pending) = pending else {
        return stale(ctx, &state);
    };
    match finish(ctx, &code, &pending) {
        Ok(response) => response,
        Err(failure) => {
            let link = start_over(ctx, Some(&pending.target));
            let response = ctx.refuse(&failure, None, link.as_deref());
            // As long as oxd has not seen the code, loading the page again can still complete the login.
            let unseen =
                matches!(failure.reason, Reason::OxdUnreachable | Reason::OxdResting | Reason::OxdBusy);
            if unseen { response } else { response.with_cookie(state::end(ctx, &pending.state)) }
        }
    }
}

/// Where a login can be started over: the handler's login, or the protected address itself.
fn start_over(ctx: &Ctx<'_>, target: Option<&str>) -> Option<String> {
    match (target, ctx.facts.base) {
        (Some(target), _) => login_link(ctx, target).or_else(|| Some(target.to_owned())),
        (None, Some(base)) => Some(format!("{}/login", base.trim_end_matches('/'))),
        (None, None) => None,
    }
}

/// The provider answered with an error (RFC 6749 section 4.1.2.1, OpenID Connect Core 3.1.2.6).
fn provider_error(ctx: &Ctx<'_>, error: &str, description: Option<&str>, pending: Option<&Pending>) -> Response {
    let reason = if error == "access_denied" { Reason::AccessDenied } else { Reason::ProviderError };
    let said = description.unwrap_or_default();
    let failure = Failure::new(reason, format!("the provider answered {error:?} ({said:?})"));
    // Anybody can make a link to the callback; only an answer to a login of this browser gets to speak on the page.
    let told = pending.map(|_| description.filter(|d| !d.trim().is_empty()).unwrap_or(error));
    let response = ctx.refuse(&failure, told, start_over(ctx, pending.map(|p| p.target.as_str())).as_deref());
    match pending {
        Some(pending) => response.with_cookie(state::end(ctx, &pending.state)),
        None => response,
    }
}

/// A callback that belongs to no login of this browser: back button, bookmark, a login that took too long, an attack.
fn stale(ctx: &Ctx<'_>, state: &str) -> Response {
    let mut buffer = Vec::new();
    let cookies = ctx.facts.headers.cookie.unwrap_or_default();
    let session = session::open(ctx.settings, ctx.keys, ctx.facts.now, cookies, |len| {
        buffer.resize(len, 0);
        &mut buffer
    });
    if let Some(session) = session {
        ctx.log(Level::Debug, || "a callback without a login in progress: on to the session's address".into());
        return Response::redirect(303, String::from_utf8_lossy(session.parts.texts.target).into_owned());
    }
    let failure = Failure::new(Reason::StateUnknown, "a callback whose state this browser has no login for");
    if state.starts_with(RESTART_MARK) || state::was_restarted(ctx) {
        return ctx.refuse(&failure, None, start_over(ctx, None).as_deref());
    }
    match (start_over(ctx, None), state::mark_restart(ctx)) {
        (Some(login), Ok(mark)) => {
            ctx.log(Level::Info, || format!("{}; the login is restarted", failure.log_line()));
            Response::redirect(302, login).with_cookie(mark)
        }
        _ => ctx.refuse(&failure, None, None),
    }
}

/// Exchanges the code and makes the session.
fn finish(ctx: &Ctx<'_>, code: &str, pending: &Pending) -> Result<Response, Failure> {
    let tokens = ctx.oxd.tokens_by_code(code, &pending.state)?;
    let subject = check_id_token(ctx, &tokens, pending)?;
    let user_info = if ctx.settings.user_info.unwrap_or(true) {
        let info = ctx.oxd.user_info(&tokens.access_token, &tokens.id_token)?;
        check_user_info(&info, &subject)?;
        Some(info)
    } else {
        None
    };
    let merged = claims::merge(&tokens.id_token_claims, user_info);
    let mut cookies = session::create(ctx, &tokens, &merged, &pending.target)?;
    cookies.push(state::end(ctx, &pending.state));
    cookies.extend(state::unmark(ctx));
    ctx.log(Level::Debug, || format!("login of {subject:?} done, on to {}", pending.target));
    // With Strict the browser would hold the new cookie back on a redirect: the chain began at the provider.
    let strict = ctx.settings.cookie_same_site == Some(SameSite::Strict);
    let mut response = if strict {
        Response::page(200, page::onward(&pending.target))
    } else {
        Response::redirect(303, pending.target.clone())
    };
    response.cookies = cookies;
    Ok(response)
}

/// oxd has verified signature, issuer and audience; what it cannot know is whose login this is, and the time here.
fn check_id_token(ctx: &Ctx<'_>, tokens: &Tokens, pending: &Pending) -> Result<String, Failure> {
    let claims = &tokens.id_token_claims;
    let nonce = claims.get("nonce").and_then(Value::as_str);
    if pending.nonce.is_some() && nonce != pending.nonce.as_deref() {
        return Err(Failure::new(Reason::NonceMismatch, "the id token's nonce is not the one that was sent"));
    }
    let subject = claims.get("sub").and_then(Value::as_str).filter(|s| !s.is_empty());
    let subject = subject.ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no sub"))?;
    let exp = claims
        .get("exp")
        .and_then(numeric_date)
        .ok_or_else(|| Failure::new(Reason::IdTokenInvalid, "the id token has no usable exp"))?;
    if exp.saturating_add(CLOCK_LEEWAY) <= ctx.facts.now {
        let detail = format!("the id token ran out {} s ago", ctx.facts.now - exp);
        return Err(Failure::new(Reason::IdTokenInvalid, detail));
    }
    Ok(subject.to_owned())
}

/// oxd hands on the provider's answer with status 200 even when it is a refusal.
fn check_user_info(info: &Map<String, Value>, subject: &str) -> Result<(), Failure> {
    if let Some(error) = info.get("error") {
        let description = info.get("error_description").and_then(Value::as_str).unwrap_or_default();
        return Err(Failure::new(Reason::UserInfoError, format!("get-user-info answered {error} ({description})")));
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
