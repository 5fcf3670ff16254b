//! Logout tokens that end sessions, and which.

use oxd_dev::Signer;
use oxd_tests::{Browser, DEMO_SUB, Mpm, SiteBuilder, TestSite, sign_in, sign_in_as, user};
use serde_json::{Value, json};

use super::token::{EVENT, Token, expect_accepted, expect_alive, expect_dead, now, sid};

#[test]
fn the_named_session_ends_at_once_and_no_other() {
    let site = TestSite::start();
    let (here, elsewhere) = (site.signed_in(), site.signed_in());
    let another_tab = here.copy();
    site.forget_calls();
    expect_accepted(&Token::about(&site, &sid(&site, &here)).send(&site));
    // It takes the keys, and a client token where there is none; no more.
    let mut commands = site.commands();
    commands.retain(|name| name != "get-client-token");
    assert_eq!(commands, ["get-jwks"]);
    expect_dead(&site, &here);
    expect_dead(&site, &another_tab);
    expect_alive(&site, &elsewhere);
}

#[test]
fn all_sessions_of_a_user_end_in_all_browsers() {
    let people = vec![user("one", json!({})), user("two", json!({}))];
    let site = TestSite::builder().users(people).start();
    let enter = |name: &str| {
        let browser = Browser::new();
        sign_in_as(&browser, site.url("/app/"), name, "secret")
            .page
            .expect(200);
        browser
    };
    let ones: Vec<Browser> = (0..3).map(|_| enter("one")).collect();
    let two = enter("two");
    // Somebody whose name is only the beginning of this one's, or the other way round.
    for stranger in ["sub-of-on", "sub-of-one2", "SUB-OF-ONE", "one", "nobody"] {
        expect_accepted(&Token::about_user(&site, stranger).send(&site));
    }
    for browser in &ones {
        expect_alive(&site, browser);
    }
    expect_accepted(&Token::about_user(&site, "sub-of-one").send(&site));
    for browser in &ones {
        expect_dead(&site, browser);
    }
    expect_alive(&site, &two);
    // Whoever signs in again is in.
    let again = enter("one");
    expect_alive(&site, &again);
    expect_alive(&site, &two);
}

#[test]
fn a_token_that_names_both_is_about_the_session() {
    let site = TestSite::start();
    let (here, elsewhere) = (site.signed_in(), site.signed_in());
    let token = |sid: &str| Token::about(&site, sid).claim("sub", json!(DEMO_SUB));
    expect_accepted(&token("nobody's").send(&site));
    expect_alive(&site, &here);
    expect_accepted(&token(&sid(&site, &here)).send(&site));
    expect_dead(&site, &here);
    expect_alive(&site, &elsewhere);
}

#[test]
fn a_session_that_nobody_has_is_no_error() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let long = "s".repeat(4000);
    for stranger in ["nobody's", "ä\u{0}\r\n\u{202e}", "../..", "%00", long.as_str()] {
        expect_accepted(&Token::about(&site, stranger).send(&site));
        expect_accepted(&Token::about_user(&site, stranger).send(&site));
    }
    expect_alive(&site, &browser);
}

/// What a provider may write in another way.
#[test]
fn good_tokens_of_many_kinds() {
    type Change = fn(&TestSite, Token) -> Token;
    let changes: [(&str, Change); 16] = [
        ("typ JWT", |_, token| token.header("typ", json!("JWT"))),
        ("no typ", |_, token| token.header("typ", Value::Null)),
        ("a typ in capitals", |_, token| {
            token.header("typ", json!("Logout+JWT"))
        }),
        ("more in the header", |_, token| {
            token.header("x5t", json!("abc")).header("cty", json!("json"))
        }),
        ("several audiences", |site, token| {
            token.claim("aud", json!(["somebody", site.site.client_id, "else"]))
        }),
        ("one audience in a list", |site, token| {
            token.claim("aud", json!([site.site.client_id]))
        }),
        ("an issuer with a slash", |site, token| {
            token.claim("iss", json!(format!("{}/", site.oxd.provider_url())))
        }),
        ("an event with something in it", |_, token| {
            token.claim("events", json!({ EVENT: { "reason": ["x", { "y": 1 }] } }))
        }),
        ("several events", |_, token| {
            token.claim("events", json!({ "https://example.org/other": 1, EVENT: {} }))
        }),
        ("other claims", |_, token| {
            token.claim("trace_id", json!("x")).claim(
                "nested",
                json!({ "nonce": "not the token's", "list": [1, [2, [3]]] }),
            )
        }),
        ("a clock that runs ahead", |_, token| {
            token
                .claim("iat", json!(now() + 20))
                .claim("exp", json!(now() + 140))
        }),
        ("a clock that runs behind", |_, token| {
            token
                .claim("iat", json!(now() - 140))
                .claim("exp", json!(now() - 20))
        }),
        ("some minutes on the way", |_, token| {
            token
                .claim("iat", json!(now() - 9 * 60))
                .claim("exp", json!(now() + 60))
        }),
        ("a time with a fraction", |_, token| {
            let now = now() as f64;
            token
                .claim("iat", json!(now - 0.5))
                .claim("exp", json!(now + 59.5))
        }),
        ("a long life", |_, token| {
            token.claim("exp", json!(now() + 86_400 * 365))
        }),
        ("a long jti", |_, token| {
            let jti = format!("{}-{}", "j".repeat(2000), super::token::unique());
            token.claim("jti", json!(jti))
        }),
    ];
    let site = TestSite::start();
    for (name, change) in changes {
        let browser = site.signed_in();
        let token = change(&site, Token::about(&site, &sid(&site, &browser)));
        let answer = token.send(&site);
        assert_eq!(answer.status, 200, "{name}: {}", answer.summary());
        assert_eq!(site.user(&browser), None, "{name}");
    }
}

