//! UMA 2.0: httpd as the resource server of oxd's site (`uma-rs-check-access`), and for a browser session as the client, too.
//!
//! A client without an RPT gets a permission ticket in a challenge; a client with one is let in where oxd says so. A grant
//! is kept for a moment, as long as the RPT and each of its permissions live at most.

mod gathering;
mod visitor;

pub(crate) use gathering::answer as gathered;
pub(crate) use visitor::decide_for_session;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::base::{Failure, Millis, Reason, Seconds, Step};
use crate::bearer;
use crate::config::UmaSettings;
use crate::flow::Ctx;
use crate::http::Response;
use crate::http::audit::{Event, Kind};
use crate::login;
use crate::oxd::Request as _;
use crate::oxd::commands::introspect_rpt::{IntrospectRpt, IntrospectedRpt};
use crate::oxd::commands::uma_check_access::{Access, UmaCheckAccess};
use crate::session::{self, claims};
use crate::shm::stats::{Token, Worth};
use crate::tokens::cache::{Answer, Finding, Known, Refusal, TokenKey, token_key};
use crate::tokens::jws;

/// The decision about a request.
#[derive(Debug)]
pub enum Decision {
    /// The RPT opens the resource; this is its record, in the form of a session's.
    Granted(Arc<[u8]>),
    /// The path is no resource, and such paths are open here (`OxdUmaUnprotected allow`).
    Open,
    /// The client needs another RPT, for which it has this challenge.
    Ticket(String),
    /// The authorization server wants to ask the user on a page of its own.
    Gather {
        /// The page.
        url: String,
        /// `Set-Cookie` lines that bind the way there and back to the browser.
        cookies: Vec<String>,
    },
    /// It is refused, or nobody knows.
    Refused(Failure),
}

impl Decision {
    /// What the RPT turned out to be.
    fn worth(&self) -> Worth {
        match self {
            Self::Granted(_) | Self::Open => Worth::Active,
            Self::Refused(failure) if failure.reason.status() >= 500 => Worth::Unknown,
            Self::Ticket(_) | Self::Gather { .. } | Self::Refused(_) => Worth::Refused,
        }
    }
}

/// The resource that a request falls under.
#[derive(Clone, Copy)]
struct Target<'t> {
    path: &'t str,
    method: &'t str,
}

/// Decides about a request with this RPT, or without one. `method` is the request's.
pub(crate) fn decide(
    ctx: &Ctx<'_>,
    uma: &UmaSettings<'_>,
    method: &str,
    rpt: Option<&str>,
    scopes: &[String],
) -> Decision {
    let path = ctx.request.path();
    let target = match target_of(uma, &path, method) {
        Ok(target) => target,
        Err(decision) => return decision,
    };
    match rpt {
        None => without_grant(ctx, uma, target, ""),
        Some(rpt) => with_rpt(ctx, uma, target, rpt, scopes),
    }
}

/// The resource of a request, or what becomes of one that falls under none.
fn target_of<'t>(uma: &UmaSettings<'t>, path: &str, method: &'t str) -> Result<Target<'t>, Decision> {
    match target(uma, path, method) {
        Some(target) => Ok(target),
        None if uma.open_elsewhere => Err(Decision::Open),
        None => {
            let detail = format!("{method} {path} falls under none of the resources (OxdUmaResources)");
            Err(Decision::Refused(Failure::new(Reason::UmaUnprotected, detail)))
        }
    }
}

fn target<'t>(uma: &UmaSettings<'t>, path: &str, method: &'t str) -> Option<Target<'t>> {
    if let Some(path) = uma.path {
        return Some(Target { path, method });
    }
    let found = uma.resources?.find(path, method)?;
    Some(Target {
        path: found.path,
        method: found.method,
    })
}

/// A hash over the RPT and all that the grant depends on.
fn key_of(ctx: &Ctx<'_>, target: Target<'_>, rpt: &str, scopes: &[String]) -> TokenKey {
    let server = ctx.settings.server();
    let mut parts = vec![
        "uma",
        ctx.site.as_str(),
        server.url.map_or("", |url| url.as_str()),
        target.path,
        target.method,
        rpt,
    ];
    parts.extend(scopes.iter().map(String::as_str));
    token_key(&parts)
}

