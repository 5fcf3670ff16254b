//! Wrong answers of oxd, command by command.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, TestSite, approve, begin, sign_in};
use serde_json::{Value, json};

/// A site whose calls to oxd end soon. Its log may tell of what this suite does to them.
fn site() -> TestSite {
    TestSite::builder()
        .directives("OxdServerTimeout 1s 1s")
        .httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]"))
        .start()
}

fn refusal(code: u16, error: &str, description: &str) -> Fault {
    let body = json!({ "error": error, "error_description": description, "details": null });
    Fault::Status {
        code,
        body: body.to_string(),
        content_type: "application/json".to_owned(),
    }
}

fn page(code: u16) -> Fault {
    let body = "<html>out of order</html>".to_owned();
    Fault::Status {
        code,
        body,
        content_type: "text/html".to_owned(),
    }
}

/// What makes any command fail, and the status that the user gets.
fn troubles() -> Vec<(&'static str, Fault, &'static [u16])> {
    vec![
        (
            "500 of oxd's own",
            refusal(500, "internal_error", "Unknown."),
            &[502],
        ),
        ("500 of somebody else's", page(500), &[502]),
        ("503 of a proxy", page(503), &[502]),
        ("404 of a proxy", page(404), &[502]),
        ("not JSON", Fault::NotJson, &[502]),
        ("an array", Fault::WrongShape(json!([1, 2])), &[502]),
        ("a text", Fault::WrongShape(json!("text")), &[502]),
        ("null", Fault::WrongShape(Value::Null), &[502]),
        ("an empty object", Fault::WrongShape(json!({})), &[502]),
        ("numbers for texts", Fault::WrongShape(numbers()), &[502]),
        ("deep nesting", deep(), &[502]),
        ("over a mebibyte", Fault::Huge(3 << 20), &[502]),
        (
            "a redirect",
            Fault::Redirect("http://127.0.0.1:1/".to_owned()),
            &[502],
        ),
        ("no answer", Fault::Hang, &[504]),
        ("a late answer", Fault::Delay(Duration::from_secs(5)), &[504]),
        (
            "a slow answer",
            Fault::Trickle(Duration::from_millis(200)),
            &[504],
        ),
        ("a closed connection", Fault::Drop, &[502, 503]),
    ]
}

/// Every member that the module may look at, none of the right type.
fn numbers() -> Value {
    json!({
        "access_token": 1, "expires_in": "x", "authorization_url": 2, "id_token": 3,
        "id_token_claims": 4, "refresh_token": 5, "sub": 6, "uri": 7,
    })
}

fn deep() -> Fault {
    let body = format!("{{\"sub\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    Fault::Status {
        code: 200,
        body,
        content_type: "application/json".to_owned(),
    }
}

#[track_caller]
fn expect_trouble(answer: &Answer, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&answer.status), "{what}: {}", answer.summary());
    assert!(
        answer.given_cookies("oxd_session").is_empty(),
        "{what}: {}",
        answer.summary()
    );
    if answer.status == 503 {
        let again = answer.header("retry-after").unwrap_or_default();
        assert!(
            again.parse::<u32>().is_ok_and(|s| s > 0),
            "{what}: Retry-After {again:?}"
        );
    }
    assert!(!answer.page().runs_script(), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
}

#[test]
fn no_client_token() {
    for (what, fault, statuses) in troubles() {
        let site = site();
        site.oxd.fault("get-client-token", fault);
        let answer = Browser::new().get(site.url("/app/"));
        expect_trouble(&answer, statuses, what);
        assert_eq!(site.oxd.count("get-authorization-url"), 0, "{what}");
        site.oxd.clear_faults();
        oxd_tests::wait_until("the next login", || {
            Browser::new().get(site.url("/app/")).status == 302
        });
    }
}

