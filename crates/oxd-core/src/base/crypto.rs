//! Keys derived from `OxdCryptoKey`, and the sealing of what leaves the process in a cookie.
//!
//! Sealed text is `version (1) | nonce (12) | ciphertext | tag (16)` under AES-256-GCM; in cookies it stands in
//! unpadded base64url. Each purpose has a key of its own, and the additional data names what the text belongs to (the
//! `oxd_id`, and in a store the entry's key), so that a cookie of another purpose or of another site does not open, nor
//! an entry that was put under another key.

use std::error::Error;
use std::fmt;

use base64_simd::{AsOut, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{digest, hkdf, hmac};

/// The version byte of everything that [`KeyRing::seal`] makes.
const VERSION: u8 = 1;
/// Version, nonce and tag: what sealing adds to the text, in bytes.
pub(crate) const OVERHEAD: usize = 1 + NONCE_LEN + 16;
/// The shortest text that `OxdCryptoKey` takes, in bytes: a key that can be guessed protects nothing.
pub(crate) const LEAST_KEY_TEXT: usize = 16;

/// The bytes of a pseudonym: nobody finds two values with the same one.
const PSEUDONYM: usize = 16;

/// The number of purposes.
const COUNT: usize = 7;

/// The purpose of a sealed text. A text sealed for one purpose does not open for another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Purpose {
    /// A session cookie.
    Session,
    /// A login in progress.
    State,
    /// The marker that a login was restarted a moment ago.
    Retry,
    /// When a session was last used.
    Seen,
    /// Entries of a store or of shared memory.
    Entry,
    /// A form of the module's own pages.
    Form,
    /// The tokens of a session.
    Tokens,
}

impl Purpose {
    const ALL: [Purpose; COUNT] = [
        Purpose::Session,
        Purpose::State,
        Purpose::Retry,
        Purpose::Seen,
        Purpose::Entry,
        Purpose::Form,
        Purpose::Tokens,
    ];

    fn label(self) -> &'static [u8] {
        match self {
            Purpose::Session => b"mod_oxd session 5",
            Purpose::State => b"mod_oxd state 2",
            Purpose::Retry => b"mod_oxd retry 1",
            Purpose::Seen => b"mod_oxd seen 1",
            Purpose::Entry => b"mod_oxd entry 5",
            Purpose::Form => b"mod_oxd form 1",
            Purpose::Tokens => b"mod_oxd tokens 1",
        }
    }
}

/// Fills buffers with random bytes from the operating system.
pub trait Random {
    /// Fills the buffer; an error when the system has no randomness to give.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The system gave no random bytes.
#[derive(Debug)]
pub struct NoRandomness;

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system gave no random bytes")
    }
}

impl Error for NoRandomness {}

/// Why a text could not be sealed.
#[derive(Debug)]
pub enum SealError {
    /// There was no nonce for it.
    NoNonce(NoRandomness),
    /// It is longer than AES-GCM allows (NIST SP 800-38D section 5.2.1.1: some 64 GiB).
    TooLong,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SealError::NoNonce(_) => "no nonce to seal with",
            SealError::TooLong => "the text is too long to be sealed",
        })
    }
}

impl Error for SealError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SealError::NoNonce(cause) => Some(cause),
            SealError::TooLong => None,
        }
    }
}

/// The operating system's randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        use ring::rand::SecureRandom;
        ring::rand::SystemRandom::new()
            .fill(buffer)
            .map_err(|_| NoRandomness)
    }
}

/// `count` random bytes as base64url text.
pub(crate) fn random_text(random: &dyn Random, count: usize) -> Result<String, NoRandomness> {
    let mut bytes = vec![0; count];
    random.fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// The SHA-256 of several texts, none of which can pass for the end of the one before it.
pub fn sha256_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// The SHA-256 of a text, as base64url.
pub(crate) fn sha256_text(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(digest::digest(&digest::SHA256, text))
}

/// The keys of one place: the first one writes, all of them read.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<[LessSafeKey; COUNT]>,
    /// For names that a log shows in place of the real ones; of the newest text.
    pseudonyms: hmac::Key,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys.len())
    }
}

