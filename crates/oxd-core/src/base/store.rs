//! What the module asks of a session store outside of the process.

use super::clock::Seconds;
use super::reason::{Failure, Reason};

/// The key of an entry: evenly distributed bytes, as shmcb chooses a partition by the first of them.
pub type Key = [u8; 32];

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreError {
    /// It cannot be reached, does not answer in time, or failed.
    Unavailable(String),
    /// It does not take entries of this size.
    TooLarge(String),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => Failure::new(Reason::StoreUnavailable, why),
            StoreError::TooLarge(why) => Failure::new(Reason::SessionTooLarge, why),
        }
    }
}

/// A store of entries that run out by themselves.
pub trait Store: Sync {
    /// An entry; `None` when there is none, or none any more.
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError>;
    /// Puts an entry in place of any other.
    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError>;
    /// Takes an entry away; it is no error when there is none.
    fn remove(&self, key: &Key) -> Result<(), StoreError>;
    /// Whether other machines may use it too.
    fn is_shared(&self) -> bool;
}
