//! Logins in progress: one sealed cookie each, which binds the state to this browser, this site, a return address and
//! a time. oxd checks only that a state is known to it, not whose it is.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::target::{COOKIE_LIMIT, fallback_address, without_query};
use crate::base::{Failure, Level, Purpose, Reason, Seconds, sha256_text};
use crate::http::cookie::{self, Attributes, LOGIN_PREFIX};
use crate::session::{self, SessionEnv};
use crate::shm::{About, Mark, Note};

/// The marker that a login was restarted a moment ago.
const RETRY: &str = "oxd_state.retry";
/// How long that marker counts.
const RETRY_SECONDS: Seconds = Seconds(60);
/// All state cookies of a browser together, in bytes: httpd refuses a `Cookie` header over 8190 bytes by default, and
/// the session needs most of that.
const TOTAL_LIMIT: usize = 3_000;
/// The least time for which a used state is stored.
const USED_LASTS: Seconds = Seconds(3_600);
/// Bytes of the `Cookie` header that are reserved for the application's cookies.
const SLACK: usize = 128;

/// A login in progress.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
pub(super) struct Pending {
    /// The state in the authorization URL.
    #[serde(rename = "s")]
    pub state: String,
    /// The nonce in the authorization URL.
    #[serde(rename = "n")]
    pub nonce: String,
    /// Where the login ends.
    #[serde(rename = "r")]
    pub target: String,
    /// When it began.
    #[serde(rename = "t")]
    pub since: Seconds,
    /// Whether the provider answers with a form (`response_mode=form_post`).
    #[serde(rename = "f", default)]
    pub form_post: bool,
    /// The acr values that a step-up asks for.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub step_up: Vec<String>,
    /// `OxdMaxAge` of the place that the login began at, in seconds.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Seconds>,
    /// Whether `target` stands in for a longer address, which is kept on the server.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_long: bool,
    /// The scopes that the login asks for, separated by spaces.
    #[serde(rename = "c", default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Whether this is no login, but a gathering of claims (UMA).
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gathering: bool,
    /// Whether the provider was asked to show no page (`prompt=none`).
    #[serde(rename = "q", default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}

fn cookie_name(state: &str) -> String {
    // Not the state itself: a cookie's name may end up in a log.
    format!("{LOGIN_PREFIX}{}", &sha256_text(state.as_bytes())[..16])
}

/// The cookie of a new login, and cookies that delete the oldest ones when there are too many.
///
/// A return address that does not fit into a cookie, or not beside a large session, is kept on the server.
pub(super) fn begin(env: &SessionEnv<'_>, mut pending: Pending) -> Result<Vec<String>, Failure> {
    let name = cookie_name(&pending.state);
    let mut earlier = under_way(env);
    let header = env.request.cookies().map_or(0, <[u8]>::len);
    let others = header - earlier.iter().map(|login| login.bytes).sum::<usize>().min(header);
    let room = env
        .request
        .header_limit()
        .saturating_sub(others + SLACK)
        .min(TOTAL_LIMIT);

    if pending.target.len() > COOKIE_LIMIT {
        shorten(env, &mut pending)?;
    }
    let mut sealed = sealed(env, &pending)?;
    if name.len() + sealed.len() > room {
        shorten(env, &mut pending)?;
        sealed = self::sealed(env, &pending)?;
    }
    let lifetime = env.settings.login().state_timeout;
    let attributes = Attributes::for_state(env, pending.form_post);
    let mut lines = vec![attributes.set(&name, &sealed, Some(lifetime))];

    // Newest first; browsers send cookies of one path in the order in which they got them (RFC 6265 section 5.4).
    earlier.reverse();
    earlier.sort_by_key(|login| std::cmp::Reverse(login.since));
    let most = env.settings.login().state_max as usize;
    let mut total = name.len() + sealed.len();
    for (index, login) in earlier.iter().enumerate() {
        total += login.bytes;
        let too_old = login.since.saturating_add(lifetime) <= env.now;
        if too_old || index + 1 >= most || total > room {
            lines.push(attributes.clear(&login.name));
        }
    }
    Ok(lines)
}

/// Keeps a long return address on the server: in the store, or in the memory of this machine.
fn shorten(env: &SessionEnv<'_>, pending: &mut Pending) -> Result<(), Failure> {
    let until = env.now.saturating_add(env.settings.login().state_timeout);
    let long = std::mem::take(&mut pending.target);
    pending.is_long = session::keep_text(env, Note::Login, used(env, pending), &long, until)?;
    pending.target = if pending.is_long {
        fallback_address(env)
    } else {
        without_query(env, &long)
    };
    Ok(())
}

fn sealed(env: &SessionEnv<'_>, pending: &Pending) -> Result<String, Failure> {
    let text = serde_json::to_vec(pending).map_err(|e| Failure::new(Reason::Internal, e.to_string()))?;
    Ok(env
        .settings
        .keys
        .seal(env.host, Purpose::State, env.site.as_str(), &text)?)
}

/// The login that a returned state belongs to, if this browser has it under way at this site and in time.
pub(super) fn find(env: &SessionEnv<'_>, state: &str) -> Option<Pending> {
    of_state(env, state).filter(|pending| !pending.is_gathering)
}

/// A gathering of claims that this browser has under way.
pub(crate) struct Gathering {
    /// The page that it was begun for.
    pub target: String,
    /// The cookie that ends it.
    pub end: String,
}

/// Begins a gathering of claims for the page `target`, and binds it to this browser; answers the cookies.
pub(crate) fn begin_gathering(
    env: &SessionEnv<'_>,
    state: String,
    target: String,
) -> Result<Vec<String>, Failure> {
    let pending = Pending {
        state,
        nonce: String::new(),
        target,
        since: env.now,
        form_post: false,
        step_up: Vec::new(),
        max_age: None,
        is_long: false,
        scope: String::new(),
        is_gathering: true,
        silent: false,
    };
    begin(env, pending)
}

/// The gathering that a returned state belongs to, once.
pub(crate) fn take_gathering(env: &SessionEnv<'_>, state: &str) -> Option<Gathering> {
    let pending = of_state(env, state).filter(|pending| pending.is_gathering)?;
    take(env, &pending).then(|| Gathering {
        end: end(env, &pending.state),
        target: pending.target,
    })
}

fn of_state(env: &SessionEnv<'_>, state: &str) -> Option<Pending> {
    let header = env.request.cookies()?;
    let sealed = cookie::find(header, cookie_name(state).as_bytes())?;
    let mut pending = opened(env, sealed)?;
    let same: bool = pending.state.as_bytes().ct_eq(state.as_bytes()).into();
    let in_time = env.now < pending.since.saturating_add(env.settings.login().state_timeout);
    if !(same && in_time) {
        return None;
    }
    if pending.is_long {
        match session::kept_text(env, Note::Login, used(env, &pending)) {
            Some(target) => pending.target = target,
            None => env.log(Level::Warning, || {
                "the long address of this login was not kept: it ends at the default address".into()
            }),
        }
    }
    Some(pending)
}

/// Marks a pending login as used; `false` when it was already used, with a copy of its cookie.
pub(super) fn take(env: &SessionEnv<'_>, pending: &Pending) -> bool {
    // At least as long as any handler of the site accepts the cookie.
    let lasts = env.settings.login().state_timeout.max(USED_LASTS);
    let until = pending.since.saturating_add(lasts);
    env.memory.first_time(used(env, pending), env.now, until)
}

/// Takes that back, where oxd has not seen the code yet and the browser may try again.
pub(super) fn give_back(env: &SessionEnv<'_>, pending: &Pending) {
    env.memory.forget(used(env, pending));
}

fn used(env: &SessionEnv<'_>, pending: &Pending) -> Mark {
    Mark::of(About::State, env.site, &[&pending.state])
}

/// The cookie that ends a login in progress.
pub(super) fn end(env: &SessionEnv<'_>, state: &str) -> String {
    Attributes::for_state(env, false).clear(&cookie_name(state))
}

/// The marker for a restarted login.
pub(super) fn mark_restart(env: &SessionEnv<'_>) -> Result<String, Failure> {
    let sealed = env.settings.keys.seal(
        env.host,
        Purpose::Retry,
        env.site.as_str(),
        env.now.to_string().as_bytes(),
    )?;
    Ok(Attributes::for_state(env, false).set(RETRY, &sealed, Some(RETRY_SECONDS)))
}

/// Whether a login of this browser was restarted within the last minute.
pub(super) fn was_restarted(env: &SessionEnv<'_>) -> bool {
    let since = || {
        let sealed = cookie::find(env.request.cookies()?, RETRY.as_bytes())?;
        let text = env
            .settings
            .keys
            .open_owned(Purpose::Retry, env.site.as_str(), sealed)?;
        std::str::from_utf8(&text).ok()?.parse::<Seconds>().ok()
    };
    since().is_some_and(|since| env.now < since.saturating_add(RETRY_SECONDS))
}

/// The cookie that takes the marker away, if the browser has it.
pub(super) fn unmark(env: &SessionEnv<'_>) -> Option<String> {
    cookie::find(env.request.cookies()?, RETRY.as_bytes())?;
    Some(Attributes::for_state(env, false).clear(RETRY))
}

struct UnderWay {
    name: String,
    since: Seconds,
    bytes: usize,
}

/// The pending logins of this site in this browser. Cookies of other sites cannot be decrypted and are not touched.
fn under_way(env: &SessionEnv<'_>) -> Vec<UnderWay> {
    cookie::all(env.cookies())
        .filter_map(|(name, value)| {
            let name_text = std::str::from_utf8(name).ok()?;
            let is_state = name_text.starts_with(LOGIN_PREFIX) && name_text != RETRY;
            let since = is_state.then(|| opened(env, value))??.since;
            Some(UnderWay {
                name: name_text.to_owned(),
                since,
                bytes: name.len() + value.len() + 3,
            })
        })
        .collect()
}

fn opened(env: &SessionEnv<'_>, sealed: &[u8]) -> Option<Pending> {
    let text = env
        .settings
        .keys
        .open_owned(Purpose::State, env.site.as_str(), sealed)?;
    serde_json::from_slice(&text).ok()
}
