//! What is written of a session after it was made: that it was used, and new tokens or claims.

use super::{Opened, began, cookies, key_of, revoke};
use crate::access::authn::Ctx;
use crate::base::clock::Seconds;
use crate::base::crypto::Purpose;
use crate::base::reason::Failure;
use crate::session::record::Parts;
use crate::session::store::{Entries, Kind};
use crate::shm::memory::{About, Mark};

/// How long other requests that still carry the old cookie can find the new session, in seconds.
const NOTE_LASTS: Seconds = 600;
/// The least time for which this machine remembers a session's last use, in seconds.
const USE_LASTS: Seconds = 3_600;

/// Writes down that a session is used now; answers the cookies for that, or `None` when the session is over after all:
/// this is the moment at which a machine learns what others have ended.
pub fn touch(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Option<Vec<String>>, Failure> {
    let (parts, now) = (&session.parts, ctx.facts.now);
    let (Some(entries), Some(key)) = (Entries::of(ctx), key_of(parts)) else {
        return Ok(Some(vec![cookies::of_use(ctx, parts)?]));
    };
    let marks = [
        Mark::stored(parts.marks.user),
        Mark::stored(parts.marks.name),
        Mark::stored(parts.marks.sid),
        Some(Mark::of_site(entries.site)),
    ];
    for mark in marks.into_iter().flatten() {
        let ended = entries.get_time(&Kind::Ended.of_mark(entries.site, mark))?;
        if let Some(moment) = ended.filter(|moment| began(parts) <= *moment) {
            ctx.memory.end(mark, moment, parts.ends);
            revoke::end_entry(ctx, &entries, &key, parts.ends)?;
            return Ok(None);
        }
    }
    entries.put_time(ctx.outside, &Kind::Seen.beside(&key), now, parts.ends)?;
    let until = now.saturating_add(ctx.settings.idle().max(USE_LASTS));
    ctx.memory.touch(&parts.id, now, until.min(parts.ends));
    Ok(Some(Vec::new()))
}

/// Saves a new record of a session, for a request that has the session's lease; answers its cookies, or `None` when the session has been ended meanwhile.
pub fn publish(ctx: &Ctx<'_>, record: &[u8]) -> Result<Option<Vec<String>>, Failure> {
    let Some(parts) = Parts::read(record) else {
        return Ok(None);
    };
    if let (Some(entries), Some(key)) = (Entries::of(ctx), key_of(&parts)) {
        entries.put(ctx.outside, &key, record, parts.ends)?;
        // Whoever ends a session puts up the tomb before he takes the entry away: one of the two of us sees the other.
        if revoke::is_buried(ctx, &parts)? {
            entries.remove(&key)?;
            return Ok(None);
        }
        return Ok(Some(Vec::new()));
    }
    if revoke::is_buried(ctx, &parts)? {
        return Ok(None);
    }
    let lines = cookies::of_record(ctx, record)?;
    let sealed = ctx
        .keys
        .seal_bytes(ctx.outside, Purpose::Entry, &note_belongs(ctx, &parts.id), record)?;
    let (now, until) = (ctx.facts.now, ctx.facts.now.saturating_add(NOTE_LASTS));
    ctx.memory.keep_note(Mark::of_session(&parts.id), &sealed, until);
    if let Some(earlier) = parts.version.checked_sub(1) {
        ctx.memory.know(replaced(ctx, &parts.id, earlier), now, until);
    }
    Ok(Some(lines))
}

/// The cookies of a record that another request has published; `None` when the session has been ended meanwhile.
pub fn adopted(ctx: &Ctx<'_>, record: &[u8]) -> Result<Option<Vec<String>>, Failure> {
    let Some(parts) = Parts::read(record) else {
        return Ok(None);
    };
    if revoke::is_buried(ctx, &parts)? {
        return Ok(None);
    }
    match ctx.store {
        Some(_) => Ok(Some(Vec::new())),
        None => cookies::of_record(ctx, record).map(Some),
    }
}

/// Whether this version of a session has been replaced, although nobody knows any more by what: its refresh token has
/// been used, and must not be used again.
pub fn is_replaced(ctx: &Ctx<'_>, session: &Opened<'_>) -> bool {
    let parts = &session.parts;
    ctx.store.is_none()
        && ctx
            .memory
            .knows(replaced(ctx, &parts.id, parts.version), ctx.facts.now)
}

fn replaced(ctx: &Ctx<'_>, id: &[u8; 16], version: u64) -> Mark {
    let site = ctx.settings.effective_oxd_id().unwrap_or_default();
    let id = u128::from_le_bytes(*id).to_string();
    Mark::of(About::Replaced, site, &[&id, &version.to_string()])
}

fn note_belongs(ctx: &Ctx<'_>, id: &[u8; 16]) -> Vec<u8> {
    let site = ctx.settings.effective_oxd_id().unwrap_or_default();
    [&b"note"[..], id, site.as_bytes()].concat()
}

/// The record of the same session that another request has made meanwhile, if there is one.
pub fn newer(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let parts = &session.parts;
    let found = match (Entries::of(ctx), key_of(parts)) {
        (Some(entries), Some(key)) => entries.get(&key)?,
        _ => {
            let sealed = ctx.memory.note(Mark::of_session(&parts.id), ctx.facts.now);
            sealed.and_then(|sealed| {
                let mut buffer = vec![0; sealed.len()];
                let belongs = note_belongs(ctx, &parts.id);
                let opened = ctx
                    .keys
                    .open_bytes(Purpose::Entry, &belongs, &sealed, &mut buffer)?;
                Some(opened.to_vec())
            })
        }
    };
    let is_newer = |record: &Vec<u8>| {
        Parts::read(record).is_some_and(|other| other.id == parts.id && other.version > parts.version)
    };
    Ok(found.filter(is_newer))
}

/// What stands between two machines that want to refresh the same session of a shared store.
///
/// Stores cannot compare and set, so this is Fischer's algorithm: write one's own name where nobody's stands, wait
/// longer than a write takes, and go ahead if it still stands there.
pub mod between_machines {
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Longer than any write that began before ours was to be read, in milliseconds.
    const SETTLES_IN: Duration = Duration::from_millis(50);
    /// How long the name stands when its owner dies, in seconds.
    const STANDS: Seconds = 30;

    /// Whether this request may go ahead; whoever may must give it back with [`give_back`].
    pub fn claim(ctx: &Ctx<'_>, session: &Opened<'_>) -> Result<bool, Failure> {
        let entries = Entries::of(ctx).filter(|entries| entries.store.is_shared());
        let (Some(entries), Some(key)) = (entries, key_of(&session.parts)) else {
            return Ok(true);
        };
        let lease = Kind::Lease.beside(&key);
        if entries.get(&lease)?.is_some() {
            return Ok(false);
        }
        let mut name = [0; 8];
        ctx.outside.fill(&mut name)?;
        let until = crate::base::clock::wall().saturating_add(STANDS);
        entries.put(ctx.outside, &lease, &name, until)?;
        thread::sleep(SETTLES_IN);
        Ok(entries.get(&lease)?.as_deref() == Some(&name[..]))
    }

    /// Lets the next one in.
    pub fn give_back(ctx: &Ctx<'_>, session: &Opened<'_>) {
        let entries = Entries::of(ctx).filter(|entries| entries.store.is_shared());
        if let (Some(entries), Some(key)) = (entries, key_of(&session.parts)) {
            // A name that stays there runs out by itself.
            let _ = entries.remove(&Kind::Lease.beside(&key));
        }
    }
}
