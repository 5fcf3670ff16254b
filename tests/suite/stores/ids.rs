//! The session cookie where a store has the session: an id that nobody can guess, alter or invent.

use oxd_tests::{Browser, DEMO_SUB, Store, TestSite, raw};

use super::common::*;

with_every_store_of_the_server! {
    the_cookie_is_an_id_and_nothing_else,
    an_altered_id_is_no_session,
    an_invented_id_is_no_session,
    pieces_beside_the_id_are_left_alone,
}

/// The answer to a `Cookie` field of any bytes.
fn status(site: &TestSite, path: &str, cookie: &[u8]) -> u16 {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", site.httpd.address());
    let rest = b"Accept: text/html\r\nConnection: close\r\n\r\n";
    let request = [head.as_bytes(), b"Cookie: ", cookie, b"\r\n", rest].concat();
    raw(site.httpd.address(), &request).status
}

#[track_caller]
fn expect_outside(site: &TestSite, value: &[u8]) {
    let cookie = [b"oxd_session=", value].concat();
    let taken = (
        status(site, "/app/", &cookie),
        status(site, "/oxd/session", &cookie),
    );
    assert_eq!(taken, (302, 401), "{}", String::from_utf8_lossy(&cookie));
}

#[track_caller]
fn expect_inside(site: &TestSite, id: &str) {
    let cookie = format!("oxd_session={id}");
    assert_eq!(status(site, "/app/", cookie.as_bytes()), 200, "{cookie}");
}

/// 44 characters that go through everything that handles cookies; different with each login, the user's
/// name nowhere in it.
fn the_cookie_is_an_id_and_nothing_else(store: Store) {
    let site = site(&store).start();
    let mut ids: Vec<String> = Vec::new();
    for _ in 0..8 {
        let browser = site.signed_in();
        let cookies = browser.cookies_named("oxd_session", site.url("/"));
        let [(name, id)] = cookies.as_slice() else {
            panic!("not one cookie: {cookies:?}");
        };
        assert_eq!((name.as_str(), id.len()), ("oxd_session", 44));
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(id.chars().all(allowed), "{id}");
        ids.push(id.clone());
    }
    // 33 random bytes: two ids hardly have more than a few places in common.
    for (number, one) in ids.iter().enumerate() {
        for other in &ids[number + 1..] {
            let same = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
            assert!(same < 10, "{one} and {other}");
        }
    }
}

/// One character changed, one missing, one too many: the user is asked to sign in, and nothing breaks.
fn an_altered_id_is_no_session(store: Store) {
    let site = site(&store).start();
    let id = session_cookie(&site.signed_in(), &site);
    for at in 0..id.len() {
        let mut altered = id.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        expect_outside(&site, &altered);
    }
    for end in [0, 1, 2, 22, 42, 43] {
        expect_outside(&site, &id.as_bytes()[..end]);
        expect_outside(&site, &id.as_bytes()[44 - end..]);
    }
    for added in ["A", "=", "==", ".", "%00", " A", "\"", &id] {
        expect_outside(&site, format!("{id}{added}").as_bytes());
        expect_outside(&site, format!("{added}{id}").as_bytes());
    }
    let swapped: String = id.chars().map(swap_case).collect();
    expect_outside(&site, swapped.as_bytes());
    expect_outside(&site, id.chars().rev().collect::<String>().as_bytes());
    expect_inside(&site, &id);
}

fn swap_case(c: char) -> char {
    if c.is_ascii_uppercase() {
        c.to_ascii_lowercase()
    } else {
        c.to_ascii_uppercase()
    }
}

/// Whatever an attacker sends in place of an id, he is a visitor without a session.
fn an_invented_id_is_no_session(store: Store) {
    let site = site(&store).start();
    let id = session_cookie(&site.signed_in(), &site);
    let long = "A".repeat(7000);
    for value in [
        "",
        "x",
        "null",
        "*",
        "%s%n%s%n%s%n%s%n%s%n%s%n%s%n%s%n",
        "../../../../../../../../etc/pass",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "--------------------------------",
        "________________________________",
        "00000000000000000000000000000000",
        "++++++++++++++++////////////////",
        "get AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "\"quoted\"",
        "a b",
        "a,b",
        &long,
    ] {
        expect_outside(&site, value.as_bytes());
    }
    expect_outside(&site, &[0xff; 32]);
    expect_outside(&site, "\u{fc}\u{1f36a}".as_bytes());
    expect_inside(&site, &id);
    // The first of two counts, or none does; never an error.
    for cookie in [
        format!("oxd_session=x; oxd_session={id}"),
        format!("oxd_session={id}; oxd_session=x"),
        format!("oxd_session=; oxd_session={id}"),
    ] {
        let taken = status(&site, "/app/", cookie.as_bytes());
        assert!(matches!(taken, 200 | 302), "{taken}: {cookie}");
    }
}

/// Cookies left over from a time without a store neither help nor harm.
fn pieces_beside_the_id_are_left_alone(store: Store) {
    let site = site(&store).start();
    let browser = site.signed_in();
    let id = session_cookie(&browser, &site);
    for name in [
        "oxd_session.1",
        "oxd_session.2",
        "oxd_session.seen",
        "oxd_session.x",
    ] {
        let taken = statuses(&site, &format!("oxd_session={id}; {name}=AAAA"));
        assert_eq!(taken, (200, 200), "{name}");
        assert_eq!(statuses(&site, &format!("{name}={id}")), (302, 401), "{name}");
    }
    // The session of somebody who signed in before the administrator chose a store.
    let stale = Browser::new();
    let long = "A".repeat(1500);
    stale.set_cookie(&format!("oxd_session={long}; Path=/"), site.url("/"));
    oxd_tests::sign_in(&stale, site.url("/app/")).page.expect(200);
    expect_user(&site, &stale, DEMO_SUB);
}
