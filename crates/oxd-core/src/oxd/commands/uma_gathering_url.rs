//! `uma-rp-get-claims-gathering-url`: where a user answers what the authorization server wants to know (UMA 2.0 Grant,
//! section 3.3.2).

use serde::{Deserialize, Serialize};

use super::Request;
use crate::oxd::Command;

/// The members of `uma-rp-get-claims-gathering-url`.
#[derive(Debug, Serialize)]
pub struct UmaGatheringUrl<'a> {
    /// `ticket`, the one that came with `need_info`.
    pub ticket: &'a str,
    /// `claims_redirect_uri`; oxd does not compare it with the registered ones, the provider does.
    pub claims_redirect_uri: &'a str,
    /// `state`, which stands raw in the address; at most 50 characters.
    pub state: &'a str,
}

/// The answer of `uma-rp-get-claims-gathering-url`.
#[derive(Debug, Deserialize)]
pub struct GatheringUrl {
    /// The address at the provider.
    pub url: String,
}

impl Request for UmaGatheringUrl<'_> {
    const COMMAND: Command = Command::of_site("uma-rp-get-claims-gathering-url");
    type Answer = GatheringUrl;
}
