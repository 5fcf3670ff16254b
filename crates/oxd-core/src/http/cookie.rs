//! Cookies: finding them in a `Cookie` header (RFC 6265 section 4.2), cutting long values, and writing `Set-Cookie`.

use std::borrow::Cow;

use super::env::RequestEnv;
use crate::base::Seconds;
use crate::config::{CookieSecure, SameSite};

/// The longest value that one cookie gets, in bytes. Browsers take 4096 for name, value and attributes together.
const CHUNK: usize = 3_700;
/// The most cookies that one session is read from: a number from the client must not decide how much work is done.
const MAX_CHUNKS: usize = 9;

/// The most cookies of one name that are tried: those that a browser sends are two or three.
const MOST_CANDIDATES: usize = 4;

/// Prefix of the names of all cookies of pending logins.
pub const LOGIN_PREFIX: &str = "oxd_state.";

/// The cookies of a `Cookie` header, as (name, value), in order.
pub fn all(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(header).filter_map(|pair| {
        let equals = memchr::memchr(b'=', pair)?;
        Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
    })
}

/// The first cookie of that name.
#[inline]
pub fn find<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    pairs(header).find_map(|pair| {
        let value = pair.strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.trim_ascii_end())
    })
}

/// The values of a name and of the same name with a suffix, found in one pass; at most [`MOST_CANDIDATES`] of each.
#[derive(Default)]
pub struct Named<'h> {
    plain: Few<'h>,
    suffixed: Few<'h>,
}

/// A few values.
#[derive(Default)]
struct Few<'h> {
    values: [&'h [u8]; MOST_CANDIDATES],
    count: usize,
}

impl<'h> Few<'h> {
    fn push(&mut self, value: &'h [u8]) {
        if let Some(place) = self.values.get_mut(self.count) {
            *place = value.trim_ascii_end();
            self.count += 1;
        }
    }
}

impl<'h> Named<'h> {
    /// Looks for them; the suffix ends with `=`. `is_alone`: the header is known to have one cookie.
    #[inline]
    pub fn look(&mut self, header: &'h [u8], is_alone: bool, name: &[u8], suffix: &[u8]) {
        if is_alone {
            self.look_at(header.trim_ascii_start(), name, suffix);
        } else {
            pairs(header).for_each(|pair| self.look_at(pair, name, suffix));
        }
    }

    #[inline]
    fn look_at(&mut self, pair: &'h [u8], name: &[u8], suffix: &[u8]) {
        let Some(rest) = pair.strip_prefix(name) else {
            return;
        };
        if let Some(value) = rest.strip_prefix(b"=") {
            self.plain.push(value);
        } else if let Some(value) = rest.strip_prefix(suffix) {
            self.suffixed.push(value);
        }
    }

    /// The values of the name.
    pub fn plain(&self) -> &[&'h [u8]] {
        &self.plain.values[..self.plain.count]
    }

    /// The values of the name with the suffix.
    pub fn suffixed(&self) -> &[&'h [u8]] {
        &self.suffixed.values[..self.suffixed.count]
    }
}

/// Whether a value is the first piece of one that [`cut`] has cut.
pub fn is_piece(value: &[u8]) -> bool {
    matches!(value, [b'2'..=b'9', b'.', ..])
}

/// The cookies of that name, in order: an old cookie with another path or domain may come with the current one.
pub fn find_all<'h>(header: &'h [u8], name: &[u8]) -> impl Iterator<Item = &'h [u8]> {
    pairs(header)
        .filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix(b"="))
        .map(<[u8]>::trim_ascii_end)
}

/// The header without the cookies that `unwanted` matches by name; `None` when none matches. Parts without `=` stay:
/// browsers do send cookies without a name.
pub fn without(header: &[u8], unwanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let is_unwanted =
        |pair: &[u8]| memchr::memchr(b'=', pair).is_some_and(|equals| unwanted(pair[..equals].trim_ascii()));
    if !pairs(header).any(is_unwanted) {
        return None;
    }
    let mut kept = Vec::with_capacity(header.len());
    for pair in pairs(header).filter(|pair| !pair.is_empty() && !is_unwanted(pair)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair.trim_ascii_end());
    }
    Some(kept)
}

