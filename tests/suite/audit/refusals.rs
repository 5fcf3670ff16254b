//! The line of the error log says who was refused, by which rule, and what is missing.

use oxd_tests::{Browser, DEMO_SUB, SiteBuilder, TestSite, approve, begin};

use super::super::DENIED;

/// A place with rules, and what the line of a refused user says after the user. The demo user is in the groups `staff` and
/// `demo`.
const RULES: &[(&str, &str)] = &[
    (
        "Require oxd-claim groups admins \"two words\"",
        "Require oxd-claim groups admins 'two words': no value of the claim groups is among those of the rule",
    ),
    (
        "Require oxd-claim department sales",
        "Require oxd-claim department sales: the session has no claim department",
    ),
    (
        "Require oxd-claim email ~ @corp\\.example$",
        "Require oxd-claim email ~ @corp\\.example$: the claim email does not match",
    ),
    (
        "Require oxd-claim name Somebody",
        "Require oxd-claim name Somebody: the claim name has another value",
    ),
    (
        "Require oxd-scope write",
        "Require oxd-scope write: write was not granted",
    ),
    (
        "Require expr \"oxd_claim('sub') == 'nobody'\"",
        "Require expr oxd_claim('sub') == 'nobody': it is not true of this request",
    ),
    (
        "<RequireAny>\nRequire oxd-claim groups admins\nRequire oxd-claim sub nobody\n</RequireAny>",
        "Require oxd-claim groups admins: no value of the claim groups is among those of the rule; \
         Require oxd-claim sub nobody: the claim sub has another value",
    ),
    // A negated rule refuses who meets it; the others have refused nobody.
    (
        "<RequireAll>\nRequire valid-user\nRequire not oxd-claim groups banned\nRequire not oxd-claim groups demo\n\
         </RequireAll>",
        "Require not oxd-claim groups demo: the session meets it",
    ),
    (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire oxd-claim groups banned\n\
         Require oxd-claim groups demo\n</RequireNone>\n</RequireAll>",
        "Require oxd-claim groups demo (in <RequireNone>): the session meets it",
    ),
    (
        "<RequireAll>\nRequire not oxd-claim groups banned\nRequire oxd-claim groups admins\n</RequireAll>",
        "Require oxd-claim groups admins: no value of the claim groups is among those of the rule",
    ),
    (
        "<RequireAll>\nRequire valid-user\nRequire not expr \"oxd_claim('sub') == 'nobody'\"\n\
         Require not expr \"oxd_claim('sub') != 'nobody'\"\n</RequireAll>",
        "Require not expr oxd_claim('sub') != 'nobody': it is true of this request",
    ),
    // Nobody signs in again to meet a rule that is negated.
    (
        "<RequireAll>\nRequire not oxd-acr platinum\nRequire not oxd-scope write\n\
         Require oxd-claim groups admins\n</RequireAll>",
        "Require oxd-claim groups admins: no value of the claim groups is among those of the rule",
    ),
];

/// The places `/app/0` and so on.
fn places() -> SiteBuilder {
    let places: String = (RULES.iter().enumerate())
        .map(|(number, (rule, _))| format!("<Location /app/{number}>\n{rule}\n</Location>\n"))
        .collect();
    TestSite::builder()
        .config(&places)
        .httpd(|httpd| httpd.allow_log(DENIED))
}

/// The line of a refusal, by the number that its page shows, without what httpd writes before it.
#[track_caller]
fn line_of(site: &TestSite, browser: &Browser, path: &str) -> String {
    let answer = browser.get(site.url(path));
    let page = answer.expect(403).page().text();
    let log = site.httpd.error_log();
    let mut lines = log.lines().filter(|line| line.contains("[ref "));
    let shown = |line: &&str| {
        let number = line
            .rsplit("[ref ")
            .next()
            .unwrap_or_default()
            .trim_end_matches(']');
        page.contains(&format!("{}-{}", &number[..4], &number[4..]))
    };
    let line = lines
        .find(shown)
        .unwrap_or_else(|| panic!("no line for {path}: {log}"));
    let from = [" forbidden: ", " insufficient_scope: ", " acr_not_met: "];
    let at = from.iter().find_map(|code| line.find(code)).unwrap_or(0);
    // httpd doubles backslashes.
    line[at + 1..].replace("\\\\", "\\")
}

