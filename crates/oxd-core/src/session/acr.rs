//! The acr values that a user authenticated with before the login of a session, in the life of the sessions that the
//! browser had then, each with its time. That of the session itself is in its record.
//!
//! They are stored as lines of `acr login auth_time`, in Unix seconds; `auth_time` is 0 where the provider did not say.

use std::fmt::Write as _;

use crate::base::Seconds;
use crate::config::AccessSettings;

/// The most values in a history: the cookie must not grow with every login.
const MOST: usize = 7;

/// One authentication.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Authentication<'a> {
    /// The `acr` of the ID token.
    pub acr: &'a str,
    /// When the login ended.
    pub login: Seconds,
    /// When the user authenticated at the provider, if it said so.
    pub auth_time: Option<Seconds>,
}

fn lines(history: &[u8]) -> impl Iterator<Item = Authentication<'_>> {
    std::str::from_utf8(history)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (acr, login, auth_time) = (words.next()?, words.next()?, words.next()?);
            Some(Authentication {
                acr,
                login: login.parse().ok()?,
                auth_time: auth_time.parse().ok().filter(|time: &Seconds| !time.is_zero()),
            })
        })
}

/// The history of a session that follows another one with this history: the other's own authentication is added, and
/// those that have outlived a session's lifetime, or that the new one replaces, are left out.
pub(super) fn with_earlier(
    history: &[u8],
    earlier: Authentication<'_>,
    new_acr: &str,
    now: Seconds,
    lifetime: Seconds,
) -> String {
    let is_named = !earlier.acr.is_empty() && !earlier.acr.contains(|c: char| c.is_whitespace() || c == '\0');
    let mut kept: Vec<_> = lines(history)
        .filter(|old| old.acr != earlier.acr)
        .chain(is_named.then_some(earlier))
        .filter(|old| old.acr != new_acr && now < old.login.saturating_add(lifetime))
        .collect();
    let mut text = String::new();
    for old in kept.split_off(kept.len().saturating_sub(MOST)) {
        let auth_time = old.auth_time.unwrap_or_default();
        // Writing into a String does not fail.
        let _ = writeln!(text, "{} {} {auth_time}", old.acr, old.login);
    }
    text
}

/// Whether the user has authenticated with an acr recently enough for a location: within `OxdSessionLifetime` of that
/// login, and within `OxdMaxAge` of that authentication, which then must be known.
pub(crate) fn holds(
    history: &[u8],
    wanted: &str,
    access: &AccessSettings,
    lifetime: Seconds,
    now: Seconds,
) -> bool {
    lines(history).any(|old| {
        let is_young = access
            .max_age
            .is_none_or(|age| old.auth_time.is_some_and(|time| now <= time.saturating_add(age)));
        old.acr == wanted && now < old.login.saturating_add(lifetime) && is_young
    })
}
