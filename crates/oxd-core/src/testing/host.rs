//! A log, and a store in this process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::base::{
    Key, KeyRing, Level, Locks, NoRandomness, Random, Revocations, Seconds, Store, StoreError, SystemRandom,
};
use crate::config::Expression;
use crate::config::store::{StoreSettings, Stores};
use crate::http::Host;

/// Collects what is logged: the lines, and the level of each.
#[derive(Default)]
pub(crate) struct Log(pub RefCell<Vec<String>>, pub RefCell<Vec<Level>>);

impl Random for Log {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom.fill(buffer)
    }
}

impl Host for Log {
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String> {
        match expression.0.downcast_ref() {
            None | Some(0) => Err("scripted".into()),
            Some(number) => Ok(format!("value{number}")),
        }
    }

    fn logs(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, line: &str) {
        self.1.borrow_mut().push(level);
        self.0.borrow_mut().push(line.to_owned());
    }
}

/// Redis stores, which no unit test asks for.
#[derive(Debug)]
pub(crate) struct NoStores;

impl Stores for NoStores {
    fn redis<'a>(&'a self, settings: &StoreSettings<'a>) -> &'a dyn Store {
        panic!("a unit test asks for {}", settings.address)
    }
}

/// A stream of ends in this process.
#[derive(Debug)]
pub(crate) struct FakeStream {
    pub entries: Mutex<Vec<Vec<u8>>>,
    pub keys: KeyRing,
    pub facts: FakeStore,
}

impl Revocations for FakeStream {
    fn append(&self, entry: &[u8], _: Seconds) -> Result<(), StoreError> {
        if self.facts.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("scripted".into()));
        }
        self.entries.lock().unwrap().push(entry.to_vec());
        Ok(())
    }

    fn keys(&self) -> &KeyRing {
        &self.keys
    }

    fn facts(&self) -> &dyn Store {
        &self.facts
    }
}

/// An in-process store that a test can make fail.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub entries: Mutex<HashMap<Key, Vec<u8>>>,
    pub asked: AtomicUsize,
    pub is_down: AtomicBool,
    pub is_shared: AtomicBool,
    /// Whether it has locks.
    pub has_locks: AtomicBool,
    /// The value that another machine writes under the same key right after the next write.
    pub overwritten_with: Mutex<Option<Vec<u8>>>,
}

impl FakeStore {
    fn ask(&self) -> Result<MutexGuard<'_, HashMap<Key, Vec<u8>>>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("scripted".into()));
        }
        Ok(self.entries.lock().unwrap())
    }
}

impl Store for FakeStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.ask()?.get(key).cloned())
    }

    fn put(&self, key: &Key, value: &[u8], _: Seconds) -> Result<(), StoreError> {
        if value.len() > 8_000 {
            return Err(StoreError::TooLarge("scripted".into()));
        }
        let others = self.overwritten_with.lock().unwrap().take();
        self.ask()?.insert(*key, others.unwrap_or_else(|| value.to_vec()));
        Ok(())
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.ask()?.remove(key);
        Ok(())
    }

    fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::SeqCst)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.has_locks
            .load(Ordering::SeqCst)
            .then_some(self as &dyn Locks)
    }
}

impl Locks for FakeStore {
    fn lock(&self, key: &Key, name: &[u8], _: Seconds) -> Result<bool, StoreError> {
        Ok(*self.ask()?.entry(*key).or_insert_with(|| name.to_vec()) == name)
    }

    fn unlock(&self, key: &Key, name: &[u8]) -> Result<(), StoreError> {
        let mut entries = self.ask()?;
        if entries.get(key).is_some_and(|held| held == name) {
            entries.remove(key);
        }
        Ok(())
    }
}
