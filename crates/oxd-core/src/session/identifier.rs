//! The identifier in a session's cookie, where a store has the session.
//!
//! Its first 16 bytes are a part of the key in the store. The other 17 bytes are a secret that only the cookie and the
//! sealed record have, and that a request has to bring. So nobody who reads the keys of a store, or even all of it, can
//! make a cookie: 136 random bits are left to guess, each guess a request. The key needs no hash for that.

use base64_simd::{Out, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use crate::base::{Key, NoRandomness, Random, SiteId};
use crate::shm::Mark;

/// Random bytes of an identifier; a multiple of three.
const BYTES: usize = 33;
/// Characters of an identifier in base64url.
const TEXT: usize = BYTES / 3 * 4;
/// The bytes of it that stand in the key.
const IN_KEY: usize = 16;
/// The end of the key of every session. Keys of other entries are hashes.
const LABEL: [u8; 8] = *b"session\0";

/// The identifier of a session.
#[derive(Clone, Copy)]
pub(super) struct Identifier([u8; BYTES]);

impl Identifier {
    /// A new one.
    pub(super) fn new(random: &dyn Random) -> Result<Self, NoRandomness> {
        let mut bytes = [0; BYTES];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The one in a cookie; `None` when it does not look like one.
    #[inline]
    pub(super) fn of_cookie(text: &[u8]) -> Option<Self> {
        if text.len() != TEXT {
            return None;
        }
        let mut bytes = [0; BYTES];
        URL_SAFE_NO_PAD.decode(text, Out::from_slice(&mut bytes)).ok()?;
        Some(Self(bytes))
    }

    /// The one in a record.
    pub(super) fn of_record(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the cookie.
    pub(super) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode_to_string(self.0)
    }

    /// For the record.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key of the session in a store. The site is bound to the entry when it is sealed; here it keeps apart the
    /// entries of sites that share a store.
    #[inline]
    pub(super) fn key(&self, site: SiteId<'_>) -> Key {
        let mut key = [0; 32];
        key[..IN_KEY].copy_from_slice(&self.0[..IN_KEY]);
        key[IN_KEY..24].copy_from_slice(&Mark::of_site(site).word().to_le_bytes());
        key[24..].copy_from_slice(&LABEL);
        key
    }

    /// The mark of a session that ends while its store is away: of the secret part, so that nobody can set it who has only
    /// seen the keys of a store.
    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark::of_secret(&self.0[IN_KEY..])
    }

    /// Whether a record has this identifier. How long that takes does not tell where they differ.
    #[inline]
    pub(super) fn is_of(&self, record: &[u8]) -> bool {
        // Word by word, as byte by byte takes longer than all the rest of the look-up.
        let words = |bytes: &[u8; BYTES]| {
            let (words, rest) = bytes.as_chunks::<8>();
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            [words[0], words[1], words[2], words[3], last].map(u64::from_le_bytes)
        };
        let record: Option<&[u8; BYTES]> = record.try_into().ok();
        let differs = |record| {
            let pairs = words(&self.0).into_iter().zip(words(record));
            pairs.fold(0, |sum, (own, other)| sum | (own ^ other))
        };
        record.is_some_and(|record| differs(record).ct_eq(&0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemRandom;

    #[test]
    fn an_identifier_comes_back_from_its_cookie_and_its_record() {
        let identifier = Identifier::new(&SystemRandom).unwrap();
        let text = identifier.text();
        assert_eq!(text.len(), 44);
        let read = Identifier::of_cookie(text.as_bytes()).unwrap();
        assert!(read.is_of(identifier.bytes()));
        let site = SiteId("site");
        let of_record = Identifier::of_record(identifier.bytes()).unwrap();
        assert_eq!(read.key(site), of_record.key(site));
        assert_ne!(read.key(site), read.key(SiteId("other")));
    }

    #[test]
    fn one_of_another_length_or_alphabet_is_none() {
        let text = Identifier::new(&SystemRandom).unwrap().text();
        for wrong in [
            &text[1..],
            &format!("{text}A"),
            "",
            &text.replacen(&text[..1], "+", 1),
        ] {
            assert!(Identifier::of_cookie(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_key_holds_half_of_it_and_the_record_must_have_the_other() {
        let identifier = Identifier::new(&SystemRandom).unwrap();
        let key = identifier.key(SiteId("site"));
        assert_eq!(key[..16], identifier.0[..16]);
        for place in 0..BYTES {
            let mut other = identifier;
            other.0[place] ^= 1;
            assert!(!other.is_of(identifier.bytes()), "{place}");
            assert_eq!(other.key(SiteId("site")) == key, place >= 16, "{place}");
        }
        assert!(!identifier.is_of(&[]));
    }
}
