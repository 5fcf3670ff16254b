//! `uma-rs-check-access`: whether an RPT opens a protected resource (UMA 2.0), and the ticket of one who has none.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::base::Reason;
use crate::oxd::{BadAnswer, Command};

/// The members of `uma-rs-check-access`.
#[derive(Debug, Serialize)]
pub struct UmaCheckAccess<'a> {
    /// `rpt`; empty for a request without one.
    pub rpt: &'a str,
    /// `path`, as it is registered: oxd compares it whole, in any case.
    pub path: &'a str,
    /// `http_method`, as it is registered.
    pub http_method: &'a str,
    /// `scopes` (oxd 4.2 and later): any of them is enough. Empty for those of the resource.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub scopes: &'a [&'a str],
}

/// The answer of `uma-rs-check-access`.
#[derive(Clone, Debug, Deserialize)]
pub struct Access {
    /// `granted` or `denied`
    pub access: String,
    /// The permission ticket of a denied request (UMA 2.0 Federated Authorization, section 4).
    #[serde(default)]
    pub ticket: Option<String>,
    /// The challenge for a denied request (UMA 2.0 Grant, section 3.2.1).
    #[serde(rename = "www-authenticate_header", default)]
    pub challenge: Option<String>,
}

impl Access {
    /// Whether the RPT opens the resource.
    pub fn is_granted(&self) -> bool {
        self.access == "granted"
    }
}

impl Request for UmaCheckAccess<'_> {
    const COMMAND: Command = Command::of_site("uma-rs-check-access").with_reason(reason);
    type Answer = Access;
}

fn reason(answer: &BadAnswer, _: &str) -> Option<Reason> {
    let unprotected = answer.status == 400
        && answer.error == "invalid_request"
        && answer.description.contains("not protected");
    unprotected.then_some(Reason::UmaUnprotected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::tests::failure;
    use serde_json::json;

    #[test]
    fn an_unregistered_path_is_told_from_other_errors() {
        let said =
            "Resource is not protected with path: /x and httpMethod: GET. Please protect your resource first";
        let body = |error: &str, said: &str| json!({"error": error, "error_description": said}).to_string();
        let reason = |status, error, said| failure(UmaCheckAccess::COMMAND, status, &body(error, said));
        assert_eq!(reason(400, "invalid_request", said), Reason::UmaUnprotected);
        assert_eq!(reason(400, "invalid_path_parameter", said), Reason::OxdAnswer);
        assert_eq!(reason(500, "invalid_request", said), Reason::OxdAnswer);
    }
}
