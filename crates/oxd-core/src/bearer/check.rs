//! Whether a token works: by oxd's introspection, or as a JWT by the provider's keys.

use serde_json::{Map, Value};

use super::Outcome;
use crate::base::{CLOCK_LEEWAY, Failure, Reason, Seconds, numeric_date};
use crate::config::{BearerMode, BearerSettings};
use crate::flow::Ctx;
use crate::oxd::commands::introspect_access_token::IntrospectAccessToken;
use crate::oxd::{Error, Request as _};
use crate::session::{self, claims};
use crate::tokens::cache::Refusal;
use crate::tokens::jws::{self, Flaw};

/// A token that works here.
pub(super) struct Checked {
    /// Its record.
    pub record: Vec<u8>,
    /// `exp`
    pub expires: Option<Seconds>,
}

/// Members of an id token that no access token has (OpenID Connect Core 2 and 3.3.2.11).
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

fn refused(told: &'static str, detail: impl Into<String>) -> Outcome {
    Outcome::Refused(Refusal {
        told,
        detail: detail.into().into(),
        remedy: "",
    })
}

/// Checks a token for a place.
pub(super) fn check(ctx: &Ctx<'_>, bearer: &BearerSettings<'_>, token: &str) -> Result<Checked, Outcome> {
    if bearer.mode == BearerMode::Introspect {
        return introspect(ctx, bearer, token);
    }
    match jws::read(token) {
        Ok(unverified) => of_jwt(ctx, bearer, &unverified),
        Err(Flaw::NotSigned(_)) if bearer.mode == BearerMode::JwtOrIntrospect => {
            introspect(ctx, bearer, token)
        }
        Err(flaw) => Err(outcome(flaw)),
    }
}

fn outcome(flaw: Flaw) -> Outcome {
    match flaw {
        Flaw::NotSigned(why) => refused("the token is not a JWT", why),
        Flaw::Invalid(why) => refused("the token is not valid", why),
        Flaw::NoKeys(failure) => Outcome::Unknown(failure),
    }
}

/// What oxd says. It hands on at most twelve members, and expired tokens too.
fn introspect(ctx: &Ctx<'_>, bearer: &BearerSettings<'_>, token: &str) -> Result<Checked, Outcome> {
    let request = IntrospectAccessToken { access_token: token };
    let answer = request.send(ctx.oxd).map_err(not_introspected)?;
    if answer.active != Some(true) {
        return Err(refused("the token is not active", "introspection: not active"));
    }
    let scope = answer.scope();
    let mut claims = answer.others;
    if let Some(scope) = scope {
        claims.insert("scope".into(), scope.into());
    }
    let kind = claims
        .get("token_type")
        .and_then(Value::as_str)
        .unwrap_or("Bearer");
    if !kind.eq_ignore_ascii_case("Bearer") {
        return Err(refused(
            "the token is not a bearer token",
            format!("introspection: its token_type is {kind:?}"),
        ));
    }
    check_times(ctx, &claims)?;
    if !bearer.audience.is_empty() {
        check_audience(&claims, bearer.audience.iter().map(String::as_str))?;
    }
    Ok(checked(ctx, claims))
}

/// An error of oxd, which may be about the token that it was asked about.
fn not_introspected(error: Error) -> Outcome {
    let Error::Answer(bad) = &error else {
        return Outcome::Unknown(error.into());
    };
    if bad.status == 500 && bad.error == "internal_error" {
        return Outcome::Refused(Refusal {
            told: "the token cannot be checked here",
            detail: error.to_string().into(),
            remedy: "oxd answers so to each token whose aud or acr_values is a list, or whose exp lies past 2038, and \
                     where the provider's introspection fails: with OxdBearer jwt, JWTs are verified without it",
        });
    }
    // The provider's own refusal of the question, which oxd hands on in its framework's shape: it is about the token
    // where the request itself was fine.
    if bad.status == 400 && bad.error.is_empty() && bad.foreign.is_none() {
        return refused("the token cannot be checked here", error.to_string());
    }
    Outcome::Unknown(error.into())
}

