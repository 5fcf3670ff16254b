//! Logins that begin elsewhere, in frames, in advance or without cookies, and logouts that other sites ask for.

use serde_json::json;

use crate::config::{RawSettings, SiteFile};
use crate::http::Method;
use crate::testing::{Browser, header, site};

fn browser(site: &SiteFile) -> Browser<'_> {
    Browser::at(RawSettings {
        site: Some(site),
        ..RawSettings::default()
    })
}

#[test]
fn a_third_party_can_begin_a_login_at_its_own_provider_only() {
    let site = site("s");
    for (query, status) in [
        (
            "iss=https://op&target_link_uri=/app%3Fx%3D1&login_hint=alice%40example.org",
            302,
        ),
        ("iss=https://evil&target_link_uri=/app", 400),
        ("iss=https://op&iss=https://op", 400),
        ("iss=https://op&target_link_uri=https://evil.example/", 400),
        ("target_link_uri=/app&return_to=/other", 400),
    ] {
        for method in [Method::Get, Method::Post] {
            let mut browser = browser(&site);
            browser.oxd.issuer = Some("https://op".into());
            let answer = match method {
                Method::Post => browser.post("/oxd/login", query),
                _ => browser.get(&format!("/oxd/login?{query}")),
            };
            assert_eq!(answer.status, status, "{query}");
            if status == 302 {
                let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
                assert_eq!(sent["params"]["login_hint"], json!("alice@example.org"));
                let state = browser.last_state();
                let done = browser.get(&format!("/oxd/callback?code=c&state={state}"));
                assert_eq!(header(&done, "Location"), Some("/app?x=1"));
            }
        }
    }
}

#[test]
fn a_login_for_a_strict_place_asks_for_its_maximum_age() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.get("/oxd/login?return_to=/strict/page");
    let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
    assert_eq!(sent["params"]["max_age"], json!("600"));
    browser.get("/oxd/login?return_to=/other");
    let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
    assert_eq!(sent["params"].get("max_age"), None);
}

#[test]
fn what_is_fetched_in_advance_begins_and_ends_nothing() {
    let site = site("s");
    type Change = fn(&mut crate::testing::Headers);
    let kinds: [Change; 5] = [
        |h| h.sec_purpose = Some("prefetch"),
        |h| h.sec_purpose = Some("prefetch;prerender"),
        |h| h.purpose = Some("prefetch"),
        |h| h.purpose = Some("preview"),
        |h| h.x_moz = Some("prefetch"),
    ];
    for kind in kinds {
        let mut browser = browser(&site);
        browser.log_in("/app");
        browser.start_login("/app/2");
        let (state, cookies) = (browser.last_state(), browser.cookies.clone());
        let asked = browser.oxd.asked.borrow().len();
        kind(&mut browser.headers);
        for address in [
            "/oxd/login".to_owned(),
            format!("/oxd/callback?code=c&state={state}"),
            "/oxd/logoutme".to_owned(),
        ] {
            assert_eq!(browser.get(&address).status, 503, "{address}");
        }
        assert_eq!(browser.cookies, cookies);
        browser.cookies.clear();
        assert_eq!(browser.enter("/app").status, 503, "a protected page");
        assert_eq!(browser.oxd.asked.borrow().len(), asked);
        browser.headers = crate::testing::Headers {
            accept: Some("text/html"),
            ..Default::default()
        };
        browser.cookies = cookies;
        let done = browser.get(&format!("/oxd/callback?code=c&state={state}"));
        assert_eq!(done.status, 303, "the code is still good");
    }
}

#[test]
fn a_page_in_a_frame_gets_a_link_for_the_whole_window() {
    let site = site("s");
    for dest in ["iframe", "frame", "embed", "object"] {
        let mut browser = browser(&site);
        browser.headers.sec_fetch_mode = Some("navigate");
        browser.headers.sec_fetch_dest = Some(dest);
        let answer = browser.enter("/app?x=1");
        assert_eq!(answer.status, 401, "{dest}");
        let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
        assert!(
            page.contains("href=\"/oxd/login?return_to=%2Fapp%3Fx%3D1\" target=\"_top\""),
            "{page}"
        );
        let policy = answer.common_headers(true);
        assert!(
            policy.iter().all(|(_, value)| !value.contains("frame-ancestors")),
            "it can be seen"
        );
        assert!(browser.oxd.asked.borrow().is_empty() && browser.cookies.is_empty());
        browser.headers.sec_fetch_dest = Some("document");
        assert_eq!(browser.enter("/app").status, 302);
    }
}

