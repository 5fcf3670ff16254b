//! Verifies logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.6).

use serde_json::{Map, Value};

use crate::base::{CLOCK_LEEWAY, Failure, Reason, Seconds, numeric_date};
use crate::config::Provider;
use crate::flow::Ctx;
use crate::session;
use crate::shm::{About, Mark};
use crate::tokens::jws::{self, Flaw};

/// The event that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The oldest token that is taken, in seconds since its `iat`. Used tokens are remembered for as long.
const OLDEST: Seconds = Seconds(600);

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
    mark: Mark,
    /// Until when that is remembered.
    until: Seconds,
}

fn invalid(why: impl Into<String>) -> Failure {
    Failure::new(Reason::LogoutTokenInvalid, why)
}

fn failure(flaw: Flaw) -> Failure {
    match flaw {
        Flaw::NotSigned(why) => invalid(why),
        Flaw::Invalid(why) => invalid(why),
        Flaw::NoKeys(failure) => failure,
    }
}

/// Checks a token against the provider's keys and this site.
pub(super) fn check(ctx: &Ctx<'_>, token: &str) -> Result<LogoutToken, Failure> {
    let unverified = jws::read(token).map_err(failure)?;
    if !matches!(unverified.kind.as_deref(), None | Some("logout+jwt" | "jwt")) {
        return Err(invalid("its typ is neither logout+jwt nor JWT"));
    }
    // The cheap checks come first, because keys may have to be fetched.
    check_claims(ctx, &unverified.claims)?;
    let claims = unverified.verify(ctx.oxd).map_err(failure)?;
    check_claims(ctx, &claims)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(iss), Some(jti)) = (text("iss"), text("jti")) else {
        return Err(invalid("iss or jti is missing"));
    };
    let until = ctx.now.saturating_add(OLDEST).saturating_add(OLDEST);
    let mark = Mark::of(About::Token, ctx.site, &[&iss, &jti]);
    if session::is_used(ctx, mark)? {
        return Err(used());
    }
    Ok(LogoutToken {
        iss,
        sid: text("sid"),
        sub: text("sub"),
        mark,
        until,
    })
}

/// Uses a token up, once it has had its effect: until then the provider may send it again.
pub(super) fn use_up(ctx: &Ctx<'_>, token: &LogoutToken) -> Result<(), Failure> {
    match session::first_time(ctx, token.mark, token.until)? {
        true => Ok(()),
        false => Err(used()),
    }
}

fn used() -> Failure {
    invalid("it has been used already (jti)")
}

fn check_claims(ctx: &Ctx<'_>, claims: &Map<String, Value>) -> Result<(), Failure> {
    let now = ctx.now;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let issuer = text("iss").ok_or_else(|| invalid("it has no iss"))?;
    if !is_issuer(ctx, issuer)? {
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
fn is_issuer(ctx: &Ctx<'_>, issuer: &str) -> Result<bool, Failure> {
    let plain = |url: &str| url.trim_end_matches('/').to_owned();
    let of_configured = |url: &str| {
        let base = url.strip_suffix("/.well-known/openid-configuration");
        plain(base.unwrap_or(url))
    };
    let configured = ctx.settings.server().provider.map(Provider::members);
    Ok(configured
        .into_iter()
        .flatten()
        .any(|(_, url)| of_configured(url) == plain(issuer))
        || session::is_noted(ctx, Mark::of_issuer(ctx.site, issuer))?)
}

#[cfg(test)]
mod tests;
