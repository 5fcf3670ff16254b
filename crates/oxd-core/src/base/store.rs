//! A session store outside of the process, as the module asks one. The Apache layer provides it: httpd's socache
//! providers, and Redis.

use std::fmt;

use super::clock::Seconds;
use super::crypto::{KeyRing, sha256_of};

/// The key of an entry: evenly distributed bytes, as shmcb chooses a partition by the first of them. Entries that belong
/// together have the first 16 in common, so that a cluster keeps them on one node.
pub type Key = [u8; 32];

/// The failure of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// It cannot be reached, does not answer in time, or failed.
    Unavailable(String),
    /// It does not take entries of this size.
    TooLarge(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(why) | StoreError::TooLarge(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for StoreError {}

/// A store of entries that run out by themselves.
pub trait Store: Sync + fmt::Debug {
    /// An entry; `None` when there is none, or none any more.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError>;
    /// Shows an entry, once, where there is one. `take` must not ask the store.
    fn read(&self, key: &Key, take: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        if let Some(value) = self.get(key)? {
            take(&value);
        }
        Ok(())
    }
    /// Puts an entry in place of any other.
    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError>;
    /// Takes an entry away; it is no error when there is none.
    fn remove(&self, key: &Key) -> Result<(), StoreError>;
    /// Whether other machines may use it too.
    fn is_shared(&self) -> bool;
    /// What it can do in one step; `None` where it knows only the operations above.
    fn atomic(&self) -> Option<&dyn Atomic> {
        None
    }
}

/// The stream through which machines tell each other that sessions have ended (`OxdRevocations`).
pub trait Revocations: Sync + fmt::Debug {
    /// Appends an entry, which later readers must find for as long.
    fn append(&self, entry: &[u8], keep: Seconds) -> Result<(), StoreError>;
    /// The keys that entries are sealed with.
    fn keys(&self) -> &KeyRing;
    /// What machines tell each other besides: used tokens, sessions of the provider.
    fn facts(&self) -> &dyn Store;
}

/// What became of a record that was to replace another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It has.
    Done,
    /// Another version is there, or none.
    Changed,
    /// The session has ended.
    Ended,
}

/// A member of a set, with the time at which it ends.
pub type Member = (Vec<u8>, Seconds);

/// Changes that happen whole or not at all, whatever other machines do at the same time, each with one question to the
/// store. Keys of one change begin with the same 16 bytes ([`Key`]).
pub trait Atomic: Sync {
    /// Takes a lock for the holder with this name, unless another one has it; whether it did. It ends by itself at the
    /// latest then.
    fn lock(&self, key: &Key, name: &[u8], until: Seconds) -> Result<bool, StoreError>;
    /// Returns the lock of the holder with this name, and no other's.
    fn unlock(&self, key: &Key, name: &[u8]) -> Result<(), StoreError>;
    /// Puts an entry in place of one that begins with `known`, unless there is an entry under `end`. Without `known`, only
    /// where there is none.
    fn replace(
        &self,
        key: &Key,
        known: &[u8],
        value: &[u8],
        until: Seconds,
        end: &Key,
    ) -> Result<Replaced, StoreError>;
    /// Puts an entry and takes others away.
    fn bury(&self, key: &Key, value: &[u8], until: Seconds, gone: &[Key]) -> Result<(), StoreError>;
    /// Adds a member to a set, which has at most so many: those that end first are dropped, as are those that have ended.
    /// Returns all members.
    fn add(
        &self,
        set: &Key,
        member: &[u8],
        ends: Seconds,
        now: Seconds,
        most: usize,
    ) -> Result<Vec<Member>, StoreError>;
    /// Takes a member out of a set.
    fn discard(&self, set: &Key, member: &[u8]) -> Result<(), StoreError>;
    /// The members of a set.
    fn members(&self, set: &Key) -> Result<Vec<Member>, StoreError>;
    /// Whether there is an entry, or a set with members.
    fn exists(&self, key: &Key) -> Result<bool, StoreError>;
}

/// Writes an entry of our own and reads it again: whether a store takes what is new, and has it then.
///
/// # Errors
/// What the store says; or that the entry is not there, as in a store without room that drops what is new.
pub fn probe(store: &dyn Store, until: Seconds) -> Result<(), StoreError> {
    let key = sha256_of(&[b"mod_oxd health"]);
    store.put(&key, b"alive", until)?;
    match store.get(&key)? {
        Some(_) => Ok(()),
        None => Err(StoreError::Unavailable(
            "an entry that was just written is not there".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::testing::{FakeStore, NOW};

    #[test]
    fn a_store_that_drops_what_is_new_does_not_work() {
        let store = FakeStore::default();
        assert_eq!(probe(&store, NOW + 60), Ok(()));
        store.entries.lock().unwrap().clear();
        store.forgets.store(true, Ordering::SeqCst);
        assert!(matches!(probe(&store, NOW + 60), Err(StoreError::Unavailable(_))));
        store.forgets.store(false, Ordering::SeqCst);
        store.is_down.store(true, Ordering::SeqCst);
        assert!(matches!(probe(&store, NOW + 60), Err(StoreError::Unavailable(_))));
    }
}
