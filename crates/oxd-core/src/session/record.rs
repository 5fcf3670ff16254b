//! The record of a session: all that a page needs of it, in a binary form that is used in place.
//!
//! ```text
//! id: 16 bytes | marks: 3 u64 | version u32 | asked max_age + 1 u32 (0: none) | began: 48 bits, in milliseconds
//! seen, issued, ends, auth_time, access_expires, informed: 40 bits each, in seconds (0: unknown)
//! parts u8: bit i stands for the i-th of the strings, bit 7 for a refresh token
//! the strings that there are | claims to the end
//! ```
//! Numbers are little-endian. Every text ends with a NUL so that httpd can be given a pointer into the decrypted cookie
//! instead of a copy. The version of the format is that of the purpose's key ([`crate::base::Purpose`]): another format,
//! another key, so that a foreign one does not open at all.

use std::fmt;

use super::claim::Claims;
use super::wire::{Reader, put_string};
use crate::base::{Millis, Seconds};

/// The strings of a record, in the order in which they are written.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Strings<'r> {
    /// The `acr` of the id token, or empty.
    pub acr: &'r [u8],
    /// Every `acr` that the user authenticated with: lines of `acr login auth_time` ([`super::acr`]).
    pub acrs: &'r [u8],
    /// Values that a step-up requested and the provider did not use; `*` for any.
    pub refused: &'r [u8],
    /// With a store the bytes of the identifier in the session's cookie ([`super::identifier`]); or empty.
    pub identifier: &'r [u8],
    /// The scopes of the access token, separated by spaces: those that the login asked for, as oxd does not hand on what
    /// the provider granted; after a refresh those that oxd names.
    pub scope: &'r [u8],
}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing that a log shows may hold the identifier.
        let shown = |text| String::from_utf8_lossy(text).into_owned();
        f.debug_struct("Strings")
            .field("acr", &shown(self.acr))
            .field("acrs", &shown(self.acrs))
            .field("refused", &shown(self.refused))
            .field("scope", &shown(self.scope))
            .finish_non_exhaustive()
    }
}

/// The mark of a session in shared memory ([`crate::shm::Mark`]); 0 for none.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Marks {
    /// Of the user's `sub`.
    pub user: u64,
    /// Of the user's name, where that is not the `sub`.
    pub name: u64,
    /// Of the session at the provider (`iss` and `sid`).
    pub sid: u64,
}

/// A session as it stands in a decrypted cookie or entry.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct SessionRecord<'r> {
    /// When this record was written.
    pub seen: Seconds,
    /// Random bytes that no other session has.
    pub id: [u8; 16],
    /// The marks that find the session when a user, or a session at the provider, ends.
    pub marks: Marks,
    /// Counts how often tokens or claims were replaced.
    pub version: u32,
    /// When the login ended.
    pub issued: Seconds,
    /// The moment that marks of ends are compared with: that of the login, or just after the last end that is known for
    /// this user, where a clock was ahead then.
    pub began: Millis,
    /// When the session ends whatever happens.
    pub ends: Seconds,
    /// When the user authenticated at the provider, not later than `issued`; 0: unknown.
    pub auth_time: Seconds,
    /// The `max_age` that the login asked for and the provider's answer met.
    pub asked_age: Option<Seconds>,
    /// When the access token runs out; 0: unknown.
    pub access_expires: Seconds,
    /// The time of the last `get-user-info`.
    pub informed: Seconds,
    /// Whether the session has a refresh token ([`super::Tokens`]).
    pub can_refresh: bool,
    /// The strings.
    pub strings: Strings<'r>,
    /// The claims, one after the other.
    pub claims: &'r [u8],
}

/// The bytes before the strings.
const FIXED: usize = 16 + 3 * 8 + 4 + 4 + 6 + 6 * 5 + 1;
/// Set in the byte of parts where there is a refresh token.
const CAN_REFRESH: u8 = 0x80;

