//! Store entries of sessions ([`crate::base::store`]): keys and formats.
//!
//! Everything that goes into a store is sealed under `OxdCryptoKey` and bound to its key in the store. Read access to
//! the store reveals nothing, and write access can neither forge an entry nor move one to another key.

use std::marker::PhantomData;

use super::record::SessionRecord;
use crate::base::{
    Failure, Key, KeyRing, LeBytes, Millis, OVERHEAD, Purpose, Random, Reason, Replaced, Seconds, SiteId,
    Store, StoreError, sha256, sha256_of,
};
use crate::shm::Mark;

/// The kinds of entries. Each kind has its own keys.
///
/// The numbers and labels go into the keys of entries, which outlive the process: none may ever get another meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A session's record.
    Session = 0,
    /// When a session was last used.
    Seen = 1,
    /// A tombstone: the session has ended and must not be written again.
    Tombstone = 2,
    /// The holder of a refresh lock.
    Lease = 3,
    /// The keys of all sessions with a mark.
    Index = 4,
    /// Since when all sessions with a mark are over.
    Ended = 5,
    /// That something happened that may happen only once.
    Used = 6,
    /// A text that a login needs when it comes back.
    Text = 7,
    /// That the other machines have something, too.
    Known = 8,
}

impl Kind {
    fn label(self) -> &'static [u8] {
        match self {
            Kind::Session => b"mod_oxd session",
            Kind::Seen => b"mod_oxd seen",
            Kind::Tombstone => b"mod_oxd tomb",
            Kind::Lease => b"mod_oxd lease",
            Kind::Index => b"mod_oxd index",
            Kind::Ended => b"mod_oxd ended",
            Kind::Used => b"mod_oxd used",
            Kind::Text => b"mod_oxd text",
            Kind::Known => b"mod_oxd known",
        }
    }

    /// The key of a session, a hash of the identifier in its cookie.
    ///
    /// One block of SHA-256, as each request computes it: the identifier is random, and the site is bound to the entry
    /// when it is sealed.
    pub(super) fn of_cookie(site: SiteId<'_>, identifier: &[u8]) -> Key {
        let mut block = [0; 48];
        let length = identifier.len().min(32);
        block[..length].copy_from_slice(&identifier[..length]);
        block[32..40].copy_from_slice(&Mark::of_site(site).word().to_le_bytes());
        block[40] = Kind::Session as u8;
        sha256(&block)
    }

    /// The key of an entry beside a session.
    pub(super) fn beside(self, session: &Key) -> Key {
        let mut key = sha256_of(&[self.label(), session]);
        key[..16].copy_from_slice(&session[..16]);
        key
    }

    /// The key of something that belongs to a mark.
    pub(super) fn of_mark(self, site: SiteId<'_>, mark: Mark) -> Key {
        sha256_of(&[self.label(), site.as_str().as_bytes(), &mark.word().to_le_bytes()])
    }
}

/// The key of an entry with a point in time. The type fixes its unit, so that no reader can mistake it.
#[derive(Clone, Copy, Debug)]
pub struct TimeKey<T> {
    key: Key,
    unit: PhantomData<T>,
}

impl<T> TimeKey<T> {
    fn new(key: Key) -> Self {
        Self {
            key,
            unit: PhantomData,
        }
    }

    /// The key alone.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl TimeKey<Seconds> {
    /// When a session was last used ([`Kind::Seen`]).
    pub fn seen(session: &Key) -> Self {
        Self::new(Kind::Seen.beside(session))
    }

    /// When a session was ended ([`Kind::Tombstone`]).
    pub fn tombstone(session: &Key) -> Self {
        Self::new(Kind::Tombstone.beside(session))
    }

    /// When something was first seen by a machine ([`Kind::Known`]).
    pub fn known(site: SiteId<'_>, mark: Mark) -> Self {
        Self::new(Kind::Known.of_mark(site, mark))
    }

    /// When something happened that may happen only once ([`Kind::Used`]).
    pub fn used(site: SiteId<'_>, mark: Mark) -> Self {
        Self::new(Kind::Used.of_mark(site, mark))
    }
}

impl TimeKey<Millis> {
    /// Since when all sessions with a mark are over ([`Kind::Ended`]).
    pub fn ended(site: SiteId<'_>, mark: Mark) -> Self {
        Self::new(Kind::Ended.of_mark(site, mark))
    }
}

/// The entries of one site in a store, sealed and opened on the way.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The keys for sealing.
    pub keys: &'a KeyRing,
    /// Whose entries they are.
    pub site: SiteId<'a>,
}

