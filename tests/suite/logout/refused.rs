//! Logout tokens that must end no session.

use oxd_dev::Signer;
use oxd_tests::TestSite;
use serde_json::{Value, json};

use super::token::{
    EVENT, Token, expect_accepted, expect_alive, expect_dead, expect_refused, jws, now, send, sid,
};

/// Each of these tokens gets 400 and a line in the log, and after each the session is alive; the
/// good one at the end finds everything in order.
#[track_caller]
fn all_refused(forge: impl Fn(&TestSite, &dyn Fn() -> Token) -> Vec<(String, String)>) {
    let site = TestSite::start();
    let browser = site.signed_in();
    let sid = sid(&site, &browser);
    let good = || Token::about(&site, &sid);
    let forged = forge(&site, &good);
    for (name, token) in &forged {
        let answer = send(&site, token);
        assert_eq!(answer.status, 400, "{name}: {}", answer.summary());
        expect_refused(&answer);
        let page = browser.get(site.url("/app/"));
        assert_eq!(page.status, 200, "{name}: the session is over");
    }
    let log = site.httpd.error_log();
    let lines = log.lines().filter(|line| line.contains("logout_token_invalid"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), forged.len(), "one line each: {lines:#?}");
    assert!(lines.iter().all(|line| line.contains("[oxd:info]")), "{lines:#?}");
    let told = |(_, token): &(String, String)| token.len() > 60 && log.contains(&token[..60]);
    assert!(!forged.iter().any(told), "no token stands in the log");
    // However often the keys were doubted.
    let fetched = site.oxd.count("get-jwks");
    assert!(fetched <= 2, "get-jwks was called {fetched} times");
    expect_accepted(&good().send(&site));
    expect_dead(&site, &browser);
}

/// A named table of tokens that differ in one claim.
fn claims(site: &TestSite, good: &dyn Fn() -> Token, table: &[(&str, Value)]) -> Vec<(String, String)> {
    let forge = |(name, value): &(&str, Value)| {
        let token = good().claim(name, value.clone());
        (format!("{name}: {value}"), token.text(site))
    };
    table.iter().map(forge).collect()
}

/// A named table of good tokens without one claim.
fn missing(site: &TestSite, good: &dyn Fn() -> Token, table: &[&str]) -> Vec<(String, String)> {
    let forge = |name: &&str| (format!("no {name}"), good().without(name).text(site));
    table.iter().map(forge).collect()
}

#[test]
fn tokens_that_somebody_else_signed() {
    all_refused(|site, good| {
        let secret = || site.site.client_secret.clone().into_bytes();
        let key = |signer: &Signer| site.oxd.jwk(signer).expect("a public key");
        let (ours, theirs) = (key(&Signer::Current), key(&Signer::Stranger));
        let modulus = ours["n"].as_str().expect("a modulus").as_bytes().to_vec();
        let hmac = |secret: Vec<u8>| good().signed_by(Signer::Hmac(secret));
        let stranger = || good().signed_by(Signer::Stranger);
        let genuine = || good().text(site);
        let signature_of = |token: String| token.rsplit_once('.').expect("a JWS").1.to_owned();
        let with_signature = |signature: &str| {
            let token = genuine();
            let (signed, _) = token.rsplit_once('.').expect("a JWS");
            format!("{signed}.{signature}")
        };
        let other_way = |letter: u8| if letter == b'A' { 'B' } else { 'A' };
        let altered = {
            let token = genuine();
            let (signed, signature) = token.rsplit_once('.').expect("a JWS");
            format!(
                "{signed}.{}{}",
                other_way(signature.as_bytes()[0]),
                &signature[1..]
            )
        };
        // The signature of one token under the claims of another.
        let swapped = with_signature(&signature_of(genuine()));
        let none = |name: &str| {
            let token = good().signed_by(Signer::Nobody);
            token.header("alg", json!(name)).text(site)
        };
        let labelled = |name: Value| good().header("alg", name).text(site);
        [
            ("alg none", none("none")),
            ("alg None", none("None")),
            ("alg nOnE", none("nOnE")),
            ("alg none, with a signature", labelled(json!("none"))),
            ("no signature", with_signature("")),
            ("an altered signature", altered),
            (
                "half a signature",
                with_signature(&signature_of(genuine())[..100]),
            ),
            ("a longer signature", genuine() + "AAAA"),
            ("a signature of zeros", with_signature(&"A".repeat(342))),
            ("another token's signature", swapped),
            ("HS256, client secret", hmac(secret()).text(site)),
            (
                "HS384, client secret",
                hmac(secret()).header("alg", json!("HS384")).text(site),
            ),
            (
                "HS512, client secret",
                hmac(secret()).header("alg", json!("HS512")).text(site),
            ),
            (
                "HS256, the public key",
                hmac(ours.to_string().into_bytes()).text(site),
            ),
            ("HS256, the modulus", hmac(modulus).text(site)),
            ("HS256, nothing", hmac(Vec::new()).text(site)),
            (
                "RS256, but HMAC",
                hmac(secret()).header("alg", json!("RS256")).text(site),
            ),
            ("HS256, but RSA", labelled(json!("HS256"))),
            ("a stranger's key", stranger().text(site)),
            (
                "a stranger's key and kid",
                stranger().header("kid", theirs["kid"].clone()).text(site),
            ),
            (
                "a stranger's key without kid",
                stranger().header("kid", Value::Null).text(site),
            ),
            (
                "a stranger's key inside",
                stranger().header("jwk", theirs.clone()).text(site),
            ),
            (
                "a stranger's key inside, without kid",
                stranger()
                    .header("jwk", theirs)
                    .header("kid", Value::Null)
                    .text(site),
            ),
            (
                "keys elsewhere",
                stranger()
                    .header("jku", json!("http://127.0.0.1:1/keys"))
                    .text(site),
            ),
            ("PS256, but RS256", labelled(json!("PS256"))),
            ("RS512, but RS256", labelled(json!("RS512"))),
            ("ES256, but RSA", labelled(json!("ES256"))),
            ("EdDSA, but RSA", labelled(json!("EdDSA"))),
            ("an unknown alg", labelled(json!("XS256"))),
            ("a small alg", labelled(json!("rs256"))),
            ("an empty alg", labelled(json!(""))),
            ("an alg that is no text", labelled(json!(["RS256"]))),
            ("no alg", labelled(Value::Null)),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into()
    });
}

#[test]
fn tokens_with_a_header_of_another_kind() {
    all_refused(|site, good| {
        [
            ("typ", json!("at+jwt")),
            ("typ", json!("id_token+jwt")),
            ("typ", json!("JWE")),
            ("typ", json!("")),
            ("typ", json!(42)),
            ("typ", json!(["JWT"])),
            ("crit", json!(["b64"])),
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(true)),
            ("kid", json!(42)),
            ("kid", json!("unheard of")),
            (
                "kid",
                json!("x\r\n[Mon Jan 01 00:00:00 2024] [core:emerg] [pid 1] forged line"),
            ),
        ]
        .into_iter()
        .map(|(name, value)| {
            let token = good().header(name, value.clone()).text(site);
            (format!("{name}: {value}"), token)
        })
        .collect()
    });
}

