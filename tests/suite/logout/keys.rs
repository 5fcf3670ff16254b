//! The provider's keys: fetched once, again when they have changed, and missed when oxd is away.

use std::time::{Duration, Instant};

use oxd_dev::{Fault, Signer};
use oxd_tests::{Answer, Browser, TestSite, wait_until};
use serde_json::{Value, json};

use super::token::{Token, expect_accepted, expect_alive, expect_dead, expect_refused, sid, unique};

/// Nobody can say whether the token is good: the provider may send it again.
#[track_caller]
fn expect_unavailable(answer: &Answer) {
    assert!(matches!(answer.status, 502..=504), "{}", answer.summary());
    let again = answer.header("retry-after").map(str::parse::<u32>);
    let later = again.is_some_and(|seconds| seconds.is_ok_and(|seconds| seconds > 0));
    assert!(answer.status != 503 || later, "{}", answer.summary());
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{}",
        answer.summary()
    );
}

#[test]
fn they_are_fetched_once() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    for _ in 0..5 {
        let browser = site.signed_in();
        expect_accepted(&Token::about(&site, &sid(&site, &browser)).send(&site));
        expect_dead(&site, &browser);
    }
    assert_eq!(site.oxd.count("get-jwks"), 1);
    let calls = site.oxd.calls();
    let call = calls.iter().find(|call| call.command == "get-jwks");
    let call = call.expect("a call");
    assert_eq!(call.body["op_host"], site.oxd.provider_url());
    assert!(call.authorization.is_none(), "{:?}", call.body);
}

/// oxd asks no client token for the keys: a provider that gives none keeps nobody from being signed out.
#[test]
fn keys_are_fetched_without_a_client_token() {
    let site = TestSite::start();
    let browser = site.signed_in();
    site.oxd.expire_client_tokens();
    site.oxd.fault("get-client-token", Fault::Hang);
    site.forget_calls();
    expect_accepted(&Token::about(&site, &sid(&site, &browser)).send(&site));
    site.expect_commands(&["get-jwks"]);
    site.oxd.clear_faults();
    expect_dead(&site, &browser);
}

#[test]
fn the_provider_is_named_as_the_configuration_names_it() {
    let site = TestSite::builder().by_discovery().start();
    let browser = site.signed_in();
    // Only the login has said who issues the provider's tokens.
    expect_accepted(&Token::about(&site, &sid(&site, &browser)).send(&site));
    expect_dead(&site, &browser);
    let calls = site.oxd.calls();
    let call = calls.iter().find(|call| call.command == "get-jwks");
    let endpoint = format!("{}/.well-known/openid-configuration", site.oxd.provider_url());
    let body = &call.expect("a call").body;
    assert_eq!(body["op_configuration_endpoint"], endpoint, "{body}");

    let site = TestSite::builder()
        .without_directives()
        .config("OxdServer \"${OXD}\"\nOxdSite \"${ROOT}/site.json\"\nOxdOpHost \"${OP}/\"")
        .start();
    let browser = site.signed_in();
    expect_accepted(&Token::about(&site, &sid(&site, &browser)).send(&site));
    expect_dead(&site, &browser);
}

#[test]
fn a_key_that_is_new_is_fetched() {
    let site = TestSite::start();
    let (first, second) = (site.signed_in(), site.signed_in());
    expect_accepted(&Token::about(&site, &sid(&site, &first)).send(&site));
    expect_dead(&site, &first);
    site.oxd.rotate_key();
    expect_accepted(&Token::about(&site, &sid(&site, &second)).send(&site));
    expect_dead(&site, &second);
    assert_eq!(site.oxd.count("get-jwks"), 2);
}

#[test]
fn a_key_that_the_provider_has_withdrawn_signs_nothing_any_more() {
    let site = TestSite::start();
    let old = site.oxd.jwk(&Signer::Current).expect("a key")["kid"].clone();
    let (first, second) = (site.signed_in(), site.signed_in());
    expect_accepted(&Token::about(&site, &sid(&site, &first)).send(&site));
    site.oxd.rotate_key();
    site.oxd.retire_keys();
    // The new key is seen, and that the old one is not there any more.
    expect_accepted(&Token::about(&site, "nobody's").send(&site));
    let by_old = Signer::Key(old.as_str().expect("a kid").to_owned());
    let token = Token::about(&site, &sid(&site, &second)).signed_by(by_old);
    expect_refused(&token.send(&site));
    expect_alive(&site, &second);
}

#[test]
fn invented_names_of_keys_do_not_wear_oxd_out() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let browser = site.signed_in();
    let sid = sid(&site, &browser);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let token = Token::about(&site, &sid).signed_by(Signer::Stranger);
                    expect_refused(&token.header("kid", json!(unique())).send(&site));
                }
            });
        }
    });
    let fetched = site.oxd.count("get-jwks");
    assert!(fetched <= 2, "get-jwks was called {fetched} times");
    expect_alive(&site, &browser);
    // And nobody else has to wait for it.
    expect_accepted(&Token::about(&site, &sid).send(&site));
    expect_dead(&site, &browser);
}

