//! Store entries of sessions ([`crate::base::store`]): keys and formats.
//!
//! Everything that goes into a store is sealed under `OxdCryptoKey` and bound to its key in the store. Read access to
//! the store reveals nothing, and write access can neither forge an entry nor move one to another key.

use std::marker::PhantomData;

use super::memory::{Own, SessionMemory};
use super::record::SessionRecord;
use super::tokens::{self, Written};
use crate::base::{
    Failure, Key, KeyRing, LeBytes, Millis, OVERHEAD, Purpose, Random, Reason, Replaced, Seconds, SiteId,
    Store, StoreError, sha256_of,
};
use crate::shm::Mark;

/// The kinds of entries. Each kind has its own keys.
///
/// The numbers and labels go into the keys of entries, which outlive the process: none may ever get another meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
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

/// What stands before a sealed record in its entry: three u32, little-endian. The version of the session, which a store
/// compares ([`Atomic::replace`](crate::base::Atomic::replace)), and the lengths of the sealed record and of the sealed
/// tokens, which follow it. The record is bound to all three: an entry that was cut or has grown does not open.
struct Head;

impl Head {
    const BYTES: usize = 12;

    fn of(version: u32, record: usize, tokens: usize) -> [u8; Self::BYTES] {
        let length = |length| u32::try_from(length).unwrap_or(u32::MAX);
        let mut head = [0; Self::BYTES];
        let words = [version, length(record), length(tokens)].map(u32::to_le_bytes);
        head.copy_from_slice(words.as_flattened());
        head
    }

    /// The sealed record and the sealed tokens; `None` where there are more bytes, or fewer.
    fn split<'s>(head: &[u8; Self::BYTES], sealed: &'s [u8]) -> Option<(&'s [u8], &'s [u8])> {
        let [_, record, tokens] = *head.as_chunks::<4>().0 else {
            return None;
        };
        let length = |word| usize::try_from(u32::from_le_bytes(word)).ok();
        let (record, rest) = sealed.split_at_checked(length(record)?)?;
        (rest.len() == length(tokens)?).then_some((record, rest))
    }
}

/// A session as a store has it: the record opened, the tokens sealed.
pub(super) struct Stored<B> {
    pub(super) record: B,
    pub(super) sealed_tokens: B,
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

    /// A session in the caller's memory: its record, opened, and its tokens, sealed as they are.
    pub(super) fn session_into<'b>(
        &self,
        key: &Key,
        memory: &dyn SessionMemory<'b>,
    ) -> Result<Option<Stored<&'b [u8]>>, StoreError> {
        let mut found = None;
        self.store.read(key, &mut |stored| {
            if let Some((head, sealed)) = stored.split_first_chunk() {
                found = self.open_session(key, head, sealed, memory);
            }
        })?;
        Ok(found)
    }

    fn open_session<'b>(
        &self,
        key: &Key,
        head: &[u8; Head::BYTES],
        sealed: &[u8],
        memory: &dyn SessionMemory<'b>,
    ) -> Option<Stored<&'b [u8]>> {
        let (record, _) = Head::split(head, sealed)?;
        let (copy, sealed_tokens) = memory.copy(sealed).split_at_mut(record.len());
        let record = self.with_aad(key, head, |aad| {
            self.keys.open_copy(Purpose::Entry, aad, record, copy)
        })?;
        Some(Stored {
            record,
            sealed_tokens,
        })
    }

    /// The record of a session in memory of its own, and its sealed tokens.
    pub(super) fn session(&self, key: &Key) -> Result<Option<Stored<Vec<u8>>>, StoreError> {
        let memory = Own::default();
        let found = self.session_into(key, &&memory)?;
        Ok(found.map(|stored| Stored {
            record: stored.record.to_vec(),
            sealed_tokens: stored.sealed_tokens.to_vec(),
        }))
    }

    /// The same with its tokens opened; `None` also where they do not open.
    pub(super) fn session_whole(&self, key: &Key) -> Result<Option<Written>, StoreError> {
        let Some(stored) = self.session(key)? else {
            return Ok(None);
        };
        let opened = SessionRecord::read(&stored.record)
            .and_then(|read| self.opened_tokens(&read, &stored.sealed_tokens));
        Ok(opened.map(|tokens| Written {
            record: stored.record,
            tokens,
        }))
    }

    fn opened_tokens(&self, record: &SessionRecord<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        tokens::open_bytes(self.keys, self.site, &record.id, sealed)
    }

    /// Puts a new session.
    pub(super) fn put_session(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        written: &Written,
    ) -> Result<(), Failure> {
        let stored = self.stored(random, key, record, written)?;
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

    /// Puts a session that another store had, unless it is here already or has ended; its tokens are sealed already.
    pub(super) fn put_moved_session(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        stored: &Stored<&[u8]>,
    ) -> Result<Replaced, Failure> {
        let (bytes, sealed_tokens) = (stored.record, stored.sealed_tokens);
        // Under the newest key, as the record: the one that they were sealed with may be taken out.
        let written = self.opened_tokens(record, sealed_tokens).map(|tokens| Written {
            record: bytes.to_vec(),
            tokens,
        });
        let stored = match written {
            Some(written) => self.stored(random, key, record, &written)?,
            None => self.stored_with(random, key, record, bytes, sealed_tokens)?,
        };
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

    /// Puts a session in place of the version that was read, unless it has ended.
    pub(super) fn replace_session(
        &self,
        random: &dyn Random,
        key: &Key,
        read: u32,
        record: &SessionRecord<'_>,
        written: &Written,
    ) -> Result<Replaced, Failure> {
        let stored = self.stored(random, key, record, written)?;
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

    fn stored(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        written: &Written,
    ) -> Result<Vec<u8>, Failure> {
        let aad = tokens::aad(self.site, &record.id);
        let sealed = self
            .keys
            .seal_bytes(random, Purpose::Tokens, aad.as_bytes(), &written.tokens)?;
        self.stored_with(random, key, record, &written.record, &sealed)
    }

    fn stored_with(
        &self,
        random: &dyn Random,
        key: &Key,
        record: &SessionRecord<'_>,
        bytes: &[u8],
        sealed_tokens: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let head = Head::of(record.version, OVERHEAD + bytes.len(), sealed_tokens.len());
        let aad = self.aad_with(key, &head);
        let sealed = self.keys.seal_bytes(random, Purpose::Entry, &aad, bytes)?;
        Ok([&head[..], &sealed, sealed_tokens].concat())
    }

    fn aad_with(&self, key: &Key, head: &[u8; Head::BYTES]) -> Vec<u8> {
        [key.as_slice(), self.site.as_str().as_bytes(), head].concat()
    }

    /// The same without an allocation where the name of the site is as long as usual.
    #[inline]
    fn with_aad<A>(&self, key: &Key, head: &[u8; Head::BYTES], take: impl FnOnce(&[u8]) -> A) -> A {
        const UUID: usize = 36;
        const KEY: usize = size_of::<Key>();
        let Ok(site) = <&[u8; UUID]>::try_from(self.site.as_str().as_bytes()) else {
            return take(&self.aad_with(key, head));
        };
        let mut aad = [0; KEY + UUID + Head::BYTES];
        aad[..KEY].copy_from_slice(key);
        aad[KEY..KEY + UUID].copy_from_slice(site);
        aad[KEY + UUID..].copy_from_slice(head);
        take(&aad)
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
