//! Signing in at a provider that the OpenID Foundation has certified.

use std::time::Duration;

use oxd_tests::{
    Answer, Approval, Browser, DEMO_SUB, SiteBuilder, TestSite, WAIT, WebDriver, approve, begin, decide,
    sign_in, sign_in_as, sign_out, user, wait_until, within,
};
use serde_json::json;
use url::Url;

const REFUSED: &str = "client denied by server configuration";

fn builder() -> SiteBuilder {
    TestSite::builder()
        .certified()
        .httpd(|httpd| httpd.allow_log(REFUSED))
}

/// Brings the provider's answer to the site, and asks for the page that the site names then.
#[track_caller]
fn finish(browser: &Browser, approval: &Approval) -> Answer {
    let callback = approval.deliver(browser);
    browser.get(callback.expect(303).location())
}

/// A parameter of an address.
fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    pairs.find_map(|(n, value)| (n == name).then(|| value.into_owned()))
}

/// The provider asks for name and password.
#[track_caller]
fn expect_form(browser: &Browser, authorization: &Url) {
    let form = browser.follow(authorization);
    let asked = form.page().form_with_button("sign-in");
    assert!(asked.is_some(), "{}", form.summary());
}

#[test]
fn the_application_gets_the_users_claims() {
    let site = builder().start();
    let walk = sign_in(&Browser::new(), site.url("/app/env?a=1"));
    let there = walk.start.location();
    assert!(there.as_str().starts_with(&site.oxd.provider_url()), "{there}");
    assert_eq!(walk.page.url.as_str(), site.url("/app/env?a=1"));
    let environment = walk.page.environment();
    let expected = [
        ("AUTH_TYPE", "oxd"),
        ("REMOTE_USER", DEMO_SUB),
        ("OXD_CLAIM_sub", DEMO_SUB),
        ("OXD_CLAIM_name", "Test User"),
        ("OXD_CLAIM_email", "test_user@example.org"),
        ("OXD_CLAIM_email_verified", "true"),
        ("OXD_CLAIM_groups", "staff,demo"),
        ("OXD_CLAIM_iss", &site.oxd.provider_url()),
    ];
    for (name, value) in expected {
        let found = environment.get(name).map(String::as_str);
        assert_eq!(found, Some(value), "{name} in {environment:#?}");
    }
    // Of the scope `phone`, which is not asked for.
    assert!(!environment.contains_key("OXD_CLAIM_phone_number"));
    assert!(environment["OXD_CLAIM_auth_time"].parse::<u64>().is_ok());
    site.expect_commands(&[
        "get-client-token",
        "get-authorization-url",
        "get-tokens-by-code",
        "get-user-info",
    ]);
}

#[test]
fn two_users_are_told_apart() {
    let one = user("one", json!({ "name": "Zoë Ångström" }));
    let site = builder().users(vec![one, user("two", json!({}))]).start();
    let (first, second) = (Browser::new(), Browser::new());
    let page = sign_in_as(&first, site.url("/app/env"), "one", "secret").page;
    assert_eq!(page.environment()["OXD_CLAIM_name"], "Zoë Ångström");
    let page = sign_in_as(&second, site.url("/app/env"), "two", "secret").page;
    assert!(!page.environment().contains_key("OXD_CLAIM_name"));
    assert_eq!(site.user(&first).as_deref(), Some("sub-of-one"));
    assert_eq!(site.user(&second).as_deref(), Some("sub-of-two"));
}

