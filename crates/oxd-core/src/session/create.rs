//! The making of a session at the end of a login.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Opened, cookies, index, revoke, user_name, with_own};
use crate::access::authn::Ctx;
use crate::base::clock::{Seconds, numeric_date};
use crate::base::reason::Failure;
use crate::login::pending::Pending;
use crate::oxd::commands::tokens_by_code::Tokens;
use crate::session::claims;
use crate::session::record::{Marks, Parts, Texts};
use crate::session::store::{Entries, Key, Kind};
use crate::shm::memory::{About, Mark};
use crate::shm::stats::End;

/// How long an issuer is remembered after a login from it, in seconds.
const ISSUER_KNOWN_FOR: Seconds = 90 * 86_400;

/// The cookies of a new session, from what oxd answered. The login in progress says where it ends.
///
/// The session that the browser had until now is over; with `OxdSessionMax`, so are the user's oldest ones.
pub fn create(
    ctx: &Ctx<'_>,
    tokens: &Tokens,
    merged: &Map<String, Value>,
    pending: &Pending,
) -> Result<Vec<String>, Failure> {
    let now = ctx.facts.now;
    let site = ctx.settings.effective_oxd_id().unwrap_or_default();
    let text = |name: &str| without_nul(merged.get(name).and_then(Value::as_str).unwrap_or_default());
    let (acr, target) = (text("acr"), without_nul(&pending.target));
    let acrs = authentications(ctx, merged, &acr)?;
    // What this login was asked for and has not brought; asking again would loop.
    let refused: Vec<&str> = pending
        .step_up
        .iter()
        .map(String::as_str)
        .filter(|wanted| *wanted != acr)
        .collect();
    let refused = without_nul(&refused.join(" ")).into_owned();
    let (access, refresh, id_token) = (
        without_nul(tokens.access_token.expose()),
        without_nul(tokens.refresh_token.as_ref().map_or("", |token| token.expose())),
        without_nul(tokens.id_token.expose()),
    );
    let mut id = [0; 16];
    ctx.outside.fill(&mut id)?;
    let in_store = Entries::of(ctx).map(|entries| cookies::identifier(ctx).map(|text| (entries, text)));
    let in_store = in_store.transpose()?;
    let key = in_store
        .as_ref()
        .map(|(_, identifier)| Kind::of_cookie(site, identifier.as_bytes()));
    let encoded = claims::encode(merged);
    let mut parts = Parts {
        seen: now,
        id,
        marks: Marks::default(),
        version: 0,
        issued: now,
        issued_millis: ctx.facts.millis % 1_000,
        ends: now.saturating_add(ctx.settings.lifetime()),
        auth_time: merged.get("auth_time").and_then(numeric_date).unwrap_or(0),
        access_expires: expiry(now, tokens.expires_in),
        informed: now,
        texts: Texts {
            acr: acr.as_bytes(),
            acrs: acrs.as_bytes(),
            refused: refused.as_bytes(),
            key: key.as_ref().map_or(&[], Key::as_slice),
            target: target.as_bytes(),
            access_token: access.as_bytes(),
            refresh_token: refresh.as_bytes(),
            id_token: id_token.as_bytes(),
        },
        claims: &encoded,
    };
    parts.marks = marks(ctx, site, merged, &parts);
    let record = parts.write();
    let lines = match (&in_store, &key) {
        (Some((entries, identifier)), Some(key)) => {
            entries.put(ctx.outside, key, &record, parts.ends)?;
            end_earlier(ctx)?;
            index::add(ctx, entries, key, &parts)?;
            cookies::of_identifier(ctx, identifier)
        }
        _ => {
            let lines = cookies::of_record(ctx, &record)?;
            end_earlier(ctx)?;
            lines
        }
    };
    ctx.stats.made();
    if let Some(sid) = Mark::stored(parts.marks.sid) {
        ctx.memory.know(sid, now, parts.ends);
    }
    if let Some(issuer) = merged.get("iss").and_then(Value::as_str) {
        let mark = Mark::of_issuer(site, issuer);
        ctx.memory.know(mark, now, now.saturating_add(ISSUER_KNOWN_FOR));
    }
    Ok(lines)
}

/// Ends the session that the browser had until now; called when the new one exists.
fn end_earlier(ctx: &Ctx<'_>) -> Result<(), Failure> {
    with_own(ctx, |session| match session {
        Some(session) => {
            ctx.stats.ended(End::Login);
            revoke::end_opened(ctx, &session)
        }
        None => Ok(()),
    })?
}

/// What the session will be found by.
fn marks(ctx: &Ctx<'_>, site: &str, merged: &Map<String, Value>, parts: &Parts<'_>) -> Marks {
    let text = |name: &str| merged.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let subject = text("sub").unwrap_or_default();
    let name = user_name(parts, ctx.settings);
    let name = name.as_deref().map(|name| String::from_utf8_lossy(name));
    let name = name.as_deref().map(|name| name.trim_end_matches('\0'));
    Marks {
        user: Mark::of(About::User, site, &[subject]).word(),
        name: name
            .filter(|name| *name != subject)
            .map_or(0, |name| Mark::of(About::Name, site, &[name]).word()),
        sid: match (text("iss"), text("sid")) {
            (Some(issuer), Some(sid)) => Mark::of_sid(site, issuer, sid).word(),
            _ => 0,
        },
    }
}

/// Every acr that this user has authenticated with: those of the session that the browser has, if it is the same
/// user's, and the new one.
fn authentications(ctx: &Ctx<'_>, merged: &Map<String, Value>, acr: &str) -> Result<String, Failure> {
    let same_user = |parts: &Parts<'_>| {
        ["sub", "iss"].iter().all(|name| {
            let claim = parts.claims().find(|claim| claim.name == name.as_bytes());
            claim.map(|claim| claims::claim_json(&claim)) == merged.get(*name).cloned()
        })
    };
    let history = |session: Opened<'_>| String::from_utf8_lossy(session.parts.texts.acrs).into_owned();
    let earlier = with_own(ctx, |session| {
        session.filter(|s| same_user(&s.parts)).map(history)
    })?;
    let mut lines: Vec<String> = earlier.unwrap_or_default().lines().map(str::to_owned).collect();
    if !acr.is_empty() && !acr.contains(char::is_whitespace) {
        lines.retain(|line| line.split(' ').next() != Some(acr));
        lines.push(format!("{acr} {}", ctx.facts.now));
    }
    // As many as any provider has ways of authenticating; the cookie must not grow with every login.
    let surplus = lines.len().saturating_sub(8);
    Ok(lines.split_off(surplus).join("\n"))
}

/// `expires_in` as a point in time; 0 when it is unknown (oxd says -1).
pub(super) fn expiry(now: Seconds, expires_in: Option<i64>) -> Seconds {
    expires_in
        .and_then(|s| u64::try_from(s).ok())
        .filter(|s| *s > 0)
        .map_or(0, |s| now.saturating_add(s))
}

/// Texts in a record are handed to C in place, and a NUL would cut them there.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}
