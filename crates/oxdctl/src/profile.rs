//! The members of `register-site` and `update-site` that say what a site is like.

use oxd_core::config::ClientAuth;
use oxd_core::config::value::is_scope_token;
use oxd_core::oxd::commands::register_site::SiteProfile;

use crate::base::Base;
use crate::cli::Profile;
use crate::problem::{Outcome, Problem};

/// The default scopes of a registration: those of `OxdScope` and `oxd`.
pub const SCOPES: [&str; 4] = ["openid", "profile", "email", "oxd"];
/// `oxd` is what client tokens need, `openid` what makes a login one of OpenID Connect.
const NEEDED: [&str; 2] = ["openid", "oxd"];

impl Profile {
    /// The scopes that are named, with those that are always needed; `None` when none is named.
    pub fn scopes(&self) -> Outcome<Option<Vec<String>>> {
        let named: Vec<&str> = self
            .scope
            .iter()
            .flat_map(|list| list.split_ascii_whitespace())
            .collect();
        if named.is_empty() {
            return Ok(None);
        }
        if let Some(bad) = named.iter().find(|scope| !is_scope_token(scope)) {
            return Err(Problem::usage(format!("--scope: {bad:?} is no scope")));
        }
        let mut scopes: Vec<String> = Vec::new();
        for scope in named.into_iter().chain(NEEDED) {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Ok(Some(scopes))
    }

    /// All redirect URIs: the handler's, then the further ones.
    pub fn redirect_uris(&self, base: Option<&Base>) -> Vec<String> {
        let own = base.map(Base::redirect_uris).unwrap_or_default();
        together(own, &self.redirect_uri)
    }

    /// All post-logout redirect URIs.
    pub fn post_logout_redirect_uris(&self, base: Option<&Base>) -> Vec<String> {
        let own = base.map(|base| base.below("logout"));
        together(own.into_iter().collect(), &self.post_logout_redirect_uri)
    }

    /// The given members, without the addresses.
    pub fn named(&self) -> Outcome<SiteProfile> {
        Ok(SiteProfile {
            scope: self.scopes()?.unwrap_or_default(),
            client_name: self.client_name.clone(),
            contacts: self.contacts.clone(),
            acr_values: self.acr_values.clone(),
            client_token_endpoint_auth_method: self.client_auth.as_ref().map(ClientAuth::method),
            client_token_endpoint_auth_signing_alg: self
                .client_auth
                .as_ref()
                .and_then(ClientAuth::algorithm)
                .map(str::to_owned),
            client_jwks_uri: self.client_jwks_uri.clone(),
            ..SiteProfile::default()
        })
    }
}

fn together(mut own: Vec<String>, further: &[String]) -> Vec<String> {
    for uri in further {
        if !own.contains(uri) {
            own.push(uri.clone());
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_scopes_are_added_once() {
        let scopes = |list: &[&str]| {
            Profile {
                scope: list.iter().map(|text| (*text).to_owned()).collect(),
                ..Profile::default()
            }
            .scopes()
        };
        assert_eq!(scopes(&[]).unwrap(), None);
        assert_eq!(
            scopes(&["email  phone"]).unwrap().unwrap(),
            ["email", "phone", "openid", "oxd"]
        );
        assert_eq!(
            scopes(&["oxd openid", "oxd"]).unwrap().unwrap(),
            ["oxd", "openid"]
        );
        assert!(scopes(&["a\"b"]).is_err());
    }

    #[test]
    fn further_addresses_come_behind_the_handlers_own() {
        let profile = Profile {
            redirect_uri: vec!["https://a/cgi/login".into(), "https://a/oxd/login".into()],
            ..Profile::default()
        };
        let base = Base::parse("https://a/oxd").unwrap();
        assert_eq!(
            profile.redirect_uris(Some(&base)),
            [
                "https://a/oxd/login",
                "https://a/oxd/callback",
                "https://a/cgi/login"
            ]
        );
        assert_eq!(profile.redirect_uris(None), profile.redirect_uri);
        assert_eq!(
            profile.post_logout_redirect_uris(Some(&base)),
            ["https://a/oxd/logout"]
        );
    }
}
