//! What each address below the handler's location answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxd_tests::{Browser, DEMO_SUB, TestSite, approve, begin, raw, sign_in, sign_out};
use serde_json::json;

#[test]
fn the_handlers_page_is_for_those_inside_and_outside() {
    let site = TestSite::builder()
        .directives("OxdScope openid profile email address")
        .start();
    let browser = Browser::new();
    for path in ["/oxd", "/oxd/"] {
        let page = browser.get(site.url(path));
        let page = page.expect(200).page();
        assert!(page.links().contains(&"/oxd/login"), "{path}: {:?}", page.links());
        assert!(
            !page.links().contains(&"/oxd/logoutme"),
            "{path}: {:?}",
            page.links()
        );
    }
    sign_in(&browser, site.url("/app/"));
    for path in ["/oxd", "/oxd/"] {
        let page = browser.get(site.url(path));
        let page = page.expect(200).page();
        assert!(
            page.links().contains(&"/oxd/logoutme"),
            "{path}: {:?}",
            page.links()
        );
        let text = page.text();
        for value in [DEMO_SUB, "Test User", "test_user@example.org", "Vienna"] {
            assert!(text.contains(value), "{value} in {text}");
        }
    }
}

#[test]
fn the_session_is_told_as_json() {
    let site = TestSite::builder()
        .directives("OxdScope openid profile email address")
        .start();
    let browser = Browser::new();
    let answer = browser.get(site.url("/oxd/session"));
    assert_eq!(answer.expect(401).json(), json!({ "active": false }));
    sign_in(&browser, site.url("/app/"));
    let answer = browser.get(site.url("/oxd/session"));
    let session = answer.expect(200).json();
    assert_eq!(session["active"], true);
    assert_eq!(session["user"], DEMO_SUB);
    assert_eq!(session["claims"]["email"], "test_user@example.org");
    assert_eq!(session["claims"]["email_verified"], true);
    assert_eq!(session["claims"]["address"]["country"], "Austria");
    assert_eq!(session["claims"]["groups"], json!(["staff", "demo"]));
    let ends = UNIX_EPOCH + Duration::from_secs(session["expires_at"].as_u64().expect("a time"));
    assert!(ends > SystemTime::now(), "{session}");
    assert!(session.get("acr").is_some(), "{session}");
}

#[test]
fn there_is_nothing_else_below() {
    let site = TestSite::start();
    for browser in [Browser::new(), site.signed_in()] {
        site.forget_calls();
        for path in [
            "/nonsense",
            "/index",
            "/login/x",
            "/callback/",
            "/session/",
            "/LOGIN",
        ] {
            browser.get(site.url(&format!("/oxd{path}"))).expect(404);
        }
        site.expect_commands(&[]);
    }
    // A name that only begins like the location's is not below it.
    Browser::new().get(site.url("/oxdx")).expect(404);
}

#[test]
fn login_ends_where_it_was_told_to() {
    let site = TestSite::start();
    let browser = Browser::new();
    let ends = |query: &str| {
        let start = begin(&browser, site.url(&format!("/oxd/login{query}")));
        let callback = approve(&browser, &start.location()).deliver(&browser);
        callback.expect(303).location().to_string()
    };
    assert_eq!(ends("?return_to=/app/other.html"), site.url("/app/other.html"));
    assert_eq!(
        ends("?return_to=/app/env%3Fa%3D1%26b%3D2"),
        site.url("/app/env?a=1&b=2")
    );
    let own_page = ends("");
    assert_eq!(own_page.trim_end_matches('/'), site.url("/oxd"));
}

#[test]
fn login_ends_at_the_default_url_otherwise() {
    let site = TestSite::builder()
        .directives("OxdDefaultUrl /app/env?from=login")
        .start();
    let walk = sign_in(&Browser::new(), site.url("/oxd/login"));
    assert_eq!(walk.page.environment()["QUERY_STRING"], "from=login");
    let walk = sign_in(&Browser::new(), site.url("/oxd/login?return_to=/app/"));
    assert_eq!(walk.page.url.path(), "/app/");
}