/// A JWT access token (RFC 9068 section 4, RFC 8725).
fn of_jwt(
    ctx: &Ctx<'_>,
    bearer: &BearerSettings<'_>,
    unverified: &jws::Unverified<'_>,
) -> Result<Checked, Outcome> {
    let invalid = |why: String| refused("the token is not valid", why);
    if !matches!(unverified.kind.as_deref(), None | Some("at+jwt" | "jwt")) {
        return Err(refused(
            "the token is not an access token",
            "its typ is neither at+jwt nor JWT",
        ));
    }
    // The cheap checks come first, because keys may have to be fetched, and anybody can send a token.
    check_jwt_claims(ctx, bearer, unverified.kind.as_deref(), &unverified.claims)?;
    let issuer = unverified.claims.get("iss").and_then(Value::as_str);
    let issuer = issuer.ok_or_else(|| invalid("it has no iss".into()))?;
    match ctx.is_own_issuer(issuer) {
        Ok(Some(true)) => {}
        Ok(Some(false)) => return Err(invalid(format!("its iss {issuer:?} is not this site's provider"))),
        Ok(None) => {
            let detail = "oxd does not tell the provider's issuer (get-discovery), which the iss of JWTs is compared with";
            return Err(Outcome::Unknown(Failure::new(Reason::OxdAnswer, detail)));
        }
        Err(error) => return Err(Outcome::Unknown(error.into())),
    }
    let claims = unverified.verify(ctx.oxd).map_err(outcome)?;
    Ok(checked(ctx, claims))
}

fn check_jwt_claims(
    ctx: &Ctx<'_>,
    bearer: &BearerSettings<'_>,
    kind: Option<&str>,
    claims: &Map<String, Value>,
) -> Result<(), Outcome> {
    if kind != Some("at+jwt") {
        if let Some(name) = OF_ID_TOKENS.iter().find(|name| claims.contains_key(**name)) {
            return Err(refused(
                "the token is not an access token",
                format!("it has {name}: an id token"),
            ));
        }
        if claims.contains_key("events") {
            return Err(refused(
                "the token is not an access token",
                "it has events: a security event token",
            ));
        }
    }
    if !claims.contains_key("exp") {
        return Err(refused("the token is not valid", "it has no exp"));
    }
    check_times(ctx, claims)?;
    if bearer.audience.is_empty() {
        let client = ctx.settings.server().client_id.ok_or_else(|| {
            let detail = "this place has neither OxdBearerAudience nor OxdClientId (or OxdSite), which the aud of \
                          JWTs is compared with";
            Outcome::Unknown(Failure::new(Reason::NotConfigured, detail))
        })?;
        check_audience(claims, std::iter::once(client))
    } else {
        check_audience(claims, bearer.audience.iter().map(String::as_str))
    }
}

/// `exp` and `nbf`, where they are.
fn check_times(ctx: &Ctx<'_>, claims: &Map<String, Value>) -> Result<(), Outcome> {
    let time = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match numeric_date(value) {
            Some(time) => Ok(Some(time)),
            None => Err(refused(
                "the token is not valid",
                format!("its {name} is no time"),
            )),
        },
    };
    if let Some(expires) = time("exp")?
        && expires.saturating_add(CLOCK_LEEWAY) <= ctx.now
    {
        return Err(refused("the token has expired", "it has expired (exp)"));
    }
    if let Some(begins) = time("nbf")?
        && begins > ctx.now.saturating_add(CLOCK_LEEWAY)
    {
        return Err(refused(
            "the token is not valid yet",
            "it is not valid yet (nbf); compare the clocks",
        ));
    }
    Ok(())
}

fn check_audience<'a>(
    claims: &Map<String, Value>,
    mut allowed: impl Iterator<Item = &'a str>,
) -> Result<(), Outcome> {
    let found: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if allowed.any(|audience| found.contains(&audience)) {
        return Ok(());
    }
    Err(refused(
        "the token is not meant for this place",
        format!("its aud {found:?} is another one"),
    ))
}

fn checked(ctx: &Ctx<'_>, mut claims: Map<String, Value>) -> Checked {
    let expires = claims.get("exp").and_then(numeric_date);
    claims.retain(|name, value| !OF_ID_TOKENS.contains(&name.as_str()) && !value.is_null());
    Checked {
        record: session::record_of_token(ctx.now, &claims, claims::encode(&claims), expires),
        expires,
    }
}
