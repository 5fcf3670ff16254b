//! A session store outside of the process, as the module asks one. The Apache layer provides it: httpd's socache
//! providers, and Redis.

use std::fmt;

use super::clock::Seconds;
use super::crypto::KeyRing;

/// The key of an entry: evenly distributed bytes, as shmcb chooses a partition by the first of them.
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
    /// Puts an entry in place of any other.
    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError>;
    /// Takes an entry away; it is no error when there is none.
    fn remove(&self, key: &Key) -> Result<(), StoreError>;
    /// Whether other machines may use it too.
    fn is_shared(&self) -> bool;
    /// Its locks; `None` where it cannot compare and set.
    fn locks(&self) -> Option<&dyn Locks> {
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

/// Locks that all machines of a store respect.
pub trait Locks: Sync {
    /// Takes a lock for the holder with this name, unless another one has it; whether it did. It ends by itself at the
    /// latest then.
    fn lock(&self, key: &Key, name: &[u8], until: Seconds) -> Result<bool, StoreError>;
    /// Returns the lock of the holder with this name, and no other's.
    fn unlock(&self, key: &Key, name: &[u8]) -> Result<(), StoreError>;
}
