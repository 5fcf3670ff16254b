//! `health-check`: whether oxd runs, and which version of it.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::oxd::Command;

/// `GET /health-check`, without members.
#[derive(Debug, Serialize)]
pub struct HealthCheck {}

/// The answer of `health-check`.
#[derive(Debug, Deserialize)]
pub struct Health {
    /// `oxd`; oxd 4.1 does not say.
    #[serde(default)]
    pub application: Option<String>,
    /// `running`
    #[serde(default)]
    pub status: Option<String>,
    /// The version; oxd 4.1 does not say.
    #[serde(default)]
    pub version: Option<String>,
}

impl Health {
    /// Whether it is oxd that answered.
    pub fn is_oxds(&self) -> bool {
        let named = self.application.as_deref();
        named.is_some_and(|name| name.eq_ignore_ascii_case("oxd"))
            || self.status.as_deref() == Some("running")
    }
}

impl Request for HealthCheck {
    const COMMAND: Command = Command {
        is_get: true,
        ..Command::without_site("health-check")
    };
    type Answer = Health;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn old_and_new_versions_are_recognised_and_others_are_not() {
        for (answer, is_oxds) in [
            (json!({"status": "running"}), true),
            (
                json!({"application": "oxd", "version": "4.5.6", "status": "x"}),
                true,
            ),
            (json!({"status": "up"}), false),
            (json!({}), false),
        ] {
            let Value::Object(members) = answer.clone() else {
                unreachable!()
            };
            assert_eq!(HealthCheck::read(members).unwrap().is_oxds(), is_oxds, "{answer}");
        }
    }
}
