//! Callbacks: nobody is signed in without a login of this browser, and nobody is led elsewhere.

use std::sync::LazyLock;

use oxd_core::http::{Form, Method, Response};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::place::{Answering, Asked, NONCE, NOW, Place};

thread_local! {
    static PLACE: LazyLock<Place> = LazyLock::new(|| Place::with(
        &[&["OxdId", "site"], &["OxdReturnTo", "other.example"], &["OxdUserInfo", "Off"]],
        None,
        Answering::default(),
    ));
}

fn is_signed_in(answer: &Response) -> bool {
    let sets = |line: &String| line.starts_with("oxd_session=") && !line.starts_with("oxd_session=;");
    answer.cookies.iter().any(sets)
}

fn location(answer: &Response) -> Option<&str> {
    let found = answer.headers.iter().find(|(name, _)| *name == "Location");
    found.map(|(_, value)| value.as_str())
}

/// The answer is one that httpd can send.
fn expect_sound(answer: &Response) {
    assert!((200..600).contains(&answer.status), "{}", answer.status);
    let lines = answer
        .headers
        .iter()
        .map(|(_, value)| value)
        .chain(&answer.cookies);
    for line in lines {
        assert!(
            !line.contains(['\r', '\n', '\0']),
            "a header with a line end: {line:?}"
        );
    }
}

/// The values: what stands behind `?` or in the form, the cookie header, the text of a login in progress.
pub fn login(data: &[u8]) {
    let mut parts = crate::parts(data);
    let query = crate::text(parts.next()).into_owned();
    let cookies = parts.next().unwrap_or_default();
    let pending = parts.next();
    PLACE.with(|place| {
        // httpd hands on no target with these.
        let target: String = query.chars().filter(|c| c.is_ascii_graphic()).collect();
        for path in ["/oxd/callback", "/oxd/login"] {
            let asked = Asked {
                target: &format!("{path}?{target}"),
                cookies,
                ..Asked::default()
            };
            let answer = place.handle(&asked, &Form::None);
            expect_to_lead_nowhere_else(&answer, &target);
        }
        let asked = Asked {
            method: Some(Method::Post),
            target: "/oxd/callback",
            cookies,
            headers: vec![(
                oxd_core::http::Header::ContentType,
                "application/x-www-form-urlencoded",
            )],
            ..Asked::default()
        };
        let answer = place.handle(&asked, &Form::Read(query.clone().into_bytes()));
        expect_to_lead_nowhere_else(&answer, &query);
        if let Some(pending) = pending {
            with_a_login(place, &target, pending);
        }
    });
}

/// Without a sealed cookie nobody is signed in, whatever the query says; a redirect leads to the provider, to this
/// site, or to a listed host.
fn expect_to_lead_nowhere_else(answer: &Response, query: &str) {
    expect_sound(answer);
    assert!(!is_signed_in(answer), "signed in without a login: {query:?}");
    let Some(location) = location(answer) else { return };
    let base = Url::parse("https://app.example/oxd/callback").expect("a URL");
    let led_to = base.join(location).expect("a location");
    assert!(
        matches!(led_to.host_str(), Some("app.example" | "op" | "other.example")),
        "{query:?} leads to {led_to}"
    );
}

/// With a cookie of any content that this module has sealed: signed in is only who has the state, in time.
fn with_a_login(place: &Place, target: &str, pending: &[u8]) {
    let states: Vec<String> = form_urlencoded::parse(target.as_bytes())
        .filter(|(name, _)| name == "state")
        .map(|(_, value)| value.into_owned())
        .collect();
    let state = states.first().map_or("", String::as_str);
    let Some(cookie) = place.login_cookie(state, pending) else {
        return;
    };
    let asked = Asked {
        target: &format!("/oxd/callback?{target}"),
        cookies: cookie.as_bytes(),
        ..Asked::default()
    };
    let answer = place.handle(&asked, &Form::None);
    expect_sound(&answer);
    if !is_signed_in(&answer) {
        return;
    }
    assert_eq!(states.len(), 1, "two states, and one counted");
    let pending: Value = serde_json::from_slice(pending).expect("signed in by what is no login");
    // A list stands for the members in their order.
    let member = |name: &str, place: usize| pending.get(name).or_else(|| pending.get(place));
    assert_eq!(member("s", 0).and_then(Value::as_str), Some(state));
    assert_eq!(member("n", 1).and_then(Value::as_str), Some(NONCE));
    let since = member("t", 3).and_then(Value::as_u64).expect("a time");
    assert!(since.saturating_add(3_600) > NOW.0, "a login of long ago");
    // Once.
    let again = place.handle(&asked, &Form::None);
    assert!(!is_signed_in(&again), "the same login twice");
}
