//! `update-site`: other members for a site. What is not sent stays as it is.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Request;
use super::register_site::SiteProfile;
use crate::oxd::Command;

/// The members of `update-site`: those that change.
#[derive(Debug, Default, Serialize)]
pub struct UpdateSite {
    /// What the site is like from now on.
    #[serde(flatten)]
    pub profile: SiteProfile,
    /// Any other members of `register-site`.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Request for UpdateSite {
    // oxd 4.1 wants a client token for it; later versions take one.
    const COMMAND: Command = Command::of_site("update-site");
    type Answer = Map<String, Value>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_sent() {
        let mut request = UpdateSite::default();
        assert!(request.members().is_empty());
        request.profile.client_name = Some("new".into());
        assert_eq!(request.members().len(), 1);
    }
}
