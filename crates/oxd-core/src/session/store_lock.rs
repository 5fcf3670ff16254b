//! The lock of a session in a shared store, held by the machine that refreshes it.
//!
//! httpd's stores cannot compare and set, so this is Fischer's algorithm: write your own name if the entry
//! is empty, wait longer than a write takes, and proceed if the entry still has your name.

use std::thread;
use std::time::Duration;

use super::env::SessionEnv;
use super::open::{Opened, key_of};
use super::store::{Entries, Kind};
use crate::base::{Failure, Key, Seconds, wall};

/// Longer than any write that began before ours was to be read.
const SETTLES_IN: Duration = Duration::from_millis(100);
/// How long the name stands when its owner dies.
const STANDS: Seconds = Seconds(30);

/// The right to refresh a session; dropping it lets the next one in.
pub(crate) struct StoreLock<'a>(Option<(Entries<'a>, Key)>);

impl<'a> StoreLock<'a> {
    /// Takes the lock; `None` when another machine has it. Where no other machine can, there is nothing to wait for.
    pub(crate) fn take(env: &SessionEnv<'a>, session: &Opened<'_>) -> Result<Option<Self>, Failure> {
        let entries = env.entries().filter(|entries| entries.store.is_shared());
        let (Some(entries), Some(key)) = (entries, key_of(&session.record)) else {
            return Ok(Some(Self(None)));
        };
        let lock = Kind::Lease.beside(&key);
        if entries.get(&lock)?.is_some() {
            return Ok(None);
        }
        let mut name = [0; 8];
        env.host.fill(&mut name)?;
        entries.put(env.host, &lock, &name, wall().saturating_add(STANDS))?;
        thread::sleep(SETTLES_IN);
        let is_ours = entries.get(&lock)?.as_deref() == Some(&name[..]);
        // Built only when it is ours: dropping it removes the entry.
        Ok(is_ours.then(|| Self(Some((entries, lock)))))
    }
}

impl Drop for StoreLock<'_> {
    fn drop(&mut self) {
        if let Some((entries, lock)) = &self.0 {
            // A name that stays there runs out by itself.
            let _ = entries.remove(lock);
        }
    }
}
