//! The claims of a session in its binary form.
//!
//! ```text
//! claim: head u8 | (number 0: string with the name) | string with the text | (kind Json: string with the JSON)
//! head:  number of the name in the lower six bits | kind in the upper two; 63 in front of a head: a hidden claim
//! string: length | bytes | NUL
//! ```
//! A name that many providers use has a number: its place in [`NAMES`] plus one.

use std::ffi::CStr;

use super::wire::{Reader, Terminated, put_string};

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
    /// The kind in a head.
    #[inline]
    fn of(head: u8) -> Self {
        match head >> 6 {
            0 => Kind::Text,
            1 => Kind::Scalar,
            2 => Kind::List,
            _ => Kind::Json,
        }
    }
}

/// The bits of a head that have the number of the name.
const NUMBER: u8 = 0x3f;
/// In place of a head: the claim's environment name belongs to another claim; the head follows.
const HIDDEN: u8 = 0x3f;

/// The head of the claim `sub`, a text.
const SUBJECT: u8 = 1;

/// The prefix of a claim's environment variable.
pub const VARIABLE: &str = "OXD_CLAIM_";

const fn variable(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("it ends with its only NUL"),
    }
}

macro_rules! well_known {
    ($( $name:literal )*) => {
        /// Names that many providers use, as environment variables with a NUL behind them: the claims of OpenID Connect
        /// Core 5.1 and 2, RFC 7519 4.1, RFC 9068 2.2, and those of groups. Their numbers stand in cookies and entries:
        /// names are only added at the end.
        pub const NAMES: [&CStr; [$( $name ),*].len()] = [ $( variable(concat!("OXD_CLAIM_", $name, "\0")) ),* ];
    };
}

well_known! {
    "sub" "iss" "aud" "exp" "iat" "auth_time" "acr" "amr" "azp" "sid" "jti" "nbf"
    "name" "given_name" "family_name" "middle_name" "nickname" "preferred_username" "profile" "picture" "website"
    "email" "email_verified" "gender" "birthdate" "zoneinfo" "locale" "phone_number" "phone_number_verified"
    "address" "updated_at"
    "client_id" "scope" "groups" "roles" "entitlements" "permissions" "username" "uid" "user_name" "inum"
}

/// The number of a name in the binary form; 0 where it is written out.
pub(super) fn number_of(name: &[u8]) -> u8 {
    let place = NAMES.iter().position(|known| plain(known) == name);
    place.and_then(|place| u8::try_from(place + 1).ok()).unwrap_or(0)
}

/// The name in one of [`NAMES`].
#[inline]
fn plain(variable: &'static CStr) -> &'static [u8] {
    &variable.to_bytes()[VARIABLE.len()..]
}

/// One claim of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClaimView<'r> {
    /// How to read `text`.
    pub kind: Kind,
    /// Whether another claim has the same name once it is made fit for the environment.
    pub hidden: bool,
    /// The claim's name, without the NUL.
    pub name: &'r [u8],
    /// The place of its environment variable in [`NAMES`].
    pub known: Option<usize>,
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

    /// Whether this is the claim of that name.
    #[inline]
    pub fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }
}

/// Walks over the claims of a session; stops at the first that cannot be read.
pub struct Claims<'r>(Reader<'r>);

impl<'r> Claims<'r> {
    pub(super) fn of(bytes: &'r [u8]) -> Self {
        Self(Reader(bytes))
    }
}

impl<'r> Iterator for Claims<'r> {
    type Item = ClaimView<'r>;

    fn next(&mut self) -> Option<ClaimView<'r>> {
        self.read_one()
    }
}

impl<'r> Claims<'r> {
    /// Walks over all claims: `known` gets those whose environment variables are among [`NAMES`], with what stands for the
    /// variable in `names`, and their texts; `other` gets the rest, hidden ones too.
    #[inline]
    pub fn each<'n, N>(
        self,
        names: &'n [N; NAMES.len()],
        mut known: impl FnMut(&'n N, Terminated<'r>),
        mut other: impl FnMut(ClaimView<'r>),
    ) {
        let mut bytes = self.0.0;
        loop {
            // The usual form in as few steps as can be, as each request with a session walks over all claims.
            while let [head @ ..0xc0, length @ ..0x80, rest @ ..] = bytes
                && let Some(name) = names.get(usize::from(head & NUMBER).wrapping_sub(1))
                && let Some((text_nul, rest)) = rest.split_at_checked(usize::from(*length) + 1)
                && let Some(text) = Terminated::of(text_nul)
            {
                bytes = rest;
                known(name, text);
            }
            let mut claims = Self::of(bytes);
            let Some(claim) = claims.read_one() else {
                return;
            };
            bytes = claims.0.0;
            match (
                claim.known.and_then(|place| names.get(place)),
                Terminated::of(claim.text_nul),
            ) {
                (Some(name), Some(text)) if !claim.hidden => known(name, text),
                _ => other(claim),
            }
        }
    }

