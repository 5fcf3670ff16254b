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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_has_what_is_young_and_not_replaced() {
        const NOW: Seconds = Seconds(1_000_000);
        let one = |acr: &'static str, auth_time: Option<u64>| Authentication {
            acr,
            login: NOW - 10,
            auth_time: auth_time.map(Seconds),
        };
        let hour = Seconds(3_600);
        let after =
            |history: &str, earlier, new: &str| with_earlier(history.as_bytes(), earlier, new, NOW, hour);
        let line = |acr: &str, ago: u64| format!("{acr} {} 7\n", NOW - ago);
        assert_eq!(after("", one("pin", Some(7)), "u2f"), "pin 999990 7\n");
        assert_eq!(after("", one("pin", None), "u2f"), "pin 999990 0\n");
        assert_eq!(after("", one("pin", None), "pin"), "", "replaced by the new one");
        assert_eq!(after("", one("", None), "u2f"), "", "without a name");
        assert_eq!(after("", one("a b", None), "u2f"), "");
        assert_eq!(after("", one("a\0b", None), "u2f"), "");
        let history = [
            line("old", 3_600),
            line("young", 3_599),
            line("pin", 20),
            line("u2f", 5),
        ]
        .concat();
        assert_eq!(
            after(&history, one("pin", Some(7)), "u2f"),
            [line("young", 3_599), line("pin", 10)].concat(),
        );
        // The latest of many.
        let many: String = (0..9).map(|number| line(&format!("a{number}"), 100)).collect();
        let kept = after(&many, one("pin", Some(7)), "u2f");
        assert_eq!(kept.lines().count(), MOST);
        assert!(
            kept.starts_with("a3 ") && kept.ends_with("pin 999990 7\n"),
            "{kept}"
        );
    }
}
