//! What a link to the handler's login asks for, and which hosts browsers trust without TLS.

use serde_json::json;

use super::*;
use crate::config::RawSettings;
use crate::testing::{Browser, header, site};

#[test]
fn each_parameter_of_a_third_party_initiates_a_login() {
    for (query, is_initiated) in [
        ("iss=https://op", true),
        ("target_link_uri=/app", true),
        ("login_hint=alice", true),
        ("return_to=/app&prompt=login&retry=1", false),
        ("", false),
    ] {
        assert_eq!(
            LoginRequest::parse(query.as_bytes()).is_initiated(),
            is_initiated,
            "{query}"
        );
    }
}

#[test]
fn only_the_own_links_word_has_the_provider_ask_anew() {
    let file = site("s");
    for (query, prompt) in [
        ("?prompt=login", Some("login")),
        ("?prompt=none", None),
        ("?prompt=consent", None),
        ("", None),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            ..RawSettings::default()
        });
        assert_eq!(browser.get(&format!("/oxd/login{query}")).status, 302);
        let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
        assert_eq!(
            sent.get("prompt"),
            prompt.map(|word| json!(word)).as_ref(),
            "{query}"
        );
    }
}

#[test]
fn a_hint_that_is_no_name_is_left_out() {
    let file = site("s");
    let longest = "a".repeat(HINT_LIMIT);
    for (hint, is_sent) in [
        ("alice", true),
        (longest.as_str(), true),
        (&format!("{longest}a"), false),
        ("", false),
        ("a%0Ab", false),
    ] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            ..RawSettings::default()
        });
        browser.get(&format!("/oxd/login?login_hint={hint}"));
        let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
        assert_eq!(sent["params"].get("login_hint").is_some(), is_sent, "{hint:.20}");
    }
}

#[test]
fn of_two_states_in_an_address_the_first_counts() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.oxd.authorization_url = Some("https://op/a?state=one&nonce=n&state=two&nonce=m".to_owned());
    browser.start_login("/app");
    browser.oxd.id_token_claims["nonce"] = json!("n");
    assert_eq!(
        browser.get("/oxd/callback?code=c&state=two").status,
        302,
        "started over"
    );
    let done = browser.get("/oxd/callback?code=c&state=one");
    assert_eq!((done.status, header(&done, "Location")), (303, Some("/app")));
}

#[test]
fn this_machine_is_known_by_its_names_only() {
    for (host, is_this) in [
        ("localhost", true),
        ("app.localhost", true),
        ("127.0.0.1", true),
        ("127.8.0.1", true),
        ("[::1]", true),
        ("app.example", false),
        ("localhost.example", false),
        ("notlocalhost", false),
        ("192.0.2.7", false),
        ("[2001:db8::1]", false),
    ] {
        assert_eq!(is_loopback(host), is_this, "{host}");
    }
}
