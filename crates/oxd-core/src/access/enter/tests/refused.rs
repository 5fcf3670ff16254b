//! What is said of a refusal.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::access::rule::{Explain, Refusing, Standing};
use crate::session::SessionRecord;

/// A rule that counts how often it is asked what a session lacks.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl Explain for Asked {
    fn text(&self) -> String {
        "Require test".to_owned()
    }

    fn lacks(&self, _: &SessionRecord<'_>, _: bool) -> String {
        self.0.fetch_add(1, Ordering::Relaxed);
        "it is a test".to_owned()
    }
}

#[test]
fn what_a_session_lacks_is_asked_only_for_a_line_that_is_logged() {
    let site = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    let rule = Asked::default();
    let refusing = Refusing {
        rule: &rule,
        standing: Standing::default(),
        before: None,
    };
    let unmet = Unmet {
        rules: Some(&refusing),
        ..Unmet::default()
    };
    for (is_quiet, expected) in [(true, 0), (false, 1)] {
        browser.log.2.set(is_quiet);
        let answer = MAIN.decide(&browser, |ctx, visit| {
            refuse(ctx, find(ctx, visit.held, visit.memory).unwrap().as_ref(), unmet)
        });
        assert_eq!(answer.status, 403);
        assert_eq!(rule.0.load(Ordering::Relaxed), expected);
        let lines = browser.log.0.borrow();
        let is_told = lines
            .iter()
            .any(|line| line.contains("Require test: it is a test"));
        assert_eq!(is_told, !is_quiet, "{lines:?}");
    }
}
