//! Tokens and claims that are due for a refresh when a request enters.

use super::*;
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
