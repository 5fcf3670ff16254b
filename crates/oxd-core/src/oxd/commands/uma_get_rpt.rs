//! `uma-rp-get-rpt`: an RPT for a permission ticket (UMA 2.0 Grant, section 3.3.1).
//!
//! oxd keeps the RPT of a site in one shared object: the answer may belong to another call that was made at the same time.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::base::Secret;
use crate::oxd::Command;

/// The format of an id token that is pushed as a claim token (UMA 2.0 Grant, section 3.3.1).
pub const ID_TOKEN_FORMAT: &str = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken";

/// The members of `uma-rp-get-rpt`.
#[derive(Serialize)]
pub struct UmaGetRpt<'a> {
    /// `ticket`
    pub ticket: &'a str,
    /// `claim_token`; together with its format, or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_token: Option<&'a str>,
    /// `claim_token_format`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_token_format: Option<&'a str>,
    /// `pct`: what the authorization server remembers of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pct: Option<&'a str>,
}

/// The answer of `uma-rp-get-rpt`. It does not say how long the RPT lives.
#[derive(Debug, Deserialize)]
pub struct Rpt {
    /// The RPT.
    pub access_token: Secret,
    /// `pct`
    #[serde(default)]
    pub pct: Option<Secret>,
}

impl Request for UmaGetRpt<'_> {
    const COMMAND: Command = Command::of_site("uma-rp-get-rpt");
    type Answer = Rpt;
}
