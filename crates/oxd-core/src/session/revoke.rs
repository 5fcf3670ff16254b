//! Sessions that end before their time: by their user, by the provider, by an administrator, by a newer one.
//!
//! First this machine's memory learns of it, for all of its processes at once; then the store, for all other machines.
//! A copy of a cookie, or a request that is about to write the session again, finds it dead either way.

use super::{Keep, Opened, began, entry_of, index, key_of, with_own};
use crate::access::authn::Ctx;
use crate::base::clock::Seconds;
use crate::base::reason::Failure;
use crate::session::record::Parts;
use crate::session::store::{Entries, Key, Kind};
use crate::shm::memory::Mark;

/// How long a tomb stands: longer than any request that could still write the session, in seconds.
const TOMB_STANDS: Seconds = 3_600;

/// What a session leaves behind that was ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Its id token, for the provider (`id_token_hint`).
    pub id_token: Option<String>,
}

/// Ends the session of the request's browser. `Ok(None)` when it has none.
///
/// When the store cannot be told, this machine still takes the session's cookie no more.
pub fn end_own(ctx: &Ctx<'_>) -> Result<Option<Ended>, Failure> {
    let ended = with_own(ctx, |session| {
        session.map(|session| {
            let id_token = String::from_utf8_lossy(session.parts.texts.id_token).into_owned();
            end_opened(ctx, &session).map(|()| Ended {
                id_token: Some(id_token).filter(|token| !token.is_empty()),
            })
        })
    });
    match ended {
        Ok(ended) => ended.transpose(),
        Err(failure) => {
            let cookies = ctx.facts.headers.cookie.unwrap_or_default();
            if let Some(key) = entry_of(&Keep::of(ctx), cookies) {
                bury_here(ctx, &key, ctx.facts.now.saturating_add(ctx.settings.lifetime()));
            }
            Err(failure)
        }
    }
}

/// Ends one session.
pub(super) fn end_opened(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<(), Failure> {
    let parts = &session.parts;
    // Its own beginning, not now: the clock of the machine that made it may be ahead.
    let moment = ctx.facts.millis.max(began(parts));
    ctx.memory.end(Mark::of_session(&parts.id), moment, parts.ends);
    match (Entries::of(ctx), key_of(parts)) {
        (Some(entries), Some(key)) => {
            end_entry(ctx, &entries, &key, parts.ends)?;
            index::remove(ctx, &entries, &key, parts)
        }
        _ => Ok(()),
    }
}

fn bury_here(ctx: &Ctx<'_>, key: &Key, until: Seconds) {
    ctx.memory.know(Mark::of_entry(key), ctx.facts.now, until);
}

/// Ends a session by its key.
pub(super) fn end_entry(
    ctx: &Ctx<'_>,
    entries: &Entries<'_>,
    key: &Key,
    until: Seconds,
) -> Result<(), Failure> {
    bury_here(ctx, key, until);
    let now = ctx.facts.now;
    // Before the entry goes: whoever writes the entry afterwards looks for the tomb.
    let tomb = Kind::Tomb.beside(key);
    entries.put_time(
        ctx.outside,
        &tomb,
        now,
        until.min(now.saturating_add(TOMB_STANDS)),
    )?;
    entries.remove(key)?;
    Ok(entries.remove(&Kind::Seen.beside(key))?)
}

/// Whether a session was ended while it was being written.
pub(super) fn is_buried(ctx: &Ctx<'_>, parts: &Parts<'_>) -> Result<bool, Failure> {
    let now = ctx.facts.now;
    if super::has_ended(&Keep::of(ctx), parts, now) {
        return Ok(true);
    }
    match (Entries::of(ctx), key_of(parts)) {
        (Some(entries), Some(key)) => Ok(ctx.memory.knows(Mark::of_entry(&key), now)
            || entries.get_time(&Kind::Tomb.beside(&key))?.is_some()),
        _ => Ok(false),
    }
}

/// Ends all sessions with a mark that began until now.
pub fn end_marked(ctx: &Ctx<'_>, mark: Mark) -> Result<(), Failure> {
    let until = end_all_here(ctx, mark);
    let Some(entries) = Entries::of(ctx) else {
        return Ok(());
    };
    let key = Kind::Ended.of_mark(entries.site, mark);
    entries.put_time(ctx.outside, &key, ctx.facts.millis, until)?;
    for (session, ends) in index::take(ctx, &entries, mark)? {
        end_entry(ctx, &entries, &session, ends)?;
    }
    Ok(())
}

fn end_all_here(ctx: &Ctx<'_>, mark: Mark) -> Seconds {
    let until = ctx.facts.now.saturating_add(ctx.settings.lifetime());
    ctx.memory.end(mark, ctx.facts.millis, until);
    until
}

/// Whether any session may have a mark.
pub fn is_known(ctx: &Ctx<'_>, mark: Mark) -> Result<bool, Failure> {
    if ctx.memory.knows(mark, ctx.facts.now) {
        return Ok(true);
    }
    match Entries::of(ctx) {
        Some(entries) => Ok(entries.get(&Kind::Index.of_mark(entries.site, mark))?.is_some()),
        None => Ok(false),
    }
}

/// Remembers what may happen only once, on all machines; answers whether it was the first time.
pub fn first_time(ctx: &Ctx<'_>, mark: Mark, until: Seconds) -> Result<bool, Failure> {
    if let Some(entries) = Entries::of(ctx) {
        let key = Kind::Used.of_mark(entries.site, mark);
        if entries.get(&key)?.is_some() {
            return Ok(false);
        }
        entries.put_time(ctx.outside, &key, ctx.facts.now, until)?;
    }
    Ok(ctx.memory.first_time(mark, ctx.facts.now, until))
}

/// Takes that back.
pub fn forget(ctx: &Ctx<'_>, mark: Mark) {
    ctx.memory.forget(mark);
    if let Some(entries) = Entries::of(ctx) {
        // What stays there only refuses a second attempt.
        let _ = entries.remove(&Kind::Used.of_mark(entries.site, mark));
    }
}

/// Ends all sessions of the site that began until now.
pub fn end_all(ctx: &Ctx<'_>) -> Result<(), Failure> {
    let site = ctx.settings.effective_oxd_id().unwrap_or_default();
    end_marked(ctx, Mark::of_site(site))
}
