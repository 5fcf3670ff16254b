//! The tokens of a session, apart from its record.

use super::cookies;
use crate::access::{Admission, enter};
use crate::config::{PassTokens, RawSettings, SiteFile, UnauthAction};
use crate::testing::{Browser, FakeStore, NOW, header, memory, refresh_ahead, site};

fn browser<'s>(file: &'s SiteFile, raw: RawSettings<'s>) -> Browser<'s> {
    Browser::at(RawSettings {
        site: Some(file),
        ..raw
    })
}

fn passing<'s>() -> RawSettings<'s> {
    RawSettings {
        pass_tokens: Some(PassTokens {
            access_token: true,
            id_token: false,
            refresh_token: false,
            expires: false,
        }),
        ..RawSettings::default()
    }
}

/// What the page `/app` gets: the access token that it is passed, or the status of another answer.
fn at_page(browser: &Browser<'_>) -> Result<Vec<u8>, u16> {
    browser.visit("/app", |ctx, visit| match enter(ctx, visit) {
        Admission::Admit(admitted) => Ok(admitted
            .session
            .opened_tokens()
            .map_or_else(Vec::new, |tokens| tokens.access_token.to_vec())),
        Admission::Respond(response) => Err(response.status),
        other => panic!("{other:?}"),
    })
}

fn line_of<'l>(lines: &'l [String], name: &str) -> &'l str {
    let begins = |line: &&String| line.starts_with(&format!("{name}="));
    lines
        .iter()
        .find(begins)
        .unwrap_or_else(|| panic!("{name}: {lines:?}"))
}

#[test]
fn a_page_that_wants_no_tokens_is_not_sent_them_and_the_logout_has_them() {
    let file = site("s");
    let mut browser = browser(&file, RawSettings::default());
    browser.tokens_path = Some("/oxd");
    let answer = browser.log_in("/app");
    assert!(line_of(&answer.cookies, "oxd_session").contains("; Path=/;"));
    assert!(line_of(&answer.cookies, "oxd_session.tokens").contains("; Path=/oxd;"));
    assert_eq!(at_page(&browser), Ok(Vec::new()));
    let answer = browser.get("/oxd/logoutme");
    assert_eq!(answer.status, 303);
    let asked = browser.oxd.asked.borrow();
    let (_, logout) = asked
        .iter()
        .find(|(command, _)| *command == "get-logout-uri")
        .unwrap();
    assert_eq!(logout["id_token_hint"], "e30.e30.sig");
    assert!(line_of(&answer.cookies, "oxd_session.tokens").contains("; Path=/oxd; Max-Age=0"));
}

#[test]
fn a_stale_callback_goes_to_the_address_of_the_login() {
    let file = site("s");
    for tokens_path in [None, Some("/oxd")] {
        let mut browser = browser(&file, RawSettings::default());
        browser.tokens_path = tokens_path;
        browser.log_in("/app/page");
        let callback = "/oxd/callback?code=c&state=unknown";
        let answer = browser.get(callback);
        assert_eq!(header(&answer, "Location"), Some("/app/page"));
        // Without the tokens, it goes where a login ends that names no address.
        browser.cookies.retain(|(name, _)| !name.contains("tokens"));
        assert_eq!(header(&browser.get(callback), "Location"), Some("/oxd"));
    }
}

#[test]
fn a_page_that_wants_tokens_gets_them_from_cookies_and_from_a_store() {
    let (file, store) = (site("s"), FakeStore::default());
    for store in [None, Some(&store)] {
        let mut browser = browser(&file, passing());
        browser.store = store;
        browser.log_in("/app");
        assert_eq!(at_page(&browser), Ok(b"access".to_vec()));
    }
}