#[test]
fn every_asymmetric_algorithm_will_do() {
    let site = TestSite::start();
    let algorithms = [
        "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ];
    let kids = algorithms.map(|algorithm| {
        let kid = site.oxd.add_key(algorithm);
        (algorithm, kid.expect("a key of this kind"))
    });
    for (algorithm, kid) in kids {
        let browser = site.signed_in();
        let token = Token::about(&site, &sid(&site, &browser));
        let answer = token.signed_by(Signer::Key(kid)).send(&site);
        assert_eq!(answer.status, 200, "{algorithm}: {}", answer.summary());
        assert_eq!(site.user(&browser), None, "{algorithm}");
    }
    assert_eq!(site.oxd.count("get-jwks"), 1);
}

#[test]
fn whoever_signs_in_in_the_same_second_stays_in() {
    let site = TestSite::start();
    // One who is signed in at the provider, so that a login takes a moment.
    let fast = site.signed_in();
    for _ in 0..6 {
        expect_accepted(&Token::about_user(&site, DEMO_SUB).send(&site));
        assert_eq!(site.user(&fast), None);
        fast.follow(site.url("/app/")).expect(200);
        expect_alive(&site, &fast);
    }
    // And the other way round: who has just come is out.
    for _ in 0..6 {
        let browser = fast.copy();
        browser.forget("oxd_session");
        browser.follow(site.url("/app/")).expect(200);
        expect_accepted(&Token::about_user(&site, DEMO_SUB).send(&site));
        expect_dead(&site, &browser);
    }
}

fn in_every_child(builder: SiteBuilder) {
    let site = builder.start();
    let browsers: Vec<Browser> = (0..4).map(|_| site.signed_in()).collect();
    let sids: Vec<String> = browsers.iter().map(|browser| sid(&site, browser)).collect();
    expect_accepted(&Token::about(&site, &sids[0]).send(&site));
    let token = Token::about(&site, &sids[1]);
    expect_accepted(&token.send(&site));
    // Whichever child is asked, and many are when many ask.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    for (number, browser) in browsers.iter().enumerate() {
                        let status = browser.copy().get(site.url("/app/")).status;
                        assert_eq!(status, if number < 2 { 302 } else { 200 });
                    }
                    super::token::expect_refused(&token.send(&site));
                }
            });
        }
    });
    let enough = site.httpd.children().len() > 1;
    assert!(enough, "more than one child answers");
    expect_accepted(&Token::about_user(&site, DEMO_SUB).send(&site));
    for browser in &browsers {
        expect_dead(&site, browser);
    }
    sign_in(&browsers[0], site.url("/app/")).page.expect(200);
}

#[test]
fn every_child_knows_under_prefork() {
    in_every_child(TestSite::builder().mpm(Mpm::Prefork));
}

#[test]
fn every_child_knows_under_event() {
    in_every_child(TestSite::builder().httpd(|httpd| httpd.processes(4, 16)));
}

#[test]
fn every_child_knows_with_a_store() {
    let builder = TestSite::builder().mpm(Mpm::Prefork);
    in_every_child(
        builder
            .directives("OxdSessionStore shmcb")
            .httpd(|httpd| httpd.load("socache_shmcb")),
    );
}
