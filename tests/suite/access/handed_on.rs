//! Headers and tokens that the application gets, and headers that it must not get.

use std::collections::BTreeMap;

use oxd_tests::{Browser, TestSite, sign_in_as, user};
use serde_json::json;

fn environment(directives: &str) -> BTreeMap<String, String> {
    let claims = json!({
        "name": "Zoë",
        "groups": ["staff", "boss"],
        "address": {"country": "AT"},
        "e_mail-x": "dash",
        "evil": "a\r\nX-Injected: b",
        "flag": true,
    });
    let site = TestSite::builder()
        .users(vec![user("zoe", claims)])
        .directives("OxdScope openid profile email address")
        .config(&format!("<Location /app/env>\n{directives}\n</Location>"))
        .start();
    sign_in_as(&Browser::new(), site.url("/app/env"), "zoe", "secret")
        .page
        .environment()
}

#[test]
fn claims_go_where_the_directive_says() {
    for (directives, in_env, in_headers) in [
        ("", true, false),
        ("OxdClaims env", true, false),
        ("OxdClaims headers", false, true),
        ("OxdClaims both", true, true),
        ("OxdClaims none", false, false),
    ] {
        let environment = environment(directives);
        assert_eq!(environment.contains_key("OXD_CLAIM_name"), in_env, "{directives}");
        assert_eq!(
            environment.contains_key("HTTP_OXD_CLAIM_NAME"),
            in_headers,
            "{directives}"
        );
        assert_eq!(environment["REMOTE_USER"], "sub-of-zoe", "{directives}");
    }
}

#[test]
fn claims_in_headers_are_the_same_text() {
    let environment = environment("OxdClaims headers");
    assert_eq!(environment["HTTP_OXD_CLAIM_NAME"], "Zoë");
    assert_eq!(environment["HTTP_OXD_CLAIM_GROUPS"], "staff,boss");
    assert_eq!(environment["HTTP_OXD_CLAIM_E_MAIL_X"], "dash");
    assert_eq!(environment["HTTP_OXD_CLAIM_FLAG"], "true");
    assert_eq!(environment["HTTP_OXD_CLAIM_EVIL"], "a  X-Injected: b");
    assert!(!environment.contains_key("HTTP_X_INJECTED"));
}

#[test]
fn a_header_of_ones_own_has_the_format_that_was_asked_for() {
    let environment = environment(
        "OxdClaims none\nOxdClaimHeader X-Name name\nOxdClaimHeader X-Groups groups json\n\
         OxdClaimHeader X-Country address.country text\nOxdClaimHeader X-Base name base64\n\
         OxdClaimHeader X-Base-Url groups base64url\nOxdClaimHeader X-Missing missing\n\
         OxdClaimHeader X-Evil evil json",
    );
    assert_eq!(environment["HTTP_X_NAME"], "Zoë");
    assert_eq!(environment["HTTP_X_GROUPS"], r#"["staff","boss"]"#);
    assert_eq!(environment["HTTP_X_COUNTRY"], "AT");
    assert_eq!(environment["HTTP_X_BASE"], "Wm/Dqw==");
    assert_eq!(environment["HTTP_X_BASE_URL"], "c3RhZmYsYm9zcw");
    assert_eq!(environment["HTTP_X_EVIL"], r#""a\r\nX-Injected: b""#);
    assert!(!environment.contains_key("HTTP_X_MISSING"));
}

#[test]
fn tokens_are_handed_on_only_where_that_is_asked_for() {
    let names = [
        "OXD_ACCESS_TOKEN",
        "OXD_ID_TOKEN",
        "OXD_REFRESH_TOKEN",
        "OXD_ACCESS_TOKEN_EXPIRES",
    ];
    let none = environment("");
    assert!(names.iter().all(|name| !none.contains_key(*name)), "{none:#?}");
    let some = environment("OxdPassTokens access_token expires");
    assert!(!some["OXD_ACCESS_TOKEN"].is_empty());
    let expires: u64 = some["OXD_ACCESS_TOKEN_EXPIRES"].parse().expect("Unix seconds");
    let ends: u64 = some["OXD_SESSION_EXPIRES"].parse().expect("Unix seconds");
    assert!(expires > 1_700_000_000 && expires < ends);
    assert!(!some.contains_key("OXD_ID_TOKEN") && !some.contains_key("OXD_REFRESH_TOKEN"));
    let all = environment("OxdPassTokens access_token id_token refresh_token expires");
    assert!(names.iter().all(|name| all.contains_key(*name)), "{all:#?}");
    assert_eq!(all["OXD_ID_TOKEN"].split('.').count(), 3);
}

/// Spellings that a CGI script or a backend may take for one of the module's headers.
const LOOK_ALIKES: [&str; 20] = [
    "Oxd-Claim-Sub",
    "oxd-claim-sub",
    "OXD-CLAIM-SUB",
    "oXd-ClAiM-sUb",
    "Oxd_Claim_Sub",
    "OXD_CLAIM_SUB",
    "oxd_claim_sub",
    "Oxd-Claim_Sub",
    "Oxd_Claim-Sub",
    "oxd_claim-sub",
    "Oxd.Claim.Sub",
    "Oxd-Claim.Sub",
    "Oxd-Claim-Groups",
    "Oxd-Claim-",
    "X-User",
    "x-user",
    "X_User",
    "x_USER",
    "X.User",
    "X-user",
];

#[test]
fn headers_that_a_client_makes_up_reach_nobody() {
    let site = TestSite::builder()
        .directives("OxdClaimHeader X-User sub")
        .config(
            "<Location /app/env>\nOxdClaims none\n</Location>\n\
             <Location /public/env>\nAuthType oxd\nOxdUnauthAction pass\nRequire all granted\n</Location>",
        )
        .start();
    let signed_in = site.signed_in();
    for (browser, path, user) in [
        (
            &signed_in,
            "/app/env",
            Some("7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11"),
        ),
        (&Browser::new(), "/public/env", None),
    ] {
        for name in LOOK_ALIKES {
            let answer = browser.ask("GET", site.url(path)).header(name, "forged").send();
            let environment = answer.environment();
            let forged: Vec<_> = environment
                .iter()
                .filter(|(_, value)| *value == "forged")
                .collect();
            assert!(forged.is_empty(), "{path} {name}: {forged:?}");
            assert_eq!(
                environment.get("HTTP_X_USER").map(String::as_str),
                user,
                "{path} {name}"
            );
        }
    }
}
