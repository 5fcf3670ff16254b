//! Requests that a script makes, and what `OxdUnauthAction` makes of them.

use oxd_tests::{Answer, Browser, TestSite, begin};

#[track_caller]
fn expect_refusal(answer: &Answer) {
    let body = answer.expect(401).json();
    assert!(
        body["error"].is_string() && body["error_description"].is_string(),
        "{body}"
    );
    assert!(answer.set_cookies().is_empty(), "{}", answer.summary());
    assert!(answer.header("location").is_none(), "{}", answer.summary());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn scripts_get_401_and_no_login() {
    let site = TestSite::start();
    let browser = Browser::new();
    for (name, value) in [
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-mode", "same-origin"),
        ("sec-fetch-mode", "websocket"),
        ("x-requested-with", "XMLHttpRequest"),
        ("accept", "application/json"),
        ("accept", "application/json, text/plain"),
        ("accept", "image/avif,image/webp"),
        ("accept", "text/css"),
    ] {
        let ask = browser.ask("GET", site.url("/app/")).header(name, value);
        let ask = match name {
            "sec-fetch-mode" => ask,
            // Older browsers do not say how they fetch.
            _ => ask.without("sec-fetch-mode").without("sec-fetch-dest"),
        };
        let answer = ask.send();
        assert_eq!(answer.status, 401, "{name}: {value}");
        expect_refusal(&answer);
    }
    site.expect_commands(&[]);
}

#[test]
fn navigations_log_in_however_old_the_browser() {
    let site = TestSite::start();
    for accept in [
        Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        Some("text/html"),
        Some("TEXT/HTML"),
        Some("application/xml;q=0.9, */*;q=0.8"),
        Some("*/*"),
        Some("application/xhtml+xml, text/html;level=1"),
        None,
    ] {
        let ask = Browser::new();
        let ask = ask.ask("GET", site.url("/app/")).without("sec-fetch-mode");
        let ask = ask.without("sec-fetch-dest");
        let answer = match accept {
            Some(accept) => ask.header("accept", accept).send(),
            None => ask.without("accept").send(),
        };
        assert_eq!(answer.status, 302, "{accept:?}: {}", answer.summary());
        assert_eq!(answer.given_cookies("oxd_state.").len(), 1);
    }
}

#[test]
fn a_script_with_a_session_is_served() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let ask = browser
        .ask("GET", site.url("/app/"))
        .header("sec-fetch-mode", "cors");
    ask.header("accept", "application/json").send().expect(200);
}

#[test]
fn the_administrator_may_want_a_login_always_or_never() {
    let site = TestSite::builder()
        .config(
            "<Location /app/other.html>\nOxdUnauthAction login\n</Location>\n\
             <Location /app/1k.bin>\nOxdUnauthAction 401\n</Location>",
        )
        .start();
    let browser = Browser::new();
    let script = browser
        .ask("GET", site.url("/app/other.html"))
        .header("sec-fetch-mode", "cors");
    assert_eq!(script.send().expect(302).given_cookies("oxd_state.").len(), 1);
    site.forget_calls();
    let page = browser.get(site.url("/app/1k.bin"));
    assert!(page.expect(401).set_cookies().is_empty());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let script = browser
        .ask("GET", site.url("/app/1k.bin"))
        .header("sec-fetch-mode", "cors");
    expect_refusal(&script.header("accept", "*/*").send());
    site.expect_commands(&[]);
    begin(&browser, site.url("/app/"));
}

#[test]
fn a_post_without_a_session_is_not_lost_silently() {
    let site = TestSite::start();
    let answer = Browser::new().post(site.url("/app/env"), &[("a", "1")]);
    // Either way the application does not see it.
    assert!(matches!(answer.status, 302 | 303 | 401), "{}", answer.summary());
    let browser = site.signed_in();
    let environment = browser.post(site.url("/app/env"), &[("a", "1")]).environment();
    assert_eq!(environment["REQUEST_METHOD"], "POST");
    assert_eq!(environment["CONTENT_LENGTH"], "3");
}