fn with_rpt(
    ctx: &Ctx<'_>,
    uma: &UmaSettings<'_>,
    target: Target<'_>,
    rpt: &str,
    scopes: &[String],
) -> Decision {
    let key = key_of(ctx, target, rpt, scopes);
    let tokens = uma.tokens;
    if let Known::Fresh(Finding::Active(record)) = ctx.tokens.known(tokens, &key, ctx.millis) {
        ctx.stats.token(Token::Rpt, Worth::Kept);
        return Decision::Granted(record);
    }
    // A refusal has a ticket of its own for each client: only a grant is shared.
    let mut own = None;
    let shared = ctx.one_question(tokens, &key, "RPT", || {
        let (decision, answer) = ask(ctx, uma, target, rpt, scopes);
        own = Some(decision);
        answer
    });
    let decision = match (own, shared) {
        (Some(decision), _) => decision,
        (None, Ok(Finding::Active(record))) => Decision::Granted(record),
        (None, Ok(Finding::Failed(failure)) | Err(failure)) => Decision::Refused(failure),
        (None, Ok(Finding::Refused(_))) => without_grant(ctx, uma, target, rpt),
    };
    ctx.stats.token(Token::Rpt, decision.worth());
    decision
}

/// Asks oxd about an RPT; what others who bring it at the same time may share, and for how long.
fn ask(
    ctx: &Ctx<'_>,
    uma: &UmaSettings<'_>,
    target: Target<'_>,
    rpt: &str,
    scopes: &[String],
) -> (Decision, Answer) {
    let for_a_moment = |finding| Answer::until(finding, ctx.millis);
    let refused = || {
        for_a_moment(Finding::Refused(Refusal {
            told: "",
            detail: "".into(),
            remedy: "",
        }))
    };
    match granted(ctx, target, rpt, scopes) {
        Ok(Some(grant)) => {
            let until = grant.kept_until(ctx, uma);
            let record: Arc<[u8]> = grant.record.into();
            let finding = Finding::Active(record.clone());
            (Decision::Granted(record), Answer::until(finding, until))
        }
        Ok(None) => (without_grant(ctx, uma, target, rpt), refused()),
        Err(failure) => {
            let finding = Finding::Failed(failure.clone());
            (Decision::Refused(failure), for_a_moment(finding))
        }
    }
}

/// An RPT that opens a resource.
struct Grant {
    /// Its record.
    record: Vec<u8>,
    /// When it ends.
    ends: Option<Seconds>,
}

impl Grant {
    /// How long it counts without another question (`OxdUmaCache`).
    fn kept_until(&self, ctx: &Ctx<'_>, uma: &UmaSettings<'_>) -> Millis {
        let kept = ctx.millis.saturating_add(uma.cache.millis());
        self.ends.map_or(kept, |ends| kept.min(ends.millis()))
    }
}

/// What an RPT is worth at a resource; `None` where it does not open it.
fn granted(
    ctx: &Ctx<'_>,
    target: Target<'_>,
    rpt: &str,
    scopes: &[String],
) -> Result<Option<Grant>, Failure> {
    let Some(active) = Active::of(ctx, rpt)? else {
        return Ok(None);
    };
    let opens = active.opens(ctx, target, scopes)?;
    Ok(opens.then(|| active.grant(ctx)))
}

/// An RPT that `introspect-rpt` calls active.
struct Active<'a> {
    rpt: &'a str,
    told: IntrospectedRpt,
    ends: Option<Seconds>,
}

impl<'a> Active<'a> {
    /// Asks about an RPT; `None` for one that is not active, or has ended.
    fn of(ctx: &Ctx<'_>, rpt: &'a str) -> Result<Option<Self>, Failure> {
        let told = IntrospectRpt { rpt }.send(ctx.oxd)?;
        let ends = ends(&told);
        let is_active = told.active && ends.is_none_or(|ends| ends > ctx.now);
        Ok(is_active.then_some(Self { rpt, told, ends }))
    }

