//! The audit trail (`OxdAuditLog`): a line of JSON for each event that changes who is signed in, and for each refusal.
//! `docs/AUDIT.md` lists events and fields.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::env::RequestEnv;
use super::response::Response;
use crate::base::{KeyRing, Level, Reference};
use crate::config::AuditUser;
use crate::shm::stats::{Audit, End};

macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $name:literal, )*) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $( $(#[$doc])* $kind, )* }

        impl Kind {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Kind] = &[ $( Kind::$kind, )* ];

            /// The word in a line.
            pub fn name(self) -> &'static str { match self { $( Kind::$kind => $name, )* } }
        }
    };
}

kinds! {
    /// A login has made a session.
    Login = "login",
    /// The same for a login that a rule has asked for.
    StepUp = "step_up",
    /// A login has failed, at its start or at its end.
    LoginRefused = "login_refused",
    /// A session, or all sessions of a user, ended by a logout.
    Logout = "logout",
    /// A session has ended for another reason than a logout or its time.
    SessionEnded = "session_ended",
    /// The provider has refused a session's refresh token.
    RefreshRefused = "refresh_refused",
    /// An administrator has ended sessions.
    Admin = "admin",
    /// A bearer token or an RPT was refused.
    TokenRefused = "token_refused",
    /// A known user, or a client with a good token, was not let in.
    AccessRefused = "access_refused",
}

/// The fields of a line, in their order.
pub const FIELDS: &[&str] = &[
    "time",
    "event",
    "code",
    "reference",
    "site",
    "sub",
    "session",
    "provider_session",
    "by",
    "actor",
    "path",
    "rule",
    "acr",
    "address",
    "agent",
    "trace",
];

/// Whom an event is about, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct Who<'w> {
    /// The user's `sub`.
    pub sub: Option<Cow<'w, str>>,
    /// The bytes that no other session has. They open nothing.
    pub session: Option<[u8; 16]>,
    /// The mark of the session at the provider.
    pub provider_session: Option<u64>,
}

impl Who<'_> {
    /// The same with texts of its own.
    pub fn owned(self) -> Who<'static> {
        Who {
            sub: self.sub.map(|sub| sub.into_owned().into()),
            session: self.session,
            provider_session: self.provider_session,
        }
    }
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event<'e> {
    kind: Kind,
    code: &'e str,
    reference: Option<&'e Reference>,
    who: Who<'e>,
    by: Option<End>,
    rule: Option<String>,
    acr: Option<Cow<'e, str>>,
    names_path: bool,
}

impl<'e> Event<'e> {
    /// An event of a kind, with a code of [`Reason`](crate::base::Reason) or of its own.
    pub fn new(kind: Kind, code: &'e str) -> Self {
        Self {
            kind,
            code,
            reference: None,
            who: Who::default(),
            by: None,
            rule: None,
            acr: None,
            names_path: false,
        }
    }

    /// The same with a user or a session.
    #[must_use]
    pub fn about(self, who: Who<'e>) -> Self {
        Self { who, ..self }
    }

    /// The same with the one who acted.
    #[must_use]
    pub fn by(self, by: End) -> Self {
        Self { by: Some(by), ..self }
    }

    /// The same with the number that the answer shows.
    #[must_use]
    pub fn found_by(self, reference: Option<&'e Reference>) -> Self {
        Self { reference, ..self }
    }

    /// The same with the request's path, and with the rule that refused it.
    #[must_use]
    pub fn at_rule(self, rule: Option<String>) -> Self {
        Self {
            rule,
            names_path: true,
            ..self
        }
    }

    /// The same with the way in which the user has authenticated.
    #[must_use]
    pub fn with_acr(self, acr: Option<Cow<'e, str>>) -> Self {
        Self { acr, ..self }
    }
}

/// A line. What has no value is left out.
#[derive(Serialize)]
struct Line<'l> {
    time: String,
    event: &'static str,
    code: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'l str>,
    site: Cow<'l, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Cow<'l, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'l str>,
}

/// The room of texts from outside in a line, in bytes as they are written. All of them together leave a line shorter than
/// [`LONGEST_LINE`](crate::base::LONGEST_LINE).
const LONG: usize = 500;
/// The same for a server's name (RFC 1035 section 2.3.4) and for users' names (OpenID Connect Core section 2).
const NAME: usize = 255;
/// What stands at the end of a text that was cut.
const CUT: &str = "...";

