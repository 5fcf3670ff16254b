//! `introspect-rpt`: whose an RPT is, and what it permits (UMA 2.0 Federated Authorization, section 5; oxd 4.0 and later).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// The members of `introspect-rpt`.
#[derive(Serialize)]
pub struct IntrospectRpt<'a> {
    /// `rpt`
    pub rpt: &'a str,
}

/// The answer of `introspect-rpt`.
#[derive(Debug, Deserialize)]
pub struct IntrospectedRpt {
    /// `active`
    #[serde(default)]
    pub active: bool,
    /// `exp`, in Unix seconds.
    #[serde(default)]
    pub exp: Option<u64>,
    /// `permissions`
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// All others: `client_id`, `sub`, `aud`, `iss`, `iat`, `nbf`, `jti`, as far as the provider tells them.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// What an RPT permits on one resource.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Permission {
    /// `resource_id`
    pub resource_id: String,
    /// `resource_scopes`
    #[serde(default)]
    pub resource_scopes: Vec<String>,
    /// `exp`, which may be earlier than that of the RPT.
    #[serde(default)]
    pub exp: Option<u64>,
}

impl Request for IntrospectRpt<'_> {
    const COMMAND: Command = Command::of_site("introspect-rpt");
    type Answer = IntrospectedRpt;
}
