//! Keys: which cookies survive which change.

use oxd_tests::{Browser, DEMO_SUB, Httpd, TestSite, begin};

const OLD: &str = "\"the old key, long enough for anybody to accept it 0123456789\"";
const NEW: &str = "\"the new key, long enough for anybody to accept it 9876543210\"";

#[track_caller]
fn expect_user(site: &TestSite, browser: &Browser, expected: Option<&str>) {
    assert_eq!(site.user(browser).as_deref(), expected);
    let status = if expected.is_some() { 200 } else { 302 };
    browser.get(site.url("/app/")).expect(status);
}

#[test]
fn a_random_key_is_kept_across_graceful_restarts_only() {
    let mut site = TestSite::start();
    let browser = site.signed_in();
    let notices = |site: &TestSite| {
        let log = site.httpd.error_log();
        log.lines().filter(|line| line.contains("OxdCryptoKey")).count()
    };
    assert_eq!(notices(&site), 1, "one notice:\n{}", site.httpd.error_log());
    for _ in 0..3 {
        site.httpd.graceful();
        expect_user(&site, &browser, Some(DEMO_SUB));
    }
    site.httpd.stop();
    site.httpd.start();
    expect_user(&site, &browser, None);
}

#[test]
fn a_key_of_ones_own_outlives_the_server() {
    let mut site = TestSite::builder()
        .directives(&format!("OxdCryptoKey {OLD}"))
        .start();
    let browser = site.signed_in();
    assert!(
        !site.httpd.error_log().contains("OxdCryptoKey"),
        "nothing to notice"
    );
    site.httpd.graceful();
    expect_user(&site, &browser, Some(DEMO_SUB));
    site.httpd.restart();
    expect_user(&site, &browser, Some(DEMO_SUB));
    site.httpd.stop();
    site.httpd.start();
    expect_user(&site, &browser, Some(DEMO_SUB));
}

#[test]
fn a_login_under_way_survives_a_graceful_restart() {
    let site = TestSite::start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = oxd_tests::approve(&browser, &start.location());
    site.httpd.graceful();
    approval.deliver(&browser).expect(303);
    expect_user(&site, &browser, Some(DEMO_SUB));
}

#[test]
fn keys_are_rotated() {
    let site = TestSite::builder()
        .directives(&format!("OxdCryptoKey {OLD}"))
        .start();
    let early = site.signed_in();
    site.httpd.edit_config(
        &format!("OxdCryptoKey {OLD}"),
        &format!("OxdCryptoKey {NEW} {OLD}"),
    );
    site.httpd.graceful();
    expect_user(&site, &early, Some(DEMO_SUB));
    let late = site.signed_in();
    let end = |site: &TestSite| {
        let both = format!("OxdCryptoKey {NEW} {OLD}");
        site.httpd.edit_config(&both, &format!("OxdCryptoKey {NEW}"));
        site.httpd.graceful();
    };
    end(&site);
    expect_user(&site, &early, None);
    expect_user(&site, &late, Some(DEMO_SUB));
}

#[test]
fn another_key_opens_nothing() {
    let site = TestSite::builder()
        .directives(&format!("OxdCryptoKey {OLD}"))
        .start();
    let browser = site.signed_in();
    site.httpd.edit_config(OLD, NEW);
    site.httpd.restart();
    expect_user(&site, &browser, None);
}

#[test]
fn keys_come_from_files_variables_and_programs() {
    let key = OLD.trim_matches('"');
    for directive in [
        "file:${ROOT}/key",
        "env:OXD_TEST_KEY",
        "\"exec:/bin/cat ${ROOT}/key\"",
    ] {
        let site = TestSite::builder()
            .httpd(|httpd| {
                httpd.file("key", &format!("{key}\nnot this line\n"));
                httpd.environment("OXD_TEST_KEY", key)
            })
            .directives(&format!("OxdCryptoKey {directive}"))
            .start();
        let browser = site.signed_in();
        // The text itself is the same key.
        site.httpd.edit_config(
            &format!("OxdCryptoKey {directive}"),
            &format!("OxdCryptoKey {OLD}"),
        );
        site.httpd.restart();
        expect_user(&site, &browser, Some(DEMO_SUB));
    }
}

#[test]
fn two_servers_with_the_same_key_share_their_users() {
    let site = TestSite::builder()
        .directives(&format!("OxdCryptoKey {OLD}"))
        .start();
    let browser = site.signed_in();
    let second = |key: &str| -> Httpd {
        Httpd::builder()
            .define("OXD", &site.oxd.url())
            .define("FIRST", &site.httpd.root().display().to_string())
            .config("OxdServer \"${OXD}\"\nOxdSite \"${FIRST}/site.json\"")
            .config(&format!(
                "OxdCryptoKey {key}\n<Location /oxd>\nSetHandler oxd\n</Location>"
            ))
            .config("<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>")
            .start()
    };
    let same = second(OLD);
    let environment = browser.get(same.url("/app/env")).environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    let other = second(NEW);
    browser.get(other.url("/app/env")).expect(302);
    // A login may begin on one and end on the other, as behind a load balancer.
    let fresh = Browser::new();
    let start = begin(&fresh, same.url("/app/"));
    let approval = oxd_tests::approve(&fresh, &start.location());
    approval.deliver(&fresh).expect(303);
    fresh.get(same.url("/app/")).expect(200);
}