/// A `Cookie` header, taken apart.
#[derive(Debug, PartialEq)]
pub struct Split {
    /// Whether the header has one cookie alone.
    pub is_alone: bool,
    /// All cookies, where the header as it came would not be read so.
    pub whole: Option<Vec<u8>>,
    /// Those of others.
    pub others: Vec<u8>,
}

/// Takes a header apart into the module's own cookies and others; `None` when none is the module's.
///
/// httpd joins two `Cookie` fields of one request with a comma, which also stands in cookies of other applications: it
/// ends a cookie of the module, and begins one where the module's name follows. A name with the prefix `__Host-` or
/// `__Secure-` never begins there for the module: a cookie of any name, which another host of the domain may set, could
/// hold the text.
pub fn split(header: &[u8], is_own: impl Fn(&[u8]) -> bool) -> Option<Split> {
    let own_pair = |pair: &[u8]| {
        let equals = pair.iter().position(|byte| *byte == b'=');
        equals.is_some_and(|equals| is_own(pair[..equals].trim_ascii()))
    };
    match memchr::memchr2(b';', b',', header) {
        // Nearly always a session cookie alone.
        None => {
            return own_pair(header).then_some(Split {
                is_alone: true,
                whole: None,
                others: Vec::new(),
            });
        }
        Some(_) if memchr::memchr(b',', header).is_none() => {
            return without(header, is_own).map(|others| Split {
                is_alone: false,
                whole: None,
                others,
            });
        }
        Some(_) => {}
    }
    let is_prefixed = |field: &[u8]| {
        let starts = |prefix: &[u8]| {
            field
                .get(..prefix.len())
                .is_some_and(|f| f.eq_ignore_ascii_case(prefix))
        };
        starts(b"__Host-") || starts(b"__Secure-")
    };
    // Each with whether it follows a comma.
    let mut fields: Vec<(&[u8], bool)> = Vec::new();
    for pair in pairs(header).filter(|pair| !pair.is_empty()) {
        // A name has no comma, so that each part between two of them is looked at once.
        let (mut start, mut at, mut is_ours) = (0, 0, false);
        for part in pair.split(|byte| *byte == b',') {
            let begins = own_pair(part);
            if at > 0 && (is_ours || begins) {
                fields.push((pair[start..at - 1].trim_ascii(), start > 0));
                start = at;
            }
            if start == at {
                is_ours = begins;
            }
            at += part.len() + 1;
        }
        fields.push((pair[start..].trim_ascii(), start > 0));
    }
    if !fields.iter().any(|(field, _)| own_pair(field)) {
        return None;
    }
    let joined = |fields: &[&[u8]]| fields.join(&b"; "[..]);
    let is_trusted = |field: &&(&[u8], bool)| !(field.1 && own_pair(field.0) && is_prefixed(field.0));
    let whole: Vec<_> = fields
        .iter()
        .filter(is_trusted)
        .map(|(field, _)| *field)
        .collect();
    let others: Vec<_> = fields
        .iter()
        .map(|(field, _)| *field)
        .filter(|field| !own_pair(field))
        .collect();
    Some(Split {
        is_alone: false,
        whole: Some(joined(&whole)),
        others: joined(&others),
    })
}

/// The text between semicolons, without leading white space.
fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let current = rest?;
        let (pair, next) = match memchr::memchr(b';', current) {
            Some(end) => (&current[..end], Some(&current[end + 1..])),
            None => (current, None),
        };
        rest = next;
        Some(pair.trim_ascii_start())
    })
}

/// The values of that name that [`cut`] may have cut, put together again; at most [`MOST_CANDIDATES`]. One of which a
/// piece is missing is left out.
///
/// Cookies of one path and domain come in the same order, so the pieces of the first value are the first of their names,
/// or, where another value has fewer pieces, the last.
pub fn join<'h>(header: &'h [u8], name: &str) -> impl Iterator<Item = Cow<'h, [u8]>> {
    let firsts = find_all(header, name.as_bytes())
        .take(MOST_CANDIDATES)
        .enumerate();
    firsts.flat_map(move |(at, first)| {
        let [count @ b'2'..=b'9', b'.', start @ ..] = first else {
            return vec![Cow::Borrowed(first)];
        };
        let count = usize::from(count - b'0');
        let mut joined = vec![Some(start.to_vec()), Some(start.to_vec())];
        let mut differ = false;
        for index in 1..count {
            let name = format!("{name}.{index}");
            let pieces: Vec<_> = find_all(header, name.as_bytes()).take(MOST_CANDIDATES).collect();
            differ |= pieces.len() > 1;
            for (whole, piece) in joined.iter_mut().zip([pieces.get(at), pieces.last()]) {
                match (whole.as_mut(), piece) {
                    (Some(text), Some(piece)) => text.extend_from_slice(piece),
                    _ => *whole = None,
                }
            }
        }
        joined.truncate(if differ || joined[0].is_none() { 2 } else { 1 });
        joined.into_iter().flatten().map(Cow::Owned).collect()
    })
}

