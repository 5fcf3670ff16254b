//! A session is found again in a request's cookies, alive or not.

use std::borrow::Cow;
use std::fmt;

use super::alive::{ends, last_use};
use super::env::SessionEnv;
use super::feed;
use super::identifier::Identifier;
use super::memory::{Own, SessionMemory};
use super::record::SessionRecord;
use super::tokens::{TokensAt, Written};
use super::{claims, cookies, moving};
use crate::base::{Failure, KeyRing, Purpose, Reason, Seconds};
use crate::config::{IdentitySettings, SessionSettings};
use crate::http::cookie;
use crate::shm::Mark;
use crate::shm::stats::Presented;

/// The most entries of a store that one request is looked for in.
const MOST_ENTRIES: usize = 4;

/// Where an identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A session.
    Session,
    /// A bearer token, which the record says nothing of but its claims.
    Bearer,
}

/// A session that a request brought along, or the same of a bearer token.
#[derive(Clone, Copy)]
pub struct Opened<'b> {
    /// Its content.
    pub record: &'b SessionRecord<'b>,
    /// When it was last used, as far as that is known without asking a store.
    pub used: Seconds,
    /// Where its tokens are.
    pub tokens: TokensAt<'b>,
    pub(super) bytes: &'b [u8],
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes hold the identifier.
        f.debug_struct("Opened")
            .field("record", &self.record)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// Finds and opens the session of a request. The record is written into memory that the caller provides, once for each
/// cookie that is tried.
///
/// `Ok(None)` for every cookie that is not a live session of this site: absent, altered, cut, foreign, expired, ended.
/// An error when the store is unavailable.
#[inline]
pub fn open<'b>(env: &SessionEnv<'_>, memory: &dyn SessionMemory<'b>) -> Result<Option<Opened<'b>>, Failure> {
    let opened = open_to_end(env, memory)?;
    if let Some(most) = env.settings.session().max_lag
        && opened.is_some()
    {
        hears_of_ends(env, most)?;
    }
    Ok(opened)
}

/// The same for a session that is to end: whatever happened to it on other machines meanwhile.
#[inline]
pub(super) fn open_to_end<'b>(
    env: &SessionEnv<'_>,
    memory: &dyn SessionMemory<'b>,
) -> Result<Option<Opened<'b>>, Failure> {
    let Some(header) = env.request.cookies() else {
        return Ok(None);
    };
    let opened = look(env, header, memory);
    let presented = match &opened {
        Ok(Some(_)) => Presented::Alive,
        Ok(None) if cookie::find(header, env.settings.cookie().name.as_bytes()).is_none() => {
            return opened;
        }
        Ok(None) => Presented::Refused,
        Err(_) => Presented::Unknown,
    };
    env.stats.presented(presented);
    opened
}

