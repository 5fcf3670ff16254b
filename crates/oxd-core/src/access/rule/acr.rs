//! `Require oxd-acr`: how the user authenticated at the provider.

use std::ffi::CStr;

use super::{Explain, Rule, Verdict, line};
use crate::base::Seconds;
use crate::config::Settings;
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord, Strings, acr};

/// `Require oxd-acr`: a session stores every acr that its user authenticated with and when. One of the values is enough,
/// if that authentication is recent enough for the location.
#[derive(Debug)]
pub struct AcrRule {
    /// The session must have been authenticated with one of these.
    pub values: Vec<String>,
}

impl Explain for AcrRule {
    fn text(&self) -> String {
        line(Self::NAME, &self.values)
    }

    fn lacks(&self, record: &SessionRecord<'_>, with_values: bool) -> String {
        match record.strings.acr {
            b"" => "the provider named no acr".to_owned(),
            acr if with_values => format!("the user has signed in with {:?}", String::from_utf8_lossy(acr)),
            _ => "the user has signed in with another acr, or too long ago".to_owned(),
        }
    }
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

    fn check<'s>(&'s self, ctx: &Ctx<'_>, session: &Opened<'_>) -> Verdict<'s> {
        if self.is_met(&session.record.strings, ctx.settings, ctx.now) {
            Verdict::Met
        } else {
            Verdict::StepUp(&self.values)
        }
    }
}

impl AcrRule {
    /// Whether the user has authenticated with one of the values, recently enough for a location.
    pub(super) fn is_met(&self, texts: &Strings<'_>, settings: &Settings<'_>, now: Seconds) -> bool {
        let (access, lifetime) = (&settings.access(), settings.session().lifetime);
        self.values.iter().any(|value| {
            // The current acr is as old as the session, which the location has accepted.
            value.as_bytes() == texts.acr || acr::holds(texts.acrs, value, access, lifetime, now)
        })
    }
}
