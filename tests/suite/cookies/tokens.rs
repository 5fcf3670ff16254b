//! The cookie with the tokens of a session, and who gets it.

use oxd_tests::{Browser, TestSite, sign_in};

/// The paths to which the browser sends the cookie of the tokens.
fn sent_to(browser: &Browser, site: &TestSite) -> Vec<&'static str> {
    let has = |path: &&str| {
        let cookies = browser.cookies_named("oxd_session.tokens", site.url(path));
        !cookies.is_empty()
    };
    ["/", "/app/", "/oxd", "/oxd/logoutme"]
        .into_iter()
        .filter(has)
        .collect()
}

#[test]
fn only_the_handler_is_sent_tokens_that_no_page_wants() {
    let site = TestSite::builder().start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    assert_eq!(sent_to(&browser, &site), ["/oxd", "/oxd/logoutme"]);
    // The provider is told which session ends.
    browser.get(site.url("/oxd/logoutme")).expect(303);
    let calls = site.oxd.calls();
    let logout = calls
        .iter()
        .find(|call| call.command == "get-logout-uri")
        .expect("a logout");
    assert!(
        logout.body["id_token_hint"]
            .as_str()
            .is_some_and(|token| token.len() > 100)
    );
    assert_eq!(sent_to(&browser, &site), [""; 0]);
}

#[test]
fn every_page_is_sent_tokens_where_one_passes_them_on() {
    let site = TestSite::builder()
        .config("<Location /app/env>\nOxdPassTokens access_token id_token\n</Location>")
        .start();
    let browser = Browser::new();
    let page = sign_in(&browser, site.url("/app/env")).page;
    let environment = page.environment();
    assert!(environment.contains_key("OXD_ACCESS_TOKEN") && environment.contains_key("OXD_ID_TOKEN"));
    assert_eq!(sent_to(&browser, &site).len(), 4);
    assert_eq!(
        page.cookies_handed_on(),
        "",
        "the application gets none of the cookies"
    );
}

/// An administrator adds a directive that wants tokens, and reloads httpd.
#[test]
fn sessions_of_before_get_their_tokens_when_a_page_comes_to_want_them() {
    let site = TestSite::builder().config("# tokens\n").start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/env")).page.expect(200);
    site.httpd.edit_config(
        "# tokens\n",
        "<Location /app/env>\nOxdPassTokens access_token\n</Location>\n",
    );
    site.httpd.graceful();
    site.httpd
        .allow_log(r"whose cookie oxd_session\.tokens the browser has not sent");
    // The provider knows the user, so that nobody has to enter anything.
    let page = sign_in(&browser, site.url("/app/env")).page;
    assert!(page.expect(200).environment().contains_key("OXD_ACCESS_TOKEN"));
    assert_eq!(sent_to(&browser, &site).len(), 4);
    let all = browser.cookies_named("oxd_session.tokens", site.url("/oxd"));
    assert_eq!(all.len(), 1, "the one at the path of before is gone: {all:?}");
}
