//! Logouts of the provider's, and where a logout of the user's leads.

use serde_json::{Value, json};

use crate::config::{RawSettings, SiteFile};
use crate::http::Response;
use crate::shm::stats::End;
use crate::testing::{Browser, FakeStore, NOW, Signer, Trail, ed25519, header, site};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn of_client() -> SiteFile {
    SiteFile {
        client_id: Some("client".into()),
        op_host: Some("https://op".into()),
        ..site("s")
    }
}

/// A browser whose session has a `sid`.
fn signed_in<'s>(file: &'s SiteFile, signer: &Signer) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.oxd.keys = vec![signer.public.clone()];
    browser.oxd.id_token_claims =
        json!({"sub": "alice", "iss": "https://op", "sid": "s1", "exp": NOW + 3_600, "acr": "basic"});
    browser.log_in("/app");
    browser
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/app", |ctx| {
        crate::session::with_own(ctx, |own| own.is_some()).unwrap()
    })
}

fn body(answer: &Response) -> String {
    String::from_utf8_lossy(answer.body_bytes()).into_owned()
}

#[test]
fn a_frame_of_the_provider_ends_the_session_that_it_names() {
    let (file, signer) = (of_client(), ed25519("k"));
    for (query, status, ends) in [
        ("iss=https://op&sid=s1", 200, true),
        ("iss=https://op&sid=s1&sid=", 200, true),
        ("iss=https://op&sid=other", 200, false),
        ("iss=https://evil&sid=s1", 200, false),
        ("iss=https://op", 400, false),
        ("sid=s1", 400, false),
        ("iss=https://op&sid=s1&sid=s2", 400, false),
        ("iss=https://op&iss=https://op&sid=s1", 400, false),
        ("", 400, false),
    ] {
        let mut browser = signed_in(&file, &signer);
        let answer = browser.get(&format!("/oxd/frontchannel-logout?{query}"));
        assert_eq!(
            (answer.status, is_signed_in(&browser)),
            (status, !ends),
            "{query}"
        );
        // The provider's page shows it in a frame.
        let policy = answer.common_headers(true);
        assert!(
            policy.iter().all(|(_, value)| !value.contains("frame-ancestors")),
            "{query}"
        );
        let said = browser
            .log
            .0
            .borrow()
            .iter()
            .any(|line| line.ends_with("of a session that is not here"));
        assert_eq!(said, status == 200 && !ends, "{query}");
    }
}

#[test]
fn a_frame_is_told_when_the_store_is_away() {
    let (file, signer, store) = (of_client(), ed25519("k"), FakeStore::default());
    let mut browser = signed_in(&file, &signer);
    browser.store = Some(&store);
    browser.log_in("/app");
    store.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = browser.get("/oxd/frontchannel-logout?iss=https://op&sid=s1");
    assert_eq!(answer.status, 503);
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://op", "aud": "client", "iat": NOW, "exp": NOW + 120, "jti": "one", "sid": "s1", "sub": "alice",
        "events": {EVENT: {}},
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}

#[test]
fn a_logout_token_ends_a_session_or_all_of_a_user() {
    let (file, signer) = (of_client(), ed25519("k"));
    for (changes, ends, said) in [
        (json!({}), true, "the provider has ended a session"),
        (json!({"sub": null}), true, "the provider has ended a session"),
        (
            json!({"sid": null}),
            true,
            "the provider has ended all sessions of a user",
        ),
        (json!({"sid": "other"}), false, "the provider has ended a session"),
        (
            json!({"sid": null, "sub": "bob"}),
            false,
            "the provider has ended all sessions of a user",
        ),
    ] {
        let mut browser = signed_in(&file, &signer);
        let token = signer.sign(Some("k"), Some("logout+jwt"), &claims(changes.clone()));
        let answer = browser.post("/oxd/backchannel-logout", &format!("logout_token={token}"));
        assert_eq!((answer.status, is_signed_in(&browser)), (200, !ends), "{changes}");
        assert!(
            browser.log.0.borrow().iter().any(|line| line == said),
            "{changes}"
        );
        let again = browser.post("/oxd/backchannel-logout", &format!("logout_token={token}"));
        assert_eq!(again.status, 400, "a token is used once");
    }
}

#[test]
fn what_is_wrong_with_a_logout_token_is_told_to_the_provider() {
    let (file, signer) = (of_client(), ed25519("k"));
    let token = |changes| signer.sign(Some("k"), Some("logout+jwt"), &claims(changes));
    let rows = [
        (String::new(), "logout_token, once"),
        (
            format!("logout_token={}&logout_token=x", token(json!({}))),
            "logout_token, once",
        ),
        (format!("token={}", token(json!({}))), "logout_token, once"),
        (format!("logout_token={}", token(json!({"aud": "other"}))), "aud"),
        (
            format!("logout_token={}", token(json!({"sid": null, "sub": null}))),
            "sid",
        ),
    ];
    for (form, why) in rows {
        let mut browser = signed_in(&file, &signer);
        let answer = browser.post("/oxd/backchannel-logout", &form);
        assert_eq!(answer.status, 400, "{form}");
        assert!(is_signed_in(&browser), "{form}");
        let text = body(&answer);
        assert!(
            text.contains("\"error\":\"invalid_request\"") && text.contains(why),
            "{text}"
        );
        assert_eq!(answer.code, Some("logout_token_invalid"));
        let reference = answer.reference.as_ref().expect("a number").on_page().to_string();
        assert!(text.contains(&reference), "{text}");
        assert!(
            browser.log.0.borrow().iter().any(|line| line.contains(why)),
            "{form}"
        );
    }
}

