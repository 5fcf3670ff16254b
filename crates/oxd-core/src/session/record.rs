//! The binary form of a session, made to be used in place.
//!
//! ```text
//! seen: u64 LE | id: 16 bytes | marks: 3 u64 LE
//! version, issued, began in milliseconds, ends, auth_time, asked max_age + 1, access_expires, informed: varint (0: unknown)
//! 9 strings | claims to the end
//! string: length varint | bytes | NUL
//! claim:  kind u8 | name length varint | text length varint | name NUL | text NUL | (kind Json: string with the JSON)
//! ```
//! Every text ends with a NUL so that httpd can be given a pointer into the decrypted cookie instead of a copy. The
//! version of the format is that of the purpose's key ([`crate::base::Purpose`]): another format, another key, so
//! that a foreign one does not open at all.

use std::fmt;

use crate::base::{Millis, Seconds};

/// The strings of a session, in the order in which they are written.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Strings<'r> {
    /// The `acr` of the id token, or empty.
    pub acr: &'r [u8],
    /// Every `acr` that the user authenticated with: lines of `acr login auth_time` ([`super::acr`]).
    pub acrs: &'r [u8],
    /// Values that a step-up requested and the provider did not use; `*` for any.
    pub refused: &'r [u8],
    /// The key of the session's entry in the store ([`crate::session::store::Key`]); empty without a store.
    pub key: &'r [u8],
    /// Where the login that made the session ended.
    pub target: &'r [u8],
    /// The access token.
    pub access_token: &'r [u8],
    /// The refresh token, or empty.
    pub refresh_token: &'r [u8],
    /// The id token, wanted for `id_token_hint` at logout.
    pub id_token: &'r [u8],
    /// The scopes of the access token, separated by spaces: those that the login asked for, as oxd does not hand on what
    /// the provider granted; after a refresh those that oxd names.
    pub scope: &'r [u8],
}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing that a log shows may hold a token.
        let shown = |text| String::from_utf8_lossy(text).into_owned();
        f.debug_struct("Strings")
            .field("acr", &shown(self.acr))
            .field("acrs", &shown(self.acrs))
            .field("refused", &shown(self.refused))
            .field("target", &shown(self.target))
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
    pub version: u64,
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
    /// The strings.
    pub strings: Strings<'r>,
    /// The claims, one after the other.
    pub claims: &'r [u8],
}

/// How a claim's text relates to its JSON value. The numbers stand in cookies and entries that outlive the process.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// A string: the text is the value.
    Text = 0,
    /// A number or a boolean: the text is the JSON.
    Scalar = 1,
    /// An array of strings without commas: the text joins them with `,`.
    List = 2,
    /// Anything else: the JSON follows the text.
    Json = 3,
}

impl Kind {
    #[inline]
    fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Kind::Text),
            1 => Some(Kind::Scalar),
            2 => Some(Kind::List),
            3 => Some(Kind::Json),
            _ => None,
        }
    }
}

/// Set in a kind byte when the claim's environment name belongs to another claim.
const HIDDEN: u8 = 0x80;

/// One claim of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClaimView<'r> {
    /// How to read `text`.
    pub kind: Kind,
    /// Whether another claim has the same name once it is made fit for the environment.
    pub hidden: bool,
    /// The claim's name, without the NUL.
    pub name: &'r [u8],
    /// The text for the application, *with* the NUL behind it.
    pub text_nul: &'r [u8],
    /// The JSON, for [`Kind::Json`].
    pub json: &'r [u8],
}

impl<'r> ClaimView<'r> {
    /// The text for the application.
    pub fn text(&self) -> &'r [u8] {
        &self.text_nul[..self.text_nul.len() - 1]
    }
}

/// Reads forward through a record; every step fails rather than reads past the end.
struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn take(&mut self, count: usize) -> Option<&'r [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn fixed(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    #[inline]
    fn varint(&mut self) -> Option<u64> {
        // Nearly all lengths fit into one byte.
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Some(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    /// `count` bytes and the NUL behind them.
    fn terminated(&mut self, count: usize) -> Option<&'r [u8]> {
        let with_nul = self.take(count.checked_add(1)?)?;
        (with_nul[count] == 0).then_some(with_nul)
    }

    fn string(&mut self) -> Option<&'r [u8]> {
        let count = self.length()?;
        self.terminated(count).map(|s| &s[..count])
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text);
    out.push(0);
}

