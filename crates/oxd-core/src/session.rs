//! Sessions: made at the end of a login, found again in a request's cookies, renewed and ended.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::authn::Ctx;
use crate::claims;
use crate::clock::{Seconds, numeric_date};
use crate::cookie::{self, Attributes};
use crate::crypto::{KeyRing, Purpose};
use crate::oxd::api::{Refreshed, Tokens};
use crate::reason::{Failure, Reason};
use crate::record::{Parts, Texts};
use crate::settings::Settings;
use crate::state::{self, Pending};

/// The longest sealed session that is looked at, in bytes: nine cookies of 4 KiB.
const LONGEST: usize = cookie::most_chunks() * 4096;
/// What a request's `Cookie` header may hold besides the session and the cookies seen now, in bytes: room for one login
/// in progress.
const HEADER_SLACK: usize = 1_024;

/// A session that a request brought along.
#[derive(Debug)]
pub struct Opened<'b> {
    /// Its content.
    pub parts: Parts<'b>,
    raw: &'b [u8],
}

/// Finds and opens the session of a request. The record lands in a buffer that the caller provides.
///
/// `None` for every cookie that is not a live session of this site: absent, altered, cut, foreign, expired.
pub fn open<'b>(
    settings: &Settings<'_>,
    keys: &KeyRing,
    now: Seconds,
    cookies: &[u8],
    buffer: impl FnOnce(usize) -> &'b mut [u8],
) -> Option<Opened<'b>> {
    let sealed = cookie::join(cookies, settings.session_cookie())?;
    if sealed.len() > LONGEST {
        return None;
    }
    let site = settings.effective_oxd_id()?;
    let raw = keys.open(
        Purpose::Session,
        site,
        &sealed,
        buffer(KeyRing::buffer_len(sealed.len())),
    )?;
    reopen(settings, now, raw)
}

/// Looks at the session that the request's browser has, if it has one.
pub fn with_own<A>(ctx: &Ctx<'_>, look: impl FnOnce(Option<Opened<'_>>) -> A) -> A {
    let mut buffer = Vec::new();
    let cookies = ctx.facts.headers.cookie.unwrap_or_default();
    look(open(ctx.settings, ctx.keys, ctx.facts.now, cookies, |len| {
        buffer.resize(len, 0);
        &mut buffer
    }))
}

/// The session of a record that was opened before, for the same site, if it is alive.
pub fn reopen<'b>(settings: &Settings<'_>, now: Seconds, raw: &'b [u8]) -> Option<Opened<'b>> {
    let opened = Opened {
        parts: Parts::read(raw)?,
        raw,
    };
    let alive = now < opened.ends(settings) && now < opened.parts.seen.saturating_add(settings.idle());
    alive.then_some(opened)
}

impl<'b> Opened<'b> {
    /// The record itself.
    pub fn record(&self) -> &'b [u8] {
        self.raw
    }

    /// When the session ends at the latest.
    pub fn ends(&self, settings: &Settings<'_>) -> Seconds {
        self.parts
            .ends
            .min(self.parts.issued.saturating_add(settings.lifetime()))
    }

    /// Whether the cookie should be written anew, so that the time without a request is measured from now.
    ///
    /// Not at every request: the idle time is exact to this granularity, one to five seconds.
    pub fn is_due(&self, settings: &Settings<'_>, now: Seconds) -> bool {
        now >= self
            .parts
            .seen
            .saturating_add((settings.idle() / 100).clamp(1, 5))
    }

    /// The cookies of the renewed session.
    pub fn renewed(&self, ctx: &Ctx<'_>) -> Result<Vec<String>, Failure> {
        let mut record = self.raw.to_vec();
        record[..8].copy_from_slice(&ctx.facts.now.to_le_bytes());
        cookies_for(ctx, &record)
    }

    /// The session's record with refreshed tokens in it.
    pub fn with_tokens(&self, now: Seconds, refreshed: &Refreshed) -> Vec<u8> {
        let old = &self.parts.texts;
        let texts = Texts {
            access_token: refreshed.access_token.as_bytes(),
            refresh_token: refreshed
                .refresh_token
                .as_deref()
                .map_or(old.refresh_token, str::as_bytes),
            ..*old
        };
        let access_expires = expiry(now, refreshed.expires_in);
        Parts {
            seen: now,
            access_expires,
            texts,
            ..self.parts
        }
        .write()
    }

    /// The user's name for the application; see [`user_name`].
    pub fn user(&self, settings: &Settings<'_>) -> Option<Cow<'b, [u8]>> {
        user_name(&self.parts, settings)
    }
}