impl KeyRing {
    /// Derives the keys (HKDF-SHA-256, RFC 5869) from secret texts, newest first. `None` without any text.
    pub fn derive<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Option<KeyRing> {
        let texts: Vec<_> = texts.into_iter().collect();
        Some(KeyRing {
            pseudonyms: pseudonym_key(texts.first()?),
            keys: texts
                .iter()
                .map(|text| Purpose::ALL.map(|p| derive_one(text, p)))
                .collect(),
        })
    }

    /// A name for a value that says nothing about it to whoever has not the key: 22 characters of base64url, always the
    /// same for a value of this kind.
    pub(crate) fn pseudonym(&self, kind: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.pseudonyms);
        // No kind has a NUL.
        context.update(kind.as_bytes());
        context.update(b"\0");
        context.update(value);
        let tag = context.sign();
        URL_SAFE_NO_PAD.encode_to_string(&tag.as_ref()[..PSEUDONYM])
    }

    /// Seals a text for a purpose; `aad` is the additional data. The result is cookie-safe ASCII.
    pub fn seal(
        &self,
        random: &dyn Random,
        purpose: Purpose,
        aad: &str,
        text: &[u8],
    ) -> Result<String, SealError> {
        let sealed = self.seal_bytes(random, purpose, aad.as_bytes(), text)?;
        Ok(URL_SAFE_NO_PAD.encode_to_string(sealed))
    }

    /// Seals a text for a purpose, as bytes.
    pub fn seal_bytes(
        &self,
        random: &dyn Random,
        purpose: Purpose,
        aad: &[u8],
        text: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(SealError::NoNonce)?;
        let mut sealed = Vec::with_capacity(OVERHEAD + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text);
        let tag = self.keys[0][purpose as usize]
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                &mut sealed[1 + NONCE_LEN..],
            )
            .map_err(|_| SealError::TooLong)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The buffer size in bytes that [`KeyRing::open`] needs for a sealed text of this length.
    pub fn buffer_len(sealed_len: usize) -> usize {
        // One decoded copy to open, and one that stays untouched for the next key of the ring.
        sealed_len / 4 * 3 + 3
    }

    /// Opens what [`KeyRing::seal`] made, in the caller's buffer (of [`KeyRing::buffer_len`]), without allocating.
    ///
    /// `None` for anything else: altered, truncated, of another purpose, site, key or version.
    pub fn open<'b>(
        &self,
        purpose: Purpose,
        aad: &str,
        sealed: &[u8],
        buffer: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        // A failed attempt leaves the buffer in an unknown state, so each key starts from the cookie again.
        let found = self.keys.iter().find_map(|key| {
            let decoded = URL_SAFE_NO_PAD.decode(sealed, buffer.as_out()).ok()?;
            open_in_place(&key[purpose as usize], aad.as_bytes(), decoded)
        })?;
        buffer.get_mut(found)
    }

    /// Opens what [`KeyRing::seal_bytes`] made, in the caller's buffer, which must be as long as the sealed bytes.
    pub fn open_bytes<'b>(
        &self,
        purpose: Purpose,
        aad: &[u8],
        sealed: &[u8],
        buffer: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let buffer = buffer.get_mut(..sealed.len())?;
        buffer.copy_from_slice(sealed);
        self.open_copy(purpose, aad, sealed, buffer)
    }

    /// The same in a copy of the sealed bytes.
    pub fn open_copy<'b>(
        &self,
        purpose: Purpose,
        aad: &[u8],
        sealed: &[u8],
        copy: &'b mut [u8],
    ) -> Option<&'b mut [u8]> {
        let found = self.keys.iter().enumerate().find_map(|(number, key)| {
            // A failed attempt leaves it in an unknown state.
            if number > 0 {
                copy.get_mut(..sealed.len())?.copy_from_slice(sealed);
            }
            open_in_place(&key[purpose as usize], aad, copy)
        })?;
        copy.get_mut(found)
    }

    /// [`KeyRing::open`] into memory of its own, for paths where speed does not matter.
    pub fn open_owned(&self, purpose: Purpose, site: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; Self::buffer_len(sealed.len())];
        self.open(purpose, site, sealed, &mut buffer)
            .map(|text| text.to_vec())
    }
}

/// Opens sealed bytes where they are; answers where in them the text is.
fn open_in_place(key: &LessSafeKey, aad: &[u8], sealed: &mut [u8]) -> Option<std::ops::Range<usize>> {
    if sealed.len() < OVERHEAD || sealed[0] != VERSION {
        return None;
    }
    let start = 1 + NONCE_LEN;
    let nonce = Nonce::try_assume_unique_for_key(&sealed[1..start]).ok()?;
    let text = key
        .open_in_place(nonce, Aad::from(aad), &mut sealed[start..])
        .ok()?;
    Some(start..start + text.len())
}

