//! What is needed and not there.

use oxd_tests::{Browser, Builder, Httpd, TestSite};

const PROTECTED: &str = "<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>\n";
const HANDLER: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n";
const SERVER: &str = "OxdServer http://127.0.0.1:1\n";
const ID: &str = "OxdId an-id\n";
const CLIENT: &str = "OxdClientId a\nOxdClientSecret b\nOxdOpHost https://op.example.org\n";

fn httpd() -> Builder {
    Httpd::builder()
}

#[test]
fn a_complete_configuration_passes() {
    for location in [PROTECTED, HANDLER] {
        let text = format!("{SERVER}{ID}{CLIENT}{location}");
        let test = httpd().config(&text).configtest();
        assert!(test.ok, "{}", test.output);
    }
    let text = format!("{SERVER}{ID}OxdProtectedCommands Off\n{PROTECTED}");
    let test = httpd().config(&text).configtest();
    assert!(
        test.ok,
        "without a client token there is no need of credentials: {}",
        test.output
    );
}

#[test]
fn configtest_names_what_a_location_lacks() {
    let mut wrong = Vec::new();
    for location in [PROTECTED, HANDLER] {
        for (text, missing) in [
            ("", "OxdServer"),
            (&format!("{ID}{CLIENT}"), "OxdServer"),
            (&format!("{SERVER}{CLIENT}"), "OxdId"),
            (&format!("{SERVER}{ID}"), "OxdClientId"),
            (
                &format!("{SERVER}{ID}OxdClientId a\nOxdOpHost https://op\n"),
                "OxdClientSecret",
            ),
            (
                &format!("{SERVER}{ID}OxdClientSecret b\nOxdOpHost https://op\n"),
                "OxdClientId",
            ),
        ] {
            let test = httpd().config(&format!("{text}{location}")).configtest();
            let place = if location == PROTECTED { "/app" } else { "/oxd" };
            let named = |line: &str| line.contains(missing) && line.contains(place);
            if test.ok || !test.output.lines().any(named) {
                wrong.push(format!(
                    "{missing} missing in {place}:\n    {}",
                    test.output.trim()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_site_file_may_lack_what_directives_say() {
    let httpd = httpd();
    httpd.file("part.json", "{\"oxd_id\":\"an-id\",\"client_id\":\"a\"}");
    let text = "OxdSite ${ROOT}/part.json\nOxdClientSecret b\nOxdOpHost https://op.example.org\n";
    let test = httpd.config(&format!("{SERVER}{text}{PROTECTED}")).configtest();
    assert!(test.ok, "{}", test.output);
}

#[test]
fn single_directives_override_the_site_file() {
    let site = TestSite::builder().directives("OxdClientSecret wrong").start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    Browser::new().get(site.url("/app/")).expect(502);
    let calls = site.oxd.calls();
    assert_eq!(calls[0].body["client_secret"], "wrong");
    assert_eq!(calls[0].body["client_id"], site.site.client_id.as_str());
}

#[test]
fn where_only_a_request_can_know_it_gets_500_and_one_line() {
    let httpd = httpd().allow_log(r"\[oxd:error\]");
    httpd.file("docroot/late/index.html", "never seen");
    httpd.file("docroot/late/.htaccess", "AuthType oxd\nRequire valid-user\n");
    let httpd = httpd.start();
    let answer = Browser::new().get(httpd.url("/late/"));
    assert!(!answer.expect(500).text().contains("never seen"));
    let log = httpd.error_log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("[oxd:error]")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("OxdServer") && lines[0].contains("/late"),
        "{}",
        lines[0]
    );
}

#[test]
fn no_other_authtype_is_touched() {
    let httpd = httpd()
        .load("auth_basic")
        .load("authn_file")
        .config(&format!("{SERVER}{ID}{CLIENT}"))
        .config(
            "<Location /app>\nAuthType Basic\nAuthName x\nAuthBasicProvider file\n\
             AuthUserFile \"${ROOT}/users\"\nRequire valid-user\n</Location>",
        );
    httpd.file("users", "");
    let httpd = httpd.start();
    let answer = Browser::new().get(httpd.url("/app/"));
    assert!(
        answer
            .expect(401)
            .header("www-authenticate")
            .is_some_and(|w| w.starts_with("Basic"))
    );
    Browser::new().get(httpd.url("/")).expect(200);
}

#[test]
fn a_limit_of_sessions_needs_a_store_that_can_count() {
    let server = format!("{SERVER}{ID}{CLIENT}");
    for without in ["", "OxdSessionStore cookie\n"] {
        let text = format!("{server}{without}OxdSessionMax 3\n{PROTECTED}");
        let test = httpd().config(&text).configtest();
        let named = |line: &str| line.contains("OxdSessionMax needs an OxdSessionStore other than cookie");
        assert!(
            !test.ok && test.output.lines().any(named),
            "{without}: {}",
            test.output
        );
    }
    let text = format!("{server}OxdSessionStore shmcb:${{ROOT}}/run/s(64000)\nOxdSessionMax 3\n{PROTECTED}");
    let test = httpd().load("socache_shmcb").config(&text).configtest();
    assert!(test.ok, "{}", test.output);
}