#[test]
fn signing_out_ends_the_session_here_and_there() {
    let site = builder().start();
    let browser = site.signed_in();
    // The provider still knows the user, and does not ask, when only the site has forgotten.
    browser.forget("oxd_session");
    let start = begin(&browser, site.url("/app/"));
    let approval = decide(&browser, &start.location(), ("nobody", ""), "cancel");
    finish(&browser, &approval).expect(200);

    let farewell = sign_out(&browser, site.url("/oxd/logoutme"));
    let left = farewell.leave.location();
    assert!(left.as_str().starts_with(&site.oxd.provider_url()), "{left}");
    let back = farewell.page.expect(200).url.as_str();
    assert!(back.starts_with(&site.url("/oxd/logout")), "{back}");
    assert_eq!(site.user(&browser), None);
    let start = begin(&browser, site.url("/app/"));
    expect_form(&browser, &start.location());
}

#[test]
fn a_stronger_sign_in_is_asked_for_where_it_is_needed() {
    let site = builder()
        .config("<Location /app/env>\nRequire oxd-acr u2f\n</Location>")
        .start();
    let browser = site.signed_in();
    let leave = begin(&browser, site.url("/app/env"));
    expect_form(&browser, &leave.location());
    let page = finish(&browser, &approve(&browser, &leave.location()));
    let environment = page.environment();
    assert_eq!(environment["OXD_ACR"], "u2f");
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    browser.get(site.url("/app/env")).expect(200);
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn a_sign_in_that_the_provider_does_not_offer_is_asked_for_once() {
    let site = builder()
        .config("<Location /app/env>\nRequire oxd-acr loa3\n</Location>")
        .start();
    let browser = site.signed_in();
    let leave = begin(&browser, site.url("/app/env"));
    let page = finish(&browser, &approve(&browser, &leave.location()));
    let text = page.expect(403).text();
    assert!(text.contains("loa3"), "the page names what is missing: {text}");
    site.forget_calls();
    browser.get(page.url).expect(403);
    site.expect_commands(&[]);
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn a_login_that_is_too_old_is_repeated_and_silently_where_the_provider_can() {
    let site = builder()
        .config("<Location /app/env>\nOxdMaxAge 4s\n</Location>")
        .start();
    let browser = site.signed_in();
    let aged = browser.cookies_named("oxd_session", site.url("/"));
    let too_old = |browser: &Browser| {
        let leave = within(WAIT, || {
            let answer = browser.get(site.url("/app/env"));
            (answer.status == 302).then(|| answer.location())
        });
        let leave = leave.expect("the login becomes too old");
        assert_eq!(parameter(&leave, "prompt").as_deref(), Some("none"));
        assert_eq!(parameter(&leave, "max_age").as_deref(), Some("4"));
        leave
    };
    // The provider's own login is as old, so that it may not answer without the user.
    let refusal = browser.get(too_old(&browser)).location();
    assert_eq!(parameter(&refusal, "error").as_deref(), Some("login_required"));
    let again = browser.get(refusal).expect(302).location();
    assert_eq!(parameter(&again, "prompt"), None);
    expect_form(&browser, &again);
    // A login ends the session that the browser has; this one shall outlive it.
    browser.forget("oxd_session");
    let page = finish(&browser, &approve(&browser, &again));
    assert_eq!(page.environment()["REMOTE_USER"], DEMO_SUB);

    // The old session once more, as of a site that did not see the new login.
    browser.forget("oxd_session");
    for (name, value) in aged {
        browser.set_cookie(&format!("{name}={value}; Path=/"), site.url("/"));
    }
    let answer = browser.get(too_old(&browser)).location();
    assert_eq!(parameter(&answer, "error"), None);
    let page = finish(&browser, &Approval::Redirect(answer));
    assert_eq!(page.environment()["REMOTE_USER"], DEMO_SUB);
}

#[test]
fn a_user_who_says_no_comes_back_to_a_page_that_says_so() {
    let site = builder().start();
    site.httpd.allow_log("access_denied");
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let credentials = ("test_user", "secret");
    let refusal = decide(&browser, &start.location(), credentials, "cancel");
    assert_eq!(
        parameter(refusal.url(), "error").as_deref(),
        Some("access_denied")
    );
    refusal.deliver(&browser).expect(403);
    assert_eq!(site.user(&browser), None);
    // Another time, the same user may agree.
    sign_in(&browser, site.url("/app/")).page.expect(200);
}

#[test]
fn tokens_are_refreshed_again_and_again() {
    let site = builder()
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(10))
        .directives("OxdTokenRefresh 9s\nOxdPassTokens access_token")
        .start();
    let browser = Browser::new();
    let page = sign_in(&browser, site.url("/app/env")).page;
    let mut tokens = vec![page.environment()["OXD_ACCESS_TOKEN"].clone()];
    // The second time with the refresh token that came with the first one.
    wait_until("two refreshes", || {
        let token = browser.get(site.url("/app/env")).environment()["OXD_ACCESS_TOKEN"].clone();
        if !tokens.contains(&token) {
            tokens.push(token);
        }
        tokens.len() > 2
    });
    let calls = site.oxd.calls();
    let refreshes = calls
        .iter()
        .filter(|call| call.command == "get-access-token-by-refresh-token");
    let statuses: Vec<_> = refreshes.map(|call| call.status).collect();
    assert_eq!(statuses, [200, 200]);
    let latest = tokens.last().map(String::as_str).unwrap_or_default();
    let info = Browser::new()
        .ask("GET", format!("{}/me", site.oxd.provider_url()))
        .header("authorization", &format!("Bearer {latest}"))
        .send();
    assert_eq!(info.expect(200).json()["sub"], DEMO_SUB);
}

/// From the first click to the last: sign-in, consent, claims, a fresh token, a stronger sign-in, and signing out. How
/// a sign-out at the provider reaches another tab is shown in `logout::tabs`, by the back channel at this provider, and
/// by the front channel, which this provider has no more, at the development provider.
#[test]
fn the_whole_flow_in_a_browser() {
    let site = TestSite::builder()
        .certified()
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(20))
        .directives("OxdTokenRefresh 17s\nOxdPassTokens access_token")
        .config("<Location /app/strong>\nRequire oxd-acr u2f\n</Location>")
        .httpd(|httpd| {
            httpd.file(
                "docroot/app/strong/index.html",
                "<title>strong</title>a strong page",
            );
            httpd.allow_log(REFUSED)
        })
        .start();
    let window = WebDriver::start("certified");
    let provider = site.oxd.provider_url();
    let sign_in = |name: &str| {
        window.wait_for_url(&provider);
        window.screenshot(&format!("{name}-provider"));
        window.fill("[name=username]", "test_user");
        window.fill("[name=password]", "secret");
        window.click("#sign-in");
    };
    window.open(&site.url("/oxd"));
    window.click("a[href='/oxd/login']");
    sign_in("1");
    window.screenshot("2-consent");
    window.click("#allow");
    window.wait_for_url(&site.url("/oxd"));
    wait_until("the claims", || window.text().contains("test_user@example.org"));
    window.screenshot("3-claims");

    // The application's own page asks for what it got.
    window.open(&site.url("/app/"));
    let token = || {
        let text = window.script("return fetch('/app/env').then(answer => answer.text())");
        let text = text.as_str().unwrap_or_default();
        let line = text
            .split(['\n', '\0'])
            .find(|line| line.starts_with("OXD_ACCESS_TOKEN="));
        line.unwrap_or_else(|| panic!("no token: {text}")).to_owned()
    };
    let first = token();
    wait_until("a fresh token", || token() != first);

    window.open(&site.url("/app/strong/"));
    sign_in("4-stronger");
    window.wait_for_url(&site.url("/app/strong/"));
    assert!(window.text().contains("a strong page"), "{}", window.text());
    window.screenshot("5-strong");

    window.open(&site.url("/oxd/logoutme"));
    window.wait_for_url(&provider);
    window.screenshot("6-provider-sign-out");
    window.click("#sign-out");
    window.wait_for_url(&site.url("/oxd/logout"));
    window.screenshot("7-signed-out");
}
