//! Logout tokens, and how a provider delivers them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use oxd_dev::Signer;
use oxd_tests::{Answer, Ask, Browser, TestSite};
use serde_json::{Value, json};

/// The member of `events` that makes a token a logout token.
pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token to be: good as it is made, and changed from there.
pub(crate) struct Token {
    /// What differs from the signer's own header.
    pub(crate) header: Value,
    /// The claims.
    pub(crate) claims: Value,
    /// Who signs it.
    pub(crate) signer: Signer,
}

impl Token {
    /// One for this site that names nobody yet.
    pub(crate) fn new(site: &TestSite) -> Token {
        Token {
            header: json!({ "typ": "logout+jwt" }),
            claims: json!({
                "iss": site.oxd.provider_url(),
                "aud": site.site.client_id,
                "iat": now(),
                "exp": now() + 120,
                "jti": unique(),
                "events": { EVENT: {} },
            }),
            signer: Signer::Current,
        }
    }

    /// One about this session.
    pub(crate) fn about(site: &TestSite, sid: &str) -> Token {
        Token::new(site).claim("sid", json!(sid))
    }

    /// One about this user.
    pub(crate) fn about_user(site: &TestSite, sub: &str) -> Token {
        Token::new(site).claim("sub", json!(sub))
    }

    pub(crate) fn claim(mut self, name: &str, value: Value) -> Token {
        self.claims[name] = value;
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Token {
        let claims = self.claims.as_object_mut();
        claims.expect("claims").remove(name);
        self
    }

    /// A member of the header; null takes out what the signer would say.
    pub(crate) fn header(mut self, name: &str, value: Value) -> Token {
        self.header[name] = value;
        self
    }

    pub(crate) fn signed_by(mut self, signer: Signer) -> Token {
        self.signer = signer;
        self
    }

    /// The token as it is sent.
    #[track_caller]
    pub(crate) fn text(&self, site: &TestSite) -> String {
        jws(site, &self.header, &self.claims.to_string(), &self.signer)
    }

    /// Delivers it.
    #[track_caller]
    pub(crate) fn send(&self, site: &TestSite) -> Answer {
        send(site, &self.text(site))
    }
}

/// A JWS with any payload.
#[track_caller]
pub(crate) fn jws(site: &TestSite, header: &Value, payload: &str, signer: &Signer) -> String {
    let jws = site.oxd.jws(header, payload, signer);
    jws.expect("a key of the development provider")
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("the system's time").as_secs()).expect("a time of this age")
}

/// A text that no other token has.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = time.expect("the system's time").as_nanos();
    format!("{time:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A request as a provider's server sends it: without cookies, without what browsers say.
pub(crate) fn by_server<'a>(nobody: &'a Browser, method: &str, url: &str) -> Ask<'a> {
    nobody
        .ask(method, url)
        .without("accept")
        .without("accept-language")
        .without("sec-fetch-dest")
        .without("sec-fetch-mode")
        .without("user-agent")
}

/// Delivers a logout token.
#[track_caller]
pub(crate) fn send(site: &TestSite, token: &str) -> Answer {
    let url = site.url("/oxd/backchannel-logout");
    by_server(&Browser::new(), "POST", &url)
        .form(&[("logout_token", token)])
        .send()
}

/// A token was accepted.
#[track_caller]
pub(crate) fn expect_accepted(answer: &Answer) {
    answer.expect(200);
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.summary()
    );
    assert!(answer.set_cookies().is_empty(), "{}", answer.summary());
}

/// A token was refused, in the words of Back-Channel Logout 1.0 (2.8).
#[track_caller]
pub(crate) fn expect_refused(answer: &Answer) {
    let error = answer.expect(400).json();
    assert_eq!(error["error"], "invalid_request", "{error}");
    let description = error["error_description"].as_str().unwrap_or_default();
    assert!(!description.is_empty(), "{error}");
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.summary()
    );
}

/// The provider's name of a browser's session, as its ID token had it.
#[track_caller]
pub(crate) fn sid(site: &TestSite, browser: &Browser) -> String {
    let session = browser.get(site.url("/oxd/session"));
    let session = session.expect(200).json();
    let sid = session["claims"]["sid"].as_str();
    sid.unwrap_or_else(|| panic!("no sid in {session}")).to_owned()
}

/// The browser's session is over, also with a copy of its cookies as they were before.
#[track_caller]
pub(crate) fn expect_dead(site: &TestSite, browser: &Browser) {
    let copy = browser.copy();
    assert_eq!(site.user(browser), None, "the session is over");
    let page = copy.get(site.url("/app/"));
    // To sign in again takes an oxd that works.
    let asks = matches!(page.status, 302 | 502 | 503);
    assert!(asks, "the page asks for a sign-in: {}", page.summary());
}

/// The browser's session goes on.
#[track_caller]
pub(crate) fn expect_alive(site: &TestSite, browser: &Browser) {
    browser.get(site.url("/app/")).expect(200);
}
