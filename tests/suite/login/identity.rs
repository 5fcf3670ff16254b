//! Who the application is told that the user is.

use oxd_tests::{Browser, DEMO_SUB, TestSite, begin, sign_in, user};
use serde_json::json;

#[test]
fn claims_of_every_kind_become_text() {
    let claims = json!({
        "name": "Zoë \"Q\" O'Neill",
        "number": 42,
        "half": 0.5,
        "yes": true,
        "no": false,
        "list": ["a", "b c", 3],
        "empty_list": [],
        "object": {"a": {"b": [1, true]}},
        "odd name-x.y/z": "renamed",
        "two\nlines": "a\nb",
        "https://example.org/claim": "uri",
    });
    let site = TestSite::builder().users(vec![user("zoe", claims)]).start();
    let browser = Browser::new();
    let walk = oxd_tests::sign_in_as(&browser, site.url("/app/env"), "zoe", "secret");
    let environment = walk.page.environment();
    for (name, value) in [
        ("sub", "sub-of-zoe"),
        ("name", "Zoë \"Q\" O'Neill"),
        ("number", "42"),
        ("half", "0.5"),
        ("yes", "true"),
        ("no", "false"),
        ("list", "a,b c,3"),
        ("empty_list", ""),
        ("odd_name_x_y_z", "renamed"),
        ("two_lines", "a b"),
        ("https___example_org_claim", "uri"),
    ] {
        let found = environment.get(&format!("OXD_CLAIM_{name}")).map(String::as_str);
        assert_eq!(found, Some(value), "{name} in {environment:#?}");
    }
    let object: serde_json::Value =
        serde_json::from_str(&environment["OXD_CLAIM_object"]).expect("an object as JSON");
    assert_eq!(object, json!({"a": {"b": [1, true]}}));
}

#[test]
fn the_remote_user_is_a_claim_of_choice() {
    let site = TestSite::builder()
        .config(
            "<Location /app>\nOxdRemoteUser email\n</Location>\n\
             <Location /app/env>\nOxdRemoteUser email \"^([^@]+)@.*$\" \"$1\"\n</Location>",
        )
        .start();
    let walk = sign_in(&Browser::new(), site.url("/app/env"));
    assert_eq!(walk.page.environment()["REMOTE_USER"], "test_user");
    let site = TestSite::builder()
        .directives("OxdRemoteUser preferred_username")
        .start();
    let walk = sign_in(&Browser::new(), site.url("/app/env"));
    assert_eq!(walk.page.environment()["REMOTE_USER"], "test_user");
}

#[test]
fn only_the_claims_asked_for_are_handed_on() {
    for (directive, there, missing) in [
        (
            "OxdClaimNames email name",
            &["email", "name"][..],
            &["locale", "groups"][..],
        ),
        (
            "OxdClaimNames !email !name",
            &["locale", "groups"],
            &["email", "name"],
        ),
    ] {
        let site = TestSite::builder().directives(directive).start();
        let walk = sign_in(&Browser::new(), site.url("/app/env"));
        let environment = walk.page.environment();
        let has = |name: &str| environment.contains_key(&format!("OXD_CLAIM_{name}"));
        for name in there {
            assert!(has(name), "{directive}: {name} is missing");
        }
        for name in missing {
            assert!(!has(name), "{directive}: {name} is there");
        }
        assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    }
}

#[test]
fn claims_can_be_kept_back() {
    let site = TestSite::builder()
        .config("<Location /app>\nOxdClaims none\n</Location>")
        .start();
    let environment = sign_in(&Browser::new(), site.url("/app/env")).page.environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    assert!(
        !environment.keys().any(|name| name.starts_with("OXD_CLAIM_")),
        "{environment:#?}"
    );
}

#[test]
fn what_the_client_says_about_itself_is_removed() {
    let site = TestSite::start();
    let inside = site.signed_in();
    for (browser, path) in [(&inside, "/app/env"), (&Browser::new(), "/public/env")] {
        let answer = browser
            .ask("GET", site.url(path))
            .header("oxd-claim-sub", "root")
            .header("Oxd-Claim-Admin", "root")
            .header("OXD_CLAIM_sub", "root")
            .header("Oxd-Claim_other", "root")
            .header("x-harmless", "kept")
            .send();
        let environment = answer.environment();
        let forged: Vec<_> = environment.iter().filter(|(_, value)| *value == "root").collect();
        assert!(forged.is_empty(), "{path}: {forged:?}");
        assert_eq!(environment["HTTP_X_HARMLESS"], "kept");
    }
}

