//! Values as people read them: claims, the fields of a form, what others said.

use std::borrow::Cow;

use serde::Serialize;

use crate::base::Seconds;
use crate::texts::Language;

/// The longest value of a form's field that a page shows, in characters.
const FIELD_LIMIT: usize = 400;
/// Claims that are points in time, as seconds since the epoch (OpenID Connect Core 2 and 5.1, RFC 7519 section 4.1).
const TIMES: [&str; 5] = ["exp", "iat", "nbf", "auth_time", "updated_at"];
/// The end of the year 9999, the last one with four digits.
const LAST_TIME: i64 = 253_402_300_799;

/// What a page about a refusal quotes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told<'t> {
    /// What the provider said.
    Provider(&'t str),
    /// What the authorization server of UMA said.
    Authorization(&'t str),
    /// The acr values that the page needs.
    Acr(&'t str),
    /// The cause that the module has found, by the name of its text.
    Cause(&'static str),
}

impl Told<'_> {
    /// The same for programs, in English.
    pub fn description(&self) -> Cow<'_, str> {
        match self {
            Told::Provider(words) | Told::Acr(words) => Cow::Borrowed(words),
            Told::Authorization(words) => Cow::Owned(format!(
                "{} {words}",
                Language::ENGLISH.text("authorization-said")
            )),
            Told::Cause(name) => Cow::Borrowed(Language::ENGLISH.text(name)),
        }
    }
}

/// A claim on the signed-in page.
#[derive(Serialize)]
pub(super) struct Claim<'p> {
    name: &'p str,
    value: &'p str,
    /// The point in time that it is, for `<time datetime>`.
    time: Option<String>,
    /// The same for people.
    text: Option<String>,
}

impl<'p> Claim<'p> {
    pub(super) fn of(name: &'p str, value: &'p str) -> Self {
        let utc = TIMES
            .contains(&name)
            .then(|| value.parse().ok().and_then(utc))
            .flatten();
        Self {
            name,
            value,
            time: utc.as_ref().map(|(date, time)| format!("{date}T{time}Z")),
            text: utc.as_ref().map(|(date, time)| format!("{date} {time} UTC")),
        }
    }
}

/// Date and time of a point in time in UTC (RFC 3339); `None` before 1970 and after 9999.
pub fn utc(seconds: i64) -> Option<(String, String)> {
    if !(0..=LAST_TIME).contains(&seconds) {
        return None;
    }
    let text = Seconds(u64::try_from(seconds).ok()?).millis().rfc3339();
    let (date, time) = text.split_once('T')?;
    let (time, _) = time.split_once('.')?;
    Some((date.to_owned(), time.to_owned()))
}

/// A field of a kept form.
#[derive(Serialize)]
pub(super) struct Field<'p> {
    name: &'p str,
    value: &'p str,
    /// What the page shows of the value; `None` for what nobody should read over the user's shoulder.
    shown: Option<Cow<'p, str>>,
}

impl<'p> Field<'p> {
    pub(super) fn of(name: &'p str, value: &'p str) -> Self {
        let shown = || match value.char_indices().nth(FIELD_LIMIT) {
            None => Cow::Borrowed(value),
            Some((end, _)) => Cow::Owned(format!("{} …", value.get(..end).unwrap_or_default())),
        };
        Self {
            name,
            value,
            shown: (!is_secret(name)).then(shown),
        }
    }
}

/// Whether a field of this name is likely to hold a secret. A form does not say which fields were passwords.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = [
        "pass",
        "pwd",
        "secret",
        "token",
        "csrf",
        "xsrf",
        "nonce",
        "otp",
        "cvv",
        "cvc",
        "iban",
        "cardnumber",
    ];
    let is_word = |word: &str| {
        name.split(|c: char| !c.is_alphanumeric())
            .any(|part| part == word)
    };
    parts.iter().any(|part| name.contains(part)) || is_word("pin") || is_word("tan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_can_be_read() {
        for (seconds, date, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_399, "2000-02-28", "23:59:59"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (951_868_800, "2000-03-01", "00:00:00"),
            (1_709_164_800, "2024-02-29", "00:00:00"),
            (1_796_054_820, "2026-11-30", "16:07:00"),
            (4_107_542_400, "2100-03-01", "00:00:00"),
            (LAST_TIME, "9999-12-31", "23:59:59"),
        ] {
            assert_eq!(
                utc(seconds),
                Some((date.to_owned(), time.to_owned())),
                "{seconds}"
            );
        }
        assert_eq!((utc(-1), utc(LAST_TIME + 1)), (None, None));
        assert!(Claim::of("exp", "1e300").time.is_none() && Claim::of("name", "5").time.is_none());
        let claim = Claim::of("iat", "951782400");
        assert_eq!(claim.time.as_deref(), Some("2000-02-29T00:00:00Z"));
        assert_eq!(claim.text.as_deref(), Some("2000-02-29 00:00:00 UTC"));
    }

    #[test]
    fn a_form_is_shown_without_its_secrets_and_not_at_any_length() {
        for name in [
            "password",
            "user[Passwd]",
            "csrf_token",
            "new_pin",
            "card-cvv",
            "OTP",
        ] {
            assert!(Field::of(name, "x").shown.is_none(), "{name}");
        }
        for name in ["subject", "spinner", "tandem", "opinion"] {
            assert_eq!(Field::of(name, "x").shown.as_deref(), Some("x"), "{name}");
        }
        let long = "ü".repeat(FIELD_LIMIT + 1);
        let field = Field::of("text", &long);
        assert_eq!(field.value, long, "the whole value is sent");
        let shown = field.shown.unwrap_or_default();
        assert_eq!(shown.chars().count(), FIELD_LIMIT + 2);
        assert!(shown.ends_with(" …"));
    }
}