#[test]
fn no_authorization_url() {
    let site = site();
    begin(&Browser::new(), site.url("/app/"));
    for (what, fault, statuses) in troubles() {
        site.oxd.fault("get-authorization-url", fault);
        let answer = Browser::new().get(site.url("/app/"));
        expect_trouble(&answer, statuses, what);
        assert!(
            answer.given_cookies("oxd_state").is_empty(),
            "{what}: {}",
            answer.summary()
        );
        site.oxd.clear_faults();
        oxd_tests::wait_until("the next login", || {
            Browser::new().get(site.url("/app/")).status == 302
        });
    }
}

#[test]
fn an_authorization_url_that_leads_nowhere() {
    let site = site();
    for url in [
        "",
        "nonsense",
        "/relative?state=x",
        "javascript:alert(1)?state=x",
        "http://127.0.0.1/no-state",
        "http://127.0.0.1/?state=",
        "ftp://127.0.0.1/?state=x&nonce=y",
    ] {
        site.oxd.fault(
            "get-authorization-url",
            Fault::Patch(json!({ "authorization_url": url })),
        );
        let answer = Browser::new().get(site.url("/app/"));
        expect_trouble(&answer, &[502], url);
    }
}

/// Brings a good callback while this command fails like this.
fn callback_with(site: &TestSite, command: &str, fault: Fault) -> (Browser, Answer) {
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    site.oxd.fault(command, fault);
    let answer = approval.deliver(&browser);
    site.oxd.clear_faults();
    (browser, answer)
}

fn no_sign_in(command: &str) {
    for (what, fault, statuses) in troubles() {
        let site = site();
        let (browser, answer) = callback_with(&site, command, fault);
        expect_trouble(&answer, statuses, what);
        assert_eq!(site.user(&browser), None, "{what}");
        oxd_tests::wait_until("the next login", || {
            Browser::new().get(site.url("/app/")).status == 302
        });
        sign_in(&browser, site.url("/app/")).page.expect(200);
    }
}

#[test]
fn no_tokens() {
    no_sign_in("get-tokens-by-code");
}

#[test]
fn no_user_info() {
    no_sign_in("get-user-info");
}

