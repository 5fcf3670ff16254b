//! Addresses: where a login begins, where it ends, and the links between.

use url::{Url, form_urlencoded};

use crate::base::Level;
use crate::http::RequestEnv;

/// The longest return address, in bytes; it travels in a cookie.
pub(super) const TARGET_LIMIT: usize = 1_500;

/// The requested address, in a form that a login may return to.
pub(crate) fn own_address(env: &RequestEnv<'_>) -> String {
    let origin = env.origin();
    let Ok(url) = Url::parse(&origin.url_of(&env.request.target())) else {
        return fallback_address(env);
    };
    let local = &url[url::Position::BeforePath..url::Position::AfterQuery];
    // A path that begins with two slashes would be read as a host; whole, it can be read in one way only.
    let mut address = if local.starts_with("//") {
        url.to_string()
    } else {
        local.to_owned()
    };
    if address.len() > TARGET_LIMIT {
        env.log(Level::Info, || {
            "the address is too long to be kept during the login: its query is left out".into()
        });
        address.truncate(address.find('?').unwrap_or(address.len()));
        if address.len() > TARGET_LIMIT {
            return fallback_address(env);
        }
    }
    address
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