#[test]
fn nothing_is_decided_without_keys() {
    for fault in [
        Fault::NotJson,
        Fault::WrongShape(json!({})),
        Fault::WrongShape(json!({ "keys": "none" })),
        Fault::WrongShape(json!([])),
        Fault::Huge(3 << 20),
        Fault::Drop,
        Fault::Hang,
        Fault::Status {
            code: 500,
            body: "{\"error\":\"internal_error\",\"error_description\":\"x\"}".to_owned(),
            content_type: "application/json".to_owned(),
        },
        Fault::Redirect("http://127.0.0.1:1/".to_owned()),
    ] {
        // A site each: a failure is not asked about again at once.
        let site = TestSite::builder().directives("OxdServerTimeout 2s 1s").start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        let browser = site.signed_in();
        let token = Token::about(&site, &sid(&site, &browser));
        site.oxd.fault("get-jwks", fault.clone());
        let begun = Instant::now();
        expect_unavailable(&token.send(&site));
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "{fault:?}: {:?}",
            begun.elapsed()
        );
        expect_alive(&site, &browser);
        // What no key could make good is refused all the same.
        let forged = Token::about(&site, &sid(&site, &browser)).signed_by(Signer::Nobody);
        expect_refused(&forged.send(&site));
        // The token was not used up.
        site.oxd.clear_faults();
        accepted_by_and_by(&site, &token);
        expect_dead(&site, &browser);
    }
}

#[test]
fn nothing_is_decided_without_oxd() {
    let mut site = TestSite::start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = site.signed_in();
    let token = Token::about(&site, &sid(&site, &browser));
    site.oxd.stop();
    for _ in 0..3 {
        let answer = token.send(&site);
        answer.expect(503);
        expect_unavailable(&answer);
    }
    expect_alive(&site, &browser);
    site.oxd.resume();
    accepted_by_and_by(&site, &token);
    expect_dead(&site, &browser);
}

/// Delivers a token, as often as it takes for oxd to be asked again.
#[track_caller]
fn accepted_by_and_by(site: &TestSite, token: &Token) {
    wait_until("the token to be accepted", || {
        let answer = token.send(site);
        if answer.status != 200 {
            expect_unavailable(&answer);
        }
        answer.status == 200
    });
}

#[test]
fn keys_that_are_known_need_no_oxd() {
    let mut site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let browser = site.signed_in();
    expect_accepted(&Token::about(&site, "nobody's").send(&site));
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    site.oxd.stop();
    expect_accepted(&Token::about(&site, &sid(&site, &browser)).send(&site));
    expect_dead(&site, &browser);
}

/// What Gluu publishes along: keys to encrypt with, of kinds that nobody knows, with times.
#[test]
fn keys_of_no_use_are_in_nobodys_way() {
    let site = TestSite::start();
    let good = site.oxd.jwk(&Signer::Current).expect("a key");
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let mut named = with("exp", json!(1_563_964_950_485_i64));
    named["x5c"] = json!(["MIIC"]);
    named["key_ops_type"] = json!(["connect"]);
    let keys = json!([
        null,
        "a text",
        {},
        { "kty": "oct", "k": "c2VjcmV0", "kid": good["kid"], "alg": "HS256" },
        { "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "521", "use": "sig" },
        { "kty": "RSA", "kid": "half", "n": "!!", "e": "AQAB" },
        with("use", json!("enc")),
        with("kid", json!("another")),
        named,
    ]);
    site.oxd
        .fault("get-jwks", Fault::WrongShape(json!({ "keys": keys })));
    let browser = site.signed_in();
    let token = || Token::about(&site, &sid(&site, &browser));
    let secret = Signer::Hmac(b"secret".to_vec());
    expect_refused(&token().signed_by(secret).send(&site));
    expect_alive(&site, &browser);
    expect_accepted(&token().send(&site));
    expect_dead(&site, &browser);
}

#[test]
fn a_key_that_is_only_for_encryption_signs_nothing() {
    let site = TestSite::start();
    let mut key = site.oxd.jwk(&Signer::Current).expect("a key");
    key["use"] = json!("enc");
    site.oxd
        .fault("get-jwks", Fault::WrongShape(json!({ "keys": [key] })));
    let browser = site.signed_in();
    expect_refused(&Token::about(&site, &sid(&site, &browser)).send(&site));
    expect_alive(&site, &browser);
}

#[test]
fn many_tokens_at_once_share_one_fetch() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 32))
        .directives("OxdServerMaxCalls 12")
        .start();
    let browsers: Vec<Browser> = (0..12).map(|_| site.signed_in()).collect();
    let tokens: Vec<Token> = browsers
        .iter()
        .map(|browser| Token::about(&site, &sid(&site, browser)))
        .collect();
    site.oxd
        .fault("get-jwks", Fault::Delay(Duration::from_millis(700)));
    std::thread::scope(|scope| {
        for token in &tokens {
            let site = &site;
            scope.spawn(move || expect_accepted(&token.send(site)));
        }
    });
    assert_eq!(site.oxd.count("get-jwks"), 1, "{:?}", site.commands());
    for browser in &browsers {
        expect_dead(&site, browser);
    }
}
