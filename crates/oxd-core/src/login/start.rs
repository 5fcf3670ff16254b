//! The beginning of a login: step 3 of the tutorial (`get-authorization-url`), and where it will end.

use serde_json::Map;
use url::Url;

use super::pending::{self, Pending};
use super::target::{TARGET_LIMIT, fallback_address, start_over};
use crate::base::{Failure, Level, Reason, Reference, Seconds, Step, random_text};
use crate::flow::Ctx;
use crate::http::{Response, check_return_address};
use crate::oxd::Request as _;
use crate::oxd::commands::authorization_url::GetAuthorizationUrl;
use crate::shm::stats;

/// Prefix of the state of a restarted login. It detects browsers that do not store cookies.
pub(super) const RESTART_MARK: char = 'r';
/// Bytes of randomness in state and nonce.
const RANDOM_BYTES: usize = 18;

/// `BASE/login`: starts a login that ends at `return_to`, or at the default address.
pub(crate) fn from_link(ctx: &Ctx<'_>, return_to: &[String]) -> Response {
    let checked = match return_to {
        [] => Some(fallback_address(ctx)),
        [one] => check_return_address(one, &ctx.origin(), ctx.settings.login().return_hosts)
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

/// Stands for any authentication in a step-up: the user only has to log in again.
pub(crate) const ANY_ACR: &str = "*";

/// Starts a login: asks oxd for the address at the provider and sends the browser there.
pub(super) fn start(ctx: &Ctx<'_>, target: String) -> Response {
    start_with(ctx, target, AuthRequestOverrides::default())
}

/// Per-request overrides of the authorization request; the directives give the rest.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct AuthRequestOverrides<'w> {
    /// One of these acr values, in place of `OxdAcrValues` (step-up).
    pub acr: &'w [String],
    /// The provider is asked to show no page (`prompt=none`, OpenID Connect Core 3.1.2.1).
    pub silent: bool,
    /// `OxdMaxAge` of the place that the login began at, where this is another one.
    pub max_age: Option<Seconds>,
}

/// Starts a login with overrides.
pub(crate) fn start_with(ctx: &Ctx<'_>, target: String, overrides: AuthRequestOverrides<'_>) -> Response {
    match try_start(ctx, &target, overrides) {
        Ok(response) => response,
        Err(failure) => {
            ctx.stats.login_failed(failure.reason, ctx.now);
            ctx.refuse(&failure, None, Some(&target))
        }
    }
}

fn try_start(ctx: &Ctx<'_>, target: &str, overrides: AuthRequestOverrides<'_>) -> Result<Response, Failure> {
    let random = || random_text(ctx.host, RANDOM_BYTES);
    let mut state = random()?;
    if pending::was_restarted(ctx) {
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
        nonce: of_url("nonce")
            .filter(|n| !n.is_empty())
            .ok_or_else(|| broken("without a nonce"))?,
        target: target.to_owned(),
        since: ctx.now,
        form_post,
        step_up: overrides.acr.to_vec(),
        max_age: overrides.max_age.or(ctx.settings.access.max_age),
        silent: overrides.silent,
    };
    let mut response = Response::redirect(302, url.to_string());
    response.cookies = pending::begin(ctx, pending)?;
    ctx.stats.login(stats::Login::Begun, ctx.now);
    let step = match overrides {
        AuthRequestOverrides { silent: true, .. } => Step::SilentLoginStarted,
        AuthRequestOverrides { acr: [_, ..], .. } => Step::StepUpStarted,
        _ => Step::LoginStarted,
    };
    let reference = Reference::new(ctx.host);
    ctx.log(Level::Debug, || {
        format!("{}: to end at {target} [ref {}]", step.code(), reference.in_log())
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
        } else {
            settings.prompt
        },
        redirect_uri: settings.redirect_uri,
        custom_parameters: custom.map(|(n, v)| (n.clone(), v.as_str().into())).collect(),
        params: Map::new(),
    };
    let mut form_post = false;
    let params = &mut request.params;
    if let Some(age) = overrides.max_age.or(ctx.settings.access.max_age) {
        params.insert("max_age".into(), age.to_string().into());
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
