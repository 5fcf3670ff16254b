//! Headers and tokens that the application gets, and headers that it must not get.

use std::collections::BTreeMap;
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Browser, DEMO_SUB, Httpd, TestSite, sign_in_as, user, wait_until};
use serde_json::json;

fn environment(directives: &str) -> BTreeMap<String, String> {
    let claims = json!({
        "name": "Zoë",
        "groups": ["staff", "boss"],
        "address": {"country": "AT"},
        "e_mail-x": "dash",
        "evil": "a\r\nX-Injected: b",
        "flag": true,
        "Groups": "other",
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

/// A directive that shows the application what httpd itself finds in a variable, as [`found`] reads it.
fn shown(name: &str) -> String {
    let header = name.replace('_', "-");
    format!("RequestHeader set X-{header} \"%{{{name}}}e\"\n")
}

fn found<'e>(environment: &'e BTreeMap<String, String>, name: &str) -> &'e str {
    &environment[&format!("HTTP_X_{}", name.to_ascii_uppercase())]
}

#[test]
fn httpd_finds_each_variable_by_its_name() {
    let names = [
        "OXD_CLAIM_sub",
        "OXD_CLAIM_name",
        "OXD_CLAIM_groups",
        "OXD_CLAIM_e_mail_x",
        "OXD_CLAIM_flag",
        "OXD_AUTH",
        "OXD_SCOPE",
        "OXD_SESSION_EXPIRES",
        "OXD_ACCESS_TOKEN",
        // Of another module, in the same table.
        "OTHER",
    ];
    let mut directives = String::from("SetEnvIf Request_URI . OTHER=there\nOxdPassTokens access_token\n");
    for name in names {
        directives += &shown(name);
    }
    let environment = environment(&directives);
    for name in names {
        assert_eq!(found(&environment, name), environment[name], "{name}");
    }
    assert_eq!(environment["OTHER"], "there");
    assert_eq!(environment["OXD_AUTH"], "session");
}

#[test]
fn what_a_request_sets_does_not_stand_in_for_a_session() {
    let names = ["OXD_CLAIM_name", "OXD_CLAIM_flag", "OXD_AUTH"];
    let [mut forged, mut headers] = [String::from("SetEnvIf User-Agent (.+)"), String::new()];
    for name in names {
        forged += &format!(" {name}=$1");
        headers += &shown(name);
    }
    // httpd takes the first one for that of a claim, too.
    let more = "oxd_claim_groups=$1 OXD_CLAIM_admin=$1 OXD_CLIENT_ID=$1 OXD_OTHER=$1";
    let environment = environment(&format!("{forged} {more}\n{headers}"));
    for (name, value) in names.into_iter().zip(["Zoë", "true", "session"]) {
        // The last of two with the same name.
        assert_eq!(environment[name], value);
        // The first.
        assert_eq!(found(&environment, name), value);
    }
    assert_eq!(environment["OXD_CLAIM_groups"], "staff,boss");
    // What the session does not have.
    assert!(!environment.contains_key("OXD_CLAIM_admin") && !environment.contains_key("OXD_CLIENT_ID"));
    // It is not the module's.
    assert!(environment["OXD_OTHER"].contains("Mozilla"));
}

/// httpd would make one variable of them, with the name of one and the value of the other.
#[test]
fn of_claims_that_differ_in_case_alone_the_usual_one_is_handed_on() {
    let environment = environment("OxdClaims both");
    assert_eq!(environment["OXD_CLAIM_groups"], "staff,boss");
    assert_eq!(environment["HTTP_OXD_CLAIM_GROUPS"], "staff,boss");
    assert!(!environment.contains_key("OXD_CLAIM_Groups"));
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
    let backend = Httpd::builder().without_module().start();
    let proxy = format!(
        "ProxyPass /app/backend {0}\nProxyPass /public/backend {0}\n",
        backend.url("/public/env")
    );
    let site = TestSite::builder()
        .directives("OxdClaimHeader X-User sub")
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .config(&proxy)
        .config(
            "<Location /public/backend>\nAuthType oxd\nOxdUnauthAction pass\nRequire all granted\n</Location>\n\
             <Location /app/env>\nOxdClaims none\n</Location>\n\
             <Location /public/env>\nAuthType oxd\nOxdUnauthAction pass\nRequire all granted\n</Location>",
        )
        .start();
    let signed_in = site.signed_in();
    for (browser, path, user) in [
        (&signed_in, "/app/env", Some(DEMO_SUB)),
        (&signed_in, "/app/backend", Some(DEMO_SUB)),
        (&signed_in, "/public/backend", Some(DEMO_SUB)),
        (&Browser::new(), "/public/backend", None),
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

#[test]
fn claims_follow_the_provider_in_the_interval() {
    let site = TestSite::builder().directives("OxdUserInfo On 1s").start();
    let browser = site.signed_in();
    site.oxd
        .fault("get-user-info", Fault::Patch(json!({"department": "moved"})));
    wait_until("the new claim", || {
        let environment = browser.get(site.url("/app/env")).environment();
        environment
            .get("OXD_CLAIM_department")
            .is_some_and(|value| value == "moved")
    });
    // A failing oxd, or one that speaks of somebody else, changes nothing.
    site.httpd
        .allow_log(r"\[oxd:error\] .*(claims were not refreshed)");
    site.forget_calls();
    site.oxd
        .fault("get-user-info", Fault::Patch(json!({"sub": "somebody else"})));
    wait_until("another call", || {
        browser.get(site.url("/app/env")).expect(200);
        site.oxd.count("get-user-info") > 0
    });
    let environment = browser.get(site.url("/app/env")).environment();
    assert_eq!(environment["OXD_CLAIM_department"], "moved");
}

#[test]
fn a_session_whose_refresh_token_is_refused_signs_in_anew() {
    let site = TestSite::builder()
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(2))
        .directives("OxdTokenRefresh 1s")
        .start();
    let browser = site.signed_in();
    let refusal = json!({"error": "invalid_grant", "error_description": "gone"}).to_string();
    let fault = Fault::Status {
        code: 400,
        body: refusal,
        content_type: "application/json".into(),
    };
    site.oxd.fault("get-access-token-by-refresh-token", fault);
    wait_until("a new login", || browser.get(site.url("/app/env")).status == 302);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn trailers_reach_nobody_as_headers() {
    let backend = Httpd::builder().without_module().start();
    let proxy = format!(
        "MergeTrailers On\nProxyPass /app/backend {}",
        backend.url("/public/env")
    );
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .config(&proxy)
        .config("<Location /app>\nOxdClaims none\n</Location>")
        .start();
    let browser = site.signed_in();
    let cookies = browser.cookies(site.url("/"));
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for path in ["/app/env", "/app/backend"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\nTrailer: Oxd-Claim-Sub\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\nOxd-Claim-Sub: forged\r\n\r\n",
            site.httpd.address(),
            cookies.join("; ")
        );
        let environment = oxd_tests::raw(site.httpd.address(), request.as_bytes()).environment();
        assert_eq!(environment["REQUEST_METHOD"], "POST", "{path}");
        let forged: Vec<_> = environment
            .iter()
            .filter(|(_, value)| *value == "forged")
            .collect();
        assert!(forged.is_empty(), "{path}: {forged:?}");
    }
}
