//! Which sessions in a store belong together: all of a user, all that came from one session at the provider.
//!
//! httpd's stores know neither lists nor comparisons, so that a list is read, changed and written under a lease of this
//! machine. Two machines that change one at the same moment may lose an element: then the session still learns from the
//! mark beside the list that it is over ([`super::update`]), only a few seconds later.

use std::thread;
use std::time::Duration;

use super::env::SessionEnv;
use super::open::last_use;
use super::record::SessionRecord;
use super::store::{Entries, Kind};
use crate::base::{Failure, Key, LeBytes as _, Seconds, wall};
use crate::shm::{Lease, Mark};

/// The most sessions in a list; the oldest are removed first.
const MOST: usize = 200;
/// Bytes of an element: the session's key, when it began, when it ends.
const ELEMENT: usize = 48;
/// How long to wait for the lock of a list. Its holder needs a few milliseconds, or has died.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a list is leased for, if its owner dies.
const LEASED_FOR: Seconds = Seconds(10);

/// One session of a list.
pub(super) struct Element {
    /// The key of its entry.
    pub key: Key,
    issued: Seconds,
    /// When it ends.
    pub ends: Seconds,
}

fn read(bytes: &[u8]) -> Vec<Element> {
    let number = |bytes: &[u8]| bytes.try_into().map_or(Seconds::ZERO, Seconds::from_le_bytes);
    bytes
        .chunks_exact(ELEMENT)
        .filter_map(|chunk| {
            Some(Element {
                key: chunk[..32].try_into().ok()?,
                issued: number(&chunk[32..40]),
                ends: number(&chunk[40..]),
            })
        })
        .collect()
}

fn write(elements: &[Element]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(elements.len() * ELEMENT);
    for element in elements {
        bytes.extend_from_slice(&element.key);
        bytes.extend_from_slice(&element.issued.to_le_bytes());
        bytes.extend_from_slice(&element.ends.to_le_bytes());
    }
    bytes
}

/// Waits for the list of a mark.
fn lease<'a>(env: &SessionEnv<'a>, mark: Mark) -> Option<Lease<'a>> {
    let mut waited = Duration::ZERO;
    loop {
        let now = wall();
        if let Some(lease) = env.memory.lease(mark, now, now.saturating_add(LEASED_FOR)) {
            return Some(lease);
        }
        if waited >= PATIENCE {
            return None;
        }
        waited += Duration::from_millis(1);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Changes the list of a mark.
fn change(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    mark: Mark,
    alter: impl FnOnce(&mut Vec<Element>),
) -> Result<(), Failure> {
    let _lease = lease(env, mark);
    let key = Kind::Index.of_mark(entries.site, mark);
    let mut elements = entries.get(&key)?.map_or_else(Vec::new, |bytes| read(&bytes));
    elements.retain(|element| element.ends > env.now);
    alter(&mut elements);
    elements.drain(..elements.len().saturating_sub(MOST));
    match elements.iter().map(|element| element.ends).max() {
        Some(until) => entries.put(env.host, &key, &write(&elements), until),
        None => Ok(entries.remove(&key)?),
    }
}

/// Puts a new session into the lists of its marks; answers those of its user that are too many (`OxdSessionMax`).
pub(super) fn add(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    record: &SessionRecord<'_>,
) -> Result<Vec<Element>, Failure> {
    let element = || Element {
        key: *key,
        issued: record.issued,
        ends: record.ends,
    };
    if let Some(mark) = Mark::stored(record.marks.sid) {
        change(env, entries, mark, |list| list.push(element()))?;
    }
    let Some(mark) = Mark::stored(record.marks.user) else {
        return Ok(Vec::new());
    };
    let most = env.settings.session.max.map_or(usize::MAX, |most| most as usize);
    let mut surplus = Vec::new();
    change(env, entries, mark, |list| {
        if list.len() >= most {
            list.retain(|other| lives(env, entries, &other.key));
            list.sort_by_key(|other| other.issued);
            surplus = list.drain(..(list.len() + 1).saturating_sub(most)).collect();
        }
        list.push(element());
    })?;
    Ok(surplus)
}

/// Whether a listed session is still alive. A session that expires is not removed from the list.
fn lives(env: &SessionEnv<'_>, entries: &Entries<'_>, key: &Key) -> bool {
    match entries.get(key) {
        Ok(None) => false,
        Ok(Some(bytes)) => SessionRecord::read(&bytes)
            .is_some_and(|record| last_use(env, &record, b"").is_ok_and(|used| used.is_some())),
        // The list is unknown; the write that follows fails too.
        Err(_) => true,
    }
}

/// Takes a session out of the lists of its marks.
pub(super) fn remove(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    record: &SessionRecord<'_>,
) -> Result<(), Failure> {
    for mark in [record.marks.sid, record.marks.user]
        .into_iter()
        .filter_map(Mark::stored)
    {
        change(env, entries, mark, |list| {
            list.retain(|element| element.key != *key)
        })?;
    }
    Ok(())
}

/// The sessions of a mark, with their end times. The list is deleted.
pub(super) fn take(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    mark: Mark,
) -> Result<Vec<(Key, Seconds)>, Failure> {
    let mut taken = Vec::new();
    change(env, entries, mark, |list| {
        taken = list
            .drain(..)
            .map(|element| (element.key, element.ends))
            .collect();
    })?;
    Ok(taken)
}
