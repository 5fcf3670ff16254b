//! The beginning of a login: step 3 of the tutorial (`get-authorization-url`), and where it will end.

use serde_json::Map;
use url::Url;
use url::form_urlencoded;

use super::pending::{self, Pending};
use crate::access::authn::Ctx;
use crate::base::crypto::random_text;
use crate::base::log::Level;
use crate::base::reason::{Failure, Reason, Step};
use crate::base::reference::Reference;
use crate::http::origin::check_return_address;
use crate::http::response::Response;
use crate::oxd::Request as _;
use crate::oxd::commands::authorization_url::GetAuthorizationUrl;
use crate::shm::stats;

/// The longest return address that is kept, in bytes; it travels in a cookie.
const TARGET_LIMIT: usize = 1_500;
/// What the state of a restarted login begins with: a browser that keeps no cookies is told apart by it.
pub const RESTART_MARK: char = 'r';
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
    let mut address = if local.starts_with("//") {
        url.to_string()
    } else {
        local.to_owned()
    };
    if address.len() > TARGET_LIMIT {
        ctx.log(Level::Info, || {
            "the address is too long to be kept during the login: its query is left out".into()
        });
        address.truncate(address.find('?').unwrap_or(address.len()));
        if address.len() > TARGET_LIMIT {
            return fallback_address(ctx);
        }
    }
    address
}

/// Where a login ends that names no return address (`OxdDefaultUrl`).
pub fn fallback_address(ctx: &Ctx<'_>) -> String {
    ctx.settings
        .default_url
        .cloned()
        .or_else(|| ctx.facts.base.map(str::to_owned))
        .unwrap_or_else(|| "/".into())
}

/// The link that starts a login and comes back to an address; `None` when no handler is known.
pub fn login_link(ctx: &Ctx<'_>, target: &str) -> Option<String> {
    let base = ctx.facts.base?.trim_end_matches('/');
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", target)
        .finish();
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

/// Stands for any authentication in what a step-up asks for: the user only has to log in again.
pub const ANY_ACR: &str = "*";

/// Starts a login: asks oxd for the address at the provider and sends the browser there.
pub fn start(ctx: &Ctx<'_>, target: String) -> Response {
    start_with(ctx, target, Wish::default())
}

/// What a login is to bring beyond what the directives say.
#[derive(Clone, Copy, Default, Debug)]
pub struct Wish<'w> {
    /// One of these acr values, in place of `OxdAcrValues` (step-up).
    pub acr: &'w [String],
    /// The provider is asked to show no page (`prompt=none`, OpenID Connect Core 3.1.2.1).
    pub silent: bool,
    /// `OxdMaxAge` of the place that the login began at, where this is another one.
    pub max_age: Option<u64>,
}

/// Starts a login with a wish.
pub fn start_with(ctx: &Ctx<'_>, target: String, wish: Wish<'_>) -> Response {
    match try_start(ctx, &target, wish) {
        Ok(response) => response,
        Err(failure) => {
            ctx.stats.login_failed(failure.reason, ctx.facts.now);
            ctx.refuse(&failure, None, Some(&target))
        }
    }
}

fn try_start(ctx: &Ctx<'_>, target: &str, wish: Wish<'_>) -> Result<Response, Failure> {
    let random = || random_text(ctx.outside, RANDOM_BYTES);
    let mut state = random()?;
    if pending::was_restarted(ctx) {
        state.insert(0, RESTART_MARK);
    } else {
        state.insert(0, 's');
    }
    let nonce = random()?;
    let (request, form_post) = authorization_request(ctx, &state, &nonce, wish)?;
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
    let of_url = |name: &str| {
        url.query_pairs()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    };
    let pending = Pending {
        // oxd, or a gateway before it, may have put a state of its own in place of ours.
        state: of_url("state")
            .filter(|s| !s.is_empty())
            .ok_or_else(|| broken("without a state"))?,
        nonce: of_url("nonce"),
        target: target.to_owned(),
        since: ctx.facts.now,
        form_post,
        step_up: wish.acr.to_vec(),
        max_age: wish.max_age.or(ctx.settings.max_age),
        silent: wish.silent,
    };
    let mut response = Response::redirect(302, url.to_string());
    response.cookies = pending::begin(ctx, pending)?;
    ctx.stats.login(stats::Login::Begun, ctx.facts.now);
    let step = match wish {
        Wish { silent: true, .. } => Step::SilentLoginStarted,
        Wish { acr: [_, ..], .. } => Step::StepUpStarted,
        _ => Step::LoginStarted,
    };
    let reference = Reference::new(ctx.outside);
    ctx.log(Level::Debug, || {
        format!("{}: to end at {target} [ref {}]", step.code(), reference.in_log())
    });
    response.reference = Some(reference);
    Ok(response.as_step(step))
}

/// The members of `get-authorization-url`, and whether the provider is asked to answer with a form.
fn authorization_request<'r>(
    ctx: &Ctx<'r>,
    state: &'r str,
    nonce: &'r str,
    wish: Wish<'r>,
) -> Result<(GetAuthorizationUrl<'r>, bool), Failure> {
    let settings = ctx.settings;
    let mut acr_values: Vec<&str> = wish.acr.iter().map(String::as_str).collect();
    acr_values.retain(|acr| *acr != ANY_ACR);
    if acr_values.is_empty() {
        acr_values.extend(settings.acr_values.into_iter().flatten().map(String::as_str));
    }
    let custom = settings.custom_params.into_iter().flatten();
    let mut request = GetAuthorizationUrl {
        scope: settings.scopes(),
        state: Some(state),
        nonce: Some(nonce),
        acr_values,
        prompt: if wish.silent {
            Some("none")
        } else {
            settings.prompt.map(String::as_str)
        },
        redirect_uri: settings.redirect_uri.map(String::as_str),
        custom_parameters: custom.map(|(n, v)| (n.clone(), v.as_str().into())).collect(),
        params: Map::new(),
    };
    let mut form_post = false;
    let params = &mut request.params;
    if let Some(age) = wish.max_age.or(settings.max_age) {
        params.insert("max_age".into(), age.to_string().into());
    }
    for param in settings.auth_params.into_iter().flatten() {
        let value = ctx.outside.evaluate(param.value).map_err(|why| {
            Failure::new(
                Reason::Internal,
                format!("OxdAuthParam {}: the expression failed: {why}", param.name),
            )
        })?;
        // An expression that yields nothing for this request asks for no parameter.
        if !value.is_empty() {
            form_post |= param.name == "response_mode" && value == "form_post";
            params.insert(param.name.clone(), value.into());
        }
    }
    Ok((request, form_post))
}

/// Where a login can be started over: the handler's login, or the protected address itself.
pub fn start_over(ctx: &Ctx<'_>, target: Option<&str>) -> Option<String> {
    match (target, ctx.facts.base) {
        (Some(target), _) => login_link(ctx, target).or_else(|| Some(target.to_owned())),
        (None, Some(base)) => Some(format!("{}/login", base.trim_end_matches('/'))),
        (None, None) => None,
    }
}
