//! `remove-site`: oxd forgets the site. Its client stays at the provider.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Request;
use crate::oxd::Command;

/// `remove-site`, which has no member but `oxd_id`.
#[derive(Debug, Serialize)]
pub struct RemoveSite {}

impl Request for RemoveSite {
    // oxd 4.1 wants a client token for it; later versions take one.
    const COMMAND: Command = Command::of_site("remove-site");
    type Answer = Map<String, Value>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_no_members_of_its_own() {
        assert!(RemoveSite {}.members().is_empty());
    }
}
