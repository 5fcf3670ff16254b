//! The tokens of a session, which few pages need: sealed apart from its record, and opened only where they are wanted.
//!
//! ```text
//! access token | refresh token | id token | return address, each: length | bytes | NUL
//! ```
//! In a store they follow the record in the same entry. Without a store they have a cookie of their own, which the
//! browser sends to the handler alone where no page of the server wants tokens
//! ([`tokens_path`](crate::config::check::tokens_path)): a shorter header for every other request. The additional data
//! names the session, so that tokens of another one do not open.

use std::fmt;

use super::wire::{Reader, put_string};
use crate::base::{KeyRing, Purpose, SiteId};

/// Suffix of the cookie with the tokens.
pub(super) const COOKIE_SUFFIX: &str = ".tokens";

/// The tokens of a session.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Tokens<'r> {
    /// The access token.
    pub access_token: &'r [u8],
    /// The refresh token, or empty.
    pub refresh_token: &'r [u8],
    /// The id token, wanted for `id_token_hint` at logout.
    pub id_token: &'r [u8],
    /// Where the login that made the session ended.
    pub target: &'r [u8],
}

impl fmt::Debug for Tokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing that a log shows may hold a token.
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl<'r> Tokens<'r> {
    /// Reads what [`Tokens::write`] made; `None` when it is not that.
    pub fn read(bytes: &'r [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        Some(Self {
            access_token: reader.string()?,
            refresh_token: reader.string()?,
            id_token: reader.string()?,
            target: reader.string()?,
        })
    }

    /// Writes the tokens.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.access_token.len() + self.id_token.len());
        for text in [self.access_token, self.refresh_token, self.id_token, self.target] {
            put_string(&mut out, text);
        }
        out
    }
}

/// Where the tokens of an opened session are.
#[derive(Clone, Copy, Default)]
pub enum TokensAt<'b> {
    /// There are none: the identity of a bearer token.
    #[default]
    Nowhere,
    /// In a cookie, if the browser has sent it here.
    Cookie,
    /// Here, sealed.
    Sealed(&'b [u8]),
    /// Here, as [`Tokens::write`] made them.
    Open(&'b [u8]),
}

impl fmt::Debug for TokensAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokensAt::Nowhere => "Nowhere",
            TokensAt::Cookie => "Cookie",
            TokensAt::Sealed(_) => "Sealed",
            TokensAt::Open(_) => "Open",
        })
    }
}

/// A session as it is written: its record and its tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// The record ([`SessionRecord::write`](super::SessionRecord::write)).
    pub record: Vec<u8>,
    /// The tokens ([`Tokens::write`]).
    pub tokens: Vec<u8>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

impl Written {
    /// Both as one text.
    pub(super) fn joined(&self) -> Vec<u8> {
        let length = u32::try_from(self.record.len()).unwrap_or(u32::MAX);
        [&length.to_le_bytes()[..], &self.record, &self.tokens].concat()
    }

    /// Takes that text apart.
    pub(super) fn split(joined: &[u8]) -> Option<Self> {
        let (length, rest) = joined.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (record, tokens) = rest.split_at_checked(length)?;
        Some(Self {
            record: record.to_vec(),
            tokens: tokens.to_vec(),
        })
    }
}

/// The name of the cookie with the tokens, by that of the session cookie.
pub(super) fn cookie_name(session: &str) -> String {
    [session, COOKIE_SUFFIX].concat()
}

/// The additional data of sealed tokens: they belong to one session of one site.
pub(super) fn aad(site: SiteId<'_>, id: &[u8; 16]) -> String {
    format!("{:032x} {}", u128::from_le_bytes(*id), site.as_str())
}

/// Opens tokens that were sealed as bytes for this session of this site.
pub(super) fn open_bytes(keys: &KeyRing, site: SiteId<'_>, id: &[u8; 16], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = vec![0; sealed.len()];
    let opened = keys.open_bytes(Purpose::Tokens, aad(site, id).as_bytes(), sealed, &mut buffer)?;
    Some(opened.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_as_they_were_written_and_cut_ones_are_none() {
        let tokens = Tokens {
            access_token: b"at",
            refresh_token: b"",
            id_token: &[b'x'; 300],
            target: b"/app/",
        };
        let written = tokens.write();
        assert_eq!(Tokens::read(&written), Some(tokens));
        for cut in 0..written.len() {
            assert_eq!(Tokens::read(&written[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn a_written_session_is_joined_and_split() {
        let written = Written {
            record: b"record".to_vec(),
            tokens: b"tokens".to_vec(),
        };
        let joined = written.joined();
        assert_eq!(Written::split(&joined), Some(written));
        for cut in 0..10 {
            assert_eq!(Written::split(&joined[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn debug_output_shows_no_token() {
        let secret = b"hunter2";
        let tokens = Tokens {
            access_token: secret,
            ..Tokens::default()
        };
        let written = Written {
            record: secret.to_vec(),
            tokens: secret.to_vec(),
        };
        let shown = format!("{tokens:?} {written:?} {:?}", TokensAt::Open(secret));
        assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
    }
}
