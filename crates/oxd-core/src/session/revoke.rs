//! Sessions that end before their time: by their user, by the provider, by an administrator, by a newer one.
//!
//! First this machine's memory learns of it, for all of its processes at once; then the store, for all other machines.
//! A copy of a cookie, or a request that is about to write the session again, finds it dead either way.

use super::alive::{began, has_ended, key_of};
use super::env::SessionEnv;
use super::feed;
use super::index;
use super::open::{Opened, identifiers, with_own_to_end};
use super::record::SessionRecord;
use super::store::{Entries, TimeKey};
use super::tokens::Tokens;
use crate::base::{Failure, Key, Level, Millis, Seconds};
use crate::http::audit::Who;
use crate::http::cookie;
use crate::shm::Mark;

/// The most sessions of one browser that a logout ends.
const MOST_SESSIONS: usize = 4;
/// How long a tombstone stands: longer than any request that could still write the session.
const TOMBSTONE_STANDS: Seconds = Seconds(3_600);

/// The refresh token and id token of a session that has ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Its id token, for the provider (`id_token_hint`).
    pub id_token: Option<String>,
    /// Whose it was.
    pub who: Who<'static>,
}

/// Ends the session of the request's browser. `Ok(None)` when it has none.
///
/// When the store is unavailable, this machine still rejects the session's cookie; others do once they are told
/// (`OxdRevocations`).
pub(crate) fn end_own(env: &SessionEnv<'_>) -> Result<Option<Ended>, Failure> {
    let name = env.settings.cookie().name.as_bytes();
    let others = cookie::find_all(env.cookies(), name).skip(1).take(MOST_SESSIONS);
    let first = end_one(env)?;
    // A second cookie of the same name would keep the user signed in.
    for _ in others {
        end_one(env)?;
    }
    Ok(first)
}

fn end_one(env: &SessionEnv<'_>) -> Result<Option<Ended>, Failure> {
    let ended = with_own_to_end(env, |session| {
        session.map(|session| {
            let tokens = session.open_tokens(env);
            let id_token = tokens
                .as_deref()
                .and_then(Tokens::read)
                .map(|tokens| tokens.id_token);
            let id_token = id_token.map(|token| String::from_utf8_lossy(token).into_owned());
            let who = session.record.who().owned();
            end_opened(env, &session).map(|()| Ended {
                id_token: id_token.filter(|token| !token.is_empty()),
                who,
            })
        })
    });
    match ended {
        Ok(ended) => ended.transpose(),
        Err(failure) => {
            let moment = env.memory.moment(env.millis);
            for identifier in identifiers(env, env.cookies()) {
                end_for_all(env, identifier.mark(), moment, covers_all(env, moment));
            }
            Err(failure)
        }
    }
}

/// Ends one session.
pub(super) fn end_opened(env: &SessionEnv<'_>, session: &Opened<'_>) -> Result<(), Failure> {
    let record = &session.record;
    // Its own beginning, not now: the clock of the machine that made it may be ahead.
    let moment = env.millis.max(began(record));
    end_for_all(env, Mark::of_session(&record.id), moment, record.ends);
    match (env.entries(), key_of(env.site, record)) {
        (Some(entries), Some(key)) => {
            end_entry(env, &entries, &key, record.ends)?;
            index::remove(env, &entries, &key, record)
        }
        _ => Ok(()),
    }
}

fn bury_here(env: &SessionEnv<'_>, key: &Key, until: Seconds) {
    end_here(env, Mark::of_entry(key), env.millis, until);
}

/// Marks an end on this machine, and reports when the memory for such marks is full.
pub(super) fn end_here(env: &SessionEnv<'_>, mark: Mark, moment: Millis, until: Seconds) {
    env.memory.end(mark, moment, env.now, until);
    report_lost(env);
}

/// Marks an end here, and tells the other machines of it (`OxdRevocations`). What cannot be told now is kept, and told
/// later by the process that reads the stream.
fn end_for_all(env: &SessionEnv<'_>, mark: Mark, moment: Millis, until: Seconds) {
    let Some(others) = env.settings.session().revocations else {
        return end_here(env, mark, moment, until);
    };
    let ended = env.memory.end_to_tell(mark, moment, env.now, until);
    report_lost(env);
    let keep = env.memory.longest_lifetime().max(env.settings.session().lifetime);
    let told = feed::entry(env.host, others.keys(), &ended)
        .map_err(Failure::from)
        .and_then(|entry| Ok(others.append(&entry, keep)?));
    match told {
        Ok(()) => env.memory.told(&ended),
        Err(failure) => {
            env.memory.note_untold();
            env.log(Level::Warning, || {
                format!(
                    "the end of a session is kept, and told to other machines later: {}",
                    failure.log_line()
                )
            });
        }
    }
}

fn report_lost(env: &SessionEnv<'_>) {
    if let Some(lost) = env.memory.lost_to_report(env.now) {
        env.log(Level::Warning, || {
            format!(
                "shared memory for ended sessions is full: {lost} marks were given up before they expired, so a copied \
                 cookie of such a session may work again; a greater OxdSessionMarks makes room, and a shorter \
                 OxdSessionLifetime needs less"
            )
        });
    }
}

