//! A log, an audit trail and a store in this process.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::base::{
    Atomic, AuditSink, Key, KeyRing, Level, Member, NoRandomness, Random, Replaced, Revocations, Seconds,
    Store, StoreError, SystemRandom,
};
use crate::config::Expression;
use crate::config::store::{StoreSettings, Stores};
use crate::http::Host;

/// Collects what is logged: the lines, and the level of each; unless it is turned off.
#[derive(Default)]
pub(crate) struct Log(pub RefCell<Vec<String>>, pub RefCell<Vec<Level>>, pub Cell<bool>);

impl Random for Log {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom.fill(buffer)
    }
}

impl Host for Log {
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String> {
        if let Some(text) = expression.0.downcast_ref::<&str>() {
            return Ok((*text).to_owned());
        }
        match expression.0.downcast_ref() {
            None | Some(0) => Err("scripted".into()),
            Some(number) => Ok(format!("value{number}")),
        }
    }

    fn logs(&self, _: Level) -> bool {
        !self.2.get()
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

thread_local! {
    static NEW_STORES_ARE_ATOMIC: Cell<bool> = const { Cell::new(false) };
}

/// Stores that the rest of a test makes can change several things in one step.
pub(crate) fn new_stores_are_atomic() {
    NEW_STORES_ARE_ATOMIC.set(true);
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            asked: AtomicUsize::default(),
            is_down: AtomicBool::default(),
            is_shared: AtomicBool::default(),
            is_atomic: AtomicBool::new(NEW_STORES_ARE_ATOMIC.get()),
            forgets: AtomicBool::default(),
            sets: Mutex::default(),
            overwritten_with: Mutex::default(),
        }
    }
}

/// An in-process store that a test can make fail.
#[derive(Debug)]
pub(crate) struct FakeStore {
    pub entries: Mutex<HashMap<Key, Vec<u8>>>,
    pub asked: AtomicUsize,
    pub is_down: AtomicBool,
    pub is_shared: AtomicBool,
    /// Whether it can change several things in one step.
    pub is_atomic: AtomicBool,
    /// Whether it drops what it is given.
    pub forgets: AtomicBool,
    sets: Mutex<HashMap<Key, Vec<Member>>>,
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
        if self.forgets.load(Ordering::SeqCst) {
            return self.ask().map(drop);
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

    fn atomic(&self) -> Option<&dyn Atomic> {
        self.is_atomic
            .load(Ordering::SeqCst)
            .then_some(self as &dyn Atomic)
    }
}

impl FakeStore {
    fn sets(&self) -> Result<MutexGuard<'_, HashMap<Key, Vec<Member>>>, StoreError> {
        self.ask().map(drop)?;
        Ok(self.sets.lock().unwrap())
    }
}

impl Atomic for FakeStore {
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

    fn replace(
        &self,
        key: &Key,
        known: &[u8],
        value: &[u8],
        _: Seconds,
        end: &Key,
    ) -> Result<Replaced, StoreError> {
        let mut entries = self.ask()?;
        if entries.contains_key(end) {
            return Ok(Replaced::Ended);
        }
        let fits = match entries.get(key) {
            Some(old) => !known.is_empty() && old.starts_with(known),
            None => known.is_empty(),
        };
        if !fits {
            return Ok(Replaced::Changed);
        }
        entries.insert(*key, value.to_vec());
        Ok(Replaced::Done)
    }

    fn bury(&self, key: &Key, value: &[u8], _: Seconds, gone: &[Key]) -> Result<(), StoreError> {
        let mut entries = self.ask()?;
        assert!(gone.iter().all(|other| other[..16] == key[..16]), "one slot");
        entries.insert(*key, value.to_vec());
        entries.retain(|key, _| !gone.contains(key));
        Ok(())
    }

    fn add(
        &self,
        set: &Key,
        member: &[u8],
        ends: Seconds,
        now: Seconds,
        most: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let mut sets = self.sets()?;
        let list = sets.entry(*set).or_default();
        list.retain(|(other, until)| other != member && *until > now);
        list.push((member.to_vec(), ends));
        list.sort_by_key(|(_, until)| *until);
        list.drain(..list.len().saturating_sub(most));
        Ok(list.clone())
    }

    fn discard(&self, set: &Key, member: &[u8]) -> Result<(), StoreError> {
        if let Some(list) = self.sets()?.get_mut(set) {
            list.retain(|(other, _)| other != member);
        }
        Ok(())
    }

    fn members(&self, set: &Key) -> Result<Vec<Member>, StoreError> {
        Ok(self.sets()?.get(set).cloned().unwrap_or_default())
    }

    fn exists(&self, key: &Key) -> Result<bool, StoreError> {
        let is_set = self.sets()?.get(key).is_some_and(|list| !list.is_empty());
        Ok(is_set || self.entries.lock().unwrap().contains_key(key))
    }
}

/// A trail in memory, which a test can make fail.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    pub lines: Mutex<Vec<String>>,
    pub is_full: AtomicBool,
    pub complained: AtomicU64,
}

impl AuditSink for Trail {
    fn append(&self, line: &[u8]) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let line = String::from_utf8(line.to_vec()).unwrap();
        self.lines.lock().unwrap().push(line);
        Ok(())
    }

    fn name(&self) -> &str {
        "audit.log"
    }

    fn complained(&self) -> &AtomicU64 {
        &self.complained
    }
}
