//! How entries look in a session store outside of the process ([`Store`]).
//!
//! The Apache layer provides stores on httpd's socache providers. Everything that goes into a store is sealed under
//! `OxdCryptoKey` and bound to the key that it stands under: who can read the store learns nothing, and who can write it
//! cannot make an entry, nor put one in another's place.

use crate::access::authn::Ctx;
use crate::base::clock::Seconds;
use crate::base::crypto::{KeyRing, OVERHEAD, Purpose, Random, sha256, sha256_of};
use crate::base::reason::Failure;
use crate::shm::memory::Mark;

pub use crate::base::store::{Key, Store, StoreError};

/// What an entry holds. Each kind of the same thing stands under a key of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A session's record.
    Session,
    /// When a session was last used.
    Seen,
    /// That a session has ended, for whoever is about to write it again.
    Tomb,
    /// Who is refreshing a session.
    Lease,
    /// The keys of all sessions with a mark.
    Index,
    /// Since when all sessions with a mark are over.
    Ended,
    /// That something happened that may happen only once.
    Used,
}

impl Kind {
    fn label(self) -> &'static [u8] {
        match self {
            Kind::Session => b"mod_oxd session",
            Kind::Seen => b"mod_oxd seen",
            Kind::Tomb => b"mod_oxd tomb",
            Kind::Lease => b"mod_oxd lease",
            Kind::Index => b"mod_oxd index",
            Kind::Ended => b"mod_oxd ended",
            Kind::Used => b"mod_oxd used",
        }
    }

    /// The key of a session by the identifier in its cookie, from which nobody can tell the identifier.
    ///
    /// One block of SHA-256, as each request computes it: the identifier is random, and the site is bound to the entry
    /// when it is sealed.
    pub fn of_cookie(site: &str, identifier: &[u8]) -> Key {
        let mut block = [0; 48];
        let length = identifier.len().min(32);
        block[..length].copy_from_slice(&identifier[..length]);
        block[32..40].copy_from_slice(&Mark::of_site(site).word().to_le_bytes());
        block[40] = Kind::Session as u8;
        sha256(&block)
    }

    /// The key of something that belongs to a session.
    pub fn beside(self, session: &Key) -> Key {
        sha256_of(&[self.label(), session])
    }

    /// The key of something that belongs to a mark.
    pub fn of_mark(self, site: &str, mark: Mark) -> Key {
        sha256_of(&[self.label(), site.as_bytes(), &mark.word().to_le_bytes()])
    }
}

/// The entries of one site in a store, sealed and opened on the way.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The keys for sealing.
    pub keys: &'a KeyRing,
    /// The `oxd_id`.
    pub site: &'a str,
}

impl<'a> Entries<'a> {
    /// The entries of a request's place; `None` where sessions live in cookies.
    pub fn of(ctx: &Ctx<'a>) -> Option<Self> {
        Some(Self {
            store: ctx.store?,
            keys: ctx.keys,
            site: ctx.settings.effective_oxd_id().unwrap_or_default(),
        })
    }

    fn belongs(&self, key: &Key) -> Vec<u8> {
        [key.as_slice(), self.site.as_bytes()].concat()
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
            .open_bytes(Purpose::Entry, &self.belongs(key), &sealed, buffer))
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
    pub fn get_time(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        let bytes = self.get(key)?;
        Ok(bytes.and_then(|b| b.try_into().ok()).map(u64::from_le_bytes))
    }

    /// Puts an entry.
    pub fn put(&self, random: &dyn Random, key: &Key, text: &[u8], until: Seconds) -> Result<(), Failure> {
        let sealed = self
            .keys
            .seal_bytes(random, Purpose::Entry, &self.belongs(key), text)?;
        Ok(self.store.put(key, &sealed, until)?)
    }

    /// Puts a point in time.
    pub fn put_time(&self, random: &dyn Random, key: &Key, time: u64, until: Seconds) -> Result<(), Failure> {
        self.put(random, key, &time.to_le_bytes(), until)
    }

    /// Takes an entry away.
    pub fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.store.remove(key)
    }
}