#[test]
fn other_cookies_reach_the_application() {
    let site = TestSite::start();
    let browser = site.signed_in();
    browser.set_cookie("a=1; Path=/", site.url("/"));
    browser.set_cookie("z=2; Path=/", site.url("/"));
    browser.set_cookie("oxd_sessionx=3; Path=/", site.url("/"));
    begin(&Browser::new(), site.url("/app/"));
    let page = browser.get(site.url("/app/env"));
    assert_eq!(page.cookies_handed_on(), "a=1; oxd_sessionx=3; z=2");
    // Those that are no more than a name, or quoted, as they came.
    let own = browser.cookies_named("oxd_session", site.url("/")).remove(0);
    assert_eq!(own.0, "oxd_session");
    let field = format!("a=1; flag; oxd_session={}; b=\"x y\"; c==", own.1);
    let ask = browser.ask("GET", site.url("/app/env")).cookie_field(&field);
    assert_eq!(ask.send().cookies_handed_on(), "a=1; flag; b=\"x y\"; c==");
}

#[test]
fn only_the_users_named_come_in() {
    let rules = format!(
        "<Location /app/1k.bin>\nRequire user nobody {DEMO_SUB}\n</Location>\n\
         <Location /app/other.html>\nRequire user nobody \"somebody else\"\n</Location>"
    );
    let site = TestSite::builder().config(&rules).start();
    let browser = site.signed_in();
    browser.get(site.url("/app/1k.bin")).expect(200);
    site.forget_calls();
    browser.get(site.url("/app/other.html")).expect(403);
    site.expect_commands(&[]);
    site.httpd.allow_log("client denied by server configuration");
    // Without a session, the user may be the right one: the login comes first.
    begin(&Browser::new(), site.url("/app/other.html"));
}

#[test]
fn one_users_session_is_not_anothers() {
    let users = ["ann", "bob"]
        .map(|name| user(name, json!({ "name": name })))
        .into();
    let site = TestSite::builder().users(users).start();
    let browsers = ["ann", "bob"].map(|name| {
        let browser = Browser::new();
        oxd_tests::sign_in_as(&browser, site.url("/app/"), name, "secret")
            .page
            .expect(200);
        browser
    });
    for _ in 0..5 {
        for (browser, sub) in browsers.iter().zip(["sub-of-ann", "sub-of-bob"]) {
            let environment = browser.get(site.url("/app/env")).environment();
            assert_eq!(environment["REMOTE_USER"], sub);
            assert_eq!(environment["OXD_CLAIM_sub"], sub);
        }
    }
}

#[test]
fn a_place_that_is_open_to_some_needs_no_login_of_them() {
    let open = "<Location /app>\n<RequireAny>\nRequire ip 127.0.0.1\nRequire valid-user\n</RequireAny>\n\
                </Location>\n";
    let site = TestSite::builder().config(open).start();
    let browser = Browser::new();
    let environment = browser.get(site.url("/app/env")).environment();
    assert!(!environment.contains_key("REMOTE_USER"), "{environment:#?}");
    site.expect_commands(&[]);
    // And a place that is closed to some is closed whoever they are.
    let closed = "<Location /app>\n<RequireAll>\nRequire not ip 127.0.0.1\nRequire valid-user\n\
                  </RequireAll>\n</Location>\n";
    let site = TestSite::builder().config(closed).start();
    site.httpd.allow_log("client denied by server configuration");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(matches!(answer.status, 302 | 403), "{}", answer.summary());
}

#[test]
fn a_user_without_the_claim_for_the_name_is_not_let_in() {
    let users = vec![user("plain", json!({ "name": "Plain" }))];
    let site = TestSite::builder()
        .users(users)
        .directives("OxdRemoteUser employee_number")
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = Browser::new();
    let walk = oxd_tests::sign_in_as(&browser, site.url("/app/env"), "plain", "secret");
    assert!(matches!(walk.page.status, 403 | 500), "{}", walk.page.summary());
    assert!(
        !walk.page.text().contains("SCRIPT_NAME"),
        "the application was not run"
    );
}
