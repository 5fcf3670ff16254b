//! The record of a session: all that a page needs of it, in a binary form that is used in place.
//!
//! ```text
//! parts u16 | id: 16 bytes | marks of user and sid: u64 | version u32 | began: 48 bits | issued, ends: 40 bits
//! where there is one: mark of the name u64 | asked max_age u32 | auth_time, access_expires, seen, informed: 40 bits
//! the strings that there are | claims to the end
//! ```
//! Numbers are little-endian, times in seconds, `began` in milliseconds. The bits of `parts` ([`Part`]) say what there is;
//! `seen` and `informed` are those of the login where they are left out: most records are never written again; the scopes
//! that most logins ask for are a bit. Every text ends with a NUL so that httpd can be given a pointer into the decrypted
//! cookie instead of a copy. The version of the format is that of the purpose's key ([`crate::base::Purpose`]): another
//! format, another key, so that a foreign one does not open at all.

use std::fmt;

use super::claim::Claims;
use super::wire::{Reader, put_string};
use crate::base::{Millis, Seconds};

/// The strings of a record, in the order in which they are written.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Strings<'r> {
    /// The `acr` of the id token, or empty.
    pub acr: &'r [u8],
    /// Every `acr` that the user authenticated with before: lines of `acr login auth_time` ([`super::acr`]).
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

/// The bytes that every record has.
const FIXED: usize = 2 + 16 + 2 * 8 + 4 + 6 + 2 * 5;

/// The bits that say what a record has.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Part {
    Acr = 1,
    Acrs = 1 << 1,
    Refused = 1 << 2,
    Identifier = 1 << 3,
    Scope = 1 << 4,
    RefreshToken = 1 << 5,
    NameMark = 1 << 6,
    AskedAge = 1 << 7,
    AuthTime = 1 << 8,
    AccessExpires = 1 << 9,
    Seen = 1 << 10,
    Informed = 1 << 11,
    /// The scopes are [`USUAL_SCOPE`], which is not written out.
    UsualScope = 1 << 12,
}

/// The scopes of a login where `OxdScope` is not set, as most records have them. Part of the format: it never changes.
const USUAL_SCOPE: &[u8] = b"openid profile email";

/// The parts that a record has.
#[derive(Clone, Copy)]
struct Parts(u16);

impl Parts {
    #[inline]
    fn has(self, part: Part) -> bool {
        self.0 & part as u16 != 0
    }

    fn with(self, part: Part, is_there: bool) -> Self {
        Self(self.0 | if is_there { part as u16 } else { 0 })
    }
}

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
        // Of a known length, so that its parts need no checks of their own.
        let (fixed, rest) = record.split_first_chunk::<FIXED>()?;
        let mut fixed = Reader(fixed);
        let parts = Parts(u16::from_le_bytes(*fixed.array()?));
        let mut record = Self {
            id: *fixed.array()?,
            marks: Marks {
                user: fixed.number::<8>()?,
                name: 0,
                sid: fixed.number::<8>()?,
            },
            version: u32::from_le_bytes(*fixed.array()?),
            began: Millis(fixed.number::<6>()?),
            issued: fixed.seconds()?,
            ends: fixed.seconds()?,
            can_refresh: parts.has(Part::RefreshToken),
            ..Self::default()
        };
        (record.seen, record.informed) = (record.issued, record.issued);
        let mut rest = Reader(rest);
        if parts.has(Part::NameMark) {
            record.marks.name = rest.number::<8>()?;
        }
        if parts.has(Part::AskedAge) {
            record.asked_age = Some(Seconds(rest.number::<4>()?));
        }
        for (part, time) in [
            (Part::AuthTime, &mut record.auth_time),
            (Part::AccessExpires, &mut record.access_expires),
            (Part::Seen, &mut record.seen),
            (Part::Informed, &mut record.informed),
        ] {
            if parts.has(part) {
                *time = rest.seconds()?;
            }
        }
        let strings = &mut record.strings;
        for (part, string) in [
            (Part::Acr, &mut strings.acr),
            (Part::Acrs, &mut strings.acrs),
            (Part::Refused, &mut strings.refused),
            (Part::Identifier, &mut strings.identifier),
            (Part::Scope, &mut strings.scope),
        ] {
            if parts.has(part) {
                *string = rest.string()?;
            }
        }
        if parts.has(Part::UsualScope) {
            record.strings.scope = USUAL_SCOPE;
        }
        record.claims = rest.0;
        Some(record)
    }

    /// Writes the record.
    pub fn write(&self) -> Vec<u8> {
        let strings = &self.strings;
        let is_usual = strings.scope == USUAL_SCOPE;
        let strings = [
            (Part::Acr, strings.acr),
            (Part::Acrs, strings.acrs),
            (Part::Refused, strings.refused),
            (Part::Identifier, strings.identifier),
            (Part::Scope, if is_usual { &[] } else { strings.scope }),
        ];
        let times = [
            (Part::AuthTime, self.auth_time, Seconds::ZERO),
            (Part::AccessExpires, self.access_expires, Seconds::ZERO),
            (Part::Seen, self.seen, self.issued),
            (Part::Informed, self.informed, self.issued),
        ];
        let mut parts = Parts(0)
            .with(Part::RefreshToken, self.can_refresh)
            .with(Part::UsualScope, is_usual)
            .with(Part::NameMark, self.marks.name != 0)
            .with(Part::AskedAge, self.asked_age.is_some());
        for (part, time, usual) in times {
            parts = parts.with(part, time != usual);
        }
        for (part, text) in strings {
            parts = parts.with(part, !text.is_empty());
        }
        let mut out = Vec::with_capacity(256 + self.claims.len());
        out.extend(parts.0.to_le_bytes());
        out.extend(self.id);
        out.extend(self.marks.user.to_le_bytes());
        out.extend(self.marks.sid.to_le_bytes());
        out.extend(self.version.to_le_bytes());
        out.extend(lowest::<6>(self.began.0));
        out.extend(lowest::<5>(self.issued.0));
        out.extend(lowest::<5>(self.ends.0));
        if parts.has(Part::NameMark) {
            out.extend(self.marks.name.to_le_bytes());
        }
        if let Some(age) = self.asked_age {
            out.extend(lowest::<4>(age.0));
        }
        for (_, time, _) in times.iter().filter(|(part, ..)| parts.has(*part)) {
            out.extend(lowest::<5>(time.0));
        }
        for (_, text) in strings.iter().filter(|(_, text)| !text.is_empty()) {
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
