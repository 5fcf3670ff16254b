//! Tokens and claims that are due for a refresh when a request enters.

use super::*;
use crate::config::RefusedRefresh;
use crate::testing::refresh_ahead;

#[test]
fn tokens_and_claims_are_refreshed_where_that_is_due() {
    let site = site("s");
    for (name, settings, failure, asked, expected, commands) in [
        (
            "tokens",
            refresh_ahead(),
            None,
            MAIN,
            Admit(2, true),
            &["refresh"][..],
        ),
        (
            "tokens, in a subrequest, whose cookies nobody gets",
            refresh_ahead(),
            None,
            SUBREQUEST,
            Admit(0, false),
            &[],
        ),
        (
            "an oxd that fails",
            refresh_ahead(),
            Some(Reason::OxdTimeout),
            MAIN,
            Admit(1, true),
            &["refresh"],
        ),
        (
            "a provider that refuses while the token still works",
            refresh_ahead(),
            Some(Reason::RefreshRefused),
            MAIN,
            Admit(1, true),
            &["refresh"],
        ),
        (
            "claims",
            RawSettings {
                user_info: Some(UserInfo::Every(Seconds(100))),
                ..RawSettings::default()
            },
            None,
            MAIN,
            Admit(2, true),
            &["get-user-info"],
        ),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            ..settings
        });
        browser.log_in("/app");
        browser.now = NOW + 250;
        browser.oxd.asked.borrow_mut().clear();
        browser.oxd.failure = failure.map(|reason| ("refresh", reason));
        assert_eq!(asked.enter(&browser), expected, "{name}");
        assert_eq!(browser.oxd.commands(), commands, "{name}");
    }
}

#[test]
fn a_refreshed_session_is_the_one_that_is_handed_on() {
    let site = site("s");
    let mut browser = Browser::that_refreshes(&site);
    browser.log_in("/app");
    browser.now = NOW + 250;
    MAIN.decide(&browser, |ctx, visit| match enter(ctx, visit) {
        Admission::Admit(admitted) => {
            let tokens = admitted.session.opened_tokens().unwrap();
            assert_eq!(tokens.access_token, b"new-access");
        }
        other => panic!("{other:?}"),
    });
}

/// In a subrequest the new session has to be kept in a store: no answer of it brings cookies.
#[test]
fn a_subrequest_refreshes_what_a_store_keeps() {
    let (site, store) = (site("s"), FakeStore::default());
    let mut browser = Browser::that_refreshes(&site);
    browser.store = Some(&store);
    browser.log_in("/app");
    browser.now = NOW + 250;
    assert!(matches!(SUBREQUEST.enter(&browser), Admit(_, true)));
    assert_eq!(browser.oxd.commands().last(), Some(&"refresh"));
}

#[test]
fn a_subrequest_whose_session_the_refresh_ends_gets_a_bare_status() {
    let (site, store) = (site("s"), FakeStore::default());
    for (action, expected) in [(RefusedRefresh::Login, 302), (RefusedRefresh::Unauthorized, 401)] {
        for (asked, expected) in [(MAIN, Respond(expected)), (SUBREQUEST, Status(401))] {
            let mut browser = Browser::that_refreshes(&site);
            browser.store = Some(&store);
            browser.settings.refused_refresh = Some(action);
            browser.log_in("/app");
            browser.oxd.failure = Some(("refresh", Reason::RefreshRefused));
            browser.now = NOW + 301;
            assert_eq!(asked.enter(&browser), expected, "{action:?}");
        }
    }
}

#[test]
fn a_refresh_that_fails_does_not_make_the_use_of_the_session_due() {
    let site = site("s");
    let mut browser = Browser::that_refreshes(&site);
    browser.settings.token_refresh = Some(crate::config::TokenRefresh::Ahead(Seconds(299)));
    browser.log_in("/app");
    browser.now = NOW + 2;
    browser.oxd.failure = Some(("refresh", Reason::OxdUnreachable));
    assert_eq!(MAIN.enter(&browser), Admit(0, true));
}

/// The user is not asked anew where the provider still knows them, but the login is no silent one: it may show a page.
#[test]
fn a_session_without_its_tokens_is_renewed_by_a_plain_login() {
    let site = site("s");
    let mut browser = Browser::that_refreshes(&site);
    browser.log_in("/app");
    browser.now = NOW + 250;
    browser.cookies.retain(|(name, _)| !name.ends_with(".tokens"));
    assert_eq!(MAIN.enter(&browser), Respond(302));
    let asked = browser.oxd.asked.borrow();
    let (command, request) = asked.last().unwrap();
    assert_eq!((*command, request.get("prompt")), ("get-authorization-url", None));
}
