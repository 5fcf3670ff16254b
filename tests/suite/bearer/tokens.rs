//! Which tokens are taken, and what is answered to others.

use oxd_dev::Fault;
use oxd_tests::{Browser, DEMO_SUB, SHOWS_TOKENS, TestSite, begin, raw};
use serde_json::json;

use super::super::{access_token, bring, builder, challenge, claims, jwt};

const INTROSPECT: &str = "introspect-access-token";
/// What mod_authz_core says of an unmet rule.
const DENIED: &str = "client denied by server configuration";

#[test]
fn oxd_is_asked_once_about_a_token_of_a_user_and_one_of_a_client() {
    let site = builder("introspect")
        .config(SHOWS_TOKENS)
        .httpd(|httpd| httpd.processes(1, 16))
        .start();
    let token = access_token(&site);
    site.forget_calls();
    for _ in 0..5 {
        let environment = bring(&site, "/app/env", &format!("Bearer {token}")).environment();
        assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
        assert_eq!(environment["AUTH_TYPE"], "oxd");
        assert_eq!(environment["OXD_AUTH"], "bearer");
        assert_eq!(environment["OXD_SCOPE"], "openid profile email");
        assert_eq!(environment["OXD_CLIENT_ID"], site.site.client_id);
        assert!(environment.contains_key("OXD_TOKEN_EXPIRES"));
        assert!(!environment.contains_key("OXD_SESSION_EXPIRES"));
        assert_eq!(environment["OXD_CLAIM_username"], "test_user");
    }
    site.expect_commands(&[INTROSPECT]);
    // The token of a client that acts for itself: oxd's own client token is one.
    let calls = site.oxd.calls();
    let client_token = calls[0].authorization.as_deref().expect("a client token");
    let environment = bring(&site, "/app/env", client_token).environment();
    assert_eq!(environment["REMOTE_USER"], site.site.client_id);
    assert_eq!(environment["OXD_SCOPE"], "openid oxd");
}

#[test]
fn a_refused_token_is_401_in_rfc_6750s_words_and_asked_about_once() {
    let site = builder("introspect")
        .httpd(|httpd| httpd.processes(1, 16))
        .start();
    for _ in 0..3 {
        let answer = bring(&site, "/app/", "Bearer unknown");
        answer.expect(401);
        assert_eq!(
            challenge(&answer),
            "Bearer realm=\"127.0.0.1\", error=\"invalid_token\", error_description=\"the token is not active\""
        );
        assert_eq!(answer.json()["error"], "invalid_token");
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(site.oxd.count(INTROSPECT), 1);
}

#[test]
fn a_request_without_a_token_is_as_ever_and_a_script_is_told_of_bearer() {
    let site = builder("introspect").start();
    begin(&Browser::new(), site.url("/app/"));
    let client = Browser::new();
    let answer = client
        .ask("GET", site.url("/app/"))
        .header("accept", "application/json")
        .send();
    answer.expect(401);
    assert_eq!(challenge(&answer), "Bearer realm=\"127.0.0.1\"");
    assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1);
    assert!(answer.json()["login"].is_string());
    // A browser with a session comes in, and with a bad token does not.
    let browser = site.signed_in();
    assert_eq!(
        browser.get(site.url("/app/env")).environment()["OXD_AUTH"],
        "session"
    );
    let ask = browser
        .ask("GET", site.url("/app/"))
        .header("authorization", "Bearer unknown");
    ask.send().expect(401);
    // Elsewhere the header means nothing.
    let elsewhere = TestSite::start();
    let ask = Browser::new()
        .ask("GET", elsewhere.url("/app/"))
        .header("authorization", "Bearer unknown")
        .send();
    ask.expect(302);
}

/// httpd joins several headers of one name.
#[test]
fn several_authorization_headers_are_a_bad_request() {
    let site = builder("introspect").start();
    for (first, second) in [
        ("Bearer a", "Bearer b"),
        ("Bearer a", "Basic dXNlcjpwYXNz"),
        ("Basic dXNlcjpwYXNz", "Bearer a"),
    ] {
        let request = format!(
            "GET /app/ HTTP/1.1\r\nHost: {}\r\nAuthorization: {first}\r\nAuthorization: {second}\r\nConnection: close\r\n\r\n",
            site.httpd.address()
        );
        let answer = raw(site.httpd.address(), request.as_bytes());
        assert_eq!(answer.status, 400, "{first}, {second}: {}", answer.summary());
        assert!(
            challenge(&answer).contains("error=\"invalid_request\""),
            "{}",
            answer.summary()
        );
    }
    bring(&site, "/app/", "Bearer").expect(400);
    bring(&site, "/app/", "Basic dXNlcjpwYXNz").expect(401);
    assert_eq!(site.oxd.count(INTROSPECT), 0);
}

#[test]
fn a_jwt_is_verified_by_the_keys_that_oxd_hands_on() {
    let site = builder("jwt").httpd(|httpd| httpd.processes(1, 16)).start();
    let good = jwt(&site, &json!({"typ": "at+jwt"}), &claims(&site));
    for _ in 0..3 {
        let environment = bring(&site, "/app/env", &good).environment();
        assert_eq!(environment["REMOTE_USER"], "robot");
        assert_eq!(environment["OXD_SCOPE"], "read write");
        assert_eq!(environment["OXD_CLIENT_ID"], "a-client");
        assert_eq!(environment["OXD_CLAIM_roles"], "machine");
    }
    site.expect_commands(&["get-jwks"]);
    let changed = |name: &str, value| {
        let mut claims = claims(&site);
        claims[name] = value;
        bring(&site, "/app/", &jwt(&site, &json!({"typ": "at+jwt"}), &claims))
    };
    changed("aud", json!("another")).expect(401);
    changed("iss", json!("https://evil.example")).expect(401);
    changed("exp", json!(1)).expect(401);
    let id_token = jwt(&site, &json!({"typ": "JWT"}), &{
        let mut claims = claims(&site);
        claims["nonce"] = json!("n");
        claims
    });
    let answer = bring(&site, "/app/", &id_token);
    assert!(
        challenge(&answer).contains("is not an access token"),
        "{}",
        answer.summary()
    );
    bring(&site, "/app/", "Bearer opaque").expect(401);
    assert_eq!(site.oxd.count(INTROSPECT), 0);
}

