//! The tokens of an opened session, opened on demand.

use std::borrow::Cow;

use super::env::SessionEnv;
use super::memory::SessionMemory;
use super::open::Opened;
use super::record::{SessionRecord, Strings, expiry};
use super::tokens::{Tokens, TokensAt, Written, aad, cookie_name, open_bytes};
use crate::base::{Purpose, Seconds};
use crate::http::cookie;

/// Tokens that take the place of a session's.
#[derive(Clone, Copy)]
pub struct NewTokens<'t> {
    /// The access token.
    pub access_token: &'t str,
    /// Lifetime in seconds; `None` or -1 when unknown.
    pub expires_in: Option<i64>,
    /// The refresh token, if the provider rotates them.
    pub refresh_token: Option<&'t str>,
    /// The scopes of the access token, separated by spaces, where oxd names them.
    pub scope: Option<&'t str>,
}

impl<'b> Opened<'b> {
    /// The tokens, as [`Tokens::read`] reads them; `None` where they are not at hand: the browser sends their cookie to
    /// another path only, or has lost it.
    pub fn open_tokens(&self, env: &SessionEnv<'_>) -> Option<Cow<'b, [u8]>> {
        let keys = env.settings.keys;
        match self.tokens {
            TokensAt::Nowhere => None,
            TokensAt::Open(tokens) => Some(Cow::Borrowed(tokens)),
            TokensAt::Sealed(sealed) => open_bytes(keys, env.site, &self.record.id, sealed).map(Cow::Owned),
            TokensAt::Cookie => {
                let aad = aad(env.site, &self.record.id);
                cookie::join(env.cookies(), &cookie_name(env.settings.cookie().name))
                    .filter(|sealed| sealed.len() <= cookie::most_bytes())
                    .find_map(|sealed| keys.open_owned(Purpose::Tokens, &aad, &sealed))
                    .map(Cow::Owned)
            }
        }
    }

    /// The tokens, where they have been opened.
    pub fn opened_tokens(&self) -> Option<Tokens<'b>> {
        match self.tokens {
            TokensAt::Open(bytes) => Tokens::read(bytes),
            _ => None,
        }
    }

    /// The same session with its tokens opened, in memory that the caller provides, where they are at hand.
    pub fn with_open_tokens(self, env: &SessionEnv<'_>, memory: &dyn SessionMemory<'b>) -> Self {
        match self.open_tokens(env) {
            Some(Cow::Owned(bytes)) => Self {
                tokens: TokensAt::Open(memory.copy(&bytes)),
                ..self
            },
            _ => self,
        }
    }

    /// The session as it was written.
    #[cfg(test)]
    pub(crate) fn written(&self, env: &SessionEnv<'_>) -> Written {
        Written {
            record: self.bytes().to_vec(),
            tokens: self.open_tokens(env).unwrap().into_owned(),
        }
    }

    /// The session with new tokens in place of these.
    pub fn renewed(&self, old: Tokens<'_>, now: Seconds, new: NewTokens<'_>) -> Written {
        let tokens = Tokens {
            access_token: new.access_token.as_bytes(),
            refresh_token: new.refresh_token.map_or(old.refresh_token, str::as_bytes),
            ..old
        };
        let strings = Strings {
            scope: new.scope.map_or(self.record.strings.scope, str::as_bytes),
            ..self.record.strings
        };
        let record = SessionRecord {
            seen: now,
            version: self.record.version.saturating_add(1),
            access_expires: expiry(now, new.expires_in),
            strings,
            ..*self.record
        };
        Written {
            record: record.write(),
            tokens: tokens.write(),
        }
    }
}
