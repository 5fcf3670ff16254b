//! `Require oxd-scope`: all of these scopes were granted.

use std::ffi::CStr;

use super::{Rule, Verdict, scopes};
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord};

/// `Require oxd-scope`
#[derive(Debug)]
pub struct ScopeRule(Vec<String>);

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
        let granted = record.strings.scope.split(|byte| *byte == b' ');
        self.0
            .iter()
            .all(|wanted| granted.clone().any(|scope| scope == wanted.as_bytes()))
    }
}
