//! Whether a session is alive, by its record and what this machine knows.

use super::cookies;
use super::env::SessionEnv;
use super::identifier::Identifier;
use super::record::SessionRecord;
use super::store::TimeKey;
use crate::base::{Failure, Key, Millis, Seconds, SiteId};
use crate::config::SessionSettings;
use crate::shm::Mark;

/// When a session was last used; `None` when it is over. `uses` are the values of the request's last-used cookies.
pub(super) fn last_use(
    env: &SessionEnv<'_>,
    record: &SessionRecord<'_>,
    uses: &[&[u8]],
) -> Result<Option<Seconds>, Failure> {
    let (now, settings) = (env.now, &env.settings.session());
    let alive = |used: Seconds| (now < used.saturating_add(settings.idle)).then_some(used);
    if now >= ends(record, settings) || has_ended(env, record) {
        return Ok(None);
    }
    let known = match env.settings.store {
        None => cookies::claimed_use(uses),
        Some(_) => env.memory.touched(&record.id, now),
    };
    if alive(record.seen).is_some() {
        // The time in the cookie only decides whether the cookie is written again.
        return Ok(Some(known.unwrap_or_default().min(now).max(record.seen)));
    }
    if env.settings.store.is_none() {
        return Ok(cookies::proven_use(env, record, uses).and_then(alive));
    }
    if let Some(used) = known.and_then(alive) {
        return Ok(Some(used));
    }
    let (Some(entries), Some(key)) = (env.entries(), key_of(env.site, record)) else {
        return Ok(None);
    };
    Ok(entries.get_time(&TimeKey::seen(&key))?.and_then(alive))
}

/// The key of a session's own entry, as its record names it.
pub(super) fn key_of(site: SiteId<'_>, record: &SessionRecord<'_>) -> Option<Key> {
    Identifier::of_record(record.strings.identifier).map(|identifier| identifier.key(site))
}

/// When a session ends whatever happens.
pub(super) fn ends(record: &SessionRecord<'_>, settings: &SessionSettings<'_>) -> Seconds {
    record.ends.min(record.issued.saturating_add(settings.lifetime))
}

/// When a session began.
pub(super) fn began(record: &SessionRecord<'_>) -> Millis {
    record.began
}

/// The marks that sessions are ended by together: of its user, of the provider's session, of the site.
pub(super) fn marks_of(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> impl Iterator<Item = Mark> {
    [
        Mark::stored(record.marks.user),
        Mark::stored(record.marks.name),
        Mark::stored(record.marks.sid),
        Some(Mark::of_site(env.site)),
    ]
    .into_iter()
    .flatten()
}

/// Whether this machine knows that a session is over before its time.
#[inline]
pub(super) fn has_ended(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> bool {
    let moment = began(record);
    env.memory.observe(moment);
    let ended = |mark: Mark| env.memory.has_ended(mark, moment, env.now);
    let stored = |word: u64| Mark::stored(word).is_some_and(ended);
    // Those of `marks_of`, one by one: each request asks for all.
    ended(Mark::of_session(&record.id))
        || stored(record.marks.user)
        || stored(record.marks.name)
        || stored(record.marks.sid)
        || ended(Mark::of_site(env.site))
}
