//! The making of a session at the end of a login.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::alive::marks_of;
use super::env::SessionEnv;
use super::identifier::Identifier;
use super::memory::Own;
use super::open::{Opened, open_to_end, user_name};
use super::record::{Marks, SessionRecord, Strings, expiry};
use super::store::{Entries, TimeKey};
use super::tokens::{Tokens, Written};
use super::{acr, claims, cookies, index, revoke};
use crate::base::{Failure, Key, Level, Millis, Seconds, numeric_date};
use crate::http::audit::{Event, Kind, Who};
use crate::shm::stats::End;
use crate::shm::{About, Mark};

/// How long an issuer is remembered after a login from it.
const ISSUER_KNOWN_FOR: Seconds = Seconds(90 * 86_400);

/// The data of a new session.
pub struct NewSession<'n> {
    /// For `get-user-info` and for applications.
    pub access_token: &'n str,
    /// Lifetime of the access token in seconds; `None` or -1 when unknown.
    pub expires_in: Option<i64>,
    /// Absent where the provider gave none.
    pub refresh_token: Option<&'n str>,
    /// The id token as it was signed, wanted for `id_token_hint` at logout.
    pub id_token: &'n str,
    /// The scopes that the login asked for, separated by spaces.
    pub scope: &'n str,
    /// The claims of id token and user info ([`claims::merge`]).
    pub claims: &'n Map<String, Value>,
    /// Where the login ends.
    pub target: &'n str,
    /// The `max_age` that the login asked for, if the answer met it.
    pub asked_age: Option<Seconds>,
    /// The acr values that a step-up requested.
    pub requested_acr: &'n [String],
}

/// A session that was made.
pub struct Created {
    /// Its cookies.
    pub cookies: Vec<String>,
    /// For the audit trail; without the user.
    pub who: Who<'static>,
}

/// Makes a session.
///
/// The session that the browser had until now is over; with `OxdSessionMax`, so are the user's oldest ones.
pub fn create(env: &SessionEnv<'_>, new: &NewSession<'_>) -> Result<Created, Failure> {
    let memory = Own::default();
    let earlier = open_to_end(env, &&memory)?;
    let current = claim_text(new.claims, "acr").unwrap_or_default();
    // A provider's clock that is ahead must not keep a session fresh for longer.
    let auth_time = new.claims.get("auth_time").and_then(numeric_date);
    let auth_time = auth_time.map(|time| time.min(env.now));
    let strings = OwnedStrings {
        acr: without_nul(current),
        acrs: acrs_before(env, new.claims, current, earlier.as_ref()),
        refused: not_delivered(new.requested_acr, current),
        scope: without_nul(new.scope),
    };
    let mut id = [0; 16];
    env.host.fill(&mut id)?;
    let place = match env.entries() {
        Some(entries) => Some(InStore::new(env, entries)?),
        None => None,
    };
    let encoded = claims::encode(new.claims);
    let mut record = SessionRecord {
        seen: env.now,
        id,
        marks: Marks::default(),
        version: 0,
        issued: env.now,
        began: env.millis,
        ends: env.now.saturating_add(env.settings.session().lifetime),
        auth_time: auth_time.unwrap_or_default(),
        asked_age: new.asked_age,
        access_expires: expiry(env.now, new.expires_in),
        informed: env.now,
        can_refresh: new.refresh_token.is_some_and(|token| !token.is_empty()),
        strings: strings.borrowed(place.as_ref().map(|place| &place.identifier)),
        claims: &encoded,
    };
    record.marks = marks(env, new.claims, &record);
    record.began = after_all_ends(env, &record)?;
    env.memory.cover(env.settings.session().lifetime);
    let tokens = [
        new.access_token,
        new.refresh_token.unwrap_or_default(),
        new.id_token,
        new.target,
    ]
    .map(without_nul);
    let [access_token, refresh_token, id_token, target] = tokens.each_ref().map(|text| text.as_bytes());
    let written = Written {
        record: record.write(),
        tokens: Tokens {
            access_token,
            refresh_token,
            id_token,
            target,
        }
        .write(),
    };
    let lines = write(env, &record, &written, place.as_ref(), earlier.as_ref())?;
    env.stats.made();
    remember(env, new.claims, &record);
    let Who {
        session,
        provider_session,
        ..
    } = record.who();
    Ok(Created {
        cookies: lines,
        who: Who {
            sub: None,
            session,
            provider_session,
        },
    })
}