/// A number in the lowest bytes of a word; the greatest that fits in place of a greater one.
fn lowest<const N: usize>(value: u64) -> [u8; N] {
    let most = u64::MAX >> (64 - 8 * N);
    let mut bytes = [0; N];
    bytes.copy_from_slice(&value.min(most).to_le_bytes()[..N]);
    bytes
}

impl<'r> Reader<'r> {
    #[inline]
    fn number<const N: usize>(&mut self) -> Option<u64> {
        let mut word = [0; 8];
        word[..N].copy_from_slice(self.array::<N>()?);
        Some(u64::from_le_bytes(word))
    }

    #[inline]
    fn seconds(&mut self) -> Option<Seconds> {
        self.number::<5>().map(Seconds)
    }
}

impl<'r> SessionRecord<'r> {
    /// Reads a record; `None` when it is not one.
    #[inline]
    pub fn read(record: &'r [u8]) -> Option<Self> {
        let (fixed, rest) = record.split_at_checked(FIXED)?;
        let mut fixed = Reader(fixed);
        let mut record = Self {
            id: *fixed.array()?,
            marks: Marks {
                user: fixed.number::<8>()?,
                name: fixed.number::<8>()?,
                sid: fixed.number::<8>()?,
            },
            version: u32::from_le_bytes(*fixed.array()?),
            asked_age: fixed.number::<4>()?.checked_sub(1).map(Seconds),
            began: Millis(fixed.number::<6>()?),
            seen: fixed.seconds()?,
            issued: fixed.seconds()?,
            ends: fixed.seconds()?,
            auth_time: fixed.seconds()?,
            access_expires: fixed.seconds()?,
            informed: fixed.seconds()?,
            ..Self::default()
        };
        let parts = fixed.byte()?;
        record.can_refresh = parts & CAN_REFRESH != 0;
        let mut rest = Reader(rest);
        let strings = &mut record.strings;
        for (bit, string) in [
            &mut strings.acr,
            &mut strings.acrs,
            &mut strings.refused,
            &mut strings.identifier,
            &mut strings.scope,
        ]
        .into_iter()
        .enumerate()
        {
            if parts & 1 << bit != 0 {
                *string = rest.string()?;
            }
        }
        record.claims = rest.0;
        Some(record)
    }

    /// Writes the record.
    pub fn write(&self) -> Vec<u8> {
        let strings = &self.strings;
        let strings = [
            strings.acr,
            strings.acrs,
            strings.refused,
            strings.identifier,
            strings.scope,
        ];
        let mut out = Vec::with_capacity(256 + self.claims.len());
        out.extend(self.id);
        for mark in [self.marks.user, self.marks.name, self.marks.sid] {
            out.extend(mark.to_le_bytes());
        }
        out.extend(self.version.to_le_bytes());
        let asked = self.asked_age.map_or(0, |age| age.0.saturating_add(1));
        out.extend(lowest::<4>(asked));
        out.extend(lowest::<6>(self.began.0));
        for time in [
            self.seen,
            self.issued,
            self.ends,
            self.auth_time,
            self.access_expires,
            self.informed,
        ] {
            out.extend(lowest::<5>(time.0));
        }
        let there = strings.iter().enumerate().filter(|(_, text)| !text.is_empty());
        let parts = there.fold(0, |parts, (bit, _)| parts | 1 << bit);
        out.push(parts | if self.can_refresh { CAN_REFRESH } else { 0 });
        for text in strings.iter().filter(|text| !text.is_empty()) {
            put_string(&mut out, text);
        }
        out.extend_from_slice(self.claims);
        out
    }

    /// The claims, in the order in which they were written; stops at the first that cannot be read.
    #[inline]
    pub fn claims(&self) -> Claims<'r> {
        Claims::of(self.claims)
    }
}

/// `expires_in` as a point in time; 0 when unknown (oxd sends -1).
pub(super) fn expiry(now: Seconds, expires_in: Option<i64>) -> Seconds {
    expires_in
        .and_then(|s| u64::try_from(s).ok())
        .filter(|s| *s > 0)
        .map_or(Seconds::ZERO, |s| now.saturating_add(Seconds(s)))
}

#[cfg(test)]
mod tests;