/// When the last session that began until this moment will have expired: the mark of an end lasts as long as any session
/// that it covers, wherever it was ordered. The moment is later than now where the clock was ahead, or is behind.
fn covers_all(env: &SessionEnv<'_>, moment: Millis) -> Seconds {
    let longest = env.memory.longest_lifetime().max(env.settings.session().lifetime);
    env.now.max(moment.seconds()).saturating_add(longest)
}

/// Ends a session by its key.
pub(super) fn end_entry(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    until: Seconds,
) -> Result<(), Failure> {
    bury_here(env, key, until);
    let stands = env.now.saturating_add(TOMBSTONE_STANDS);
    entries.bury(env.host, key, env.now, until.min(stands))?;
    match env.older_entries() {
        // Machines whose first store this is may be about to write it there.
        Some(older) => older.bury(env.host, key, env.now, until.min(stands)),
        None => Ok(()),
    }
}

/// Whether a session was ended while it was being written.
pub(super) fn is_buried(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> Result<bool, Failure> {
    if is_buried_here(env, record) {
        return Ok(true);
    }
    match (env.entries(), key_of(env.site, record)) {
        (Some(entries), Some(key)) => Ok(entries.get_time(&TimeKey::tombstone(&key))?.is_some()),
        _ => Ok(false),
    }
}

/// Whether this machine knows that a session was ended while it was being written.
pub(super) fn is_buried_here(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> bool {
    has_ended(env, record)
        || key_of(env.site, record).is_some_and(|key| env.memory.knows(Mark::of_entry(&key), env.now))
}

/// Ends all sessions with a mark that began until now.
pub(crate) fn end_marked(env: &SessionEnv<'_>, mark: Mark) -> Result<(), Failure> {
    let moment = env.memory.moment(env.millis);
    let until = covers_all(env, moment);
    end_for_all(env, mark, moment, until);
    let Some(entries) = env.entries() else {
        return Ok(());
    };
    let key = TimeKey::ended(entries.site, mark);
    let end = |session: &Key, ends: Seconds| end_entry(env, &entries, session, ends);
    for place in [Some(entries), env.older_entries()].into_iter().flatten() {
        place.put_time(env.host, &key, moment, until)?;
        index::end_each(env, &place, mark, end)?;
    }
    Ok(())
}

/// Whether any session may have a mark.
pub(crate) fn is_known(env: &SessionEnv<'_>, mark: Mark) -> Result<bool, Failure> {
    if env.memory.knows(mark, env.now) {
        return Ok(true);
    }
    if let Some(entries) = env.entries() {
        let older = env.older_entries();
        return Ok(index::is_listed(&entries, mark)?
            || older.is_some_and(|older| index::is_listed(&older, mark).unwrap_or(true)));
    }
    is_noted(env, mark)
}

/// Whether any machine has noted a mark as seen.
pub(crate) fn is_noted(env: &SessionEnv<'_>, mark: Mark) -> Result<bool, Failure> {
    if env.memory.knows(mark, env.now) {
        return Ok(true);
    }
    match env.facts().filter(|_| env.entries().is_none()) {
        Some(facts) => Ok(facts.get_time(&TimeKey::known(facts.site, mark))?.is_some()),
        None => Ok(false),
    }
}

/// Records a one-time value on all machines. Returns whether it was new.
pub(crate) fn first_time(env: &SessionEnv<'_>, mark: Mark, until: Seconds) -> Result<bool, Failure> {
    if let Some(entries) = env.facts() {
        let is_first = first_time_in(env, &entries, mark, until);
        // Without a session store, a machine can do without the others.
        if !is_first.or_else(|failure| match env.entries() {
            Some(_) => Err(failure),
            None => Ok(true),
        })? {
            return Ok(false);
        }
    }
    Ok(env.memory.first_time(mark, env.now, until))
}

fn first_time_in(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    mark: Mark,
    until: Seconds,
) -> Result<bool, Failure> {
    let key = TimeKey::used(entries.site, mark);
    if let Some(atomic) = entries.store.atomic() {
        let mut name = [0; 16];
        env.host.fill(&mut name)?;
        return Ok(atomic.lock(key.key(), &name, until)?);
    }
    if entries.get(key.key())?.is_some() {
        return Ok(false);
    }
    entries.put_time(env.host, &key, env.now, until)?;
    Ok(true)
}

/// Whether such a value was recorded.
pub(crate) fn is_used(env: &SessionEnv<'_>, mark: Mark) -> Result<bool, Failure> {
    if env.memory.knows(mark, env.now) {
        return Ok(true);
    }
    let Some(entries) = env.facts() else {
        return Ok(false);
    };
    let key = TimeKey::used(entries.site, mark);
    let found = match entries.store.atomic() {
        // Its entry is the name of a lock.
        Some(atomic) => atomic.exists(key.key()),
        None => entries.get(key.key()).map(|found| found.is_some()),
    };
    match found {
        Ok(found) => Ok(found),
        // Without a session store, a machine can do without the others.
        Err(_) if env.entries().is_none() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Ends all sessions of the site that began until now.
pub fn end_all(env: &SessionEnv<'_>) -> Result<(), Failure> {
    end_marked(env, Mark::of_site(env.site))
}

#[cfg(test)]
mod tests;