/// What becomes `REMOTE_USER` (`OxdRemoteUser`): ends with a NUL when it is borrowed from the record, so that it can
/// be handed on in place. `None` when the user lacks the claim or its value does not match the expression.
pub fn user_name<'r>(parts: &Parts<'r>, settings: &Settings<'_>) -> Option<Cow<'r, [u8]>> {
    let rule = settings.remote_user;
    let wanted = rule.map_or("sub", |rule| rule.claim.as_str()).as_bytes();
    let claim = parts.claims().find(|claim| claim.name == wanted)?;
    let Some((pattern, replacement)) = rule.and_then(|rule| rule.rewrite.as_ref()) else {
        return (claim.text_nul.len() > 1).then_some(Cow::Borrowed(claim.text_nul));
    };
    let text = std::str::from_utf8(claim.text()).ok()?;
    let mut user = String::new();
    pattern.captures(text)?.expand(replacement, &mut user);
    (!user.is_empty()).then(|| Cow::Owned(user.into_bytes()))
}

/// The cookies of a new session, from what oxd answered. The login in progress says where it ends.
pub fn create(
    ctx: &Ctx<'_>,
    tokens: &Tokens,
    merged: &Map<String, Value>,
    pending: &Pending,
) -> Result<Vec<String>, Failure> {
    let now = ctx.facts.now;
    let text = |name: &str| without_nul(merged.get(name).and_then(Value::as_str).unwrap_or_default());
    let (acr, sid, target) = (text("acr"), text("sid"), without_nul(&pending.target));
    let acrs = authentications(ctx, merged, &acr);
    // What this login was asked for and has not brought; asking again would loop.
    let refused: Vec<&str> = pending
        .step_up
        .iter()
        .map(String::as_str)
        .filter(|wanted| *wanted != acr)
        .collect();
    let refused = without_nul(&refused.join(" ")).into_owned();
    let (access, refresh, id) = (
        without_nul(&tokens.access_token),
        without_nul(tokens.refresh_token.as_deref().unwrap_or_default()),
        without_nul(&tokens.id_token),
    );
    let encoded = claims::encode(merged);
    let parts = Parts {
        seen: now,
        issued: now,
        ends: now.saturating_add(ctx.settings.lifetime()),
        auth_time: merged.get("auth_time").and_then(numeric_date).unwrap_or(0),
        access_expires: expiry(now, tokens.expires_in),
        informed: now,
        texts: Texts {
            acr: acr.as_bytes(),
            acrs: acrs.as_bytes(),
            refused: refused.as_bytes(),
            sid: sid.as_bytes(),
            target: target.as_bytes(),
            access_token: access.as_bytes(),
            refresh_token: refresh.as_bytes(),
            id_token: id.as_bytes(),
        },
        claims: &encoded,
    };
    cookies_for(ctx, &parts.write())
}

/// Every acr that this user has authenticated with: those of the session that the browser has, if it is the same
/// user's, and the new one.
fn authentications(ctx: &Ctx<'_>, merged: &Map<String, Value>, acr: &str) -> String {
    let same_user = |parts: &Parts<'_>| {
        ["sub", "iss"].iter().all(|name| {
            let claim = parts.claims().find(|claim| claim.name == name.as_bytes());
            claim.map(|claim| claims::claim_json(&claim)) == merged.get(*name).cloned()
        })
    };
    let history = |session: Opened<'_>| String::from_utf8_lossy(session.parts.texts.acrs).into_owned();
    let earlier = with_own(ctx, |session| {
        session.filter(|s| same_user(&s.parts)).map(history)
    });
    let mut lines: Vec<String> = earlier.unwrap_or_default().lines().map(str::to_owned).collect();
    if !acr.is_empty() && !acr.contains(char::is_whitespace) {
        lines.retain(|line| line.split(' ').next() != Some(acr));
        lines.push(format!("{acr} {}", ctx.facts.now));
    }
    // As many as any provider has ways of authenticating; the cookie must not grow with every login.
    let surplus = lines.len().saturating_sub(8);
    lines.split_off(surplus).join("\n")
}

