//! Sessions that have ended and might come back: restarts, refreshes under way, open pages.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use oxd_dev::Fault;
use oxd_tests::{DEMO_SUB, TestSite, wait_until};
use serde_json::{Value, json};

use super::token::{Token, expect_accepted, expect_alive, expect_dead, expect_refused, sid};

#[test]
fn what_has_ended_stays_ended_after_a_graceful_restart() {
    let site = TestSite::start();
    let (gone, whole, stays) = (site.signed_in(), site.signed_in(), site.signed_in());
    let token = Token::about(&site, &sid(&site, &gone));
    expect_accepted(&token.send(&site));
    let before = site.httpd.children();
    site.httpd.graceful();
    wait_until("the old children to end", || {
        let now = site.httpd.children();
        !now.is_empty() && now.iter().all(|child| !before.contains(child))
    });
    expect_dead(&site, &gone);
    expect_alive(&site, &stays);
    expect_refused(&token.send(&site));
    // The sessions of before can be ended as well.
    expect_accepted(&Token::about(&site, &sid(&site, &whole)).send(&site));
    expect_dead(&site, &whole);
    expect_alive(&site, &stays);
}

#[test]
fn what_has_ended_stays_ended_when_httpd_is_stopped_and_started() {
    let mut site = TestSite::builder()
        .directives("OxdCryptoKey a-key-that-outlives-this-httpd-32bytes")
        .start();
    let (gone, left, framed, stays) = (
        site.signed_in(),
        site.signed_in(),
        site.signed_in(),
        site.signed_in(),
    );
    let token = Token::about(&site, &sid(&site, &gone));
    expect_accepted(&token.send(&site));
    left.copy().get(site.url("/oxd/logoutme")).expect(303);
    let framed_sid = sid(&site, &framed);
    site.httpd.stop();
    site.httpd.start();
    expect_dead(&site, &gone);
    expect_dead(&site, &left);
    expect_refused(&token.send(&site));
    for browser in [&framed, &stays] {
        expect_alive(&site, browser);
    }
    // The frames know the sessions of before.
    let query = format!("iss={}&sid={framed_sid}", site.oxd.provider_url());
    let url = site.url(&format!("/oxd/frontchannel-logout?{query}"));
    framed.get(url).expect(200);
    expect_dead(&site, &framed);
    expect_alive(&site, &stays);
}

fn a_refresh_under_way(directives: &str) {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("socache_shmcb").processes(1, 16))
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(10))
        .directives("OxdTokenRefresh 9s\nOxdPassTokens access_token")
        .directives(directives)
        .start();
    let browser = site.signed_in();
    let sid = sid(&site, &browser);
    let tab = browser.copy();
    let command = "get-access-token-by-refresh-token";
    site.oxd.fault(command, Fault::Delay(Duration::from_millis(1500)));
    site.forget_calls();
    std::thread::scope(|scope| {
        let request = scope.spawn(|| {
            wait_until("the token to grow old", || {
                tab.get(site.url("/app/"));
                site.oxd.count(command) > 0
            });
        });
        wait_until("a refresh", || site.oxd.count(command) > 0);
        expect_accepted(&Token::about(&site, &sid).send(&site));
        request.join().expect("an answer");
    });
    // Neither with the old cookies nor with what the refresh has set.
    for browser in [&browser, &tab] {
        expect_dead(&site, browser);
    }
}

#[test]
fn a_refresh_under_way_brings_no_session_back() {
    a_refresh_under_way("");
}

#[test]
fn a_refresh_under_way_brings_no_session_back_into_a_store() {
    a_refresh_under_way("OxdSessionStore shmcb");
}

#[test]
fn a_page_that_is_open_to_all_forgets_the_user_too() {
    let site = TestSite::builder()
        .config("<Location /public/env>\nAuthType oxd\nOxdUnauthAction pass\nRequire valid-user\n</Location>")
        .start();
    let browser = site.signed_in();
    let environment = || browser.copy().get(site.url("/public/env")).environment();
    assert_eq!(environment()["REMOTE_USER"], DEMO_SUB);
    expect_accepted(&Token::about_user(&site, DEMO_SUB).send(&site));
    let after = environment();
    let left = after
        .keys()
        .find(|name| *name == "REMOTE_USER" || name.starts_with("OXD_"));
    assert_eq!(left, None, "{after:#?}");
}

#[test]
fn user_info_gives_a_session_no_other_name() {
    let site = TestSite::builder().directives("OxdPassTokens id_token").start();
    let odd = json!({ "sid": "somebody's", "iss": "https://elsewhere.example.org" });
    site.oxd.fault("get-user-info", Fault::Patch(odd));
    let browser = site.signed_in();
    let environment = browser.get(site.url("/app/env")).environment();
    let payload = environment["OXD_ID_TOKEN"].split('.').nth(1);
    let payload = URL_SAFE_NO_PAD
        .decode(payload.expect("an ID token"))
        .expect("base64");
    let claims: Value = serde_json::from_slice(&payload).expect("claims");
    expect_accepted(&Token::about(&site, "somebody's").send(&site));
    expect_alive(&site, &browser);
    let sid = claims["sid"].as_str().expect("a sid");
    expect_accepted(&Token::about(&site, sid).send(&site));
    expect_dead(&site, &browser);
}

/// What outlives httpd is for root, or whoever starts it, alone; a link that somebody has put there is not followed.
#[test]
fn the_file_of_ended_sessions_is_nobody_elses() {
    let site = TestSite::start();
    let mode = |path: &Path| fs::metadata(path).expect("the file").permissions().mode() & 0o777;
    assert_eq!(mode(&site.httpd.file("run/oxd-sessions")), 0o600);

    let builder = TestSite::builder().httpd(|httpd| {
        let other = httpd.file("other", "precious");
        let link = httpd.path("run/oxd-sessions");
        fs::create_dir_all(link.parent().expect("a directory")).expect("the directory");
        symlink(other, link).expect("a link");
        httpd
    });
    let site = builder.start();
    let browser = site.signed_in();
    assert_eq!(
        fs::read_to_string(site.httpd.file("other")).expect("the file"),
        "precious"
    );
    site.httpd
        .expect_log(r"\[oxd:notice\] .* remembered until httpd stops");
    // Without the file, a logout still counts as long as httpd runs.
    browser.copy().get(site.url("/oxd/logoutme")).expect(303);
    expect_dead(&site, &browser);
}