    /// The first claim of this name. `sub` stands first in every record, and each request asks for it.
    #[inline]
    pub fn named(mut self, name: &str) -> Option<ClaimView<'r>> {
        if let [SUBJECT, length @ ..0x80, rest @ ..] = self.0.0
            && name == "sub"
            && let Some(text_nul @ [.., 0]) = rest.get(..=usize::from(*length))
        {
            return Some(ClaimView {
                kind: Kind::Text,
                hidden: false,
                name: b"sub",
                known: Some(0),
                text_nul,
                json: b"",
            });
        }
        self.find(|claim| claim.is(name))
    }

    /// One claim of any form.
    #[inline(never)]
    fn read_one(&mut self) -> Option<ClaimView<'r>> {
        let reader = &mut self.0;
        let mut head = reader.byte()?;
        let hidden = head == HIDDEN;
        if hidden {
            head = reader.byte()?;
        }
        let (name, known) = match head & NUMBER {
            0 => (reader.string()?, None),
            number => {
                let place = usize::from(number) - 1;
                (plain(NAMES.get(place)?), Some(place))
            }
        };
        let length = reader.length()?;
        let text_nul = reader.terminated(length)?;
        let kind = Kind::of(head);
        let json = if kind == Kind::Json { reader.string()? } else { &[] };
        Some(ClaimView {
            kind,
            hidden,
            name,
            known,
            text_nul,
            json,
        })
    }
}

/// Appends one claim. The caller has taken NULs out of name and text.
pub(super) fn put_claim(out: &mut Vec<u8>, kind: Kind, hidden: bool, name: &[u8], text: &[u8], json: &[u8]) {
    let number = number_of(name);
    if hidden {
        out.push(HIDDEN);
    }
    out.push((kind as u8) << 6 | number);
    if number == 0 {
        put_string(out, name);
    }
    put_string(out, text);
    if kind == Kind::Json {
        put_string(out, json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_names_are_written_and_read_as_the_same_numbers_for_ever() {
        for (kind, number) in [
            (Kind::Text, 0),
            (Kind::Scalar, 1),
            (Kind::List, 2),
            (Kind::Json, 3),
        ] {
            assert_eq!((kind as u8, Kind::of(number << 6)), (number, kind));
        }
        assert!(NAMES.len() < usize::from(HIDDEN));
        for (name, number) in [
            ("sub", 1),
            ("nbf", 12),
            ("email", 22),
            ("updated_at", 31),
            ("inum", 41),
        ] {
            assert_eq!(number_of(name.as_bytes()), number, "{name}");
        }
        assert_eq!(number_of(b"Sub"), 0);
    }

    #[test]
    fn claims_read_back_with_their_variables() {
        let mut written = Vec::new();
        put_claim(&mut written, Kind::Text, false, b"sub", b"alice", b"");
        put_claim(&mut written, Kind::Json, true, b"a-b", b"{}", b"{\"a\":1}");
        let read: Vec<_> = Claims::of(&written).collect();
        let expected = [
            ClaimView {
                kind: Kind::Text,
                hidden: false,
                name: b"sub",
                known: Some(0),
                text_nul: b"alice\0",
                json: b"",
            },
            ClaimView {
                kind: Kind::Json,
                hidden: true,
                name: b"a-b",
                known: None,
                text_nul: b"{}\0",
                json: b"{\"a\":1}",
            },
        ];
        assert_eq!(read, expected);
        assert!(read[0].is("sub") && !read[0].is("su"));
        assert_eq!(Claims::of(&written).named("sub"), Some(expected[0]));
        assert_eq!(Claims::of(&written).named("a-b"), Some(expected[1]));
        assert_eq!(Claims::of(&written).named("a"), None);
    }

    #[test]
    fn an_unknown_number_or_a_cut_claim_ends_the_claims() {
        let mut written = Vec::new();
        put_claim(&mut written, Kind::List, false, b"groups", b"a,b", b"");
        for cut in 0..written.len() {
            assert_eq!(Claims::of(&written[..cut]).count(), 0, "{cut}");
        }
        written.extend([62, 1, b'x', 0]);
        assert_eq!(Claims::of(&written).count(), 1);
    }

    #[test]
    fn each_claim_is_handed_on_once_with_its_variable_where_it_has_one() {
        let long = "x".repeat(0x7f);
        let longer = "y".repeat(0x80);
        let mut written = Vec::new();
        for (name, text, hidden) in [
            ("sub", "alice", false),
            ("email", "", false),
            ("name", long.as_str(), false),
            ("picture", &longer, false),
            ("updated_at", "1", true),
            ("odd", "o", false),
            ("inum", "last", false),
        ] {
            put_claim(
                &mut written,
                Kind::Text,
                hidden,
                name.as_bytes(),
                text.as_bytes(),
                b"",
            );
        }
        put_claim(&mut written, Kind::Json, false, b"address", b"{}", b"{}");
        let (mut known, mut others) = (Vec::new(), Vec::new());
        Claims::of(&written).each(
            &NAMES,
            |name, text| known.push((name.to_str().unwrap().to_owned(), text.with_nul().to_vec())),
            |claim| others.push((claim.name.to_vec(), claim.hidden)),
        );
        let with_nul = |text: &str| [text.as_bytes(), b"\0"].concat();
        let expected = [
            ("sub", "alice"),
            ("email", ""),
            ("name", long.as_str()),
            ("picture", &longer),
            ("inum", "last"),
            ("address", "{}"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, text)| (format!("{VARIABLE}{name}"), with_nul(text)))
            .collect();
        assert_eq!(known, expected);
        assert_eq!(others, [(b"updated_at".to_vec(), true), (b"odd".to_vec(), false)]);
        // What is cut short ends the walk, and nothing of it is handed on.
        let count = std::cell::Cell::new(0);
        let one_more = || count.set(count.get() + 1);
        Claims::of(&written[..written.len() - 1]).each(&NAMES, |_, _| one_more(), |_| one_more());
        assert_eq!(count.get(), 7);
        assert_eq!(Terminated::of(b"a"), None);
    }
}
