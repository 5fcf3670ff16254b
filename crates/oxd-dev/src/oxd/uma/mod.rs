//! User-Managed Access 2.0: oxd as a resource server (`uma-rs-*`, `introspect-rpt`) and as a client (`uma-rp-*`). The
//! built-in provider's authorization server is called inside the process; any other provider counts as one without
//! `uma2-configuration`.

mod check;
mod expression;
mod protect;
mod rpt;

pub(super) use check::{check_access, introspect_rpt};
pub(super) use protect::{modify, protect};
pub(super) use rpt::{claims_gathering_url, get_rpt};

use super::Oxd;
use super::failure::{Failure, INTERNAL, NO_UMA_DISCOVERY};
use super::store::Registration;
use crate::provider::{Answer, Op};
use crate::util::lock;
use crate::{Provider, UmaEndpoint};
use serde::Serialize;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The scope that a client needs for a PAT.
pub(super) const UMA_PROTECTION: &str = "uma_protection";

/// A resource that `uma-rs-protect` registered: one for each condition. Serializes to what `get-rp` shows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Protected {
    /// The provider's name for it.
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    http_methods: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// JsonLogic as texts; one at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scope_expressions: Vec<String>,
    #[serde(rename = "ticketScopes", skip_serializing_if = "Vec::is_empty")]
    ticket_scopes: Vec<String>,
    /// The scopes of the expression.
    #[serde(skip)]
    data: Vec<String>,
}

impl Protected {
    /// Compared whole and without regard to case, as the real one does it.
    fn is(&self, path: &str, method: &str) -> bool {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        self.path.as_deref().is_some_and(|own| same(own, path))
            && self.http_methods.iter().any(|own| same(own, method))
    }

    /// Any of these in an RPT opens it.
    fn checked(&self) -> &[String] {
        if self.scopes.is_empty() {
            &self.data
        } else {
            &self.scopes
        }
    }

    /// These are asked for with a ticket. Beside an expression the scopes do not count: such a resource never opens.
    fn asked(&self) -> &[String] {
        match (&self.ticket_scopes[..], &self.data[..]) {
            ([], []) => &self.scopes,
            ([], data) => data,
            (named, _) => named,
        }
    }
}

/// A PAT, the token that opens the provider's protection API to a resource server.
#[derive(Clone)]
pub(super) struct Pat {
    pub(super) token: String,
    since: Instant,
    pub(super) lifetime: Duration,
    /// Milliseconds since 1970.
    pub(super) created_at: u64,
}

/// The site's authorization server, and its metadata.
struct Server<'o> {
    op: &'o Op,
    metadata: Value,
}

impl Server<'_> {
    fn text(&self, member: &str) -> Result<&str, Failure> {
        self.metadata[member].as_str().ok_or(NO_UMA_DISCOVERY)
    }
}

/// Finds the authorization server of a site.
fn server<'o>(oxd: &'o Oxd, site: &Registration) -> Result<Server<'o>, Failure> {
    let own = |op: &&Op| op.issuer.trim_end_matches('/') == site.site.op_host.trim_end_matches('/');
    let op = oxd.authorization_server.as_deref().filter(own);
    let op = op.ok_or(NO_UMA_DISCOVERY)?;
    match op.uma_metadata(UmaEndpoint::Metadata) {
        Some((200, document)) => Ok(Server {
            op,
            metadata: serde_json::from_str(&document).map_err(|_| NO_UMA_DISCOVERY)?,
        }),
        _ => Err(NO_UMA_DISCOVERY),
    }
}

/// Sees to it that the site has a PAT. A client without the scope gets none, and of that oxd makes an internal error. The
/// protection API is called inside the process and does not look at it.
fn pat(oxd: &Oxd, site: &Registration) -> Result<(), Failure> {
    if !site.scope.iter().any(|scope| scope == UMA_PROTECTION) {
        return Err(INTERNAL.because("the client may not have the scope uma_protection"));
    }
    let lifetime = match &oxd.options.provider {
        Provider::BuiltIn(provider) => provider.access_token_lifetime,
        Provider::External { .. } => Duration::ZERO,
    };
    let works = |pat: &Pat| !oxd.clock.is_over(pat.since, pat.lifetime);
    lock(&oxd.store).change(&site.site.oxd_id, |site| {
        if !site.pat.as_ref().is_some_and(works) {
            site.pat = Some(Pat {
                token: crate::util::random_uuid(),
                since: oxd.clock.now(),
                lifetime,
                created_at: crate::util::unix_now() * 1_000,
            });
        }
    });
    Ok(())
}

/// What oxd makes of an answer of the protection API: refusals are handed on, a 5xx becomes a page.
fn passed_on(answer: Answer) -> Result<Value, Failure> {
    let (status, body) = answer.ok_or(INTERNAL)?;
    match status {
        200..300 if body.is_empty() => Ok(Value::Null),
        200..300 => serde_json::from_str(&body).map_err(|_| INTERNAL),
        500.. => Err(Failure::Page(status)),
        _ => Err(Failure::Http(status, body.into())),
    }
}

/// No resource of the site has this path and method. The real one names the wrong command in one of its texts.
fn not_protected(path: &str, method: &str, command: &str) -> Failure {
    super::failure::INVALID_REQUEST.described(format!(
        "Resource is not protected with path: {path} and httpMethod: {method}. Please protect your resource first with \
         {command} command. Check details on https://gluu.org/docs/oxd"
    ))
}