#[test]
fn tokens_for_or_from_somebody_else() {
    all_refused(|site, good| {
        let (ours, issuer) = (&site.site.client_id, site.oxd.provider_url());
        let table = [
            ("iss", json!("http://127.0.0.1:1")),
            ("iss", json!(format!("{issuer}/other"))),
            ("iss", json!(issuer.replace("http", "https"))),
            ("iss", json!(issuer.replace("127.0.0.1", "127.0.0.1.example.org"))),
            ("iss", json!("")),
            ("iss", json!(null)),
            ("iss", json!([issuer])),
            ("aud", json!("somebody else")),
            ("aud", json!(format!("{ours}x"))),
            ("aud", json!(ours[..ours.len() - 1])),
            ("aud", json!(ours.to_lowercase())),
            ("aud", json!("")),
            ("aud", json!(null)),
            ("aud", json!([])),
            ("aud", json!(["somebody", "else"])),
            ("aud", json!([[ours]])),
            ("aud", json!({ "client_id": ours })),
        ];
        let mut all = claims(site, good, &table);
        all.extend(missing(site, good, &["iss", "aud"]));
        all
    });
}

#[test]
fn tokens_of_another_time() {
    all_refused(|site, good| {
        let now = now();
        let table = [
            ("iat", json!(now + 90)),
            ("iat", json!(now - 11 * 60)),
            ("iat", json!(now - 86_400)),
            ("iat", json!(0)),
            ("iat", json!(-1)),
            ("iat", json!(now * 1000)),
            ("iat", json!(1e300)),
            ("iat", json!(u64::MAX)),
            ("iat", json!(i64::MIN)),
            ("iat", json!(now.to_string())),
            ("iat", json!(null)),
            ("iat", json!([now])),
            ("exp", json!(now - 90)),
            ("exp", json!(0)),
            ("exp", json!(-1)),
            ("exp", json!(-1e300)),
            ("exp", json!((now + 60).to_string())),
            ("exp", json!(null)),
            ("exp", json!(true)),
        ];
        let mut all = claims(site, good, &table);
        all.extend(missing(site, good, &["iat", "exp"]));
        all
    });
}