#[test]
fn a_link_of_another_site_does_not_sign_out() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.log_in("/app");
    browser.headers.sec_fetch_site = Some("cross-site");
    let asked = browser.get("/oxd/logoutme");
    assert_eq!(asked.status, 200);
    let page = String::from_utf8_lossy(asked.body_bytes()).into_owned();
    assert!(
        page.contains("href=\"/oxd/logoutme\"") && page.contains("Do you want to sign out?"),
        "{page}"
    );
    assert!(asked.cookies.is_empty());
    let still = browser.get("/oxd/logout");
    assert!(String::from_utf8_lossy(still.body_bytes()).contains("still signed in"));
    browser.headers.sec_fetch_site = Some("same-origin");
    assert_eq!(browser.get("/oxd/logoutme").status, 303);
    let gone = browser.get("/oxd/logout");
    assert!(String::from_utf8_lossy(gone.body_bytes()).contains("You are signed out"));
    browser.headers.sec_fetch_site = Some("cross-site");
    assert_eq!(browser.get("/oxd/logoutme").status, 303, "nobody is signed in");
}

#[test]
fn a_browser_that_keeps_no_cookies_is_told_after_one_restart() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.enter("/app");
    let mut hops = 1;
    let mut answer = {
        browser.cookies.clear();
        browser.get(&format!("/oxd/callback?code=c&state={}", browser.last_state()))
    };
    while answer.status == 302 && hops < 10 {
        hops += 1;
        browser.cookies.clear();
        let location = header(&answer, "Location").unwrap().to_owned();
        answer = if location.starts_with('/') {
            browser.get(&location)
        } else {
            browser.get(&format!("/oxd/callback?code=c&state={}", browser.last_state()))
        };
    }
    assert_eq!((answer.status, hops), (400, 3));
    let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
    assert!(page.contains("Allow cookies for this site"), "{page}");
    assert!(
        !page.contains("sign-in service said"),
        "those are our own words: {page}"
    );
}

#[test]
fn a_login_host_leads_back_to_the_host_that_it_began_at() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.settings.redirect_uri = Some(Box::leak(Box::new(
        "https://login.example/oxd/callback".to_owned(),
    )));
    browser.enter("/app?x=1");
    let state = browser.last_state();
    let done = browser.get(&format!("/oxd/callback?code=c&state={state}"));
    assert_eq!(header(&done, "Location"), Some("https://app.example/app?x=1"));
    browser.settings.redirect_uri = Some(Box::leak(Box::new("https://app.example/oxd/callback".to_owned())));
    browser.cookies.clear();
    browser.enter("/app?x=1");
    let state = browser.last_state();
    let done = browser.get(&format!("/oxd/callback?code=c&state={state}"));
    assert_eq!(header(&done, "Location"), Some("/app?x=1"));
}

#[test]
fn a_long_address_comes_back_whole() {
    let site = site("s");
    let store = crate::testing::FakeStore::default();
    for store in [None, Some(&store)] {
        for length in [1_400, 2_000, 5_000, 7_500] {
            let mut browser = browser(&site);
            browser.settings.session_store = store.map(|store| crate::config::SessionStore::Shared(store));
            browser.store = store;
            let address = format!("/app?q={}", "x".repeat(length));
            browser.enter(&address);
            let state = browser.last_state();
            let done = browser.get(&format!("/oxd/callback?code=c&state={state}"));
            // What the machine's memory cannot take ends at the path, and the log says so.
            let expected = if length > 6_000 && store.is_none() {
                "/app"
            } else {
                &address
            };
            assert_eq!(
                header(&done, "Location"),
                Some(expected),
                "{length} {}",
                store.is_some()
            );
        }
    }
}