#[test]
fn a_code_or_state_that_oxd_refuses_can_be_started_over() {
    let site = site();
    for description in [
        "'code' is invalid.",
        "'state' is not registered.",
        "'state' is not registered. <script>alert(1)</script>",
    ] {
        let fault = refusal(400, "bad_request", description);
        let (browser, answer) = callback_with(&site, "get-tokens-by-code", fault);
        expect_trouble(&answer, &[400], description);
        let links: Vec<_> = answer.page().links().iter().map(|&l| l.to_owned()).collect();
        assert!(
            links.iter().any(|link| link.starts_with("/oxd/login")),
            "{links:?}"
        );
        assert_eq!(site.user(&browser), None);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claim(name: &str, value: Value) -> Fault {
    Fault::Patch(json!({ "id_token_claims": { name: value } }))
}

fn without(path: &str) -> Fault {
    Fault::Remove(path.to_owned())
}

#[test]
fn tokens_that_are_not_for_this_login() {
    let site = site();
    for (what, fault) in [
        ("another nonce", claim("nonce", json!("another"))),
        ("an empty nonce", claim("nonce", json!(""))),
        ("a nonce of the wrong type", claim("nonce", json!(1))),
        ("no nonce", without("id_token_claims.nonce")),
        ("no sub", without("id_token_claims.sub")),
        ("another sub", claim("sub", json!("another"))),
        ("an empty sub", claim("sub", json!(""))),
        ("a sub of the wrong type", claim("sub", json!({"a": 1}))),
        ("no exp", without("id_token_claims.exp")),
        ("exp long past", claim("exp", json!(0))),
        ("exp just past the leeway", claim("exp", json!(now() - 60))),
        ("exp negative", claim("exp", json!(-1))),
        ("exp as text", claim("exp", json!("tomorrow"))),
        ("no claims", without("id_token_claims")),
        (
            "claims of the wrong type",
            Fault::Patch(json!({ "id_token_claims": [] })),
        ),
        ("no access token", without("access_token")),
        (
            "an empty access token",
            Fault::Patch(json!({ "access_token": "" })),
        ),
    ] {
        let (browser, answer) = callback_with(&site, "get-tokens-by-code", fault);
        expect_trouble(&answer, &[502], what);
        assert_eq!(site.user(&browser), None, "{what}");
    }
}

#[test]
fn user_info_that_is_not_for_this_user() {
    let site = site();
    for (what, fault) in [
        ("another sub", Fault::Patch(json!({ "sub": "another" }))),
        ("an empty sub", Fault::Patch(json!({ "sub": "" }))),
        (
            "sub as a list",
            Fault::Patch(json!({ "sub": ["7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11"] })),
        ),
        ("no sub", without("sub")),
        (
            "a refusal with status 200",
            Fault::WrongShape(json!({ "error": "invalid_token" })),
        ),
        (
            "an error beside the claims",
            Fault::Patch(json!({ "error": "invalid_token" })),
        ),
    ] {
        let (browser, answer) = callback_with(&site, "get-user-info", fault);
        expect_trouble(&answer, &[502], what);
        assert_eq!(site.user(&browser), None, "{what}");
    }
}

#[test]
fn odd_tokens_that_are_good_all_the_same() {
    let site = site();
    for (what, fault) in [
        ("exp within the leeway", claim("exp", json!(now() - 10))),
        ("no refresh token", without("refresh_token")),
        (
            "refresh token null",
            Fault::Patch(json!({ "refresh_token": null })),
        ),
        ("lifetime unknown", Fault::Patch(json!({ "expires_in": -1 }))),
        ("no lifetime", without("expires_in")),
        (
            "an unknown member",
            Fault::Patch(json!({ "news": {"of": ["later", "versions"]} })),
        ),
        (
            "claims of every kind",
            claim("extra", json!({"a": [null, 1.5, {"b": false}]})),
        ),
    ] {
        let (browser, answer) = callback_with(&site, "get-tokens-by-code", fault);
        assert_eq!(answer.status, 303, "{what}: {}", answer.summary());
        assert!(site.user(&browser).is_some(), "{what}");
    }
    // Numbers that no clock shows: never a crash, whatever the module thinks of them.
    for exp in [
        json!(1e300),
        json!(u64::MAX),
        json!(4_102_444_800_000_u64),
        json!(-1e300),
    ] {
        let (_, answer) = callback_with(&site, "get-tokens-by-code", claim("exp", exp.clone()));
        assert!(matches!(answer.status, 303 | 502), "{exp}: {}", answer.summary());
    }
    for life in [json!(1e300), json!("x"), json!(u64::MAX), json!(0), json!(-5)] {
        let fault = Fault::Patch(json!({ "expires_in": life }));
        let (_, answer) = callback_with(&site, "get-tokens-by-code", fault);
        assert!(matches!(answer.status, 303 | 502), "{life}: {}", answer.summary());
    }
}

#[test]
fn a_logout_that_oxd_cannot_help_with_still_counts() {
    for (what, fault, _) in troubles() {
        let site = site();
        let browser = site.signed_in();
        site.oxd.fault("get-logout-uri", fault);
        let answer = browser.get(site.url("/oxd/logoutme"));
        assert!(answer.status != 500, "{what}: {}", answer.summary());
        assert_eq!(browser.cookies_named("oxd_session", site.url("/")), [], "{what}");
        assert_eq!(site.user(&browser), None, "{what}");
    }
}

#[test]
fn a_logout_uri_that_leads_nowhere_is_not_followed() {
    let site = site();
    for uri in ["", "nonsense", "javascript:alert(1)", "//evil.test/", "ftp://x/"] {
        let browser = site.signed_in();
        site.oxd
            .fault("get-logout-uri", Fault::Patch(json!({ "uri": uri })));
        let answer = browser.get(site.url("/oxd/logoutme"));
        if let Some(location) = answer.header("location") {
            let home = answer.url.join(location).expect("an address");
            assert_eq!(home.path(), "/oxd/logout", "{uri:?}: {}", answer.summary());
        }
        assert_eq!(site.user(&browser), None, "{uri:?}");
    }
}
