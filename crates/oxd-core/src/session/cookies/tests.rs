use super::*;
use crate::config::{RawSettings, SiteFile};
use crate::session::with_own;
use crate::testing::{Browser, site};
use serde_json::json;

fn browser(file: &SiteFile) -> Browser<'_> {
    Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    })
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

fn has(browser: &Browser<'_>, name: &str) -> bool {
    browser.cookies.iter().any(|(existing, _)| existing == name)
}

/// What a cookie takes of the `Cookie` header, with what stands between it and the next one.
fn bytes(name: &str, value: &str) -> usize {
    name.len() + value.len() + 3
}

/// What is left of the `Cookie` header beside the session that this browser has.
fn room(browser: &Browser<'_>) -> usize {
    let ours = browser
        .cookies
        .iter()
        .filter(|(name, _)| name.starts_with("oxd_session"));
    let ours: usize = ours.map(|(name, value)| bytes(name, value)).sum();
    browser.look("/", |ctx| ctx.request.header_limit()) - HEADER_SLACK - ours
}

#[test]
fn a_session_fits_beside_the_cookies_of_others_to_the_last_byte() {
    let file = site("s");
    let mut browser = browser(&file);
    browser.log_in("/app");
    let room = room(&browser);
    for (more, status) in [(0, 303), (1, 500)] {
        let others = [("a", room / 2), ("b", room - room / 2 + more)]
            .map(|(name, room)| (name.to_owned(), "x".repeat(room - bytes(name, ""))));
        browser.cookies = others.to_vec();
        assert_eq!(browser.log_in("/app").status, status, "{more}");
        assert_eq!(is_signed_in(&browser), status == 303);
    }
}

#[test]
fn pending_logins_of_other_tabs_go_only_where_the_session_would_not_fit() {
    let file = site("s");
    let mut browser = browser(&file);
    browser.log_in("/app");
    let room = room(&browser);
    let another = format!("{}another-tab", cookie::LOGIN_PREFIX);
    for (less, stays) in [(2_000, true), (0, true), (-1, false), (-50, false)] {
        browser.cookies.clear();
        assert_eq!(browser.start_login("/app").status, 302);
        let logins: usize = browser
            .cookies
            .iter()
            .map(|(name, value)| bytes(name, value))
            .sum();
        let rest = (room - logins).checked_add_signed(-less).unwrap();
        browser
            .cookies
            .push((another.clone(), "x".repeat(rest - bytes(&another, ""))));
        let state = browser.last_state();
        browser.get(&format!("/oxd/login?code=c&state={state}"));
        assert!(is_signed_in(&browser), "{less}");
        assert_eq!(has(&browser, &another), stays, "{less}");
    }
}

#[test]
fn pieces_of_a_longer_session_go_and_its_own_stay() {
    let file = site("s");
    let mut browser = browser(&file);
    browser.oxd.user_info = json!({"sub": "alice", "groups": vec!["x".repeat(40); 80]});
    for _ in 0..2 {
        // As an earlier and longer session has left them, where the limit of the header was greater.
        let left = ["oxd_session.2", "oxd_session.9", "oxd_session.tokens.1"];
        browser.take_cookies(&left.map(|name| format!("{name}=x; Path=/")));
        browser.log_in("/app");
        assert!(is_signed_in(&browser) && has(&browser, "oxd_session.1"));
        assert!(has(&browser, "oxd_session.tokens"));
        for name in left {
            assert!(!has(&browser, name), "{name}");
        }
    }
}