/// The record of an access token that a request brings: its claims, in the form of [`claims::encode`].
pub(crate) fn record_of_token(
    now: Seconds,
    said: &Map<String, Value>,
    encoded: Vec<u8>,
    expires: Option<Seconds>,
) -> Vec<u8> {
    let text = |name: &str| without_nul(claim_text(said, name).unwrap_or_default());
    let (acr, scope) = (text("acr"), text("scope"));
    SessionRecord {
        seen: now,
        issued: now,
        began: now.millis(),
        ends: expires.unwrap_or(now),
        access_expires: expires.unwrap_or_default(),
        strings: Strings {
            acr: acr.as_bytes(),
            scope: scope.as_bytes(),
            ..Strings::default()
        },
        claims: &encoded,
        ..SessionRecord::default()
    }
    .write()
}

/// The place of a new session in a store.
struct InStore<'a> {
    entries: Entries<'a>,
    identifier: Identifier,
    key: Key,
}

impl<'a> InStore<'a> {
    fn new(env: &SessionEnv<'a>, entries: Entries<'a>) -> Result<Self, Failure> {
        let identifier = Identifier::new(env.host)?;
        Ok(Self {
            entries,
            key: identifier.key(env.site),
            identifier,
        })
    }
}

/// Texts of a new record, without NUL, so that C can read them in place.
struct OwnedStrings<'n> {
    acr: Cow<'n, str>,
    acrs: String,
    refused: String,
    scope: Cow<'n, str>,
}

impl OwnedStrings<'_> {
    fn borrowed<'s>(&'s self, identifier: Option<&'s Identifier>) -> Strings<'s> {
        Strings {
            acr: self.acr.as_bytes(),
            acrs: self.acrs.as_bytes(),
            refused: self.refused.as_bytes(),
            identifier: identifier.map_or(&[], Identifier::bytes),
            scope: self.scope.as_bytes(),
        }
    }
}

/// Writes the record and ends the session that the browser had; the new one exists by then.
fn write(
    env: &SessionEnv<'_>,
    record: &SessionRecord<'_>,
    written: &Written,
    place: Option<&InStore<'_>>,
    earlier: Option<&Opened<'_>>,
) -> Result<Vec<String>, Failure> {
    let end_earlier = || match earlier {
        Some(session) => {
            env.stats.ended(End::Login);
            revoke::end_opened(env, session)?;
            env.audit(|| ended(End::Login, session.record.who()));
            Ok::<_, Failure>(())
        }
        None => Ok(()),
    };
    let Some(InStore {
        entries,
        identifier,
        key,
    }) = place
    else {
        let lines = cookies::of_session(env, record, written)?;
        end_earlier()?;
        return Ok(lines);
    };
    entries.put_session(env.host, key, record, written)?;
    end_earlier()?;
    let most = env
        .settings
        .session()
        .max
        .map_or(usize::MAX, |most| most as usize);
    for (oldest, ends) in index::add(env, entries, key, record, most)? {
        env.stats.ended(End::Limit);
        env.log(Level::Info, || {
            let most = env.settings.session().max.unwrap_or_default();
            format!("a user's oldest session ends: OxdSessionMax {most}")
        });
        revoke::end_entry(env, entries, &oldest, ends)?;
        // Which one it is stands in the entry alone.
        let whose = || Who {
            sub: record.who().sub,
            ..Who::default()
        };
        env.audit(|| ended(End::Limit, whose()));
    }
    Ok(cookies::of_identifier(env, &identifier.text()))
}

