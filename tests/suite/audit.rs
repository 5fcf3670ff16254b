//! The audit trail, and the lines of the error log that an administrator reads after a refusal.

mod audit {
    pub(crate) mod events;
    pub(crate) mod refusals;
    pub(crate) mod trace;
    pub(crate) mod trails;
}

use std::fs;

use oxd_tests::{SiteBuilder, TestSite};
use serde_json::Value;

/// What mod_authz_core says of an unmet rule.
const DENIED: &str = "client denied by server configuration";

/// A site with a trail in `audit.log`.
fn trailed() -> SiteBuilder {
    TestSite::builder()
        .directives("OxdAuditLog \"${ROOT}/audit.log\"\nOxdAuditUser sub")
        .httpd(|httpd| httpd.allow_log(DENIED))
}

/// The lines of a trail. Each is JSON on its own.
#[track_caller]
fn lines_in(site: &TestSite, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(site.httpd.file(file)).unwrap_or_default();
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "the last line is whole: {text:?}"
    );
    let read = |line: &str| -> Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    };
    text.lines().map(read).collect()
}

/// The lines of `audit.log`.
#[track_caller]
fn lines(site: &TestSite) -> Vec<Value> {
    lines_in(site, "audit.log")
}

/// A field that is a text.
fn text<'l>(line: &'l Value, field: &str) -> &'l str {
    line[field].as_str().unwrap_or_default()
}