#[test]
fn only_a_form_of_a_sensible_size_is_read() {
    use crate::http::Form;
    let (file, signer) = (of_client(), ed25519("k"));
    let token = signer.sign(Some("k"), Some("logout+jwt"), &claims(json!({})));
    let form = || Form::Read(format!("logout_token={token}").into_bytes());
    for (content_type, form, status) in [
        (Some("application/json"), form(), 400),
        (None, form(), 400),
        (Some("application/x-www-form-urlencoded"), Form::None, 400),
        (Some("application/x-www-form-urlencoded"), Form::TooLarge, 413),
        (Some("application/x-www-form-urlencoded"), form(), 200),
    ] {
        let mut browser = signed_in(&file, &signer);
        browser.headers.content_type = content_type;
        let answer = browser.look("/oxd/backchannel-logout", |ctx| {
            super::by_back_channel(ctx, &form)
        });
        assert_eq!(answer.status, status, "{content_type:?}");
    }
}

#[test]
fn the_provider_may_ask_again_when_its_logout_could_not_be_kept() {
    let (file, signer, store) = (of_client(), ed25519("k"), FakeStore::default());
    let mut browser = signed_in(&file, &signer);
    browser.store = Some(&store);
    browser.log_in("/app");
    store.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let token = signer.sign(Some("k"), Some("logout+jwt"), &claims(json!({})));
    let answer = browser.post("/oxd/backchannel-logout", &format!("logout_token={token}"));
    assert_eq!(answer.status, 503);
    assert!(header(&answer, "Retry-After").is_some());
    assert!(
        body(&answer).contains("\"error\":\"store_unavailable\""),
        "{}",
        body(&answer)
    );
}

#[test]
fn a_logout_leads_back_to_where_the_directive_says() {
    let (file, signer) = (of_client(), ed25519("k"));
    for (configured, sent) in [
        (None, "https://app.example/oxd/logout"),
        (Some("/bye"), "https://app.example/bye"),
        (Some("https://other.example/bye"), "https://other.example/bye"),
    ] {
        let configured = configured.map(str::to_owned);
        let mut browser = signed_in(&file, &signer);
        browser.settings.post_logout_redirect_uri = configured.as_ref();
        let answer = browser.get("/oxd/logoutme");
        assert_eq!(
            (answer.status, header(&answer, "Location")),
            (303, Some("https://op/end_session"))
        );
        let asked = browser.oxd.asked.borrow();
        let (_, request) = asked.iter().find(|(name, _)| *name == "get-logout-uri").unwrap();
        assert_eq!(request["post_logout_redirect_uri"], json!(sent));
        assert_eq!(request["id_token_hint"], json!("e30.e30.sig"));
    }
}

#[test]
fn a_logout_leads_to_addresses_of_the_web_only() {
    let (file, signer) = (of_client(), ed25519("k"));
    for (uri, status) in [
        ("http://op/out", 303),
        ("javascript:alert(1)", 200),
        ("nonsense", 200),
    ] {
        let mut browser = signed_in(&file, &signer);
        browser.oxd.logout_uri = uri;
        let answer = browser.get("/oxd/logoutme");
        assert_eq!((answer.status, is_signed_in(&browser)), (status, false), "{uri}");
    }
}

/// What the provider ends is counted, and the audit trail names its session.
#[test]
fn a_logout_of_the_providers_is_counted_and_in_the_trail() {
    let (file, signer, trail) = (of_client(), ed25519("k"), Trail::default());
    let mut browser = signed_in(&file, &signer);
    browser.settings.audit_log = Some(Some(&trail));
    let ended = |browser: &Browser<'_>, by| browser.stats.sessions_ended(by);
    let said = || -> Value {
        let lines = trail.lines.lock().unwrap();
        serde_json::from_str(lines.last().expect("a line")).unwrap()
    };
    browser.get("/oxd/frontchannel-logout?iss=https://op&sid=other");
    assert_eq!(
        (
            ended(&browser, End::FrontChannel),
            trail.lines.lock().unwrap().len()
        ),
        (0, 0)
    );
    browser.get("/oxd/frontchannel-logout?iss=https://op&sid=s1");
    assert_eq!(ended(&browser, End::FrontChannel), 1);
    let front = said();
    assert_eq!(
        (&front["event"], &front["by"]),
        (&json!("logout"), &json!("front_channel"))
    );
    assert!(front["provider_session"].is_string(), "{front}");
    let mut browser = signed_in(&file, &signer);
    browser.settings.audit_log = Some(Some(&trail));
    let token = signer.sign(Some("k"), Some("logout+jwt"), &claims(json!({})));
    browser.post("/oxd/backchannel-logout", &format!("logout_token={token}"));
    assert_eq!(ended(&browser, End::BackChannel), 1);
    let back = said();
    assert_eq!(
        (&back["by"], &back["provider_session"]),
        (&json!("back_channel"), &front["provider_session"])
    );
}

/// The reference number of a logout's page is that of its line in the trail; a redirect shows none.
#[test]
fn only_a_logout_with_a_page_has_a_reference_number() {
    let (file, signer) = (of_client(), ed25519("k"));
    for fails in [false, true] {
        let trail = Trail::default();
        let mut browser = signed_in(&file, &signer);
        browser.settings.audit_log = Some(Some(&trail));
        browser.oxd.failure = fails.then_some(("get-logout-uri", crate::base::Reason::OxdUnreachable));
        let answer = browser.get("/oxd/logoutme");
        let line: Value = serde_json::from_str(&trail.lines.lock().unwrap()[0]).unwrap();
        assert_eq!(
            (
                answer.status,
                answer.reference.is_some(),
                line["reference"].is_string()
            ),
            if fails {
                (200, true, true)
            } else {
                (303, false, false)
            },
            "{line}"
        );
    }
}
