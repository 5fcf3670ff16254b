//! Vulnerabilities of comparable software that no other test covers (docs/SECURITY-NOTES.md).

use crate::config::{PostPreserve, RawSettings};
use crate::http::{Body, Form, Method};
use crate::login;
use crate::testing::{Browser, header, site};

#[test]
fn a_logout_heeds_no_address_in_the_request() {
    let site = site("s");
    for query in [
        "logout=https://evil.example/",
        "return_to=//evil.example",
        "ReturnTo=http:evil.example",
        "post_logout_redirect_uri=/%5Cevil.example",
        "redirect_uri=///evil.example&state=evil.example",
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            ..RawSettings::default()
        });
        browser.log_in("/app");
        let answer = browser.get(&format!("/oxd/logoutme?{query}"));
        assert_eq!(
            (answer.status, header(&answer, "Location")),
            (303, Some("https://op/end_session")),
            "{query}"
        );
        let (command, sent) = browser.oxd.asked.borrow().last().cloned().expect("a call");
        assert_eq!(command, "get-logout-uri");
        assert!(!sent.to_string().contains("evil"), "{query}: {sent}");
        // Nor does the page after it.
        let page = browser.get(&format!("/oxd/logout?{query}"));
        assert_eq!((page.status, header(&page, "Location")), (200, None), "{query}");
        let Body::Page(html) = page.body else {
            panic!("{query}: no page")
        };
        assert!(!html.contains("evil"), "{query}: {html}");
    }
}

#[test]
fn a_code_goes_to_oxd_as_it_came() {
    let site = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.get("/oxd/login");
    let state = browser.last_state();
    let answer = browser.get(&format!(
        "/oxd/callback?code=a%22%2C%22oxd_id%22%3A%22other%26state%3Dx%23&state={state}"
    ));
    assert_eq!(answer.status, 303);
    let asked = browser.oxd.asked.borrow();
    let (_, sent) = asked
        .iter()
        .find(|(command, _)| *command == "get-tokens-by-code")
        .expect("a call");
    // One member with all of it, which serde_json then quotes.
    assert_eq!(sent["code"], "a\",\"oxd_id\":\"other&state=x#");
    assert_eq!(sent["state"], state.as_str());
}

#[test]
fn an_empty_form_is_kept_as_it_is() {
    let site = site("s");
    for (content_type, kept) in [
        (Some("application/x-www-form-urlencoded"), true),
        (Some("multipart/form-data; boundary=X"), false),
        (Some("multipart/form-data"), false),
        (Some(""), false),
        (None, false),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&site),
            post_preserve: Some(PostPreserve::UpTo(1024)),
            ..RawSettings::default()
        });
        browser.method = Method::Post;
        browser.headers.content_type = content_type;
        browser.headers.origin = Some("https://app.example");
        let answer = browser.look("/app", |ctx| login::offer_form(ctx, &Form::Read(Vec::new())));
        assert_eq!(
            answer.as_ref().map(|a| a.status),
            kept.then_some(401),
            "{content_type:?}"
        );
        // Where it is not kept, the usual answer says so.
        if answer.is_none() {
            assert_eq!(browser.enter("/app").status, 401);
        }
    }
}
