//! A change of the store without a login: sessions of the older one (`OxdSessionStore`, its second value) are moved when
//! they are next used.

use super::alive::marks_of;
use super::env::SessionEnv;
use super::index;
use super::memory::SessionMemory;
use super::record::SessionRecord;
use super::store::{Entries, Stored, TimeKey};
use crate::base::{Failure, Key, Level, Replaced};

/// Finds a session in the older store, and moves it into the present one. `Ok(None)` where it is not there, or has ended
/// meanwhile: an end may have reached the present store alone.
pub(super) fn moved<'b>(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    memory: &dyn SessionMemory<'b>,
) -> Result<Option<Stored<&'b [u8]>>, Failure> {
    let Some(older) = env.older_entries() else {
        return Ok(None);
    };
    let Some(stored) = older.session_into(key, memory)? else {
        return Ok(None);
    };
    let Some(record) = SessionRecord::read(stored.record) else {
        return Ok(None);
    };
    if has_ended(env, entries, key, &record)? || has_ended(env, &older, key, &record)? {
        older.remove(key)?;
        return Ok(None);
    }
    let seen = TimeKey::seen(key);
    if let Some(used) = older.get_time(&seen)? {
        entries.put_time(env.host, &seen, used, record.ends)?;
    }
    if entries.put_moved_session(env.host, key, &record, &stored)? != Replaced::Done {
        // Another request has moved it, and may have changed it since; or it has ended.
        return Ok(None);
    }
    // The next login counts it (`OxdSessionMax`).
    index::add(env, entries, key, &record, usize::MAX)?;
    older.remove(key)?;
    // It may have been ended between the look and the write.
    if has_ended(env, entries, key, &record)? {
        entries.remove(key)?;
        return Ok(None);
    }
    env.log(Level::Debug, || "a session is moved from the older store".into());
    Ok(Some(stored))
}

fn has_ended(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    record: &SessionRecord<'_>,
) -> Result<bool, Failure> {
    if entries.get_time(&TimeKey::tombstone(key))?.is_some() {
        return Ok(true);
    }
    for mark in marks_of(env, record) {
        let ended = entries.get_time(&TimeKey::ended(entries.site, mark))?;
        if ended.is_some_and(|moment| record.began <= moment) {
            return Ok(true);
        }
    }
    Ok(false)
}