    /// Whether it opens a resource with all of these scopes.
    fn opens(&self, ctx: &Ctx<'_>, target: Target<'_>, scopes: &[String]) -> Result<bool, Failure> {
        // oxd asks for any of the scopes; the rule wants all of them, in one permission.
        let holds_all = |permission: &[String]| scopes.iter().all(|scope| permission.contains(scope));
        let mut permissions = self.told.permissions.iter();
        if !permissions.any(|permission| holds_all(&permission.resource_scopes)) {
            return Ok(false);
        }
        if scopes.is_empty() {
            return Ok(check(ctx, target, self.rpt, &[])?.is_granted());
        }
        for scope in scopes {
            if !check(ctx, target, self.rpt, &[scope])?.is_granted() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The grant of an RPT that opens a resource.
    fn grant(self, ctx: &Ctx<'_>) -> Grant {
        let ends = self.ends;
        let record = record(ctx, self.rpt, self.told, ends);
        Grant { record, ends }
    }
}

/// The earliest end of the RPT and its permissions.
fn ends(told: &IntrospectedRpt) -> Option<Seconds> {
    let permissions = told.permissions.iter().filter_map(|permission| permission.exp);
    permissions.chain(told.exp).min().map(Seconds)
}

fn check(ctx: &Ctx<'_>, target: Target<'_>, rpt: &str, scopes: &[&str]) -> Result<Access, Failure> {
    let request = UmaCheckAccess {
        rpt,
        path: target.path,
        http_method: target.method,
        scopes,
    };
    Ok(request.send(ctx.oxd)?)
}

/// What `uma-rs-check-access` says about a resource without naming scopes.
enum Checked {
    /// oxd protects no such resource, and such paths are open here (`OxdUmaUnprotected allow`).
    Open,
    /// The RPT opens it, or it needs none.
    Granted,
    /// Another RPT is needed.
    Needed {
        /// The permission ticket to get it with.
        ticket: String,
        /// `WWW-Authenticate` for the client.
        challenge: Option<String>,
    },
}

impl Checked {
    fn of(ctx: &Ctx<'_>, uma: &UmaSettings<'_>, target: Target<'_>, rpt: &str) -> Result<Self, Failure> {
        let access = match check(ctx, target, rpt, &[]) {
            Err(failure) if failure.reason == Reason::UmaUnprotected && uma.open_elsewhere => {
                return Ok(Self::Open);
            }
            access => access?,
        };
        if access.is_granted() {
            return Ok(Self::Granted);
        }
        match access.ticket.filter(|ticket| !ticket.is_empty()) {
            Some(ticket) => Ok(Self::Needed {
                ticket,
                challenge: access.challenge,
            }),
            None => Err(no_ticket()),
        }
    }
}

fn no_ticket() -> Failure {
    Failure::new(Reason::UmaDenied, "oxd denies access without a ticket")
}

/// What an RPT says, as claims; where it is a JWT, its subject too.
fn record(ctx: &Ctx<'_>, rpt: &str, told: IntrospectedRpt, ends: Option<Seconds>) -> Vec<u8> {
    let mut said = told.others;
    let has_subject = said.get("sub").is_some_and(Value::is_string);
    // What the provider has not signed may be anybody's.
    let signed = || jws::read(rpt).ok()?.verify(ctx.oxd).ok();
    if !has_subject && let Some(Value::String(subject)) = signed().as_ref().and_then(subject_of) {
        said.insert("sub".into(), subject.into());
    }
    let mut scopes: Vec<String> = told
        .permissions
        .iter()
        .flat_map(|permission| permission.resource_scopes.clone())
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    said.insert("scope".into(), scopes.join(" ").into());
    if let Ok(permissions) = serde_json::to_value(&told.permissions) {
        said.insert("permissions".into(), permissions);
    }
    said.retain(|_, value| !value.is_null());
    session::record_of_token(ctx.now, &said, claims::encode(&said), ends)
}

/// Whom the claims of an RPT are about: `sub`, or that of its `pct_claims`; a text, or what cannot be compared with one.
/// `None` where they do not say.
fn subject_of(claims: &Map<String, Value>) -> Option<Value> {
    let is_said = |subject: &&Value| !subject.is_null();
    let own = claims.get("sub").filter(is_said);
    let gathered = || claims.get("pct_claims")?.get("sub").filter(is_said);
    match own.or_else(gathered)? {
        // Gathered claims are lists.
        Value::Array(list) if list.len() == 1 => list.first().cloned(),
        other => Some(other.clone()),
    }
}

/// A ticket for a client whose RPT does not open the resource, or that has none.
fn without_grant(ctx: &Ctx<'_>, uma: &UmaSettings<'_>, target: Target<'_>, rpt: &str) -> Decision {
    let fits = |challenge: &String| {
        challenge
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    match Checked::of(ctx, uma, target, rpt) {
        Ok(Checked::Open) => Decision::Open,
        // oxd counts it as opened only for all scopes together.
        Ok(Checked::Granted) => {
            let detail = "the RPT lacks a scope of Require oxd-uma, and oxd gives no ticket for it";
            Decision::Refused(Failure::new(Reason::InsufficientScope, detail))
        }
        Ok(Checked::Needed { challenge, .. }) => match challenge.filter(fits) {
            Some(challenge) => Decision::Ticket(challenge),
            None => Decision::Refused(no_ticket()),
        },
        Err(failure) => Decision::Refused(failure),
    }
}

/// The authorization server does not give the user the resource.
fn not_granted(detail: String) -> Failure {
    Failure::new(Reason::UmaNotGranted, detail)
}

/// Why a request was not let in, kept until it is answered.
#[derive(Clone, Copy, Debug)]
pub enum Unopened<'u> {
    /// The client needs another RPT, for which it has this challenge.
    Ticket(&'u str),
    /// The authorization server wants to ask the user on this page; the lines are cookies for it.
    Gather {
        /// The page.
        url: &'u str,
        /// `Set-Cookie` values, one a line.
        cookies: &'u str,
    },
    /// It is refused for this reason, with this detail for the log.
    Refused(Reason, &'u str),
}

/// The answer to a client that needs an RPT (UMA 2.0 Grant, section 3.2.1), or that is refused.
pub(crate) fn answer(ctx: &Ctx<'_>, unopened: Unopened<'_>) -> Response {
    match unopened {
        Unopened::Ticket(challenge) => {
            let detail = format!("{} needs another RPT", ctx.request.path());
            let mut answer = ctx.refuse(&Failure::new(Reason::UmaTicket, detail), None, None);
            answer.headers.retain(|(name, _)| *name != "WWW-Authenticate");
            answer.with_header("WWW-Authenticate", challenge)
        }
        Unopened::Gather { url, cookies } => {
            let mut answer = Response::redirect(302, url.to_owned());
            answer.cookies = cookies.lines().map(str::to_owned).collect();
            answer.as_step(Step::ClaimsGathering)
        }
        Unopened::Refused(Reason::LoginRequired, detail) => {
            let page = login::own_address(ctx);
            ctx.refuse(&Failure::new(Reason::LoginRequired, detail), None, Some(&page))
        }
        Unopened::Refused(reason, detail) => {
            let answer = in_trail(
                ctx,
                bearer::unavailable(ctx, &Failure::new(reason, detail)),
                reason,
            );
            if reason == Reason::UmaDenied {
                return answer.with_header("Warning", "199 - \"UMA Authorization Server Unreachable\"");
            }
            answer
        }
    }
}

/// Writes a refusal to the audit trail, but none that is about oxd or the configuration.
fn in_trail(ctx: &Ctx<'_>, answer: Response, reason: Reason) -> Response {
    if matches!(reason, Reason::InvalidToken | Reason::InvalidRequest) {
        return bearer::in_trail(ctx, answer, reason);
    }
    if reason.status() != 403 {
        return answer;
    }
    ctx.audited(answer, || {
        let who = session::with_own(ctx, |session| session.map(|session| session.record.who().owned()));
        let who = who.ok().flatten().unwrap_or_default();
        Event::new(Kind::AccessRefused, reason.code())
            .about(who)
            .at_rule(Some("Require oxd-uma".into()))
    })
}

#[cfg(test)]
mod tests;
