//! The stand-in's state: sites, client tokens, states and nonces. In memory only.

use crate::util::{Clock, random_uuid};
use serde::Serialize;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A registered site; serializes to what `register-site` answers.
#[derive(Clone, Serialize)]
pub struct Site {
    /// The site's name at oxd, which every command takes.
    pub oxd_id: String,
    /// The provider's issuer.
    pub op_host: String,
    /// The client's id at the provider.
    pub client_id: String,
    /// The client's name, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// The client's secret.
    pub client_secret: String,
    /// For managing the registration (RFC 7592), where the provider gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_registration_access_token: Option<String>,
    /// Where to manage the registration (RFC 7592).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_registration_client_uri: Option<String>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id_issued_at: Option<i64>,
    /// Unix seconds; 0 means never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<i64>,
}

/// The addresses of a site to register.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// Where the provider sends users after a login; oxd uses the first one.
    pub redirect_uris: Vec<String>,
    /// Where it sends them after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// What the provider loads in a frame when a user signs out there (OpenID Connect
    /// Front-Channel Logout 1.0).
    pub frontchannel_logout_uri: Option<String>,
    /// Where the provider sends logout tokens (OpenID Connect Back-Channel Logout 1.0).
    /// `register-site` has no parameter for it: with the real oxd it is entered at the provider.
    pub backchannel_logout_uri: Option<String>,
    /// Whether logout tokens name the session (`sid`), and not the user alone (`sub`).
    pub backchannel_logout_session_required: bool,
}

/// A site and its registration.
#[derive(Clone)]
pub(crate) struct Registration {
    pub(crate) site: Site,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    pub(crate) scope: Vec<String>,
    pub(crate) acr_values: Vec<String>,
    pub(crate) response_types: Vec<String>,
    pub(crate) grant_types: Vec<String>,
    pub(crate) front_channel_logout_uris: Vec<String>,
    pub(crate) front_channel_logout_session_required: Option<bool>,
    /// Where claims gathering may return to.
    pub(crate) claims_redirect_uris: Vec<String>,
    /// Whether its RPTs are JWTs.
    pub(crate) rpt_as_jwt: bool,
    /// What `uma-rs-protect` registered.
    pub(super) resources: Vec<super::uma::Protected>,
    /// The token for the provider's protection API, once it was needed.
    pub(super) pat: Option<super::uma::Pat>,
    /// Whether the client proves itself with a key of oxd's (`private_key_jwt`), and not with its secret.
    pub(crate) signed: bool,
}

/// A token from `get-client-token`.
#[derive(Clone)]
pub(crate) struct ClientToken {
    pub(crate) client_id: String,
    pub(crate) scope: Vec<String>,
    pub(crate) issued: Instant,
    pub(crate) issued_at: u64,
    pub(crate) lifetime: Duration,
    revoked: bool,
}

#[derive(Default)]
pub(crate) struct Store {
    sites: HashMap<String, Registration>,
    /// Removed sites: their clients stay at the provider, and go on getting tokens.
    removed: Vec<Registration>,
    tokens: HashMap<String, ClientToken>,
    states: HashMap<String, Instant>,
    nonces: HashMap<String, Instant>,
}

impl Store {
    pub(crate) fn site(&self, oxd_id: &str) -> Option<&Registration> {
        self.sites.get(oxd_id)
    }

    pub(crate) fn sites(&self) -> impl Iterator<Item = &Registration> {
        self.sites.values()
    }

    pub(crate) fn put_site(&mut self, registration: Registration) {
        self.sites.insert(registration.site.oxd_id.clone(), registration);
    }

    /// Changes a site, if it is there.
    pub(crate) fn change(&mut self, oxd_id: &str, how: impl FnOnce(&mut Registration)) {
        if let Some(site) = self.sites.get_mut(oxd_id) {
            how(site);
        }
    }

    pub(crate) fn remove_site(&mut self, oxd_id: &str) {
        self.removed.extend(self.sites.remove(oxd_id));
    }

    /// The site of a client that proves itself as it is registered: with its secret, or (`None`) with a key of oxd's.
    pub(crate) fn site_of_client(&self, client_id: &str, secret: Option<&str>) -> Option<&Registration> {
        let proven = |registration: &Registration| match secret {
            Some(secret) => !registration.signed && registration.site.client_secret == secret,
            None => registration.signed,
        };
        self.sites
            .values()
            .chain(&self.removed)
            .find(|registration| registration.site.client_id == client_id && proven(registration))
    }

    pub(crate) fn issue_token(
        &mut self,
        clock: &Clock,
        client_id: &str,
        scope: Vec<String>,
        lifetime: Duration,
    ) -> String {
        let token = random_uuid();
        let record = ClientToken {
            client_id: client_id.to_owned(),
            scope,
            issued: clock.now(),
            issued_at: crate::util::unix_now(),
            lifetime,
            revoked: false,
        };
        self.tokens.insert(token.clone(), record);
        token
    }

    /// The token's record if it works.
    pub(crate) fn active_token(&self, clock: &Clock, token: &str) -> Option<&ClientToken> {
        self.tokens
            .get(token)
            .filter(|record| !record.revoked && !clock.is_over(record.issued, record.lifetime))
    }

    pub(crate) fn expire_tokens(&mut self) {
        self.tokens.values_mut().for_each(|record| record.revoked = true);
    }

    pub(crate) fn put_state(&mut self, clock: &Clock, state: &str) {
        self.states.insert(state.to_owned(), clock.now());
    }

    pub(crate) fn put_nonce(&mut self, clock: &Clock, nonce: &str) {
        self.nonces.insert(nonce.to_owned(), clock.now());
    }

    pub(crate) fn has_state(&self, clock: &Clock, state: &str, lifetime: Duration) -> bool {
        self.states
            .get(state)
            .is_some_and(|since| !clock.is_over(*since, lifetime))
    }

    pub(crate) fn has_nonce(&self, clock: &Clock, nonce: &str, lifetime: Duration) -> bool {
        self.nonces
            .get(nonce)
            .is_some_and(|since| !clock.is_over(*since, lifetime))
    }

    pub(crate) fn forget_login(&mut self, state: &str, nonce: Option<&str>) {
        self.states.remove(state);
        if let Some(nonce) = nonce {
            self.nonces.remove(nonce);
        }
    }
}
