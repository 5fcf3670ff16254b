//! User-Managed Access 2.0 at the built-in provider: what may be set before the start, and what a test can do to it
//! while it runs.

use crate::DevServer;
use std::time::Duration;

/// The options of the built-in provider's authorization server (UMA 2.0).
#[derive(Clone, Debug)]
pub struct UmaOptions {
    /// The user who owns all resources: decides, on the page `/uma/requests`, what others ask for.
    pub owner: String,
    /// Looked at in this order: the first one that fits decides.
    pub rules: Vec<UmaRule>,
    /// What happens when no rule decides.
    pub otherwise: UmaOutcome,
    /// How long a permission ticket waits.
    pub ticket_lifetime: Duration,
    /// How long an RPT works.
    pub rpt_lifetime: Duration,
    /// How long a permission in an RPT lasts, counted from its grant; it may end before the RPT.
    pub permission_lifetime: Duration,
    /// How long a resource stays registered where `uma-rs-protect` names no `exp`; a month at Gluu.
    pub resource_lifetime: Duration,
    /// Whether a ticket is used up by the RPT that it brought. UMA wants it so, Gluu does not do it.
    pub single_use_tickets: bool,
    /// Whether `redirect_user` lacks its `?`, as at a Gluu whose page takes no parameters of its own: nobody can follow it.
    pub broken_redirect_user: bool,
}

impl Default for UmaOptions {
    /// The demo user's.
    fn default() -> UmaOptions {
        UmaOptions::owned_by("test_user")
    }
}

impl UmaOptions {
    /// A photo album, say: this user owns it and may see everything; others are asked to say who they are, then the owner
    /// is asked.
    pub fn owned_by(owner: &str) -> UmaOptions {
        UmaOptions {
            owner: owner.to_owned(),
            rules: vec![
                UmaRule::new(UmaOutcome::Grant).of(owner),
                UmaRule::new(UmaOutcome::Gather),
            ],
            otherwise: UmaOutcome::AskOwner,
            ticket_lifetime: Duration::from_secs(3_600),
            rpt_lifetime: Duration::from_secs(3_600),
            permission_lifetime: Duration::from_secs(3_600),
            resource_lifetime: Duration::from_secs(2_592_000),
            single_use_tickets: false,
            broken_redirect_user: false,
        }
    }
}

/// Who may have what.
#[derive(Clone, Debug)]
pub struct UmaRule {
    /// The name of the user that the rule is for, known by an ID token that was pushed, a PCT, or claims gathering. None:
    /// for anybody, known or not.
    pub user: Option<String>,
    /// The resource, by its path or its id. None: all.
    pub resource: Option<String>,
    /// The scopes that the rule is about; it grants no others. None: all.
    pub scopes: Option<Vec<String>>,
    /// What it decides.
    pub outcome: UmaOutcome,
}

impl UmaRule {
    /// A rule for everybody and everything.
    pub fn new(outcome: UmaOutcome) -> UmaRule {
        UmaRule {
            user: None,
            resource: None,
            scopes: None,
            outcome,
        }
    }

    /// The same for one user alone.
    pub fn of(mut self, user: &str) -> UmaRule {
        self.user = Some(user.to_owned());
        self
    }

    /// The same for one resource alone, by its path or its id.
    pub fn on(mut self, resource: &str) -> UmaRule {
        self.resource = Some(resource.to_owned());
        self
    }

    /// The same for these scopes alone.
    pub fn with(mut self, scopes: &[&str]) -> UmaRule {
        self.scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }
}

/// What comes of a request for an RPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UmaOutcome {
    /// The RPT.
    Grant,
    /// `need_info` with `redirect_user`, once: when the person has confirmed on the page, the rules after this one decide.
    Gather,
    /// `need_info` without `redirect_user`: an ID token that a rule before this one likes must be pushed.
    NeedClaims,
    /// `request_denied`.
    Deny,
    /// `request_submitted`: the owner decides later.
    AskOwner,
    /// `forbidden_by_policy`, which is Gluu's word for a refusal.
    Forbid,
}

/// What a site registers for UMA.
#[derive(Clone, Debug, Default)]
pub struct UmaSite {
    /// Where claims gathering may return to.
    pub claims_redirect_uris: Vec<String>,
    /// Whether the site's RPTs are JWTs.
    pub rpt_as_jwt: bool,
}

/// A request that the owner was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UmaRequest {
    /// The name of the user who asks; None when nobody knows.
    pub user: Option<String>,
    /// The resource's path.
    pub resource: String,
    /// What is asked for.
    pub scopes: Vec<String>,
}

/// An endpoint of the provider that oxd calls for UMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UmaEndpoint {
    /// `uma2-configuration` as oxd fetches it first, and keeps it.
    Metadata,
    /// The same, as oxd fetches it anew for every ticket.
    MetadataAgain,
    /// Resource registration, also for changes; where resources are taken out, [`UmaFault::Drop`] alone counts.
    Resources,
    /// The permission endpoint, which gives tickets.
    Permissions,
    /// The token endpoint, when it is asked for an RPT.
    Token,
    /// The introspection of RPTs.
    Introspection,
}

/// What a provider's endpoint answers oxd instead of the truth.
#[derive(Clone, Debug)]
pub enum UmaFault {
    /// This status and body.
    Answer(u16, String),
    /// Nothing: the connection is dropped.
    Drop,
}

/// Without a built-in provider, or without UMA there, these do nothing.
impl DevServer {
    /// Replaces the rules of [`UmaOptions`].
    pub fn uma_rules(&self, rules: Vec<UmaRule>, otherwise: UmaOutcome) {
        if let Some(op) = &self.op {
            op.set_uma_rules(rules, otherwise);
        }
    }

    /// What the owner was asked and has not decided.
    pub fn uma_requests(&self) -> Vec<UmaRequest> {
        self.op.as_ref().map(|op| op.uma_requests()).unwrap_or_default()
    }

    /// The owner lets this user (None: those who are not known) have what is asked of the resource with this path, asked
    /// already or not. Goes before all rules.
    pub fn uma_grant(&self, user: Option<&str>, resource: &str) {
        self.decide(user, resource, true);
    }

    /// The owner refuses: the next request for an RPT ends with `request_denied`.
    pub fn uma_refuse(&self, user: Option<&str>, resource: &str) {
        self.decide(user, resource, false);
    }

    fn decide(&self, user: Option<&str>, resource: &str, granted: bool) {
        if let Some(op) = &self.op {
            op.uma_decide(user, resource, granted);
        }
    }

    /// Lets an endpoint of the provider misbehave towards oxd; None ends it. Faults of oxd's own answers are
    /// [`fault`](DevServer::fault)'s.
    pub fn uma_fault(&self, endpoint: UmaEndpoint, fault: Option<UmaFault>) {
        if let Some(op) = &self.op {
            op.set_uma_fault(endpoint, fault);
        }
    }

    /// The provider loses all resources. oxd does not notice.
    pub fn uma_forget_resources(&self) {
        if let Some(op) = &self.op {
            op.forget_uma_resources();
        }
    }

    /// The provider calls all RPTs inactive.
    pub fn uma_revoke_rpts(&self) {
        if let Some(op) = &self.op {
            op.revoke_rpts();
        }
    }
}
