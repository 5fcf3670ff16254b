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
    site.httpd.allow_log("authorization failure for");
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