/// A session ends because of a login.
fn ended(by: End, who: Who<'_>) -> Event<'_> {
    let code = match by {
        End::Limit => "session_limit",
        _ => "new_login",
    };
    Event::new(Kind::SessionEnded, code).about(who).by(by)
}

/// Records the provider's session and the issuer, for later logout notices of the provider: on this machine, and with
/// `OxdRevocations` for the others, which the notice may come to. A store has the list of its sessions.
fn remember(env: &SessionEnv<'_>, claims: &Map<String, Value>, record: &SessionRecord<'_>) {
    let know_everywhere = |mark: Mark, until: Seconds| {
        env.memory.know(mark, env.now, until);
        if let Some(facts) = env.facts().filter(|_| env.entries().is_none())
            && let Err(failure) = facts.put_time(env.host, &TimeKey::known(env.site, mark), env.now, until)
        {
            env.log(Level::Warning, || {
                format!(
                    "other machines do not know this login, and may ignore a logout notice of the provider: {}",
                    failure.log_line()
                )
            });
        }
    };
    if let Some(sid) = Mark::stored(record.marks.sid) {
        know_everywhere(sid, record.ends);
    }
    if let Some(issuer) = claim_text(claims, "iss") {
        let mark = Mark::of_issuer(env.site, issuer);
        let until = env.now.saturating_add(ISSUER_KNOWN_FOR);
        if !env.memory.knows(mark, env.now) {
            know_everywhere(mark, until);
        }
        env.memory.know(mark, env.now, until);
    }
}

fn claim_text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The marks that find the session when a user, or a session at the provider, ends.
fn marks(env: &SessionEnv<'_>, claims: &Map<String, Value>, record: &SessionRecord<'_>) -> Marks {
    let subject = claim_text(claims, "sub").unwrap_or_default();
    let name = user_name(record, &env.settings.identity());
    let name = name.as_deref().map(|name| String::from_utf8_lossy(name));
    let name = name.as_deref().map(|name| name.trim_end_matches('\0'));
    Marks {
        user: Mark::of(About::User, env.site, &[subject]).word(),
        name: name
            .filter(|name| *name != subject)
            .map_or(0, |name| Mark::of(About::Name, env.site, &[name]).word()),
        sid: match (claim_text(claims, "iss"), claim_text(claims, "sid")) {
            (Some(issuer), Some(sid)) => Mark::of_sid(env.site, issuer, sid).word(),
            _ => 0,
        },
    }
}

/// The acr history of a new session: that of the session that the browser has, and that one's own login, if it is the
/// same user's.
fn acrs_before(
    env: &SessionEnv<'_>,
    claims: &Map<String, Value>,
    current: &str,
    earlier: Option<&Opened<'_>>,
) -> String {
    let same_user = |session: &&Opened<'_>| {
        ["sub", "iss"]
            .iter()
            .all(|name| session.claim(name) == claims.get(*name).cloned())
    };
    let Some(session) = earlier.filter(same_user) else {
        return String::new();
    };
    let record = &session.record;
    let own = acr::Authentication {
        acr: std::str::from_utf8(record.strings.acr).unwrap_or_default(),
        login: record.issued,
        auth_time: Some(record.auth_time).filter(|time| !time.is_zero()),
    };
    let lifetime = env.settings.session().lifetime;
    acr::with_earlier(record.strings.acrs, own, current, env.now, lifetime)
}

/// The moment at which a new session begins: later than every end that is known of its user, its provider session and its
/// site. An end that another machine's clock has stamped ahead of this one would otherwise end every new session too.
fn after_all_ends(env: &SessionEnv<'_>, record: &SessionRecord<'_>) -> Result<Millis, Failure> {
    if let Some(entries) = env.entries() {
        for mark in marks_of(env, record) {
            if let Some(moment) = entries.get_time(&TimeKey::ended(entries.site, mark))? {
                env.memory.observe(moment);
            }
        }
    }
    Ok(env.memory.moment(env.millis))
}

/// The acr values that a login requested and the provider did not use; another login for them would loop.
fn not_delivered(requested: &[String], acr: &str) -> String {
    let missing: Vec<&str> = requested
        .iter()
        .map(String::as_str)
        .filter(|wanted| *wanted != acr)
        .collect();
    missing.join(" ").replace('\0', "")
}

/// C reads the texts of a record in place; a NUL would cut them.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests;
