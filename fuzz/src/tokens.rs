//! Logout tokens and access tokens: only what the provider has signed counts, and only if it says what it must.

use std::sync::LazyLock;

use oxd_core::fuzzing;
use oxd_core::http::{Form, Header, Method};
use serde_json::{Map, Value};

use crate::place::{Answering, Asked, NOW, Place};
use crate::signer::Signer;

struct Provider {
    signer: Signer,
    place: Place,
}

thread_local! {
    static PROVIDER: LazyLock<Provider> = LazyLock::new(|| {
        let signer = Signer::new();
        let oxd = Answering { keys: vec![signer.public()] };
        let lines: &[&[&str]] = &[
            &["OxdId", "site"],
            &["OxdClientId", "client"],
            &["OxdOpHost", "https://op"],
            &["OxdBearer", "jwt"],
            &["OxdBearerAudience", "api"],
        ];
        Provider { place: Place::with(lines, None, oxd), signer }
    });
}

/// A token of the input: what it says is signed, and then it may be changed.
struct Token {
    text: String,
    /// Whether it is as the provider has signed it.
    is_genuine: bool,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

/// The values: `a` and a token; `s`, a header and claims that are signed; or `m`, the same and changes, of three bytes
/// each: two for the place, one for what becomes of it.
fn token(signer: &Signer, data: &[u8]) -> Option<Token> {
    let mut parts = crate::parts(data);
    match parts.next()? {
        b"a" => Some(Token {
            text: crate::text(parts.next()).into_owned(),
            is_genuine: false,
            header: Map::new(),
            claims: Map::new(),
        }),
        kind @ (b"s" | b"m") => {
            let (header, claims) = (parts.next()?, parts.next()?);
            let mut text = signer.sign(header, claims).into_bytes();
            let genuine = text.clone();
            if kind == b"m" {
                for change in parts.next()?.chunks_exact(3) {
                    let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % text.len();
                    match change[2] {
                        0 => drop(text.remove(place)),
                        byte if byte < 0x80 => text[place] = byte,
                        byte => text.insert(place, byte & 0x7f),
                    }
                    if text.is_empty() {
                        return None;
                    }
                }
            }
            Some(Token {
                is_genuine: text == genuine,
                text: String::from_utf8(text).ok()?,
                header: serde_json::from_slice(header).unwrap_or_default(),
                claims: serde_json::from_slice(claims).unwrap_or_default(),
            })
        }
        _ => None,
    }
}

fn expect_genuine(provider: &Provider, token: &Token) {
    let verified = fuzzing::verified(&token.text, &provider.place.oxd);
    let Some(claims) = verified else { return };
    assert!(token.is_genuine, "a token that nobody has signed: {}", token.text);
    assert_eq!(claims, token.claims);
    assert_eq!(token.header.get("alg").and_then(Value::as_str), Some("EdDSA"));
    assert!(!token.header.contains_key("crit"));
}

/// A time as RFC 7519 has it, loosely: more than the module takes.
fn time(claims: &Map<String, Value>, name: &str) -> Option<f64> {
    claims.get(name)?.as_f64()
}

fn is_for(claims: &Map<String, Value>, client: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(all)) => all.iter().any(|one| one == client),
        _ => false,
    }
}

/// A logout token that is heeded.
pub fn logout_token(data: &[u8]) {
    PROVIDER.with(|provider| {
        let Some(token) = token(&provider.signer, data) else {
            return;
        };
        expect_genuine(provider, &token);
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token.text)
            .finish();
        let asked = Asked {
            method: Some(Method::Post),
            target: "/oxd/backchannel-logout",
            headers: vec![(Header::ContentType, "application/x-www-form-urlencoded")],
            ..Asked::default()
        };
        let answer = provider.place.handle(&asked, &Form::Read(form.into_bytes()));
        assert!([200, 400, 500, 503].contains(&answer.status), "{}", answer.status);
        if answer.status != 200 {
            return;
        }
        assert!(token.is_genuine, "a forged logout token is heeded");
        let claims = &token.claims;
        let text = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        assert_eq!(
            text("iss").map(|iss| iss.trim_end_matches('/')),
            Some("https://op")
        );
        assert!(is_for(claims, "client") && text("jti").is_some() && !claims.contains_key("nonce"));
        assert!(text("sub").is_some() || text("sid").is_some());
        let (issued, expires) = (time(claims, "iat"), time(claims, "exp"));
        assert!(
            issued.is_some_and(|at| (at - NOW.0 as f64).abs() < 1_000.0),
            "{issued:?}"
        );
        assert!(expires.is_some_and(|at| at > NOW.0 as f64 - 300.0), "{expires:?}");
        assert!(claims["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
        // Once.
        let again = provider.place.handle(
            &asked,
            &Form::Read(format!("logout_token={}", token.text).into_bytes()),
        );
        assert_ne!(again.status, 200, "the same logout token twice");
    });
}

/// An access token that lets somebody in.
pub fn access_token(data: &[u8]) {
    PROVIDER.with(|provider| {
        let Some(token) = token(&provider.signer, data) else {
            return;
        };
        expect_genuine(provider, &token);
        let header = format!("Bearer {}", token.text);
        let asked = Asked {
            target: "/app",
            authorization: Some(header.as_bytes()),
            ..Asked::default()
        };
        if let Some(read) = fuzzing::bearer_token(&asked) {
            assert_eq!(read, token.text.trim_ascii());
        }
        let Ok(user) = provider.place.admitted(&asked) else {
            return;
        };
        assert!(token.is_genuine, "a forged access token lets somebody in");
        let claims = &token.claims;
        assert!(is_for(claims, "api"));
        assert_eq!(
            claims
                .get("iss")
                .and_then(Value::as_str)
                .map(|iss| iss.trim_end_matches('/')),
            Some("https://op")
        );
        assert!(time(claims, "exp").is_some_and(|at| at > NOW.0 as f64 - 300.0));
        let kind = token
            .header
            .get("typ")
            .and_then(Value::as_str)
            .unwrap_or("jwt")
            .to_ascii_lowercase();
        assert!(
            ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(&kind.as_str()),
            "{kind}"
        );
        assert!(!user.is_empty() && user != b"\0", "a user without a name");
    });
}