#[test]
fn a_kept_answer_outlives_oxd_and_others_are_told_to_come_again() {
    let mut site = builder("introspect")
        .config(SHOWS_TOKENS)
        .httpd(|httpd| httpd.processes(1, 16))
        .start();
    let token = format!("Bearer {}", access_token(&site));
    bring(&site, "/app/", &token).expect(200);
    site.oxd.stop();
    site.httpd.allow_log("oxd_unreachable|oxd_resting");
    bring(&site, "/app/", &token).expect(200);
    let answer = bring(&site, "/app/", "Bearer another");
    answer.expect(503);
    assert!(answer.header("retry-after").is_some(), "{}", answer.summary());
    site.oxd.resume();
}

/// oxd answers 500 to each token whose `aud` is a list, always.
#[test]
fn a_token_that_oxd_cannot_check_is_refused_with_one_line_that_says_why() {
    let site = builder("introspect")
        .httpd(|httpd| httpd.processes(1, 16))
        .start();
    let body =
        json!({"error": "internal_error", "error_description": "Unknown internal server error occurs."});
    site.oxd.fault(
        INTROSPECT,
        Fault::Status {
            code: 500,
            body: body.to_string(),
            content_type: "application/json".to_owned(),
        },
    );
    site.httpd.allow_log("token_unchecked");
    let answer = bring(&site, "/app/", "Bearer listed");
    answer.expect(401);
    assert!(
        challenge(&answer).contains("error=\"invalid_token\""),
        "{}",
        answer.summary()
    );
    site.httpd.expect_log("token_unchecked: .*OxdBearer jwt");
}

#[test]
fn scopes_decide_for_tokens_and_for_sessions() {
    let rule = |rule: &str| format!("<Location /app>\nOxdBearer jwt\nRequire oxd-scope {rule}\n</Location>");
    for (scopes, token, session) in [
        ("read", 200, 403),
        ("read write", 200, 403),
        ("read admin", 403, 403),
        ("profile", 403, 200),
        ("openid email", 403, 200),
    ] {
        let site = TestSite::builder().config(&rule(scopes)).start();
        site.httpd.allow_log(DENIED);
        let answer = bring(&site, "/app/", &jwt(&site, &json!({}), &claims(&site)));
        assert_eq!(answer.status, token, "{scopes}: {}", answer.summary());
        if token == 403 {
            assert!(
                challenge(&answer).ends_with(&format!(
                    "error=\"insufficient_scope\", error_description=\"the token \
                                                       lacks a scope\", scope=\"{scopes}\""
                )),
                "{}",
                answer.summary()
            );
        }
        let page = oxd_tests::sign_in(&Browser::new(), site.url("/app/")).page;
        assert_eq!(page.status, session, "{scopes}: {}", page.summary());
    }
}

#[test]
fn other_rules_say_no_to_a_token_without_a_login() {
    let site = TestSite::builder()
        .config("<Location /app>\nOxdBearer jwt\nRequire oxd-claim roles boss\n</Location>")
        .start();
    site.httpd.allow_log(DENIED);
    let answer = bring(&site, "/app/", &jwt(&site, &json!({}), &claims(&site)));
    answer.expect(403);
    assert_eq!(answer.json()["error"], "forbidden");
    let site = TestSite::builder()
        .config("<Location /app>\nOxdBearer jwt\nRequire oxd-acr otp\n</Location>")
        .start();
    site.httpd.allow_log(DENIED);
    bring(&site, "/app/", &jwt(&site, &json!({}), &claims(&site))).expect(403);
    let site = TestSite::builder()
        .config("<Location /app>\nOxdBearer jwt\nRequire oxd-claim roles machine\n</Location>")
        .start();
    bring(&site, "/app/", &jwt(&site, &json!({}), &claims(&site))).expect(200);
}

/// A preflight brings no token; the place lets it through by its method.
#[test]
fn a_preflight_needs_a_rule_of_its_own() {
    let with = |rule: &str| {
        let config = format!("<Location /app>\nOxdBearer introspect\n{rule}\n</Location>");
        let site = TestSite::builder().config(&config).start();
        let client = Browser::new();
        let ask = client
            .ask("OPTIONS", site.url("/app/1k.bin"))
            .header("origin", "https://spa.example");
        let answer = ask.header("access-control-request-method", "GET").send();
        answer.status
    };
    assert_eq!(with(""), 401);
    assert_eq!(
        with("<RequireAny>\nRequire method OPTIONS\nRequire valid-user\n</RequireAny>"),
        200
    );
}

#[test]
fn an_unprotected_oxd_is_asked_without_a_client_token() {
    // The site's own part of the configuration protects nothing then.
    let site = TestSite::builder()
        .directives("OxdProtectedCommands Off")
        .oxd(|options| options.protect_commands = false)
        .config("<Location /app>\nOxdBearer introspect\n</Location>")
        .start();
    bring(&site, "/app/", "Bearer unknown").expect(401);
    site.expect_commands(&[INTROSPECT]);
}