#[inline]
fn look<'b>(
    env: &SessionEnv<'_>,
    header: &[u8],
    memory: &dyn SessionMemory<'b>,
) -> Result<Option<Opened<'b>>, Failure> {
    // Filled in place: it is large to hand on.
    let mut found = cookie::Named::default();
    found.look(
        header,
        env.request.has_one_cookie(),
        env.settings.cookie().name.as_bytes(),
        cookies::OF_USE,
    );
    // Kept at once, for the same reason.
    let read = |bytes: &'b [u8]| SessionRecord::read(bytes).map(|record| memory.keep(record));
    let alive = |record: &'b SessionRecord<'b>, bytes, tokens| -> Result<Option<Opened<'b>>, Failure> {
        let used = last_use(env, record, found.suffixed())?;
        Ok(used.map(|used| Opened {
            record,
            used,
            tokens,
            bytes,
        }))
    };
    // A dead cookie of an old path or domain must not hide the current one: each candidate is tried.
    if let Some(entries) = env.entries() {
        for identifier in found
            .plain()
            .iter()
            .filter_map(|text| Identifier::of_cookie(text))
        {
            let key = identifier.key(env.site);
            // Ended on this machine, whatever the store says: the logout may not have reached the store.
            if env.memory.knows(Mark::of_entry(&key), env.now) || env.memory.knows(identifier.mark(), env.now)
            {
                continue;
            }
            let mut found = entries.session_into(&key, memory)?;
            if found.is_none() && env.settings.older_store.is_some() {
                found = match moving::moved(env, &entries, &key, memory)? {
                    None => entries.session_into(&key, memory)?,
                    moved => moved,
                };
            }
            if let Some(stored) = found
                && let Some(record) = read(stored.record)
                && identifier.is_of(record.strings.identifier)
                && let Some(opened) = alive(record, stored.record, TokensAt::Sealed(stored.sealed_tokens))?
            {
                return Ok(Some(opened));
            }
        }
        return Ok(None);
    }
    let open_sealed = |sealed: &[u8]| -> Result<Option<Opened<'b>>, Failure> {
        if sealed.len() > cookie::most_bytes() {
            return Ok(None);
        }
        let buffer = memory.bytes(KeyRing::buffer_len(sealed.len()));
        let keys = env.settings.keys;
        let opened = keys.open(Purpose::Session, env.site.as_str(), sealed, buffer);
        match opened.and_then(|bytes| read(bytes).map(|record| (record, &*bytes))) {
            Some((record, bytes)) => alive(record, bytes, TokensAt::Cookie),
            None => Ok(None),
        }
    };
    if found.plain().iter().any(|value| cookie::is_piece(value)) {
        for sealed in cookie::join(header, env.settings.cookie().name) {
            if let Some(opened) = open_sealed(&sealed)? {
                return Ok(Some(opened));
            }
        }
        return Ok(None);
    }
    for sealed in found.plain() {
        if let Some(opened) = open_sealed(sealed)? {
            return Ok(Some(opened));
        }
    }
    Ok(None)
}

/// Whether this machine has heard of ends on others a short enough time ago (`OxdRevocationsMaxLag`).
#[cold]
fn hears_of_ends(env: &SessionEnv<'_>, most: Seconds) -> Result<(), Failure> {
    if env.settings.session().revocations.is_none() {
        return Ok(());
    }
    match feed::lag(env.memory, env.millis) {
        Some(lag) if lag <= most.millis() => Ok(()),
        Some(lag) => Err(Failure::new(
            Reason::RevocationsLag,
            format!(
                "nothing was heard of ends on other machines for {} s",
                lag.seconds().0
            ),
        )),
        None => Err(Failure::new(
            Reason::RevocationsLag,
            "the ends on other machines have not been read since httpd started",
        )),
    }
}

/// The identifiers in a request's cookies; a bounded number.
pub(super) fn identifiers<'h>(env: &SessionEnv<'h>, header: &'h [u8]) -> impl Iterator<Item = Identifier> {
    cookie::find_all(header, env.settings.cookie().name.as_bytes())
        .filter_map(Identifier::of_cookie)
        .take(MOST_ENTRIES)
}