fn extract(text: &[u8]) -> hkdf::Prk {
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"mod_oxd OxdCryptoKey").extract(text)
}

fn pseudonym_key(text: &[u8]) -> hmac::Key {
    match extract(text).expand(&[b"mod_oxd pseudonym 1"], hmac::HMAC_SHA256) {
        Ok(material) => hmac::Key::from(material),
        Err(_) => unreachable!("32 bytes are within what HKDF-SHA-256 can give"),
    }
}

fn derive_one(text: &[u8], purpose: Purpose) -> LessSafeKey {
    let extracted = extract(text);
    let info = [purpose.label()];
    match extracted.expand(&info, &AES_256_GCM) {
        Ok(material) => LessSafeKey::new(UnboundKey::from(material)),
        Err(_) => unreachable!("32 bytes are within what HKDF-SHA-256 can give"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(texts: &[&str]) -> KeyRing {
        KeyRing::derive(texts.iter().map(|t| t.as_bytes())).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_again_and_nothing_else_does() {
        let keys = ring(&["a key of some length"]);
        let sealed = keys
            .seal(&SystemRandom, Purpose::Session, "site", b"hello")
            .unwrap();
        assert_eq!(
            keys.open_owned(Purpose::Session, "site", sealed.as_bytes())
                .unwrap(),
            b"hello"
        );
        assert!(
            keys.open_owned(Purpose::State, "site", sealed.as_bytes())
                .is_none()
        );
        assert!(
            keys.open_owned(Purpose::Session, "other", sealed.as_bytes())
                .is_none()
        );
        for cut in 0..sealed.len() {
            assert!(
                keys.open_owned(Purpose::Session, "site", &sealed.as_bytes()[..cut])
                    .is_none()
            );
        }
        for place in 0..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'Z' } else { b'A' };
            let opened = keys.open_owned(Purpose::Session, "site", &altered);
            // The last character carries unused bits; changing only those decodes to the same bytes or to an error.
            assert!(
                opened.is_none() || place + 1 == sealed.len(),
                "altered at {place}"
            );
        }
    }

    #[test]
    fn a_pseudonym_depends_on_the_newest_key_the_kind_and_the_value() {
        let (new, old) = ("the new key, long enough", "the old key, long enough");
        let name = |keys: &[&str], kind, value: &[u8]| ring(keys).pseudonym(kind, value);
        let known = name(&[new], "sub", b"alice");
        assert_eq!(known.len(), 22);
        assert_eq!(known, name(&[new, old], "sub", b"alice"));
        assert_ne!(known, name(&[old], "sub", b"alice"));
        assert_ne!(known, name(&[new], "session", b"alice"));
        assert_ne!(known, name(&[new], "sub", b"alicf"));
    }

    #[test]
    fn older_keys_read_and_only_the_first_writes() {
        let old = ring(&["the old key, long enough"]);
        let both = ring(&["the new key, long enough", "the old key, long enough"]);
        let new = ring(&["the new key, long enough"]);
        let by_old = old.seal(&SystemRandom, Purpose::Session, "s", b"x").unwrap();
        let by_both = both.seal(&SystemRandom, Purpose::Session, "s", b"x").unwrap();
        assert!(
            both.open_owned(Purpose::Session, "s", by_old.as_bytes())
                .is_some()
        );
        assert!(
            new.open_owned(Purpose::Session, "s", by_both.as_bytes())
                .is_some()
        );
        assert!(
            old.open_owned(Purpose::Session, "s", by_both.as_bytes())
                .is_none()
        );
    }

    #[test]
    fn hostile_text_is_refused() {
        let keys = ring(&["a key of some length"]);
        for text in ["", "A", "====", "\u{0}", "!!!!", "AQ", &"A".repeat(10_000)] {
            assert!(
                keys.open_owned(Purpose::Session, "s", text.as_bytes()).is_none(),
                "{text:.20}"
            );
        }
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let keys = ring(&["a key of some length"]);
        let seal = || keys.seal(&SystemRandom, Purpose::Session, "s", b"x").unwrap();
        assert_ne!(seal(), seal());
    }
}
