//! `uma-rs-protect`: registers the resources of a site at the provider. Not atomic: with `overwrite` the old ones go first,
//! and what fails then leaves neither.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// The members of `uma-rs-protect`.
#[derive(Debug, Serialize)]
pub struct UmaProtect<'a> {
    /// `resources`, a list
    pub resources: &'a Value,
    /// `overwrite`: resources that are registered already are replaced.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overwrite: bool,
}

impl Request for UmaProtect<'_> {
    const COMMAND: Command = Command::of_site("uma-rs-protect");
    type Answer = Map<String, Value>;
}