/// Somebody has added `OxdPassTokens`, `OxdTokenRefresh` or UMA, and the browser still has the cookie of the handler's path.
#[test]
fn a_session_without_the_tokens_that_a_page_wants_is_signed_in_again_and_never_in_a_loop() {
    let (file, path) = (site("s"), "/app".to_owned());
    let uma = RawSettings {
        uma_path: Some(&path),
        ..RawSettings::default()
    };
    for raw in [passing(), refresh_ahead(), uma] {
        let mut browser = browser(&file, RawSettings::default());
        browser.tokens_path = Some("/oxd");
        browser.memory = memory();
        browser.log_in("/app");
        browser.settings = RawSettings {
            site: Some(&file),
            ..raw
        };
        browser.now = NOW + 250;
        assert_eq!(at_page(&browser), Err(302));
        // Another httpd that shares the session, or a browser that does not keep the cookie: once is enough.
        let token = if raw.pass_tokens.is_some() {
            &b"access"[..]
        } else {
            b""
        };
        assert_eq!(at_page(&browser), Ok(Vec::new()));
        browser.tokens_path = None;
        browser.log_in("/app");
        assert_eq!(at_page(&browser), Ok(token.to_vec()));
        let log = browser.log.0.borrow().join("\n");
        assert_eq!(
            log.matches("cookie oxd_session.tokens the browser has not sent")
                .count(),
            1,
            "{log}"
        );
    }
}

#[test]
fn where_no_login_can_be_started_the_session_goes_on_without_its_tokens() {
    let file = site("s");
    for action in [
        UnauthAction::Pass,
        UnauthAction::Status(403),
        UnauthAction::Status(401),
    ] {
        let mut browser = browser(&file, RawSettings::default());
        browser.tokens_path = Some("/oxd");
        browser.log_in("/app");
        browser.settings = RawSettings {
            site: Some(&file),
            unauth_action: Some(action),
            ..passing()
        };
        browser.now = NOW + 250;
        assert_eq!(at_page(&browser), Ok(Vec::new()), "{action:?}");
    }
}

/// Tokens of an earlier configuration stay at their path, and would be sent along to the handler.
#[test]
fn tokens_at_the_path_of_an_earlier_configuration_are_taken_away() {
    let file = site("s");
    for (before, after, other) in [(None, Some("/oxd"), "/"), (Some("/oxd"), None, "/oxd")] {
        let mut browser = browser(&file, RawSettings::default());
        browser.tokens_path = before;
        browser.log_in("/app");
        browser.tokens_path = after;
        let lines = browser.log_in("/app").cookies;
        let gone = format!("oxd_session.tokens=; Path={other}; Max-Age=0");
        assert!(lines.iter().any(|line| line.starts_with(&gone)), "{lines:?}");
        let lines = browser.get("/oxd/logoutme").cookies;
        assert!(lines.iter().any(|line| line.starts_with(&gone)), "{lines:?}");
    }
}

#[test]
fn tokens_of_another_session_do_not_open() {
    let file = site("s");
    let (mut alice, mut bob) = (browser(&file, passing()), browser(&file, passing()));
    alice.log_in("/app");
    bob.log_in("/app");
    let stolen = alice
        .cookies
        .iter()
        .find(|(name, _)| name.contains("tokens"))
        .unwrap();
    bob.cookies.retain(|(name, _)| !name.contains("tokens"));
    bob.cookies.push(stolen.clone());
    assert_eq!(at_page(&bob), Err(302));
    assert_eq!(at_page(&bob), Ok(Vec::new()));
    // Beside the right one, it is passed over.
    let mut both = alice.cookies.clone();
    both.insert(0, ("oxd_session.tokens".into(), "AAAA".into()));
    alice.cookies = both;
    assert_eq!(at_page(&alice), Ok(b"access".to_vec()));
}

#[test]
fn a_header_with_session_and_tokens_stays_within_the_limit_of_httpd() {
    let file = site("s");
    let mut browser = browser(&file, RawSettings::default());
    browser.tokens_path = Some("/oxd");
    browser.log_in("/app");
    let bytes = |browser: &Browser<'_>, name: &str| {
        let (name, value) = browser.cookies.iter().find(|(n, _)| n == name).unwrap();
        name.len() + value.len() + 3
    };
    let (session, tokens) = (
        bytes(&browser, "oxd_session"),
        bytes(&browser, "oxd_session.tokens"),
    );
    // The session alone would fit beside this one, and with its tokens it does not.
    let room = browser.look("/oxd", |ctx| ctx.request.header_limit()) - cookies::HEADER_SLACK - session;
    let other = "x".repeat(room - tokens / 2 - 4);
    browser.cookies.insert(0, ("a".into(), other));
    assert_eq!(browser.log_in("/app").status, 500);
    browser.cookies[0].1.truncate(room - tokens - 4);
    assert_eq!(browser.log_in("/app").status, 303);
}