/// The bytes that a character takes in a line of ASCII.
fn room_of(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        other => 6 * other.len_utf16(),
    }
}

/// The beginning of a text that has room in so many bytes.
fn cut(text: Cow<'_, str>, room: usize) -> Cow<'_, str> {
    let (mut taken, mut fits) = (0, 0);
    for (at, letter) in text.char_indices() {
        taken += room_of(letter);
        if taken > room {
            return format!("{}{CUT}", &text[..fits]).into();
        }
        if taken + CUT.len() <= room {
            fits = at + letter.len_utf8();
        }
    }
    text
}

/// JSON in ASCII: no terminal and no program on the way of a log takes anything in it for a command, or for the end of the
/// line.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for letter in json.chars() {
        match letter {
            ' '..='~' => text.push(letter),
            // Only texts have others, and a text can have them escaped.
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// The `sub` as a line has it.
fn named<'u>(user: AuditUser, keys: &KeyRing, sub: &'u str) -> Option<Cow<'u, str>> {
    match user {
        AuditUser::Sub => Some(cut(sub.into(), NAME)),
        AuditUser::Hash => Some(keys.pseudonym("sub", sub.as_bytes()).into()),
        AuditUser::None => None,
    }
}

impl RequestEnv<'_> {
    /// Writes an event to the audit trail, if there is one.
    pub fn audit<'e>(&self, event: impl FnOnce() -> Event<'e>) {
        let Some(audit) = self.settings.audit() else {
            return;
        };
        let mut line = self.line_of(audit.user, &event());
        line.push('\n');
        match audit.sink.append(line.as_bytes()) {
            Ok(()) => self.stats.audit(Audit::Written),
            Err(why) => {
                self.stats.audit(Audit::Lost);
                let minute = self.now.0 / 60;
                if audit.sink.complained().swap(minute, Ordering::Relaxed) != minute {
                    self.log(Level::Error, || {
                        format!(
                            "OxdAuditLog {}: a line is lost ({why}); oxd_audit_lines_total counts those that follow, and \
                             this is logged again in a minute at the earliest",
                            audit.sink.name()
                        )
                    });
                }
            }
        }
    }

    /// The same for an event that ends with an answer, whose number stands in the line.
    #[must_use]
    pub fn audited<'e>(&self, answer: Response, event: impl FnOnce() -> Event<'e>) -> Response {
        self.audit(|| event().found_by(answer.reference.as_ref()));
        answer
    }

    fn line_of(&self, user: AuditUser, event: &Event<'_>) -> String {
        let (request, keys, who) = (self.request, self.settings.keys, &event.who);
        let known = |text: Cow<'_, str>| (!text.is_empty()).then(|| cut(text, LONG).into_owned().into());
        let trace = request.trace();
        let line = Line {
            time: self.millis.rfc3339(),
            event: event.kind.name(),
            code: event.code,
            reference: event.reference.map(Reference::in_log),
            site: cut(request.server_name(), NAME),
            sub: who.sub.as_deref().and_then(|sub| named(user, keys, sub)),
            session: who.session.map(|id| keys.pseudonym("session", &id)),
            provider_session: who
                .provider_session
                .map(|mark| keys.pseudonym("provider_session", &mark.to_le_bytes())),
            by: event.by.map(End::name),
            // Who ends the sessions of others answers for it by name.
            actor: Some(event.kind)
                .filter(|kind| *kind == Kind::Admin)
                .and_then(|_| request.user())
                .map(|name| cut(name, NAME)),
            path: Some(request.path())
                .filter(|_| event.names_path)
                .map(|path| cut(path, LONG)),
            rule: event.rule.as_deref().map(|rule| cut(rule.into(), LONG)),
            acr: event.acr.as_deref().map(|acr| cut(acr.into(), NAME)),
            address: known(request.address()),
            agent: known(request.agent()),
            trace: trace.as_ref().map(|trace| trace.id()),
        };
        // Only a map whose keys are no texts could fail.
        ascii(&serde_json::to_string(&line).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