impl<'r> SessionRecord<'r> {
    /// Reads a record; `None` when it is not one.
    pub fn read(record: &'r [u8]) -> Option<Self> {
        let mut reader = Reader(record);
        Some(Self {
            seen: Seconds(reader.fixed()?),
            id: reader.take(16)?.try_into().ok()?,
            marks: Marks {
                user: reader.fixed()?,
                name: reader.fixed()?,
                sid: reader.fixed()?,
            },
            version: reader.varint()?,
            issued: Seconds(reader.varint()?),
            began: Millis(reader.varint()?),
            ends: Seconds(reader.varint()?),
            auth_time: Seconds(reader.varint()?),
            asked_age: reader.varint()?.checked_sub(1).map(Seconds),
            access_expires: Seconds(reader.varint()?),
            informed: Seconds(reader.varint()?),
            strings: Strings {
                acr: reader.string()?,
                acrs: reader.string()?,
                refused: reader.string()?,
                key: reader.string()?,
                target: reader.string()?,
                access_token: reader.string()?,
                refresh_token: reader.string()?,
                id_token: reader.string()?,
                scope: reader.string()?,
            },
            claims: reader.0,
        })
    }

    /// Writes the record.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.claims.len() + self.strings.id_token.len());
        out.extend_from_slice(&self.seen.0.to_le_bytes());
        out.extend_from_slice(&self.id);
        for mark in [self.marks.user, self.marks.name, self.marks.sid] {
            out.extend_from_slice(&mark.to_le_bytes());
        }
        for number in [
            self.version,
            self.issued.0,
            self.began.0,
            self.ends.0,
            self.auth_time.0,
            self.asked_age.map_or(0, |age| age.0.saturating_add(1)),
            self.access_expires.0,
            self.informed.0,
        ] {
            put_varint(&mut out, number);
        }
        let strings = &self.strings;
        for text in [
            strings.acr,
            strings.acrs,
            strings.refused,
            strings.key,
            strings.target,
            strings.access_token,
            strings.refresh_token,
            strings.id_token,
            strings.scope,
        ] {
            put_string(&mut out, text);
        }
        out.extend_from_slice(self.claims);
        out
    }

    /// The claims, in the order in which they were written; stops at the first that cannot be read.
    pub fn claims(&self) -> Claims<'r> {
        Claims(Reader(self.claims))
    }
}

/// Walks over the claims of a session.
pub struct Claims<'r>(Reader<'r>);

impl<'r> Iterator for Claims<'r> {
    type Item = ClaimView<'r>;

    #[inline]
    fn next(&mut self) -> Option<ClaimView<'r>> {
        let reader = &mut self.0;
        let kind_byte = reader.take(1)?[0];
        let kind = Kind::of(kind_byte & !HIDDEN)?;
        let (name_len, text_len) = (reader.length()?, reader.length()?);
        let name = &reader.terminated(name_len)?[..name_len];
        let text_nul = reader.terminated(text_len)?;
        let json = if kind == Kind::Json { reader.string()? } else { &[] };
        Some(ClaimView {
            kind,
            hidden: kind_byte & HIDDEN != 0,
            name,
            text_nul,
            json,
        })
    }
}

/// Appends one claim. The caller has taken NULs out of name and text.
pub(super) fn put_claim(out: &mut Vec<u8>, claim: &ClaimView<'_>) {
    out.push(claim.kind as u8 | if claim.hidden { HIDDEN } else { 0 });
    put_varint(out, claim.name.len() as u64);
    put_varint(out, claim.text().len() as u64);
    out.extend_from_slice(claim.name);
    out.push(0);
    out.extend_from_slice(claim.text_nul);
    if claim.kind == Kind::Json {
        put_string(out, claim.json);
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