#[test]
fn an_administrator_need_not_guess() {
    // As on a default installation: the package's own file, and nothing else said about levels.
    let site = places().httpd(packaged).start();
    let browser = site.signed_in();
    for (number, (_, expected)) in RULES.iter().enumerate() {
        let path = format!("/app/{number}");
        let line = line_of(&site, &browser, &path);
        let expected = format!("{path} does not let user '{DEMO_SUB}' in: {expected} [ref ");
        assert!(line.contains(&expected), "{line}\n{expected}");
    }
}

/// With the configuration file of the package, and httpd's default level.
fn packaged(httpd: oxd_tests::Builder) -> oxd_tests::Builder {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../apache-conf/oxd.conf");
    httpd.log_level("warn").config(&format!("Include \"{file}\""))
}

#[test]
fn a_rule_of_httpds_own_is_found_elsewhere() {
    let site = TestSite::builder()
        .config("<Location /app/closed>\nRequire user nobody\n</Location>")
        .httpd(|httpd| httpd.allow_log(DENIED))
        .start();
    let line = line_of(&site, &site.signed_in(), "/app/closed");
    let expected = format!(
        "forbidden: no Require at /app/closed lets user '{DEMO_SUB}' in; LogLevel authz_core:debug lists the result of \
         each Require [ref "
    );
    assert!(line.contains(&expected), "{line}");
}

#[test]
fn values_of_claims_are_shown_to_whoever_asks_for_details() {
    let site = places().httpd(|httpd| httpd.log_level("warn oxd:debug")).start();
    let browser = site.signed_in();
    let line = line_of(&site, &browser, "/app/0");
    assert!(line.contains("groups is ['staff','demo'] [ref "), "{line}");
}

#[test]
fn a_user_is_named_as_the_directive_says() {
    for (directive, name) in [
        ("OxdAuditUser sub", format!("let user '{DEMO_SUB}' in")),
        (
            "OxdRemoteUser email",
            "let user 'test_user@example.org' in".to_owned(),
        ),
        ("OxdAuditUser hash", "let user #".to_owned()),
        ("OxdAuditUser none", "let the user in".to_owned()),
    ] {
        let site = places().directives(directive).start();
        let line = line_of(&site, &site.signed_in(), "/app/0");
        assert!(line.contains(&name), "{directive}: {line}");
        let is_named = directive == "OxdAuditUser sub";
        assert_eq!(line.contains(DEMO_SUB), is_named, "{directive}: {line}");
    }
}

#[test]
fn an_acr_that_was_not_delivered_is_named() {
    let site = TestSite::builder()
        .config("<Location /app/strong>\nRequire oxd-acr platinum\n</Location>")
        .httpd(|httpd| packaged(httpd).allow_log(DENIED))
        .start();
    let browser = site.signed_in();
    let start = begin(&browser, site.url("/app/strong"));
    approve(&browser, &start.location()).deliver(&browser).expect(303);
    let line = line_of(&site, &browser, "/app/strong");
    let expected = "in: Require oxd-acr platinum: the user has signed in with another acr, or too long ago;";
    assert!(line.contains(expected), "{line}");
}

/// A level in a virtual host is another one than that of the package's file.
#[test]
fn a_virtual_host_with_a_level_of_its_own_says_so_itself() {
    let host = |name: &str, level: &str| {
        format!(
            "<VirtualHost *:${{PORT}}>\nServerName {name}\nLogLevel {level}\n\
             <Location /oxd>\nSetHandler oxd\n</Location>\n</VirtualHost>\n"
        )
    };
    let first = "<VirtualHost *:${PORT}>\nServerName main.test\n</VirtualHost>\n";
    let hosts = first.to_owned() + &host("quiet.test", "warn") + &host("told.test", "warn oxd:info");
    let site = TestSite::builder().config(&hosts).httpd(packaged).start();
    let lines_of = |name: &str| {
        let browser = Browser::new();
        let ask = browser.ask("GET", site.url("/oxd/callback?state=x"));
        ask.header("host", name).send().expect(400);
        site.httpd.error_log().matches("callback_malformed").count()
    };
    assert_eq!(lines_of("main.test"), 1);
    assert_eq!(lines_of("quiet.test"), 1);
    assert_eq!(lines_of("told.test"), 2);
}
