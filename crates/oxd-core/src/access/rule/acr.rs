//! `Require oxd-acr`: how the user authenticated at the provider.

use std::ffi::CStr;

use super::{Rule, Verdict};
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord};

/// `Require oxd-acr`: a session remembers every authentication of its user, and one of them is enough.
#[derive(Debug)]
pub struct AcrRule {
    /// The session must have been authenticated with one of these.
    pub values: Vec<String>,
}

impl Rule for AcrRule {
    const NAME: &'static CStr = c"oxd-acr";

    /// Parses the arguments of `oxd-acr`.
    fn parse(words: &[String]) -> Result<Self, String> {
        let fits = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
        if words.is_empty() || !words.iter().all(fits) {
            return Err(
                "Require oxd-acr: at least one acr without white space is needed; allowed: Require oxd-acr \
                        VALUE..."
                    .into(),
            );
        }
        Ok(Self {
            values: words.to_vec(),
        })
    }

    fn check<'s>(&'s self, _: &Ctx<'_>, session: &Opened<'_>) -> Verdict<'s> {
        if self.holds(&session.record) {
            Verdict::Met
        } else {
            Verdict::StepUp(&self.values)
        }
    }
}

impl AcrRule {
    /// Whether the session was authenticated with one of the values.
    pub fn holds(&self, record: &SessionRecord<'_>) -> bool {
        let texts = &record.strings;
        let history = texts
            .acrs
            .split(|b| *b == b'\n')
            .filter_map(|line| line.split(|b| *b == b' ').next());
        let mut met = std::iter::once(texts.acr).chain(history);
        met.any(|acr| self.values.iter().any(|value| value.as_bytes() == acr))
    }
}
