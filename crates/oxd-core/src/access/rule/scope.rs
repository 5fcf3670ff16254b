//! `Require oxd-scope`: all of these scopes were granted.

use std::ffi::CStr;

use super::{Explain, Rule, Verdict, line, scopes};
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord};

/// `Require oxd-scope`
#[derive(Debug)]
pub struct ScopeRule(Vec<String>);

impl Explain for ScopeRule {
    fn text(&self) -> String {
        line(Self::NAME, &self.0)
    }

    fn lacks(&self, record: &SessionRecord<'_>, _: bool) -> String {
        let lacking: Vec<_> = self.0.iter().filter(|scope| !is_granted(record, scope)).collect();
        let named = lacking.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
        format!("{} was not granted", named.join(" "))
    }
}

impl Rule for ScopeRule {
    const NAME: &'static CStr = c"oxd-scope";

    fn parse(words: &[String]) -> Result<Self, String> {
        match scopes(Self::NAME, words)? {
            words if words.is_empty() => Err(
                "Require oxd-scope: at least one scope is needed; allowed: Require \
                                             oxd-scope SCOPE..."
                    .into(),
            ),
            words => Ok(Self(words)),
        }
    }

    fn check<'s>(&'s self, _: &Ctx<'_>, session: &Opened<'_>) -> Verdict<'s> {
        if self.holds(session.record) {
            Verdict::Met
        } else {
            Verdict::Scopes(&self.0)
        }
    }
}

impl ScopeRule {
    /// Whether the record's scopes hold all of the rule's.
    pub fn holds(&self, record: &SessionRecord<'_>) -> bool {
        self.0.iter().all(|wanted| is_granted(record, wanted))
    }
}

fn is_granted(record: &SessionRecord<'_>, wanted: &str) -> bool {
    let mut granted = record.strings.scope.split(|byte| *byte == b' ');
    granted.any(|scope| scope == wanted.as_bytes())
}
