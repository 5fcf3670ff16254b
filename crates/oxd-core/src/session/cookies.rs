//! The cookies of a session: its record or its identifier, its tokens, and when it was last used.

use super::env::SessionEnv;
use super::record::SessionRecord;
use super::tokens::{self, Written};
use crate::base::{Failure, LeBytes as _, Purpose, Reason, Seconds, path_below};
use crate::http::cookie::{self, Attributes};

/// Suffix of the last-used cookie.
pub(crate) const LAST_USED_SUFFIX: &str = ".seen";
/// The same with the `=` behind it.
pub(super) const OF_USE: &[u8] = b".seen=";
/// Bytes of a `Cookie` header reserved for one pending login and the last-used cookie, beside the session and the
/// cookies of the current request.
pub(super) const HEADER_SLACK: usize = 1_152;

fn name_of_use(env: &SessionEnv<'_>) -> String {
    [env.settings.cookie().name, LAST_USED_SUFFIX].concat()
}

/// The last use of the session from the cookie's plain digits: enough to decide whether to write the cookie again.
pub(super) fn claimed_use(uses: &[&[u8]]) -> Option<Seconds> {
    let digits = |value: &&[u8]| -> Option<Seconds> {
        let digits = value.split(|b| *b == b'.').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    uses.iter().filter_map(digits).max()
}

/// When the session was last used, from the sealed half of that cookie, which belongs to this session only.
pub(super) fn proven_use(
    env: &SessionEnv<'_>,
    record: &SessionRecord<'_>,
    uses: &[&[u8]],
) -> Option<Seconds> {
    uses.iter().find_map(|value| {
        let dot = value.iter().position(|b| *b == b'.')?;
        let text = env
            .settings
            .keys
            .open_owned(Purpose::Seen, &use_aad(env, record), &value[dot + 1..])?;
        Some(Seconds::from_le_bytes(text.try_into().ok()?))
    })
}

/// The additional data of the sealed time: it belongs to one session of one site.
fn use_aad(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> String {
    let id = u128::from_le_bytes(record.id);
    format!("{id:032x} {}", env.site.as_str())
}

/// The last-used cookie with the current time.
pub(super) fn of_use(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> Result<String, Failure> {
    let (env, now) = (env, env.now);
    let sealed =
        env.settings
            .keys
            .seal(env.host, Purpose::Seen, &use_aad(env, record), &now.to_le_bytes())?;
    let attributes = Attributes::for_session(env);
    Ok(attributes.set(&name_of_use(env), &format!("{now}.{sealed}"), None))
}

/// The cookies that delete a second session cookie of the same name, which the browser keeps beside the current one
/// since `OxdCookieDomain` was added or removed. A cookie of another path cannot be told from another site's.
pub(super) fn of_other_domain(env: &SessionEnv<'_>) -> Vec<String> {
    let name = env.settings.cookie().name;
    if cookie::find_all(env.cookies(), name.as_bytes()).count() < 2 {
        return Vec::new();
    }
    let origin = env.origin();
    let attributes = Attributes::for_session(env).of_other_domain(origin.host());
    present(env)
        .into_iter()
        .map(|(existing, piece)| for_piece(attributes, env, piece).clear(&existing))
        .collect()
}

/// The lines that take away a cookie of a session: at the other path, too, if it is one of tokens, which an earlier
/// configuration may have given that path. A second one would be sent along with each request to the handler.
fn taken_away(env: &SessionEnv<'_>, attributes: Attributes<'_>, name: &str, piece: Piece) -> Vec<String> {
    let mut lines = vec![for_piece(attributes, env, piece).clear(name)];
    lines.extend(at_other_path(env, attributes, name, piece));
    lines
}

fn at_other_path(
    env: &SessionEnv<'_>,
    attributes: Attributes<'_>,
    name: &str,
    piece: Piece,
) -> Option<String> {
    let Piece::Tokens(_) = piece else {
        return None;
    };
    let cookie = env.settings.cookie();
    let other = match cookie.tokens_path {
        Some(path) => Some(cookie.path).filter(|other| *other != path),
        None => env.base.filter(|other| *other != cookie.path),
    };
    // Only there could the browser have sent it.
    let other = other.filter(|other| path_below(other, &env.request.path()).is_some())?;
    Some(attributes.at_path(other).clear(name))
}

/// The attributes of one of a session's cookies: that of tokens has a path of its own, where no page wants them.
fn for_piece<'a>(attributes: Attributes<'a>, env: &SessionEnv<'a>, piece: Piece) -> Attributes<'a> {
    match (piece, env.settings.cookie().tokens_path) {
        (Piece::Tokens(_), Some(path)) => attributes.at_path(path),
        _ => attributes,
    }
}

/// The cookies of a session in a store: the identifier; pieces and times of an earlier one go.
pub(super) fn of_identifier(env: &SessionEnv<'_>, identifier: &str) -> Vec<String> {
    let name = env.settings.cookie().name;
    let attributes = Attributes::for_session(env);
    let mut lines = vec![attributes.set(name, identifier, None)];
    lines.extend(
        present(env)
            .into_iter()
            .filter(|(existing, _)| existing != name)
            .flat_map(|(existing, piece)| taken_away(env, attributes, &existing, piece)),
    );
    lines.extend(of_other_domain(env));
    lines
}

/// Seals a session and writes its cookies; leftover pieces of a longer one are deleted.
pub(super) fn of_session(
    env: &SessionEnv<'_>,
    record: &SessionRecord<'_>,
    written: &Written,
) -> Result<Vec<String>, Failure> {
    let (keys, name) = (env.settings.keys, env.settings.cookie().name);
    let sealed = keys.seal(env.host, Purpose::Session, env.site.as_str(), &written.record)?;
    let aad = tokens::aad(env.site, &record.id);
    let sealed_tokens = keys.seal(env.host, Purpose::Tokens, &aad, &written.tokens)?;
    let too_large = || {
        Failure::new(
            Reason::SessionTooLarge,
            format!(
                "a session of {} bytes does not fit into the {} bytes that httpd takes for the Cookie header",
                sealed.len() + sealed_tokens.len(),
                env.request.header_limit()
            ),
        )
    };
    let pieces = cookie::cut(name, &sealed).ok_or_else(too_large)?;
    let token_pieces = cookie::cut(&tokens::cookie_name(name), &sealed_tokens).ok_or_else(too_large)?;
    let (mut stale, mut logins, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
    let (mut others, mut in_logins) = (0, 0);
    for (existing, value) in cookie::all(env.cookies()) {
        let bytes = existing.len() + value.len() + 3;
        match Piece::of(existing, name) {
            Some(piece @ Piece::Number(index)) if index >= pieces.len() => {
                stale.push((String::from_utf8_lossy(existing), piece));
            }
            Some(piece @ Piece::Tokens(index)) if index >= token_pieces.len() => {
                stale.push((String::from_utf8_lossy(existing), piece));
            }
            Some(piece) => elsewhere.extend(at_other_path(
                env,
                Attributes::for_session(env),
                &String::from_utf8_lossy(existing),
                piece,
            )),
            None if existing.starts_with(cookie::LOGIN_PREFIX.as_bytes()) => {
                in_logins += bytes;
                logins.push(String::from_utf8_lossy(existing));
            }
            None => others += bytes,
        }
    }
    // What the browser sends to the handler: all of them, whatever the path of the tokens is.
    let ours: usize = pieces
        .iter()
        .chain(&token_pieces)
        .map(|(name, value)| name.len() + value.len() + 3)
        .sum();
    // A Cookie header over the limit would lock the browser out of the whole site with a 400 from httpd.
    if ours + others + HEADER_SLACK > env.request.header_limit() {
        return Err(too_large());
    }
    let attributes = Attributes::for_session(env);
    let mut lines: Vec<_> = pieces
        .iter()
        .map(|(name, value)| attributes.set(name, value, None))
        .collect();
    let for_tokens = for_piece(attributes, env, Piece::Tokens(0));
    lines.extend(
        token_pieces
            .iter()
            .map(|(name, value)| for_tokens.set(name, value, None)),
    );
    lines.extend(
        stale
            .into_iter()
            .flat_map(|(existing, piece)| taken_away(env, attributes, &existing, piece)),
    );
    lines.extend(elsewhere);
    // The session cookie is deleted before pending logins of other tabs: those can be restarted.
    if ours + others + in_logins + HEADER_SLACK > env.request.header_limit() {
        lines.extend(logins.iter().map(|login| attributes.clear(login)));
    }
    lines.extend(of_other_domain(env));
    Ok(lines)
}

/// The cookies that end a session: an empty one for each that the request brought.
pub fn clear(env: &SessionEnv<'_>) -> Vec<String> {
    let attributes = Attributes::for_session(env);
    present(env)
        .into_iter()
        .flat_map(|(name, piece)| taken_away(env, attributes, &name, piece))
        .collect()
}

/// The session's cookies that the request brought, each name once.
fn present(env: &SessionEnv<'_>) -> Vec<(String, Piece)> {
    let name = env.settings.cookie().name;
    let mut found: Vec<_> = cookie::all(env.cookies())
        .filter_map(|(existing, _)| {
            let piece = Piece::of(existing, name)?;
            Some((String::from_utf8_lossy(existing).into_owned(), piece))
        })
        .collect();
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    found.dedup_by(|(a, _), (b, _)| a == b);
    found
}

/// Which of a session's cookies one is.
#[derive(Clone, Copy)]
enum Piece {
    /// The first, or one of those that a long session is cut into.
    Number(usize),
    /// The same of the tokens.
    Tokens(usize),
    /// That of last use.
    Use,
}

impl Piece {
    fn of(cookie: &[u8], name: &str) -> Option<Piece> {
        let number = |rest: &[u8]| match rest {
            [] => Some(0),
            [b'.', digit @ b'1'..=b'9'] => Some(usize::from(digit - b'0')),
            _ => None,
        };
        let rest = cookie.strip_prefix(name.as_bytes())?;
        if rest == LAST_USED_SUFFIX.as_bytes() {
            return Some(Piece::Use);
        }
        match rest.strip_prefix(tokens::COOKIE_SUFFIX.as_bytes()) {
            Some(rest) => number(rest).map(Piece::Tokens),
            None => number(rest).map(Piece::Number),
        }
    }
}

#[cfg(test)]
mod tests;