#[test]
fn tokens_that_are_not_about_a_logout() {
    all_refused(|site, good| {
        let table = [
            ("jti", json!("")),
            ("jti", json!(42)),
            ("jti", json!(null)),
            ("events", json!({})),
            ("events", json!([EVENT])),
            ("events", json!(EVENT)),
            ("events", json!(null)),
            ("events", json!({ EVENT: true })),
            ("events", json!({ EVENT: null })),
            ("events", json!({ EVENT: [] })),
            ("events", json!({ EVENT: "{}" })),
            ("events", json!({ format!("{EVENT}/"): {} })),
            ("events", json!({ "http://schemas.openid.net/event/other": {} })),
            ("nonce", json!("n-0S6_WzA2Mj")),
            ("nonce", json!("")),
            ("nonce", json!(null)),
            ("sid", json!("")),
            ("sid", json!(42)),
            ("sid", json!(["x"])),
            ("sub", json!("")),
            ("sub", json!(42)),
        ];
        let mut all = claims(site, good, &table);
        all.extend(missing(site, good, &["jti", "events", "sid"]));
        // The user's ID token, or a token that could be one.
        let id_token = good()
            .without("events")
            .claim("nonce", json!("n-0S6_WzA2Mj"))
            .header("typ", json!("JWT"));
        all.push(("an ID token".to_owned(), id_token.text(site)));
        all
    });
}

#[test]
fn texts_that_are_no_tokens() {
    all_refused(|site, good| {
        let token = good().text(site);
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            panic!("not a JWS: {token}")
        };
        let signed = |payload: &str| jws(site, &good().header, payload, &Signer::Current);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        [
            ("one part", header.to_owned()),
            ("two parts", format!("{header}.{payload}")),
            ("four parts", format!("{token}.{signature}")),
            (
                "five parts",
                format!("{header}.{payload}.{signature}.{payload}.{signature}"),
            ),
            ("dots", "..".to_owned()),
            ("letters", "a.b.c".to_owned()),
            ("an empty header", format!(".{payload}.{signature}")),
            ("an empty payload", format!("{header}..{signature}")),
            ("padding", format!("{header}=.{payload}.{signature}")),
            ("white space", format!("{header}. {payload}.{signature}")),
            ("a line break", format!("{header}.{payload}.{signature}\n.")),
            (
                "an alphabet of another kind",
                format!("{header}.{payload}.+/{}", &signature[2..]),
            ),
            ("letters beyond ASCII", format!("{header}.ä{payload}.{signature}")),
            ("a header that is no JSON", format!("e30x.{payload}.{signature}")),
            ("a header that is an array", format!("W10.{payload}.{signature}")),
            ("a payload that is no JSON", signed("{\"iss\":")),
            (
                "a payload with something behind",
                signed(&format!("{}x", good().claims)),
            ),
            (
                "a payload that is an array",
                signed(&json!([good().claims]).to_string()),
            ),
            ("a payload that is a text", signed("\"x\"")),
            ("a payload that is null", signed("null")),
            ("an empty object", signed("{}")),
            ("nothing but depth", signed(&deep)),
            ("a token in quotes", format!("\"{token}\"")),
            (
                "a token in a JSON form",
                json!({ "payload": payload, "signature": signature }).to_string(),
            ),
        ]
        .map(|(name, token)| (name.to_owned(), token))
        .into()
    });
}

#[test]
fn a_token_that_comes_twice() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let other = site.signed_in();
    // It may be about somebody who is not here, and is used all the same.
    let early = Token::about(&site, "nobody's");
    expect_accepted(&early.send(&site));
    expect_refused(&early.send(&site));
    let same = Token::about(&site, &sid(&site, &browser)).claim("jti", early.claims["jti"].clone());
    expect_refused(&same.send(&site));
    expect_alive(&site, &browser);

    let token = Token::about(&site, &sid(&site, &browser)).text(&site);
    expect_accepted(&send(&site, &token));
    expect_dead(&site, &browser);
    for _ in 0..3 {
        expect_refused(&send(&site, &token));
    }
    // What was refused has used nothing up.
    let token = Token::about(&site, &sid(&site, &other));
    let forged = token.text(&site) + "A";
    expect_refused(&send(&site, &forged));
    expect_accepted(&token.send(&site));
    expect_dead(&site, &other);
}

#[test]
fn the_token_of_another_site_on_the_same_server() {
    let site = TestSite::builder()
        .another_site("two")
        .config("<Location /two>\nOxdCookieName two_session\n</Location>")
        .start();
    let browser = site.signed_in();
    oxd_tests::sign_in(&browser, site.url("/two/app/"))
        .page
        .expect(200);
    let sid = sid(&site, &browser);
    let for_two = || Token::about(&site, &sid).claim("aud", json!(site.others[0].client_id));
    expect_refused(&for_two().send(&site));
    expect_alive(&site, &browser);
    browser.get(site.url("/two/app/")).expect(200);
    // At its own address it ends the session of its own site only.
    let url = site.url("/two/oxd/backchannel-logout");
    let nobody = oxd_tests::Browser::new();
    let deliver = |token: &Token| {
        let ask = super::token::by_server(&nobody, "POST", &url);
        ask.form(&[("logout_token", &token.text(&site))]).send()
    };
    expect_refused(&deliver(&Token::about(&site, &sid)));
    expect_accepted(&deliver(&for_two()));
    browser.get(site.url("/two/app/")).expect(302);
    expect_alive(&site, &browser);
}
