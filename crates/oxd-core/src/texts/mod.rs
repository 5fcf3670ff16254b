//! What the module says to users, in several languages: the catalogues in `locales`, as tables that `build.rs` has made
//! of them.

mod accept;
#[cfg(test)]
mod tests;

pub use accept::choose;

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text(&'static str),
    /// The name of a variable, whose value stands here.
    Variable(&'static str),
}

/// The messages of one language.
struct Catalogue {
    /// The language's tag (RFC 5646), which is a language without a region.
    code: &'static str,
    /// The parts of each message, sorted by name.
    messages: &'static [(&'static str, &'static [Part])],
}

static CATALOGUES: &[Catalogue] = include!(concat!(env!("OUT_DIR"), "/catalogues.rs"));

/// A language that the module speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language(usize);

impl Language {
    /// The language of logs and of answers for programs.
    pub const ENGLISH: Language = Language(0);

    /// All of them.
    pub fn all() -> impl ExactSizeIterator<Item = Language> {
        (0..CATALOGUES.len()).map(Language)
    }

    /// The language with this tag.
    pub fn named(code: &str) -> Option<Language> {
        Self::all().find(|language| language.code().eq_ignore_ascii_case(code))
    }

    /// Its place among all.
    pub fn number(self) -> usize {
        self.0
    }

    fn catalogue(self) -> &'static Catalogue {
        CATALOGUES.get(self.0).unwrap_or(&CATALOGUES[0])
    }

    /// Its tag (RFC 5646), for `lang` and `Content-Language`.
    pub fn code(self) -> &'static str {
        self.catalogue().code
    }

    /// The direction in which it is written, for `dir`.
    pub fn direction(self) -> &'static str {
        if self.code() == "ar" { "rtl" } else { "ltr" }
    }

    /// A message, in English where the language lacks it; `None` for an unknown name.
    pub fn message(self, name: &str) -> Option<&'static [Part]> {
        let found = |language: Language| {
            let messages = language.catalogue().messages;
            let at = messages.binary_search_by(|(other, _)| (*other).cmp(name)).ok()?;
            messages.get(at).map(|(_, parts)| *parts)
        };
        found(self).or_else(|| found(Self::ENGLISH))
    }

    /// A message without variables; empty for an unknown name, which the tests would find.
    pub fn text(self, name: &str) -> &'static str {
        match self.message(name) {
            Some([Part::Text(text)]) => text,
            _ => "",
        }
    }
}
