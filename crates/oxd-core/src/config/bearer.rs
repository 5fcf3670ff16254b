//! The settings of places that take bearer tokens (`OxdBearer...`).

use super::raw::{RawSettings, defaults};
use crate::base::Seconds;

/// `OxdBearer`: how a bearer token is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerMode {
    /// Bearer tokens mean nothing here.
    Off,
    /// oxd is asked (`introspect-access-token`).
    Introspect,
    /// It must be a JWT, which is verified here.
    Jwt,
    /// A JWT is verified here, of anything else oxd is asked.
    JwtOrIntrospect,
}

/// `OxdBearerCache`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BearerCache {
    /// How long an answer is kept at most, in seconds; 0: not at all.
    pub time: Seconds,
    /// How many answers are kept at most in one child process.
    pub tokens: u32,
}

/// The settings of one location.
#[derive(Clone, Copy, Debug)]
pub struct BearerSettings<'a> {
    /// `OxdBearer`; never [`BearerMode::Off`].
    pub mode: BearerMode,
    /// `OxdBearerAudience`; empty without it.
    pub audience: &'a [String],
    /// `OxdBearerCache`
    pub cache: BearerCache,
    /// `OxdBearerPass`
    pub pass: bool,
    /// `OxdBearerRealm`
    pub realm: Option<&'a str>,
}

impl<'a> RawSettings<'a> {
    /// The settings for bearer tokens; `None` with `OxdBearer Off`.
    #[inline]
    pub fn bearer(&self) -> Option<BearerSettings<'a>> {
        let mode = self.bearer.unwrap_or(defaults::BEARER);
        if mode == BearerMode::Off {
            return None;
        }
        Some(BearerSettings {
            mode,
            audience: self.bearer_audience.map_or(&[], Vec::as_slice),
            cache: self.bearer_cache.unwrap_or(defaults::BEARER_CACHE),
            pass: self.bearer_pass.unwrap_or(defaults::BEARER_PASS),
            realm: self.bearer_realm.map(String::as_str),
        })
    }
}