impl Entries<'_> {
    fn aad(&self, key: &Key) -> Vec<u8> {
        [key.as_slice(), self.site.as_str().as_bytes()].concat()
    }

    /// An entry, opened in the caller's buffer. One that does not open counts as none: it is foreign or forged.
    pub fn get_into<'b>(
        &self,
        key: &Key,
        buffer: impl FnOnce(usize) -> &'b mut [u8],
    ) -> Result<Option<&'b mut [u8]>, StoreError> {
        let Some(sealed) = self.store.get(key)?.filter(|sealed| sealed.len() >= OVERHEAD) else {
            return Ok(None);
        };
        let buffer = buffer(sealed.len());
        Ok(self
            .keys
            .open_bytes(Purpose::Entry, &self.aad(key), &sealed, buffer))
    }

    /// An entry in memory of its own.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let mut buffer = Vec::new();
        let found = self.get_into(key, |len| {
            buffer.resize(len, 0);
            &mut buffer
        })?;
        Ok(found.map(|text| text.to_vec()))
    }

    /// A point in time that was put with [`Entries::put_time`].
    pub fn get_time<T: LeBytes>(&self, key: &TimeKey<T>) -> Result<Option<T>, StoreError> {
        let bytes = self.get(&key.key)?;
        Ok(bytes.and_then(|b| b.try_into().ok()).map(T::from_le_bytes))
    }

    /// The record of a session, opened in the caller's buffer.
    pub(super) fn record_into<'b>(
        &self,
        key: &Key,
        buffer: impl FnOnce(usize) -> &'b mut [u8],
    ) -> Result<Option<&'b mut [u8]>, StoreError> {
        let stored = self.store.get(key)?;
        let before = self.version_bytes();
        let sealed = stored.as_deref().and_then(|stored| stored.get(before..));
        let Some(sealed) = sealed.filter(|sealed| sealed.len() >= OVERHEAD) else {
            return Ok(None);
        };
        let buffer = buffer(sealed.len());
        let version = stored.as_deref().map_or(&b""[..], |stored| &stored[..before]);
        let aad = [key.as_slice(), self.site.as_str().as_bytes(), version].concat();
        Ok(self.keys.open_bytes(Purpose::Entry, &aad, sealed, buffer))
    }

    /// The record of a session in memory of its own.
    pub(super) fn record(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let mut buffer = Vec::new();
        let found = self.record_into(key, |len| {
            buffer.resize(len, 0);
            &mut buffer
        })?;
        Ok(found.map(|text| text.to_vec()))
    }

    /// Puts the record of a new session.
    pub(super) fn put_record(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let stored = self.stored(random, key, record.version, bytes)?;
        self.store.put(key, &stored, record.ends)?;
        // A full server may drop it with the next command: the browser would go round between site and provider.
        match self.store.atomic() {
            Some(atomic) if !atomic.exists(key)? => Err(Failure::new(
                Reason::StoreUnavailable,
                "the store has dropped a new session at once; it is full (maxmemory), and its policy is not noeviction",
            )),
            _ => Ok(()),
        }
    }

    /// Puts the record of a session that another store had, unless it is here already or has ended.
    pub(super) fn put_moved_record(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        bytes: &[u8],
    ) -> Result<Replaced, Failure> {
        let stored = self.stored(random, key, record.version, bytes)?;
        match self.store.atomic() {
            Some(atomic) => {
                let tombstone = TimeKey::tombstone(key);
                Ok(atomic.replace(key, b"", &stored, record.ends, &tombstone.key)?)
            }
            None => {
                self.store.put(key, &stored, record.ends)?;
                Ok(Replaced::Done)
            }
        }
    }

    /// Puts a record in place of the version that was read, unless the session has ended.
    pub(super) fn replace_record(
        &self,
        random: &dyn Random,
        key: &Key,
        read: u64,
        record: &SessionRecord<'_>,
        bytes: &[u8],
    ) -> Result<Replaced, Failure> {
        let stored = self.stored(random, key, record.version, bytes)?;
        let tombstone = TimeKey::tombstone(key);
        if let Some(atomic) = self.store.atomic() {
            let known = read.to_le_bytes();
            return Ok(atomic.replace(key, &known, &stored, record.ends, &tombstone.key)?);
        }
        self.store.put(key, &stored, record.ends)?;
        // Revocation writes its tombstone before deleting: either it sees our write, or we see the tombstone.
        if self.get_time(&tombstone)?.is_some() {
            self.remove(key)?;
            return Ok(Replaced::Ended);
        }
        Ok(Replaced::Done)
    }

    /// Ends a session: writes its tombstone, and removes its record and its last use.
    pub(super) fn bury(
        &self,
        random: &dyn Random,
        key: &Key,
        now: Seconds,
        until: Seconds,
    ) -> Result<(), Failure> {
        let (tombstone, seen) = (TimeKey::tombstone(key), TimeKey::seen(key));
        if let Some(atomic) = self.store.atomic() {
            let text = now.to_le_bytes();
            let sealed = self
                .keys
                .seal_bytes(random, Purpose::Entry, &self.aad(&tombstone.key), &text)?;
            return Ok(atomic.bury(&tombstone.key, &sealed, until, &[*key, seen.key])?);
        }
        // A concurrent write of the record sees the tombstone, or its entry is deleted.
        self.put_time(random, &tombstone, now, until)?;
        self.remove(key)?;
        Ok(self.remove(&seen.key)?)
    }

    /// The bytes before a sealed record: its version, where the store can compare it.
    fn version_bytes(&self) -> usize {
        match self.store.atomic() {
            Some(_) => size_of::<u64>(),
            None => 0,
        }
    }

    fn stored(&self, random: &dyn Random, key: &Key, version: u64, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut stored = version.to_le_bytes()[..self.version_bytes()].to_vec();
        let aad = [key.as_slice(), self.site.as_str().as_bytes(), &stored].concat();
        let sealed = self.keys.seal_bytes(random, Purpose::Entry, &aad, bytes)?;
        stored.extend(sealed);
        Ok(stored)
    }

    /// Puts an entry.
    pub fn put(&self, random: &dyn Random, key: &Key, text: &[u8], until: Seconds) -> Result<(), Failure> {
        let sealed = self
            .keys
            .seal_bytes(random, Purpose::Entry, &self.aad(key), text)?;
        Ok(self.store.put(key, &sealed, until)?)
    }

    /// Puts a point in time.
    pub fn put_time<T: LeBytes>(
        &self,
        random: &dyn Random,
        key: &TimeKey<T>,
        time: T,
        until: Seconds,
    ) -> Result<(), Failure> {
        self.put(random, &key.key, &time.to_le_bytes(), until)
    }

    /// Takes an entry away.
    pub fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.store.remove(key)
    }
}
