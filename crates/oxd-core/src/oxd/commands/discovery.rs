//! `get-discovery`: the provider's configuration, as oxd reads it.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::config::Provider;
use crate::oxd::Command;

/// The members of `get-discovery`.
#[derive(Debug, Serialize)]
pub struct GetDiscovery<'a> {
    /// The provider.
    #[serde(flatten)]
    pub provider: Option<Provider<'a>>,
}

/// The answer of `get-discovery`, as far as it is shown to an administrator.
#[derive(Debug, Deserialize)]
pub struct Discovery {
    /// `issuer` (OpenID Connect Discovery section 3)
    #[serde(default)]
    pub issuer: Option<String>,
}

impl Request for GetDiscovery<'_> {
    const COMMAND: Command = Command::without_site("get-discovery");
    type Answer = Discovery;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_provider_is_named_as_it_is_known() {
        let provider = Some(Provider::Host("https://op"));
        let members = GetDiscovery { provider }.members();
        assert_eq!(Value::Object(members), json!({"op_host": "https://op"}));
    }
}
