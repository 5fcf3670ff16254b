//! `register-site`: a new site, and with it a client at the provider (step 1 of the tutorial).

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Request, known};
use crate::base::Secret;
use crate::config::Provider;
use crate::oxd::Command;

/// What `register-site` and `update-site` say of a site alike. What is empty is not sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SiteProfile {
    /// `redirect_uris`; oxd exchanges every code with the first one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// `post_logout_redirect_uris`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// `client_frontchannel_logout_uris`; a version of oxd that does not know it keeps the old ones on an update.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_frontchannel_logout_uris: Vec<String>,
    /// `initiate_login_uri`: where a third party begins a login (OpenID Connect Core 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// `scope`; must hold `oxd` where oxd protects its commands, and `uma_protection` for UMA.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// `acr_values`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// `client_name`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// `contacts`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// `client_token_endpoint_auth_method`: how oxd proves to the provider to be the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token_endpoint_auth_method: Option<&'static str>,
    /// `client_token_endpoint_auth_signing_alg`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token_endpoint_auth_signing_alg: Option<String>,
    /// `client_jwks_uri`: where the provider finds oxd's public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_jwks_uri: Option<String>,
}

/// The members of `register-site`.
#[derive(Debug, Default, Serialize)]
pub struct RegisterSite<'a> {
    /// The provider.
    #[serde(flatten)]
    pub provider: Option<Provider<'a>>,
    /// What the site is like.
    #[serde(flatten)]
    pub profile: SiteProfile,
    /// `response_types`
    pub response_types: &'a [&'a str],
    /// `grant_types`
    pub grant_types: &'a [&'a str],
    /// `front_channel_logout_session_required`: the provider says whose session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front_channel_logout_session_required: Option<bool>,
    /// `claims_redirect_uri` (UMA)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims_redirect_uri: Vec<String>,
    /// A client that exists at the provider, where oxd then changes nothing.
    #[serde(flatten)]
    pub client: Option<ExistingClient<'a>>,
    /// Any other members; they come last, so that they also replace those above.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A client that exists at the provider.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ExistingClient<'a> {
    /// `client_id`
    pub client_id: &'a str,
    /// `client_secret`; none with `private_key_jwt`.
    #[serde(serialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<&'a Secret>,
}

impl Request for RegisterSite<'_> {
    const COMMAND: Command = Command::without_site("register-site");
    /// All members: they are the site file (`OxdSite`). `client_secret` is among them.
    type Answer = Map<String, Value>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_parts_are_members_of_one_object() {
        let secret = Secret::new("hunter2".into());
        let request = RegisterSite {
            profile: SiteProfile {
                redirect_uris: vec!["https://app/oxd/login".into()],
                ..SiteProfile::default()
            },
            response_types: &["code"],
            client: Some(ExistingClient {
                client_id: "c",
                client_secret: Some(&secret),
            }),
            ..RegisterSite::default()
        };
        assert_eq!(
            Value::Object(request.members()),
            json!({
                "redirect_uris": ["https://app/oxd/login"], "response_types": ["code"], "grant_types": [],
                "client_id": "c", "client_secret": "hunter2",
            })
        );
    }
}