#[test]
fn login_is_the_callback_when_it_carries_an_answer() {
    let builder = TestSite::builder();
    let uri = builder.url("/oxd/login");
    let site = builder.redirect_uris(&[&uri]).start();
    let walk = sign_in(&Browser::new(), site.url("/app/"));
    assert_eq!(walk.approval.url().path(), "/oxd/login");
    walk.page.expect(200);
}

#[test]
fn somebody_inside_who_signs_in_again_gets_a_new_session() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let before = browser.cookies_named("oxd_session", site.url("/"));
    sign_in(&browser, site.url("/oxd/login"));
    assert_ne!(browser.cookies_named("oxd_session", site.url("/")), before);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn other_methods_are_not_allowed() {
    let site = TestSite::start();
    for browser in [Browser::new(), site.signed_in()] {
        site.forget_calls();
        for path in ["", "/login", "/callback", "/session", "/logoutme", "/logout"] {
            for method in ["PUT", "DELETE", "PATCH"] {
                let answer = browser.ask(method, site.url(&format!("/oxd{path}"))).send();
                assert_eq!(answer.status, 405, "{method} {path}: {}", answer.summary());
                let allowed = answer.header("allow").unwrap_or_default();
                assert!(allowed.contains("GET"), "{method} {path}: Allow {allowed:?}");
            }
        }
        for path in ["/session", ""] {
            browser.post(site.url(&format!("/oxd{path}")), &[]).expect(405);
        }
        site.expect_commands(&[]);
    }
}

#[test]
fn head_is_get_without_a_body() {
    let site = TestSite::start();
    let (outside, inside) = (Browser::new(), site.signed_in());
    for (browser, path, status) in [
        (&outside, "/oxd", 200),
        (&outside, "/oxd/session", 401),
        (&outside, "/oxd/logout", 200),
        (&outside, "/oxd/nonsense", 404),
        (&outside, "/app/", 302),
        (&inside, "/oxd", 200),
        (&inside, "/oxd/session", 200),
        (&inside, "/app/", 200),
    ] {
        let answer = browser.head(site.url(path));
        assert!(answer.expect(status).body.is_empty(), "{path}");
    }
    // On the wire, too: nothing may follow the header.
    let request = b"HEAD /oxd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(raw(site.httpd.address(), request).expect(200).body.is_empty());
}

#[test]
fn logging_out_without_a_session_is_no_error() {
    let site = TestSite::start();
    let browser = Browser::new();
    let page = browser.follow(site.url("/oxd/logoutme"));
    page.expect(200);
    browser.get(site.url("/oxd/logout")).expect(200);
}

#[test]
fn logging_out_works_without_the_providers_help() {
    let site = TestSite::builder()
        .provider(|provider| provider.end_session = false)
        .start();
    let browser = site.signed_in();
    let page = browser.follow(site.url("/oxd/logoutme"));
    page.expect(200);
    assert!(
        page.page().text().to_lowercase().contains("signed out"),
        "{}",
        page.summary()
    );
    assert_eq!(site.user(&browser), None);
    // The administrator may read why the provider was not told.
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
}

#[test]
fn the_way_out_is_the_administrators_choice() {
    let site = TestSite::builder()
        .directives("OxdPostLogoutRedirectUri /oxd/logout?x=1")
        .start();
    let browser = site.signed_in();
    let leave = browser.get(site.url("/oxd/logoutme"));
    leave.expect(303);
    let calls = site.oxd.calls();
    let call = calls
        .iter()
        .find(|call| call.command == "get-logout-uri")
        .expect("a logout");
    assert_eq!(
        call.body["post_logout_redirect_uri"],
        site.url("/oxd/logout?x=1").as_str()
    );
    assert_eq!(call.body["oxd_id"], site.site.oxd_id.as_str());
    assert!(call.body["id_token_hint"].is_string() && call.body["state"].is_string());
}

#[test]
fn the_signed_out_page_leaves_a_session_alone() {
    let site = TestSite::start();
    let browser = site.signed_in();
    browser.get(site.url("/oxd/logout"));
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
    sign_out(&browser, site.url("/oxd/logoutme"));
    assert_eq!(site.user(&browser), None);
}