/// `expires_in` as a point in time; 0 when it is unknown (oxd says -1).
fn expiry(now: Seconds, expires_in: Option<i64>) -> Seconds {
    expires_in
        .and_then(|s| u64::try_from(s).ok())
        .filter(|s| *s > 0)
        .map_or(0, |s| now.saturating_add(s))
}

/// Texts in a record are handed to C in place, and a NUL would cut them there.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Seals a record and writes its cookies; pieces left over from a longer one are taken away.
pub fn cookies_for(ctx: &Ctx<'_>, record: &[u8]) -> Result<Vec<String>, Failure> {
    let name = ctx.settings.session_cookie();
    let site = ctx.settings.effective_oxd_id().unwrap_or_default();
    let sealed = ctx.keys.seal(ctx.outside, Purpose::Session, site, record)?;
    let too_large = || {
        Failure::new(
            Reason::SessionTooLarge,
            format!(
                "a session of {} bytes does not fit into the {} bytes that httpd takes for the Cookie header",
                sealed.len(),
                ctx.facts.header_limit
            ),
        )
    };
    let pieces = cookie::cut(name, &sealed).ok_or_else(too_large)?;
    let (mut stale, mut logins) = (Vec::new(), Vec::new());
    let (mut others, mut in_logins) = (0, 0);
    for (existing, value) in cookie::all(ctx.facts.headers.cookie.unwrap_or_default()) {
        let bytes = existing.len() + value.len() + 3;
        match piece_index(existing, name) {
            Some(index) if index >= pieces.len() => stale.push(index),
            Some(_) => {}
            None if existing.starts_with(state::PREFIX.as_bytes()) => {
                in_logins += bytes;
                logins.push(String::from_utf8_lossy(existing));
            }
            None => others += bytes,
        }
    }
    let ours: usize = pieces
        .iter()
        .map(|(name, value)| name.len() + value.len() + 3)
        .sum();
    // A Cookie header over the limit would lock the browser out of the whole site with a 400 from httpd.
    if ours + others + HEADER_SLACK > ctx.facts.header_limit {
        return Err(too_large());
    }
    let attributes = Attributes::for_session(ctx.settings, ctx.facts);
    let mut lines: Vec<_> = pieces
        .iter()
        .map(|(name, value)| attributes.set(name, value, None))
        .collect();
    lines.extend(
        stale
            .iter()
            .map(|index| attributes.clear(&format!("{name}.{index}"))),
    );
    // The session goes before logins that other tabs have under way: those can be started again.
    if ours + others + in_logins + HEADER_SLACK > ctx.facts.header_limit {
        lines.extend(logins.iter().map(|login| attributes.clear(login)));
    }
    Ok(lines)
}

/// The cookies that end a session: an empty one for each piece that the request brought.
pub fn end(ctx: &Ctx<'_>) -> Vec<String> {
    let name = ctx.settings.session_cookie();
    let attributes = Attributes::for_session(ctx.settings, ctx.facts);
    let mut indexes: Vec<_> = cookie::all(ctx.facts.headers.cookie.unwrap_or_default())
        .filter_map(|(existing, _)| piece_index(existing, name))
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
        .into_iter()
        .map(|index| match index {
            0 => attributes.clear(name),
            _ => attributes.clear(&format!("{name}.{index}")),
        })
        .collect()
}

/// Which piece of a session a cookie is, if it is one.
fn piece_index(cookie: &[u8], name: &str) -> Option<usize> {
    match cookie.strip_prefix(name.as_bytes())? {
        [] => Some(0),
        [b'.', digit @ b'1'..=b'9'] => Some(usize::from(digit - b'0')),
        _ => None,
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
