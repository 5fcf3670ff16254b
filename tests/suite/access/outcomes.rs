//! What a request meets that may not come in: `OxdUnauthAction`, `OxdUnautzAction`, step-up.

use oxd_tests::{Browser, DEMO_SUB, TestSite, WAIT, approve, begin, sign_in, within};
use url::Url;

/// What oxd was asked to put into the last authorization request.
fn last_acr_values(site: &TestSite) -> serde_json::Value {
    let calls = site.oxd.calls();
    let last = calls
        .iter()
        .rev()
        .find(|call| call.command == "get-authorization-url");
    last.expect("a login was started").body["acr_values"].clone()
}

#[test]
fn a_request_without_a_session_gets_the_status_that_is_configured() {
    let mut config = String::new();
    for status in [401, 403, 404, 407, 410] {
        config += &format!("<Location /app/s{status}>\nOxdUnauthAction {status}\n</Location>\n");
    }
    let site = TestSite::builder().config(&config).start();
    for status in [401, 403, 404, 407, 410] {
        let answer = Browser::new().get(site.url(&format!("/app/s{status}")));
        assert!(answer.expect(status).set_cookies().is_empty());
    }
    site.expect_commands(&[]);
}

#[test]
fn public_pages_know_a_user_who_is_signed_in() {
    // With a rule that needs nobody, and with one that needs somebody.
    for rule in ["Require all granted", "Require valid-user"] {
        let config = format!("<Location /app/env>\nOxdUnauthAction pass\n{rule}\n</Location>");
        let site = TestSite::builder().config(&config).start();
        let stranger = Browser::new().get(site.url("/app/env"));
        let environment = stranger.environment();
        assert!(
            !environment.contains_key("REMOTE_USER"),
            "{rule}: {environment:#?}"
        );
        assert!(
            !environment.keys().any(|name| name.starts_with("OXD_")),
            "{rule}: {environment:#?}"
        );
        site.expect_commands(&[]);
        let browser = site.signed_in();
        let environment = browser.get(site.url("/app/env")).environment();
        assert_eq!(environment["REMOTE_USER"], DEMO_SUB, "{rule}");
        assert_eq!(environment["AUTH_TYPE"], "oxd", "{rule}");
        assert_eq!(environment["OXD_CLAIM_email"], "test_user@example.org", "{rule}");
    }
}

#[test]
fn a_stranger_may_not_pass_where_a_claim_is_needed() {
    let config = "<Location /app/env>\nOxdUnauthAction pass\nRequire oxd-claim groups staff\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(config).start();
    Browser::new().get(site.url("/app/env")).expect(401);
    site.expect_commands(&[]);
}

#[test]
fn a_stronger_sign_in_is_asked_for_where_it_is_needed() {
    let config = "<Location /app/env>\nRequire oxd-acr u2f otp\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(config).start();
    let browser = site.signed_in();
    site.forget_calls();
    let leave = begin(&browser, site.url("/app/env"));
    assert_eq!(last_acr_values(&site), serde_json::json!(["u2f", "otp"]));
    let callback = approve(&browser, &leave.location()).deliver(&browser);
    let environment = browser.get(callback.expect(303).location()).environment();
    assert_eq!(environment["OXD_ACR"], "u2f");
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
}

#[test]
fn an_earlier_stronger_sign_in_is_remembered() {
    let rules = "<Location /app/env>\nRequire oxd-acr u2f\n</Location>\n\
                 <Location /app/other.html>\nRequire oxd-acr otp\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(rules).start();
    let browser = Browser::new();
    let stronger = |url: String| {
        let leave = begin(&browser, url);
        approve(&browser, &leave.location()).deliver(&browser).expect(303);
    };
    stronger(site.url("/app/env"));
    stronger(site.url("/app/env"));
    stronger(site.url("/app/other.html"));
    browser.get(site.url("/app/other.html")).expect(200);
    browser.get(site.url("/app/env")).expect(200);
}

#[test]
fn a_provider_that_does_not_deliver_is_asked_once() {
    let config = "<Location /app/env>\nRequire oxd-acr loa3\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(config).start();
    let browser = site.signed_in();
    let leave = begin(&browser, site.url("/app/env"));
    let callback = approve(&browser, &leave.location()).deliver(&browser);
    let back: Url = callback.expect(303).location();
    site.forget_calls();
    let answer = browser.get(&back);
    assert!(
        answer.expect(403).text().contains("loa3"),
        "the page names what is missing"
    );
    browser.get(&back).expect(403);
    site.expect_commands(&[]);
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn another_sign_in_may_be_asked_of_whom_the_rules_refuse_but_only_once() {
    let config = "<Location /app/env>\nOxdUnautzAction login\nRequire user somebody-else\n</Location>\n\
                  <Location /app/other.html>\nOxdUnautzAction 401\nRequire user somebody-else\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(config).start();
    let browser = site.signed_in();
    let leave = begin(&browser, site.url("/app/env"));
    let callback = approve(&browser, &leave.location()).deliver(&browser);
    browser.get(callback.expect(303).location()).expect(403);
    browser.get(site.url("/app/other.html")).expect(401);
}

#[test]
fn scripts_are_not_sent_to_a_stronger_sign_in() {
    let config = "<Location /app/env>\nRequire oxd-acr u2f\n</Location>";
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(config).start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/"));
    site.forget_calls();
    let answer = browser
        .ask("GET", site.url("/app/env"))
        .header("sec-fetch-mode", "cors")
        .send();
    assert_eq!(answer.expect(403).json()["error"], "acr_not_met");
    site.expect_commands(&[]);
}

#[test]
fn a_session_that_is_too_old_is_renewed_without_a_word_and_then_visibly() {
    let site = TestSite::builder()
        .config("<Location /app/env>\nOxdMaxAge 2s\n</Location>")
        .start();
    let browser = site.signed_in();
    let mut last = browser.get(site.url("/app/env"));
    let leave = within(WAIT, || {
        last = browser.get(site.url("/app/env"));
        (last.status == 302).then(|| last.clone())
    });
    let leave = leave.expect("the session becomes too old").location();
    let prompt = |url: &Url| {
        url.query_pairs()
            .find(|(name, _)| name == "prompt")
            .map(|(_, v)| v.into_owned())
    };
    assert_eq!(prompt(&leave).as_deref(), Some("none"));
    // The provider's own session is as old, so that it would have to ask.
    let refused = approve(&browser, &leave).deliver(&browser);
    let again = refused.expect(302).location();
    assert_eq!(prompt(&again), None);
    let callback = approve(&browser, &again).deliver(&browser);
    let environment = browser.get(callback.expect(303).location()).environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn a_session_that_is_too_old_is_nobodys_where_strangers_may_pass() {
    let config = format!(
        "<Location /app/env>\nOxdUnauthAction pass\nOxdMaxAge 3s\nRequire all granted\n</Location>\n\
         <Location /app/other.html>\nOxdUnauthAction pass\nOxdMaxAge 3s\nRequire oxd-claim sub {DEMO_SUB}\n</Location>"
    );
    let site = TestSite::builder().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
    let site = site.config(&config).start();
    let browser = site.signed_in();
    browser.get(site.url("/app/other.html")).expect(200);
    let is_old = || browser.get(site.url("/app/other.html")).status == 401;
    within(WAIT, || is_old().then_some(())).expect("the session becomes too old");
    let environment = browser.get(site.url("/app/env")).environment();
    assert!(!environment.contains_key("REMOTE_USER"), "{environment:#?}");
    assert!(
        !environment.keys().any(|name| name.starts_with("OXD_")),
        "{environment:#?}"
    );
}