/// Looks at the session that the request's browser has, if it has one.
pub(crate) fn with_own<A>(
    env: &SessionEnv<'_>,
    look: impl FnOnce(Option<Opened<'_>>) -> A,
) -> Result<A, Failure> {
    let memory = Own::default();
    let opened = open(env, &&memory)?;
    Ok(look(opened))
}

/// The same for a session that is to end.
pub(super) fn with_own_to_end<A>(
    env: &SessionEnv<'_>,
    look: impl FnOnce(Option<Opened<'_>>) -> A,
) -> Result<A, Failure> {
    let memory = Own::default();
    let opened = open_to_end(env, &&memory)?;
    Ok(look(opened))
}

impl<'b> Opened<'b> {
    /// The identity of a token's record ([`super::record_of_token`]), which is copied.
    pub fn of_token(bytes: &[u8], memory: &dyn SessionMemory<'b>) -> Option<Self> {
        let bytes = memory.copy(bytes);
        let record = memory.keep(SessionRecord::read(bytes)?);
        Some(Self {
            record,
            used: record.seen,
            tokens: TokensAt::Nowhere,
            bytes,
        })
    }

    /// The session that has been written just now.
    pub fn of_written(written: &Written, now: Seconds, memory: &dyn SessionMemory<'b>) -> Option<Self> {
        let bytes = memory.copy(&written.record);
        Some(Self {
            record: memory.keep(SessionRecord::read(bytes)?),
            used: now,
            tokens: TokensAt::Open(memory.copy(&written.tokens)),
            bytes,
        })
    }

    /// The same session, opened a moment ago for the same site, if it is alive by these settings.
    pub fn reopened(self, settings: &SessionSettings<'_>, now: Seconds) -> Option<Self> {
        let alive = now < ends(self.record, settings) && now < self.used.saturating_add(settings.idle);
        alive.then_some(self)
    }

    /// Where it comes from.
    #[inline]
    pub fn via(&self) -> Via {
        match self.tokens {
            TokensAt::Nowhere => Via::Bearer,
            TokensAt::Cookie | TokensAt::Sealed(_) | TokensAt::Open(_) => Via::Session,
        }
    }

    /// The record as it was opened.
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// When the session ends at the latest.
    pub fn ends(&self, settings: &SessionSettings<'_>) -> Seconds {
        ends(self.record, settings)
    }

    /// Whether it should be written down that the session was used.
    ///
    /// Not at every request: the idle time is exact to this granularity, one to five seconds.
    pub fn is_due(&self, settings: &SessionSettings<'_>, now: Seconds) -> bool {
        now >= self
            .used
            .saturating_add(Seconds((settings.idle.0 / 100).clamp(1, 5)))
    }

    /// The user's name for the application; see [`user_name`].
    pub fn user(&self, settings: &IdentitySettings<'_>) -> Option<Cow<'b, [u8]>> {
        let has = |name: &str| self.record.claims().any(|claim| claim.is(name));
        if self.via() == Via::Bearer && !has("sub") {
            // A client that acts for itself has no subject.
            let client = if has("client_id") { "client_id" } else { "azp" };
            return name_of(self.record, settings, client);
        }
        user_name(self.record, settings)
    }

    /// The same as text, for people.
    pub fn user_text(&self, settings: &IdentitySettings<'_>) -> Option<String> {
        let name = self.user(settings)?;
        Some(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
    }

    /// A claim of the session as JSON.
    pub fn claim(&self, name: &str) -> Option<serde_json::Value> {
        let claim = self.record.claims().find(|claim| claim.is(name))?;
        Some(claims::claim_json(&claim))
    }
}

/// What a page calls a user: a name for people where there is one, or else what the application knows.
pub fn person(record: &SessionRecord<'_>, settings: &IdentitySettings<'_>) -> String {
    let named = ["name", "email", "preferred_username"].iter().find_map(|claim| {
        let text = record.claims().named(claim)?.text().to_vec();
        Some(String::from_utf8_lossy(&text).trim().to_owned()).filter(|text| !text.is_empty())
    });
    let known = || {
        let name = user_name(record, settings).unwrap_or_default();
        String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned()
    };
    named.unwrap_or_else(known).chars().take(PERSON_LIMIT).collect()
}

/// The longest name on a page, in characters.
const PERSON_LIMIT: usize = 200;

/// The value of `REMOTE_USER` (`OxdRemoteUser`). A value borrowed from the record ends with a NUL, so that C can read
/// it in place. `None` when the user lacks the claim or its value does not match the expression.
pub fn user_name<'r>(record: &SessionRecord<'r>, settings: &IdentitySettings<'_>) -> Option<Cow<'r, [u8]>> {
    name_of(record, settings, &settings.remote_user.claim)
}

/// The same of another claim than the directive names.
fn name_of<'r>(
    record: &SessionRecord<'r>,
    settings: &IdentitySettings<'_>,
    wanted: &str,
) -> Option<Cow<'r, [u8]>> {
    let rule = settings.remote_user;
    let claim = record.claims().named(wanted)?;
    let Some((pattern, replacement)) = &rule.rewrite else {
        return (claim.text_nul.len() > 1).then_some(Cow::Borrowed(claim.text_nul));
    };
    let text = std::str::from_utf8(claim.text()).ok()?;
    let mut user = String::new();
    pattern.captures(text)?.expand(replacement, &mut user);
    (!user.is_empty()).then(|| Cow::Owned(user.into_bytes()))
}

#[cfg(test)]
mod tests;
