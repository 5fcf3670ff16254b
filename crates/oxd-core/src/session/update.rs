//! Changes to a session after its creation: last use, new tokens, new claims.

use super::alive::{began, key_of, marks_of};
use super::env::SessionEnv;
use super::open::Opened;
use super::record::SessionRecord;
use super::store::TimeKey;
use super::tokens::Written;
use super::{cookies, revoke};
use crate::base::{Failure, Level, Purpose, Replaced, Seconds};
use crate::shm::{About, Mark, Note};

/// How long other requests that still carry the old cookie can find the new session.
const NOTE_LASTS: Seconds = Seconds(600);
/// The least time for which this machine remembers a session's last use.
const USE_LASTS: Seconds = Seconds(3_600);

/// Records that a session is used now. Returns the cookies for that, or `None` when the session has ended: at this
/// point a machine learns of logouts on other machines.
pub(crate) fn touch(env: &SessionEnv<'_>, session: &Opened<'_>) -> Result<Option<Vec<String>>, Failure> {
    let (record, now) = (&session.record, env.now);
    let (Some(entries), Some(key)) = (env.entries(), key_of(env.site, record)) else {
        let mut lines = cookies::of_other_domain(env);
        lines.push(cookies::of_use(env, record)?);
        return Ok(Some(lines));
    };
    for mark in marks_of(env, record) {
        let ended = entries.get_time(&TimeKey::ended(entries.site, mark))?;
        if let Some(moment) = ended.filter(|moment| began(record) <= *moment) {
            revoke::end_here(env, mark, moment, record.ends);
            revoke::end_entry(env, &entries, &key, record.ends)?;
            return Ok(None);
        }
    }
    entries.put_time(env.host, &TimeKey::seen(&key), now, record.ends)?;
    let until = now.saturating_add(env.settings.session().idle.max(USE_LASTS));
    env.memory.touch(&record.id, now, until.min(record.ends));
    Ok(Some(cookies::of_other_domain(env)))
}

/// Saves a new record of a session in place of the version that was read, for a request that has the session's lease;
/// answers its cookies, or `None` when the session has been ended meanwhile.
pub fn publish(env: &SessionEnv<'_>, read: u32, written: &Written) -> Result<Option<Vec<String>>, Failure> {
    let Some(record) = SessionRecord::read(&written.record) else {
        return Ok(None);
    };
    if let (Some(entries), Some(key)) = (env.entries(), key_of(env.site, &record)) {
        if revoke::is_buried_here(env, &record) {
            return Ok(None);
        }
        return match entries.replace_session(env.host, &key, read, &record, written)? {
            Replaced::Done => Ok(Some(Vec::new())),
            Replaced::Ended => Ok(None),
            Replaced::Changed if entries.session(&key)?.is_none() => Ok(None),
            Replaced::Changed => {
                env.log(Level::Info, || {
                    "another machine has refreshed this session meanwhile; its tokens stay".into()
                });
                Ok(Some(Vec::new()))
            }
        };
    }
    if revoke::is_buried(env, &record)? {
        return Ok(None);
    }
    let lines = cookies::of_session(env, &record, written)?;
    let aad = note_aad(env, &record.id);
    let sealed = env
        .settings
        .keys
        .seal_bytes(env.host, Purpose::Entry, &aad, &written.joined())?;
    let (now, until) = (env.now, env.now.saturating_add(NOTE_LASTS));
    env.memory
        .keep_note(Note::Session, Mark::of_session(&record.id), &sealed, until);
    if let Some(earlier) = record.version.checked_sub(1) {
        env.memory.know(replaced(env, &record.id, earlier), now, until);
    }
    Ok(Some(lines))
}

/// The cookies of a record that another request has published; `None` when the session has been ended meanwhile.
pub(crate) fn adopted(env: &SessionEnv<'_>, written: &Written) -> Result<Option<Vec<String>>, Failure> {
    let Some(record) = SessionRecord::read(&written.record) else {
        return Ok(None);
    };
    if revoke::is_buried(env, &record)? {
        return Ok(None);
    }
    match env.settings.store {
        Some(_) => Ok(Some(Vec::new())),
        None => cookies::of_session(env, &record, written).map(Some),
    }
}

/// Whether this version of a session has been replaced by one that is no longer known: its refresh token has
/// been used, and must not be used again.
pub(crate) fn is_replaced(env: &SessionEnv<'_>, session: &Opened<'_>) -> bool {
    let record = &session.record;
    env.settings.store.is_none()
        && env
            .memory
            .knows(replaced(env, &record.id, record.version), env.now)
}

fn replaced(env: &SessionEnv<'_>, id: &[u8; 16], version: u32) -> Mark {
    let id = u128::from_le_bytes(*id).to_string();
    Mark::of(About::Replaced, env.site, &[&id, &version.to_string()])
}

fn note_aad(env: &SessionEnv<'_>, id: &[u8; 16]) -> Vec<u8> {
    [&b"note"[..], id, env.site.as_str().as_bytes()].concat()
}

/// The same session as another request has written it meanwhile, if one has.
pub fn newer(env: &SessionEnv<'_>, session: &Opened<'_>) -> Result<Option<Written>, Failure> {
    let record = &session.record;
    let found = match (env.entries(), key_of(env.site, record)) {
        (Some(entries), Some(key)) => entries.session_whole(&key)?,
        _ => {
            let sealed = env
                .memory
                .note(Note::Session, Mark::of_session(&record.id), env.now);
            sealed.and_then(|sealed| {
                let mut buffer = vec![0; sealed.len()];
                let aad = note_aad(env, &record.id);
                let opened = env
                    .settings
                    .keys
                    .open_bytes(Purpose::Entry, &aad, &sealed, &mut buffer)?;
                Written::split(opened)
            })
        }
    };
    let is_newer = |written: &Written| {
        SessionRecord::read(&written.record)
            .is_some_and(|other| other.id == record.id && other.version > record.version)
    };
    Ok(found.filter(is_newer))
}
