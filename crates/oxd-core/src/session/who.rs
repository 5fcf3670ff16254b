//! Whom a session or a token belongs to, for the logs.

use super::open::user_name;
use super::record::SessionRecord;
use crate::config::AuditUser;
use crate::http::RequestEnv;
use crate::http::audit::Who;

impl<'r> SessionRecord<'r> {
    /// For the audit trail.
    pub(crate) fn who(&self) -> Who<'r> {
        let sub = self.claims().named("sub");
        Who {
            sub: sub.map(|claim| String::from_utf8_lossy(claim.text())),
            // A token has neither.
            session: Some(self.id).filter(|id| *id != [0; 16]),
            provider_session: Some(self.marks.sid).filter(|mark| *mark != 0),
        }
    }

    /// For a line of the error log: the user by the name that the application and the access log have, unless
    /// `OxdAuditUser` says otherwise.
    pub(crate) fn named_in_log(&self, env: &RequestEnv<'_>) -> String {
        let sub = || self.claims().named("sub").map(|claim| claim.text());
        match env.settings.user_in_error_log() {
            AuditUser::None => "the user".to_owned(),
            AuditUser::Hash => match sub() {
                Some(sub) => format!("user #{}", env.settings.keys.pseudonym("sub", sub)),
                None => "the user".to_owned(),
            },
            AuditUser::Sub => {
                let name = user_name(self, &env.settings.identity());
                let name = name.as_deref().or_else(sub).unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                let name: String = name.trim_end_matches('\0').chars().take(LONGEST_NAME).collect();
                match name.is_empty() {
                    true => "the user".to_owned(),
                    false => format!("user {name:?}"),
                }
            }
        }
    }
}

/// The most characters of a user's name in a line.
const LONGEST_NAME: usize = 100;
