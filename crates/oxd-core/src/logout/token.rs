//! Verifies logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6).

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::base::{CLOCK_LEEWAY, Failure, Reason, Seconds, numeric_date};
use crate::config::Provider;
use crate::flow::Ctx;
use crate::session;
use crate::shm::{About, Mark};

/// The event that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The oldest token that is taken, in seconds since its `iat`. Used tokens are remembered for as long.
const OLDEST: Seconds = Seconds(600);
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most keys that are tried for a token that names none.
const MOST_KEYS: usize = 20;

/// The content of a valid logout token.
#[derive(Debug)]
pub(super) struct LogoutToken {
    /// `iss`
    pub iss: String,
    /// `sid`
    pub sid: Option<String>,
    /// `sub`
    pub sub: Option<String>,
    /// The `jti`, which prevents a second use.
    pub mark: Mark,
}

fn invalid(why: impl Into<String>) -> Failure {
    Failure::new(Reason::LogoutTokenInvalid, why)
}

/// Checks a token against the provider's keys and this site, and uses it up.
pub(super) fn check(ctx: &Ctx<'_>, token: &str) -> Result<LogoutToken, Failure> {
    if token.len() > LONGEST {
        return Err(invalid("it is too long"));
    }
    let header = header_of(token)?;
    // The cheap checks come first, because keys may have to be fetched.
    let unverified = json_part(token, 1).ok_or_else(|| invalid("it is not a signed token"))?;
    check_claims(ctx, &unverified)?;
    let claims = verified(ctx, token, &header)?;
    check_claims(ctx, &claims)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(iss), Some(jti)) = (text("iss"), text("jti")) else {
        return Err(invalid("iss or jti is missing"));
    };
    let until = ctx.now.saturating_add(OLDEST).saturating_add(OLDEST);
    let mark = Mark::of(About::Token, ctx.site, &[&iss, &jti]);
    if !session::first_time(ctx, mark, until)? {
        return Err(invalid("it has been used already (jti)"));
    }
    Ok(LogoutToken {
        iss,
        sid: text("sid"),
        sub: text("sub"),
        mark,
    })
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

fn json_part(token: &str, part: usize) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(part)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn header_of(token: &str) -> Result<Header, Failure> {
    let parts = token.split('.').count();
    let header = json_part(token, 0).filter(|_| parts == 3);
    let header = header.ok_or_else(|| invalid("it is not a signed token"))?;
    if header.contains_key("crit") {
        return Err(invalid("its header has crit, which nothing here understands"));
    }
    if let Some(kind) = header.get("typ") {
        let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if !matches!(kind, "logout+jwt" | "jwt") {
            return Err(invalid("its typ is neither logout+jwt nor JWT"));
        }
    }
    let algorithm = match header.get("alg").and_then(Value::as_str).unwrap_or_default() {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        // Neither none nor a signature by a secret that others may share.
        other => return Err(invalid(format!("its alg {other:?} is not one for public keys"))),
    };
    Ok(Header {
        algorithm,
        kid: header.get("kid").and_then(Value::as_str).map(str::to_owned),
    })
}

/// The claims of a token whose signature one of the provider's keys has made.
fn verified(ctx: &Ctx<'_>, token: &str, header: &Header) -> Result<Map<String, Value>, Failure> {
    let mut validation = Validation::new(header.algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    // A key that is not there yet may be new: then the provider's keys are fetched again, though not at any rate.
    for anew in [false, true] {
        let keys = ctx.oxd.signing_keys(anew)?;
        let fitting = fitting(&keys, header);
        if fitting.is_empty() {
            continue;
        }
        for key in fitting {
            let Ok(key) = DecodingKey::from_jwk(&key) else {
                continue;
            };
            if let Ok(data) = jsonwebtoken::decode(token, &key, &validation) {
                return Ok(data.claims);
            }
        }
        return Err(invalid("its signature is wrong"));
    }
    Err(invalid("the provider has no key for it (kid)"))
}

/// The provider's keys that may have signed a token. Keys that cannot be read are as good as none.
fn fitting(keys: &[Value], header: &Header) -> Vec<Jwk> {
    let signs = |key: &Jwk| {
        let usage = key.common.public_key_use.as_ref();
        let operations = key.common.key_operations.as_ref();
        usage.is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && operations.is_none_or(|all| all.contains(&KeyOperations::Verify))
    };
    keys.iter()
        .filter(
            |key| match (&header.kid, key.get("kid").and_then(Value::as_str)) {
                (Some(wanted), Some(kid)) => wanted == kid,
                (Some(_), None) => false,
                (None, _) => true,
            },
        )
        .filter(|key| {
            let named = key.get("alg").and_then(Value::as_str);
            named.is_none_or(|named| named == format!("{:?}", header.algorithm))
        })
        .filter_map(|key| serde_json::from_value(key.clone()).ok())
        .filter(signs)
        .take(MOST_KEYS)
        .collect()
}

fn check_claims(ctx: &Ctx<'_>, claims: &Map<String, Value>) -> Result<(), Failure> {
    let now = ctx.now;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let issuer = text("iss").ok_or_else(|| invalid("it has no iss"))?;
    if !is_issuer(ctx, issuer) {
        return Err(invalid("its iss is not this site's provider"));
    }
    let client = ctx.settings.server().client_id.ok_or_else(|| {
        let detail = "this place has no OxdClientId (or OxdSite), which logout tokens are compared with";
        Failure::new(Reason::NotConfigured, detail)
    })?;
    let is_for_us = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client,
        Some(Value::Array(all)) => all.iter().any(|audience| audience == client),
        _ => false,
    };
    if !is_for_us {
        return Err(invalid("its aud is another client"));
    }
    let time = |name: &str| {
        let value = claims.get(name).and_then(numeric_date);
        value.ok_or_else(|| invalid(format!("it has no usable {name}")))
    };
    let issued = time("iat")?;
    if issued > now.saturating_add(CLOCK_LEEWAY) {
        return Err(invalid("its iat is in the future; compare the clocks"));
    }
    if issued.saturating_add(OLDEST) < now {
        return Err(invalid("it is too old (iat)"));
    }
    if time("exp")?.saturating_add(CLOCK_LEEWAY) <= now {
        return Err(invalid("it has run out (exp)"));
    }
    text("jti").ok_or_else(|| invalid("it has no jti"))?;
    if claims.contains_key("nonce") {
        return Err(invalid("it has a nonce: an id token in disguise"));
    }
    let event = claims.get("events").and_then(|events| events.get(EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(invalid("its events are not those of a logout"));
    }
    for name in ["sid", "sub"] {
        if claims.contains_key(name) && text(name).is_none() {
            return Err(invalid(format!("its {name} is not a text")));
        }
    }
    if text("sid").is_none() && text("sub").is_none() {
        return Err(invalid("it names neither sid nor sub"));
    }
    Ok(())
}

/// Whether this site's users come from the issuer: the configured one, or one of an earlier login.
fn is_issuer(ctx: &Ctx<'_>, issuer: &str) -> bool {
    let plain = |url: &str| {
        let url = url
            .strip_suffix("/.well-known/openid-configuration")
            .unwrap_or(url);
        url.trim_end_matches('/').to_owned()
    };
    let configured = ctx.settings.server().provider.map(Provider::members);
    configured
        .into_iter()
        .flatten()
        .any(|(_, url)| plain(url) == plain(issuer))
        || ctx.memory.knows(Mark::of_issuer(ctx.site, issuer), ctx.now)
}

#[cfg(test)]
mod tests;
