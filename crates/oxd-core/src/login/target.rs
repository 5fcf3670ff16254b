//! Addresses: where a login begins, where it ends, and the links between.

use url::{Url, form_urlencoded};

use crate::base::Level;
use crate::http::{Origin, RequestEnv, is_plain_address};

/// The longest return address that a cookie takes, in bytes. A longer one is kept on the server.
pub(super) const COOKIE_LIMIT: usize = 1_500;
/// The longest return address, in bytes: httpd takes no longer request line by default.
pub(super) const LINK_LIMIT: usize = 8_000;

/// The requested address, in a form that a login may return to.
pub(crate) fn own_address(env: &RequestEnv<'_>) -> String {
    let target = env.request.target();
    if is_plain_address(&target) {
        return match target.len() > LINK_LIMIT {
            true => without_query(env, &target),
            false => target.into_owned(),
        };
    }
    let origin = env.origin();
    let Ok(url) = Url::parse(&origin.url_of(&target)) else {
        return fallback_address(env);
    };
    let local = &url[url::Position::BeforePath..url::Position::AfterQuery];
    // A path that begins with two slashes would be read as a host; whole, it can be read in one way only.
    let mut address = if local.starts_with("//") {
        url.to_string()
    } else {
        local.to_owned()
    };
    if address.len() > LINK_LIMIT {
        address = without_query(env, &address);
    }
    address
}

/// A shorter address in place of one that is too long to be kept during the login.
pub(super) fn without_query(env: &RequestEnv<'_>, address: &str) -> String {
    env.log(Level::Warning, || {
        format!(
            "an address of {} bytes is too long to be kept during the login: it ends without the query",
            address.len()
        )
    });
    let path = address.split('?').next().unwrap_or_default();
    if path.len() > COOKIE_LIMIT {
        return fallback_address(env);
    }
    path.to_owned()
}

/// A return address that also leads back from another host, where `OxdRedirectUri` has the provider send the browser to
/// one: a path would lead to a page of that host.
pub(super) fn from_elsewhere(env: &RequestEnv<'_>, target: String) -> String {
    if !target.starts_with('/') {
        return target;
    }
    let redirect = env.settings.login().redirect_uri;
    let Some(redirect) = redirect.and_then(|uri| Url::parse(uri).ok()) else {
        return target;
    };
    let own = env.origin();
    let host = redirect.host_str().unwrap_or_default();
    if Origin::new(redirect.scheme(), host, redirect.port_or_known_default()) == own {
        target
    } else {
        own.url_of(&target)
    }
}

/// Where a login ends that names no return address (`OxdDefaultUrl`).
pub(super) fn fallback_address(env: &RequestEnv<'_>) -> String {
    env.settings
        .login()
        .default_url
        .or(env.base)
        .unwrap_or("/")
        .to_owned()
}

/// The link that starts a login and returns to an address; `None` when no handler is known.
pub(crate) fn login_link(env: &RequestEnv<'_>, target: &str) -> Option<String> {
    let base = env.base?.trim_end_matches('/');
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", target)
        .finish();
    Some(format!("{base}/login?{query}"))
}

/// The same for a login in which the provider asks anew who the user is. Every provider has to heed `prompt=login`
/// (OpenID Connect Core 15.1), which cannot be said of `select_account`.
pub(crate) fn other_account_link(env: &RequestEnv<'_>, target: &str) -> Option<String> {
    login_link(env, target).map(|link| format!("{link}&prompt=login"))
}

/// Where a login can be started over: the handler's login, or the protected address itself.
pub(super) fn start_over(env: &RequestEnv<'_>, target: Option<&str>) -> Option<String> {
    match (target, env.base) {
        (Some(target), _) => login_link(env, target).or_else(|| Some(target.to_owned())),
        (None, Some(base)) => Some(format!("{}/login", base.trim_end_matches('/'))),
        (None, None) => None,
    }
}

/// An address of this location's handler.
pub(crate) fn below(env: &RequestEnv<'_>, name: &str) -> String {
    format!("{}/{name}", env.base.unwrap_or_default().trim_end_matches('/'))
}

#[cfg(test)]
mod tests;