/// Cuts a value into cookies that a browser takes: (name, value). `None` when it would take too many.
pub fn cut(name: &str, value: &str) -> Option<Vec<(String, String)>> {
    if value.len() <= CHUNK {
        return Some(vec![(name.to_owned(), value.to_owned())]);
    }
    let count = value.len().div_ceil(CHUNK);
    if count > MAX_CHUNKS {
        return None;
    }
    let piece = |index: usize| &value[index * CHUNK..value.len().min((index + 1) * CHUNK)];
    Some(
        (0..count)
            .map(|index| match index {
                0 => (name.to_owned(), format!("{count}.{}", piece(0))),
                _ => (format!("{name}.{index}"), piece(index).to_owned()),
            })
            .collect(),
    )
}

/// The longest value that is put together of cookies, in bytes; those beyond are never read.
pub const fn most_bytes() -> usize {
    MAX_CHUNKS * 4096
}

/// The attributes that all cookies of a place share.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    path: &'a str,
    domain: Option<&'a str>,
    same_site: SameSite,
    secure: bool,
    further: &'a [String],
}

impl<'a> Attributes<'a> {
    /// For session cookies.
    pub fn for_session(env: &RequestEnv<'a>) -> Self {
        let cookie = &env.settings.cookie();
        let secure = match cookie.secure {
            CookieSecure::On => true,
            CookieSecure::Off => false,
            CookieSecure::Auto => env.origin().is_https(),
        };
        Self {
            path: cookie.path,
            domain: cookie.domain,
            same_site: cookie.same_site,
            secure,
            further: cookie.attributes,
        }
    }

    /// The attributes for cookies of pending logins.
    ///
    /// The browser must send them with the provider's redirect, a cross-site navigation: `Strict` would suppress them.
    /// With `response_mode=form_post` that navigation is a POST, which needs `None`, and `None` needs `Secure`. Over
    /// plain http neither works, so there it stays `Lax`.
    pub fn for_state(env: &RequestEnv<'a>, form_post: bool) -> Self {
        let session = Self::for_session(env);
        let same_site = if form_post && session.secure {
            SameSite::None
        } else {
            SameSite::Lax
        };
        Self { same_site, ..session }
    }

    /// The same for a cookie of this host alone where `OxdCookieDomain` is set, and of the host as a domain where not.
    pub fn of_other_domain(self, host: &'a str) -> Self {
        Self {
            domain: if self.domain.is_some() { None } else { Some(host) },
            ..self
        }
    }

    /// The same for a cookie of another path.
    pub fn at_path(self, path: &'a str) -> Self {
        Self { path, ..self }
    }

    /// A `Set-Cookie` value; without `max_age` the cookie lasts until the browser closes.
    pub fn set(&self, name: &str, value: &str, max_age: Option<Seconds>) -> String {
        let mut line = format!("{name}={value}; Path={}", self.path);
        if let Some(domain) = self.domain {
            line.push_str("; Domain=");
            line.push_str(domain);
        }
        if let Some(seconds) = max_age {
            line.push_str(&format!("; Max-Age={seconds}"));
        }
        line.push_str("; HttpOnly");
        line.push_str(match self.same_site {
            SameSite::Lax => "; SameSite=Lax",
            SameSite::Strict => "; SameSite=Strict",
            SameSite::None => "; SameSite=None",
        });
        if self.secure {
            line.push_str("; Secure");
        }
        for attribute in self.further {
            line.push_str("; ");
            line.push_str(attribute);
        }
        line
    }

    /// A `Set-Cookie` value that takes the cookie away.
    pub fn clear(&self, name: &str) -> String {
        // Browsers use Max-Age; Expires is for clients that only know that.
        format!(
            "{}; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            self.set(name, "", Some(Seconds::ZERO))
        )
    }
}

#[cfg(test)]
mod tests;
