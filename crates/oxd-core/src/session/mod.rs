//! Sessions: found again in a request's cookies, alive or not.
//!
//! A session is a record ([`crate::session::record`]). With `OxdSessionStore cookie` the browser holds it, sealed; with a store
//! the browser holds an identifier and the store holds the record. Either way the record itself is written only when
//! something in it changes. When the session was last used stands beside it (a small cookie, or a small entry), so that
//! two requests at once cannot undo what the other has written.

pub mod claims;
mod cookies;
mod create;
mod index;
pub mod record;
mod revoke;
pub mod store;
mod update;

pub use cookies::{NAME_OF_USE, clear};
pub use create::create;
pub use revoke::{Ended, end_all, end_marked, end_own, first_time, forget, is_known};
pub use update::{adopted, between_machines, is_replaced, newer, publish, touch};

use std::borrow::Cow;

use crate::access::authn::Ctx;
use crate::base::clock::{Millis, Seconds};
use crate::base::crypto::{KeyRing, Purpose};
use crate::base::reason::Failure;
use crate::config::settings::Settings;
use crate::http::cookie;
use crate::oxd::commands::refresh::Refreshed;
use crate::session::record::{Parts, Texts};
use crate::session::store::{Entries, Key, Kind, Store};
use crate::shm::memory::{Mark, Memory};
use crate::shm::stats::{Presented, Stats};

/// The longest sealed session that is looked at, in bytes: nine cookies of 4 KiB.
const LONGEST: usize = cookie::most_chunks() * 4096;
/// Characters of the identifier in a session cookie: 24 random bytes in base64url.
const IDENTIFIER: usize = 32;

/// Where the sessions of a place are, and what opens them.
#[derive(Clone, Copy)]
pub struct Keep<'a> {
    /// The place's settings.
    pub settings: &'a Settings<'a>,
    /// Its keys.
    pub keys: &'a KeyRing,
    /// What all processes remember.
    pub memory: Memory<'a>,
    /// Its store; `None` where sessions live in cookies.
    pub store: Option<&'a dyn Store>,
    /// What is counted.
    pub stats: Stats<'a>,
}

impl<'a> Keep<'a> {
    /// That of a request's place.
    pub fn of(ctx: &Ctx<'a>) -> Self {
        Self {
            settings: ctx.settings,
            keys: ctx.keys,
            memory: ctx.memory,
            store: ctx.store,
            stats: ctx.stats,
        }
    }

    fn site(&self) -> &'a str {
        self.settings.effective_oxd_id().unwrap_or_default()
    }

    fn entries(&self) -> Option<Entries<'a>> {
        Some(Entries {
            store: self.store?,
            keys: self.keys,
            site: self.site(),
        })
    }
}

/// A session that a request brought along.
#[derive(Debug)]
pub struct Opened<'b> {
    /// Its content.
    pub parts: Parts<'b>,
    /// When it was last used, as far as that is known without asking.
    pub used: Seconds,
    raw: &'b [u8],
}

/// Finds and opens the session of a request. The record lands in a buffer that the caller provides.
///
/// `Ok(None)` for every cookie that is not a live session of this site: absent, altered, cut, foreign, expired, ended.
/// An error when the store cannot be asked.
pub fn open<'b>(
    keep: &Keep<'_>,
    now: Seconds,
    cookies: &[u8],
    buffer: impl FnOnce(usize) -> &'b mut [u8],
) -> Result<Option<Opened<'b>>, Failure> {
    let opened = look(keep, now, cookies, buffer);
    let presented = match &opened {
        Ok(Some(_)) => Presented::Alive,
        Ok(None) if cookie::find(cookies, keep.settings.session_cookie().as_bytes()).is_none() => {
            return opened;
        }
        Ok(None) => Presented::Refused,
        Err(_) => Presented::Unknown,
    };
    keep.stats.presented(presented);
    opened
}

fn look<'b>(
    keep: &Keep<'_>,
    now: Seconds,
    cookies: &[u8],
    buffer: impl FnOnce(usize) -> &'b mut [u8],
) -> Result<Option<Opened<'b>>, Failure> {
    let Some(raw) = find(keep, now, cookies, buffer)? else {
        return Ok(None);
    };
    let Some(parts) = Parts::read(raw) else {
        return Ok(None);
    };
    let used = last_use(keep, now, &parts, cookies)?;
    Ok(used.map(|used| Opened { parts, used, raw }))
}

fn find<'b>(
    keep: &Keep<'_>,
    now: Seconds,
    cookies: &[u8],
    buffer: impl FnOnce(usize) -> &'b mut [u8],
) -> Result<Option<&'b [u8]>, Failure> {
    let Some(site) = keep.settings.effective_oxd_id() else {
        return Ok(None);
    };
    if let Some(entries) = keep.entries() {
        let Some(key) = entry_of(keep, cookies) else {
            return Ok(None);
        };
        // Ended here, whatever the store says: it may not have heard of it.
        if keep.memory.knows(Mark::of_entry(&key), now) {
            return Ok(None);
        }
        return Ok(entries.get_into(&key, buffer)?.map(|raw| &*raw));
    }
    let sealed = cookie::join(cookies, keep.settings.session_cookie());
    let Some(sealed) = sealed.filter(|sealed| sealed.len() <= LONGEST) else {
        return Ok(None);
    };
    let buffer = buffer(KeyRing::buffer_len(sealed.len()));
    Ok(keep
        .keys
        .open(Purpose::Session, site, &sealed, buffer)
        .map(|raw| &*raw))
}

