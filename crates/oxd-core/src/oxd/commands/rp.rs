//! `get-rp`: all that oxd has of a site, its secret and its last tokens included (oxd 4.0 and later; from 4.2 on without
//! a client token).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// `get-rp` has no members but `oxd_id`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GetRp {}

/// The answer of `get-rp`. It has no `Debug`, as it is full of secrets.
#[derive(Deserialize)]
pub struct Rp {
    /// What oxd has; some members have other names than at `register-site`.
    pub node: Map<String, Value>,
}

impl Request for GetRp {
    const COMMAND: Command = Command::of_site("get-rp");
    type Answer = Rp;
}
