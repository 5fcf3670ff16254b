//! The provider's state: clients, browsers, pending sign-ins, codes, tokens.

use crate::User;
use crate::util::Clock;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How long a code may wait; RFC 6749 (4.1.2) recommends ten minutes at most.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// How long a sign-in page may stay open.
pub(crate) const PENDING_LIFETIME: Duration = Duration::from_secs(3600);

/// A registered client (RFC 7591).
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) name: String,
    pub(crate) registration_token: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    pub(crate) frontchannel_logout_uri: Option<String>,
    pub(crate) backchannel_logout_uri: Option<String>,
    pub(crate) backchannel_logout_session_required: bool,
    pub(crate) scope: Vec<String>,
    /// Where claims gathering may return to (UMA 2.0 Grant, section 2).
    pub(crate) claims_redirect_uris: Vec<String>,
    /// Whether it gets RPTs that are JWTs.
    pub(crate) rpt_as_jwt: bool,
}

/// A browser, known by its cookie, signed in or not.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    pub(crate) session: Option<Session>,
    /// Client and scope that the user agreed to.
    pub(crate) consents: BTreeSet<(String, String)>,
}

/// A user's sign-in at the provider.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) sid: String,
    pub(crate) acr: String,
    pub(crate) since: Instant,
}

/// A checked authorization request (OpenID Connect Core 1.0, 3.1.2.1).
#[derive(Clone)]
pub(crate) struct AuthRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) form_post: bool,
    pub(crate) acr: Option<String>,
    pub(crate) login_hint: Option<String>,
    pub(crate) prompt_consent: bool,
}

/// An authorization request that waits for the user.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) request: AuthRequest,
    /// The browser that it came from; no other browser may continue it.
    pub(crate) browser: String,
    pub(crate) since: Instant,
}

/// The grant behind a code or token.
#[derive(Clone)]
pub(crate) struct Grant {
    /// Shared by everything that comes from one code, so that all can be revoked at once.
    pub(crate) id: String,
    pub(crate) client_id: String,
    /// None for client credentials.
    pub(crate) session: Option<Session>,
    pub(crate) scope: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) redirect_uri: String,
}

#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) grant: Grant,
    pub(crate) since: Instant,
    pub(crate) issued_at: u64,
    pub(crate) used: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) clients: HashMap<String, Client>,
    pub(crate) browsers: HashMap<String, Browser>,
    pub(crate) pending: HashMap<String, Pending>,
    pub(crate) codes: HashMap<String, Issued>,
    pub(crate) access_tokens: HashMap<String, Issued>,
    pub(crate) refresh_tokens: HashMap<String, Issued>,
    /// The clients that each sign-in, by its `sid`, was passed on to.
    pub(crate) visited: HashMap<String, BTreeSet<String>>,
}

impl State {
    /// Revokes all tokens of a grant (RFC 6749, 4.1.2 and RFC 9700, 4.14.2: a code or a
    /// rotated refresh token that comes twice was stolen).
    pub(crate) fn revoke(&mut self, grant: &str) {
        self.access_tokens.retain(|_, issued| issued.grant.id != grant);
        self.refresh_tokens.retain(|_, issued| issued.grant.id != grant);
    }

    /// The grant behind an access token that works.
    pub(crate) fn active(&self, clock: &Clock, token: &str, lifetime: Duration) -> Option<&Issued> {
        self.access_tokens
            .get(token)
            .filter(|issued| !clock.is_over(issued.since, lifetime))
    }
}

/// Which claims a scope releases (OpenID Connect Core 1.0, 5.4).
const SCOPED: [(&str, &[&str]); 4] = [
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// The user's claims that this scope releases. Claims outside the standard's lists always are.
pub(crate) fn released(user: &User, scope: &[String]) -> serde_json::Map<String, serde_json::Value> {
    let granted = |claim: &str| {
        let mut owners = SCOPED
            .iter()
            .filter(|(_, claims)| claims.contains(&claim))
            .peekable();
        owners.peek().is_none() || owners.any(|(name, _)| scope.iter().any(|have| have == name))
    };
    let claims = user.claims.iter().filter(|(name, _)| granted(name));
    claims
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
