//! The Redis stores of a process ([`oxd_store`]): places with the same settings share one, and its operations are counted.

use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use oxd_core::base::{Atomic, Key, Member, Replaced, Seconds, Store, StoreError};
use oxd_core::config::store::{StoreSettings, Stores};
use oxd_core::shm::stats::{Action, Answered};
use oxd_store::RedisStore;

use super::child;

/// The stores that a process has used. They are few and never freed, because a thread may still ask one after its
/// configuration is gone.
static STORES: RwLock<Vec<&'static Counted>> = RwLock::new(Vec::new());

/// The stores of this process.
#[derive(Debug)]
pub struct RedisStores;

/// A store whose operations are counted.
#[derive(Debug)]
pub(super) struct Counted(pub(super) RedisStore);

/// Forgets all stores, in the parent: the next configuration may have other certificates in the same files.
pub fn forget() {
    STORES.write().unwrap_or_else(PoisonError::into_inner).clear();
}

impl Stores for RedisStores {
    fn redis<'a>(&'a self, settings: &StoreSettings<'a>) -> &'a dyn Store {
        let find = |stores: &[&'static Counted]| stores.iter().find(|store| store.0.has(settings)).copied();
        if let Some(store) = find(&STORES.read().unwrap_or_else(PoisonError::into_inner)) {
            return store;
        }
        let mut stores = STORES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = find(&stores) {
            return store;
        }
        let store = Counted(RedisStore::new("OxdSessionStore", settings, child::runtime));
        let store: &'static Counted = Box::leak(Box::new(store));
        stores.push(store);
        store
    }
}

fn counted<A>(
    action: Action,
    is_absent: impl FnOnce(&A) -> bool,
    call: impl FnOnce() -> Result<A, StoreError>,
) -> Result<A, StoreError> {
    let began = Instant::now();
    let answer = call();
    let answered = match &answer {
        Ok(answer) if is_absent(answer) => Answered::Absent,
        Ok(_) => Answered::Ok,
        Err(_) => Answered::Failed,
    };
    child::stats().store(action, answered, began.elapsed());
    answer
}

impl Store for Counted {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        counted(Action::Get, Option::is_none, || self.0.get(key))
    }

    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError> {
        counted(Action::Put, |()| false, || self.0.put(key, value, until))
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        counted(Action::Remove, |()| false, || self.0.remove(key))
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
}

impl Atomic for Counted {
    fn lock(&self, key: &Key, name: &[u8], until: Seconds) -> Result<bool, StoreError> {
        counted(Action::Put, |_| false, || self.0.lock(key, name, until))
    }

    fn unlock(&self, key: &Key, name: &[u8]) -> Result<(), StoreError> {
        counted(Action::Remove, |()| false, || self.0.unlock(key, name))
    }

    fn replace(
        &self,
        key: &Key,
        known: &[u8],
        value: &[u8],
        until: Seconds,
        end: &Key,
    ) -> Result<Replaced, StoreError> {
        let is_absent = |done: &Replaced| *done != Replaced::Done;
        counted(Action::Put, is_absent, || {
            self.0.replace(key, known, value, until, end)
        })
    }

    fn bury(&self, key: &Key, value: &[u8], until: Seconds, gone: &[Key]) -> Result<(), StoreError> {
        counted(
            Action::Remove,
            |()| false,
            || self.0.bury(key, value, until, gone),
        )
    }

    fn add(
        &self,
        set: &Key,
        member: &[u8],
        ends: Seconds,
        now: Seconds,
        most: usize,
    ) -> Result<Vec<Member>, StoreError> {
        counted(
            Action::Put,
            |_| false,
            || self.0.add(set, member, ends, now, most),
        )
    }

    fn discard(&self, set: &Key, member: &[u8]) -> Result<(), StoreError> {
        counted(Action::Remove, |()| false, || self.0.discard(set, member))
    }

    fn members(&self, set: &Key) -> Result<Vec<Member>, StoreError> {
        counted(Action::Get, Vec::is_empty, || self.0.members(set))
    }

    fn exists(&self, key: &Key) -> Result<bool, StoreError> {
        counted(Action::Get, |exists| !exists, || self.0.exists(key))
    }
}
