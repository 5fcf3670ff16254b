//! Which sessions in a store belong together: all of a user, all that came from one session at the provider.
//!
//! Redis keeps them in sorted sets, which it changes in one step. httpd's stores know neither lists nor comparisons: there
//! a list is read, changed and written under a lease of this machine. Two machines that change one at the same moment may lose an element: then the session still learns from the
//! mark beside the list that it is over ([`super::update`]), only a few seconds later.

use std::thread;
use std::time::Duration;

use super::alive::last_use;
use super::env::SessionEnv;
use super::record::SessionRecord;
use super::store::{Entries, Kind};
use crate::base::{Atomic, Failure, Key, LeBytes as _, Member, Millis, Seconds, wall};
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
struct Element {
    /// The key of its entry.
    key: Key,
    issued: Seconds,
    /// When it ends.
    ends: Seconds,
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

/// A session of a set: its key, and the moment at which it began.
#[derive(Clone, Copy)]
struct Listed {
    key: Key,
    began: Millis,
}

impl Listed {
    fn of(key: &Key, record: &SessionRecord<'_>) -> Self {
        Self {
            key: *key,
            began: record.began,
        }
    }

    /// The member of the set: always the same bytes for a session.
    fn member(&self) -> Vec<u8> {
        let mut bytes = self.key.to_vec();
        bytes.extend_from_slice(&self.began.to_le_bytes());
        bytes
    }

    fn read((bytes, ends): Member) -> Option<(Self, Seconds)> {
        let (key, began) = bytes.split_at_checked(size_of::<Key>())?;
        let listed = Self {
            key: key.try_into().ok()?,
            began: Millis::from_le_bytes(began.try_into().ok()?),
        };
        Some((listed, ends))
    }
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

/// A session that is too many: its key, and when it would have ended.
pub(super) type Surplus = (Key, Seconds);

/// Puts a new session into the lists of its marks; answers those of its user that are more than `most`.
pub(super) fn add(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    key: &Key,
    record: &SessionRecord<'_>,
    most: usize,
) -> Result<Vec<Surplus>, Failure> {
    if let Some(atomic) = entries.store.atomic() {
        return add_to_sets(env, entries, atomic, key, record, most);
    }
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
    let mut surplus: Vec<Element> = Vec::new();
    change(env, entries, mark, |list| {
        if list.len() >= most {
            list.retain(|other| lives(env, entries, &other.key));
            list.sort_by_key(|other| other.issued);
            surplus = list.drain(..(list.len() + 1).saturating_sub(most)).collect();
        }
        list.push(element());
    })?;
    let ended = surplus.into_iter();
    Ok(ended.map(|element| (element.key, element.ends)).collect())
}

/// The same with sets of the store.
fn add_to_sets(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    atomic: &dyn Atomic,
    key: &Key,
    record: &SessionRecord<'_>,
    most: usize,
) -> Result<Vec<Surplus>, Failure> {
    let add = |mark: Mark| {
        let set = Kind::Index.of_mark(entries.site, mark);
        let member = Listed::of(key, record).member();
        atomic.add(&set, &member, record.ends, env.now, MOST)
    };
    if let Some(mark) = Mark::stored(record.marks.sid) {
        add(mark)?;
    }
    let Some(mark) = Mark::stored(record.marks.user) else {
        return Ok(Vec::new());
    };
    let mut list: Vec<_> = add(mark)?.into_iter().filter_map(Listed::read).collect();
    if list.len() <= most {
        return Ok(Vec::new());
    }
    list.retain(|(other, _)| other.key == *key || lives(env, entries, &other.key));
    // The new one is the youngest, whatever the clocks of other machines say.
    list.sort_by_key(|(other, _)| (other.key == *key, other.began));
    let surplus: Vec<_> = list.drain(..list.len().saturating_sub(most)).collect();
    let set = Kind::Index.of_mark(entries.site, mark);
    for (listed, _) in &surplus {
        atomic.discard(&set, &listed.member())?;
    }
    let ended = surplus.into_iter();
    Ok(ended.map(|(listed, ends)| (listed.key, ends)).collect())
}

/// Whether any session has a mark.
pub(super) fn is_listed(entries: &Entries<'_>, mark: Mark) -> Result<bool, Failure> {
    let key = Kind::Index.of_mark(entries.site, mark);
    Ok(match entries.store.atomic() {
        Some(atomic) => atomic.exists(&key)?,
        None => entries.get(&key)?.is_some(),
    })
}

/// Whether a listed session is still alive. A session that expires is not removed from the list.
fn lives(env: &SessionEnv<'_>, entries: &Entries<'_>, key: &Key) -> bool {
    match entries.session(key) {
        Ok(None) => false,
        Ok(Some(stored)) => SessionRecord::read(&stored.record)
            .is_some_and(|record| last_use(env, &record, &[]).is_ok_and(|used| used.is_some())),
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
        if let Some(atomic) = entries.store.atomic() {
            let set = Kind::Index.of_mark(entries.site, mark);
            atomic.discard(&set, &Listed::of(key, record).member())?;
            continue;
        }
        change(env, entries, mark, |list| {
            list.retain(|element| element.key != *key)
        })?;
    }
    Ok(())
}

/// Ends the sessions of a mark with this call, by their keys and end times, and takes them out of its list.
///
/// Those of a set leave it one by one, each once it has ended: an attempt that fails can be repeated.
pub(super) fn end_each(
    env: &SessionEnv<'_>,
    entries: &Entries<'_>,
    mark: Mark,
    end: impl Fn(&Key, Seconds) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(atomic) = entries.store.atomic() else {
        let taken = take(env, entries, mark)?;
        return taken.iter().try_for_each(|(key, ends)| end(key, *ends));
    };
    let set = Kind::Index.of_mark(entries.site, mark);
    for (member, ends) in atomic.members(&set)? {
        if let Some((listed, ends)) = Listed::read((member.clone(), ends)) {
            end(&listed.key, ends)?;
        }
        atomic.discard(&set, &member)?;
    }
    Ok(())
}

/// The sessions of a mark, with their end times. The list is deleted.
fn take(env: &SessionEnv<'_>, entries: &Entries<'_>, mark: Mark) -> Result<Vec<(Key, Seconds)>, Failure> {
    let mut taken = Vec::new();
    change(env, entries, mark, |list| {
        taken = list
            .drain(..)
            .map(|element| (element.key, element.ends))
            .collect();
    })?;
    Ok(taken)
}

#[cfg(test)]
mod tests;
