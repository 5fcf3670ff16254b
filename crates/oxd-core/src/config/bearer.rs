//! The settings of places that take bearer tokens (`OxdBearer...`).

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

/// `OxdResourceMetadata`: whether a place describes itself to API clients (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceMetadata {
    /// It does not.
    Off,
    /// It does, as the resource with this path.
    At(String),
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
    /// The path of the resource that the place is (`OxdResourceMetadata`).
    pub resource: Option<&'a str>,
}
