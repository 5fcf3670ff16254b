//! How oxd proves to the provider to be the client, and a client token of another site.

use oxd_dev::Like;
use oxd_tests::{Browser, TestSite, approve, begin, sign_in, sign_out};
use serde_json::{Value, json};

/// The members of the last call of a command.
fn last(site: &TestSite, command: &str) -> Value {
    let calls = site.oxd.calls();
    let call = calls.into_iter().rev().find(|call| call.command == command);
    call.unwrap_or_else(|| panic!("a call of {command}")).body
}

/// Registers the client with `private_key_jwt`, as `oxdctl update --client-auth` does.
fn sign_with_a_key(site: &TestSite) {
    let members = json!({
        "oxd_id": site.site.oxd_id,
        "client_token_endpoint_auth_method": "private_key_jwt",
    });
    let browser = Browser::new();
    let ask = browser.ask("POST", format!("{}/update-site", site.oxd.url()));
    let ask = ask.header("content-type", "application/json");
    ask.body(members.to_string().into()).send().expect(200);
}

#[test]
fn a_key_of_oxds_needs_no_secret_and_is_told_at_both_places() {
    let site = TestSite::builder()
        .directives("OxdClientAuth private_key_jwt RS256 key-1")
        .start();
    sign_with_a_key(&site);
    let mut file = json!(site.site);
    file["client_secret"] = Value::Null;
    std::fs::write(site.httpd.file("site.json"), file.to_string()).expect("the site file");
    site.httpd.restart();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/"));
    sign_out(&browser, site.url("/oxd/logoutme"));
    let token = last(&site, "get-client-token");
    assert_eq!(
        (
            &token["authentication_method"],
            &token["algorithm"],
            &token["key_id"]
        ),
        (&json!("private_key_jwt"), &json!("RS256"), &json!("key-1"))
    );
    assert_eq!(token.get("client_secret"), None);
    let exchange = last(&site, "get-tokens-by-code");
    assert_eq!(
        (&exchange["authentication_method"], &exchange["algorithm"]),
        (&json!("private_key_jwt"), &json!("RS256"))
    );
    let others = ["get-authorization-url", "get-user-info", "get-logout-uri"];
    for command in others {
        assert_eq!(
            last(&site, command).get("authentication_method"),
            None,
            "{command}"
        );
    }
}

/// A client that is registered with a key is not let in with its secret: the directive is what makes it work.
#[test]
fn without_the_directive_such_a_client_gets_no_token() {
    let site = TestSite::start();
    sign_with_a_key(&site);
    site.httpd.allow_log("client_token_refused");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.status >= 500, "{}", answer.summary());
    assert_eq!(site.oxd.count("get-authorization-url"), 0);
}

/// oxd before 4.2.3 does not heed the method at the exchange.
#[test]
fn an_older_oxd_exchanges_no_code_for_such_a_client() {
    let site = TestSite::builder()
        .oxd(|options| options.like = Like::V4_2)
        .directives("OxdClientAuth private_key_jwt ES256")
        .start();
    sign_with_a_key(&site);
    site.httpd.allow_log("get-tokens-by-code answered 500");
    let browser = Browser::new();
    let answer = approve(&browser, &begin(&browser, site.url("/app/")).location()).deliver(&browser);
    assert!(answer.status >= 500, "{}", answer.summary());
}

/// Two sites, of which the second one's calls carry the first one's client token.
#[test]
fn several_sites_share_the_client_token_of_one() {
    let site = TestSite::builder()
        .another_site("two")
        .config("IncludeOptional \"${ROOT}/late.*\"")
        .start();
    sign_in(&Browser::new(), site.url("/two/app/"));
    assert_eq!(site.oxd.count("get-client-token"), 1);
    let first = &site.site;
    let late = format!(
        "<Location /two>\nOxdClientId {}\nOxdClientSecret {}\nOxdAuthorizationSite {}\n</Location>\n",
        first.client_id, first.client_secret, first.oxd_id
    );
    std::fs::write(site.httpd.file("late.conf"), late).expect("more configuration");
    site.httpd.restart();
    site.forget_calls();
    sign_in(&Browser::new(), site.url("/app/"));
    sign_in(&Browser::new(), site.url("/two/app/"));
    // Per child process; all of the bed's requests are answered by one.
    assert_eq!(
        last(&site, "get-authorization-url")["oxd_id"],
        json!(site.others[0].oxd_id)
    );
    let tokens = site.oxd.calls();
    let tokens = tokens.iter().filter(|call| call.command == "get-client-token");
    let clients: Vec<&Value> = tokens.map(|call| &call.body["client_id"]).collect();
    assert!(
        clients.iter().all(|client| **client == json!(first.client_id)),
        "{clients:?}"
    );
}

#[test]
fn an_unknown_authorization_site_is_named_as_a_cause() {
    let site = TestSite::builder()
        .directives("OxdAuthorizationSite nobody")
        .start();
    site.httpd.allow_log("invalid_oxd_id");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.status >= 500, "{}", answer.summary());
    site.httpd.expect_log("OxdAuthorizationSite names another oxd's");
}