/// The key of the entry that a request's cookie names, if the cookie looks like one of ours.
fn entry_of(keep: &Keep<'_>, cookies: &[u8]) -> Option<Key> {
    let identifier = cookie::find(cookies, keep.settings.session_cookie().as_bytes())?;
    let is_ours = identifier.len() == IDENTIFIER
        && identifier
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_ours.then(|| Kind::of_cookie(keep.site(), identifier))
}

/// When a session was last used; `None` when it is over.
fn last_use(
    keep: &Keep<'_>,
    now: Seconds,
    parts: &Parts<'_>,
    cookies: &[u8],
) -> Result<Option<Seconds>, Failure> {
    let alive = |used: Seconds| (now < used.saturating_add(keep.settings.idle())).then_some(used);
    if now >= ends(parts, keep.settings) || has_ended(keep, parts, now) {
        return Ok(None);
    }
    let known = match keep.store {
        None => cookies::claimed_use(keep, cookies),
        Some(_) => keep.memory.touched(&parts.id, now),
    };
    if alive(parts.seen).is_some() {
        // What a cookie claims decides only whether it is written again.
        return Ok(Some(known.unwrap_or(0).min(now).max(parts.seen)));
    }
    if keep.store.is_none() {
        return Ok(cookies::proven_use(keep, parts, cookies).and_then(alive));
    }
    if let Some(used) = known.and_then(alive) {
        return Ok(Some(used));
    }
    let (Some(entries), Some(key)) = (keep.entries(), key_of(parts)) else {
        return Ok(None);
    };
    Ok(entries.get_time(&Kind::Seen.beside(&key))?.and_then(alive))
}

/// The key of a session's own entry, as its record names it.
fn key_of(parts: &Parts<'_>) -> Option<Key> {
    parts.texts.key.try_into().ok()
}

/// When a session ends whatever happens.
fn ends(parts: &Parts<'_>, settings: &Settings<'_>) -> Seconds {
    parts.ends.min(parts.issued.saturating_add(settings.lifetime()))
}

/// When a session began.
fn began(parts: &Parts<'_>) -> Millis {
    parts
        .issued
        .saturating_mul(1_000)
        .saturating_add(parts.issued_millis)
}

/// Whether this machine knows that a session is over before its time.
fn has_ended(keep: &Keep<'_>, parts: &Parts<'_>, now: Seconds) -> bool {
    let moment = began(parts);
    let marks = [
        Some(Mark::of_session(&parts.id)),
        Mark::stored(parts.marks.user),
        Mark::stored(parts.marks.name),
        Mark::stored(parts.marks.sid),
        Some(Mark::of_site(keep.site())),
    ];
    marks
        .into_iter()
        .flatten()
        .any(|mark| keep.memory.has_ended(mark, moment, now))
}

/// Looks at the session that the request's browser has, if it has one.
pub fn with_own<A>(ctx: &Ctx<'_>, look: impl FnOnce(Option<Opened<'_>>) -> A) -> Result<A, Failure> {
    let mut buffer = Vec::new();
    let cookies = ctx.facts.headers.cookie.unwrap_or_default();
    let opened = open(&Keep::of(ctx), ctx.facts.now, cookies, |len| {
        buffer.resize(len, 0);
        &mut buffer
    })?;
    Ok(look(opened))
}

/// The session of a record that was opened a moment ago, for the same site, if it is alive by these settings.
pub fn reopen<'b>(settings: &Settings<'_>, now: Seconds, raw: &'b [u8], used: Seconds) -> Option<Opened<'b>> {
    let parts = Parts::read(raw)?;
    let alive = now < ends(&parts, settings) && now < used.saturating_add(settings.idle());
    alive.then_some(Opened { parts, used, raw })
}

impl<'b> Opened<'b> {
    /// The record itself.
    pub fn record(&self) -> &'b [u8] {
        self.raw
    }

    /// When the session ends at the latest.
    pub fn ends(&self, settings: &Settings<'_>) -> Seconds {
        ends(&self.parts, settings)
    }

    /// Whether it should be written down that the session was used.
    ///
    /// Not at every request: the idle time is exact to this granularity, one to five seconds.
    pub fn is_due(&self, settings: &Settings<'_>, now: Seconds) -> bool {
        now >= self.used.saturating_add((settings.idle() / 100).clamp(1, 5))
    }

    /// The session's record with refreshed tokens in it.
    pub fn with_tokens(&self, now: Seconds, refreshed: &Refreshed) -> Vec<u8> {
        let old = &self.parts.texts;
        let texts = Texts {
            access_token: refreshed.access_token.expose().as_bytes(),
            refresh_token: refreshed
                .refresh_token
                .as_ref()
                .map_or(old.refresh_token, |token| token.expose().as_bytes()),
            ..*old
        };
        Parts {
            seen: now,
            version: self.parts.version.saturating_add(1),
            access_expires: create::expiry(now, refreshed.expires_in),
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

#[cfg(test)]
mod tests;

#[cfg(test)]
mod store_tests;
