//! The lock of a session in a shared store, held by the machine that refreshes it.
//!
//! Redis has locks: an entry that is written only where there is none, and removed only by the name in it. httpd's stores
//! cannot compare and set; there it is Fischer's algorithm: write your own name if the entry is empty, wait longer than a
//! write takes, and proceed if the entry still has your name.

use std::thread;
use std::time::Duration;

use super::alive::key_of;
use super::env::SessionEnv;
use super::open::Opened;
use super::store::{Entries, Kind};
use crate::base::{Atomic, Failure, Key, Seconds, wall};

/// Longer than any write that began before ours was to be read.
const SETTLES_IN: Duration = Duration::from_millis(100);
/// How long the lock stands when its owner dies.
const STANDS: Seconds = Seconds(30);

/// A name that no other holder has.
type Name = [u8; 16];

/// The right to refresh a session; dropping it lets the next one in.
pub(crate) struct StoreLock<'a>(Held<'a>);

enum Held<'a> {
    /// No other machine can refresh.
    Alone,
    /// A lock of the store.
    Lock(&'a dyn Atomic, Key, Name),
    /// Fischer's algorithm, in this entry.
    Entry(Entries<'a>, Key),
}

impl<'a> StoreLock<'a> {
    /// Takes the lock; `None` when another machine has it. Where no other machine can, there is nothing to wait for.
    pub(crate) fn take(env: &SessionEnv<'a>, session: &Opened<'_>) -> Result<Option<Self>, Failure> {
        let entries = env.entries().filter(|entries| entries.store.is_shared());
        let (Some(entries), Some(key)) = (entries, key_of(env.site, session.record)) else {
            return Ok(Some(Self(Held::Alone)));
        };
        let lock = Kind::Lease.beside(&key);
        let mut name = Name::default();
        env.host.fill(&mut name)?;
        let until = wall().saturating_add(STANDS);
        if let Some(atomic) = entries.store.atomic() {
            let is_ours = atomic.lock(&lock, &name, until)?;
            return Ok(is_ours.then(|| Self(Held::Lock(atomic, lock, name))));
        }
        if entries.get(&lock)?.is_some() {
            return Ok(None);
        }
        entries.put(env.host, &lock, &name, until)?;
        thread::sleep(SETTLES_IN);
        let is_ours = entries.get(&lock)?.as_deref() == Some(&name[..]);
        // Built only when it is ours: dropping it removes the entry.
        Ok(is_ours.then(|| Self(Held::Entry(entries, lock))))
    }
}

impl Drop for StoreLock<'_> {
    fn drop(&mut self) {
        // What stays there runs out by itself.
        match &self.0 {
            Held::Alone => {}
            Held::Lock(atomic, key, name) => drop(atomic.unlock(key, name)),
            Held::Entry(entries, key) => drop(entries.remove(key)),
        }
    }
}
