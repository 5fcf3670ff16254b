//! Where a rule stands: below a negation it refuses those who meet it.

use super::Explain;
use crate::session::SessionRecord;

/// The negations that a `Require` line stands below. A rule behind `<AuthzProviderAlias>` knows of none: it is read there,
/// and used elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The line is a `Require not`.
    is_not: bool,
    /// The line stands in a `<RequireNone>`, and that in no other one: a second negation undoes the first.
    is_in_none: bool,
}

impl Standing {
    /// The standing of a line with this name and these words, and the openings of the sections around it.
    pub fn of(name: &str, words: &[String], sections: &[String]) -> Self {
        let is_none = |section: &&String| {
            let name = section.split_ascii_whitespace().next().unwrap_or_default();
            name.trim_end_matches('>').eq_ignore_ascii_case("<RequireNone")
        };
        let is_not = words.first().is_some_and(|word| word.eq_ignore_ascii_case("not"));
        Self {
            is_not: is_not && name.eq_ignore_ascii_case("Require"),
            is_in_none: sections.iter().filter(is_none).count() % 2 == 1,
        }
    }

    /// Whether it is who meets the rule that is not let in.
    pub fn refuses_who_meets(self) -> bool {
        self.is_not != self.is_in_none
    }

    /// The rule, as it stands in the configuration.
    pub(super) fn text(self, rule: &dyn Explain) -> String {
        let mut text = rule.text();
        if self.is_not {
            text = format!("Require not {}", text.trim_start_matches("Require "));
        }
        if self.is_in_none {
            text.push_str(" (in <RequireNone>)");
        }
        text
    }

    /// The rule, and why it refuses who has this record.
    pub(super) fn explained(
        self,
        rule: &dyn Explain,
        record: &SessionRecord<'_>,
        with_values: bool,
    ) -> String {
        let why = if self.refuses_who_meets() {
            rule.holds().to_owned()
        } else {
            rule.lacks(record, with_values)
        };
        format!("{}: {why}", self.text(rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::rule::{ClaimRule, ExpressionRule, Rule as _};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn standing(line: &str, sections: &[&str]) -> Standing {
        let sections: Vec<_> = sections.iter().map(|section| (*section).to_owned()).collect();
        let mut line = words(line);
        let name = line.remove(0);
        Standing::of(&name, &line, &sections)
    }

    #[test]
    fn a_rule_refuses_who_meets_it_below_one_negation() {
        let (all, none) = ("<RequireAll >", "<RequireNone >");
        for (line, sections, expected) in [
            ("Require oxd-claim a b", &[][..], false),
            ("Require oxd-claim not b", &[all], false),
            ("Require not oxd-claim a b", &[all], true),
            ("require NOT oxd-claim a b", &[all], true),
            ("Require oxd-claim a b", &[none], true),
            (
                "Require oxd-claim a b",
                &["<requirenone>", all, "<Location /a>"],
                true,
            ),
            ("Require oxd-claim a b", &[all, none, all], true),
            ("Require oxd-claim a b", &["<Location <RequireNone>"], false),
            ("Require not oxd-claim a b", &[all, none], false),
            ("Require oxd-claim a b", &[none, all, none], false),
            ("<AuthzProviderAlias not a b", &[], false),
        ] {
            let found = standing(line, sections).refuses_who_meets();
            assert_eq!(found, expected, "{line} {sections:?}");
        }
    }

    #[test]
    fn a_negated_rule_says_that_it_is_met() {
        let rule = ClaimRule::parse(&words("groups banned")).unwrap();
        let record = SessionRecord::default();
        let said = |line, sections: &[&str], rule| standing(line, sections).explained(rule, &record, true);
        for (line, sections, expected) in [
            (
                "Require not oxd-claim groups banned",
                &["<RequireAll >"][..],
                "Require not oxd-claim groups banned: the session meets it",
            ),
            (
                "Require oxd-claim groups banned",
                &["<RequireNone >"],
                "Require oxd-claim groups banned (in <RequireNone>): the session meets it",
            ),
            (
                "Require not oxd-claim groups banned",
                &["<RequireAll >", "<RequireNone >"],
                "Require not oxd-claim groups banned (in <RequireNone>): the session has no claim groups",
            ),
        ] {
            assert_eq!(said(line, sections, &rule), expected);
        }
        assert_eq!(
            said("Require not expr true", &[], &ExpressionRule("true")),
            "Require not expr true: it is true of this request"
        );
    }
}
