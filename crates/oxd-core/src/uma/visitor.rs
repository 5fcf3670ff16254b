//! UMA for a browser session: the module is the client, too, and fetches the RPT for the user, who never sees a ticket.
//!
//! oxd may answer with the RPT of another call of the site. So there is one call at a time, over all processes of the
//! machine, and an RPT is proved before it counts: it is active, it opens this resource, and where it is a JWT its subject
//! is the session's. What is not proved is fetched once more.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Active, Checked, Decision, Grant, Target, gathering, granted, not_granted, subject_of, target_of,
};
use crate::base::Signal;
use crate::base::{Failure, Reason, Seconds, wall, wall_millis};
use crate::config::UmaSettings;
use crate::flow::Ctx;
use crate::oxd::commands::uma_get_rpt::{ID_TOKEN_FORMAT, Rpt, UmaGetRpt};
use crate::oxd::{BadAnswer, Error, Request as _};
use crate::session::{self, Opened, Tokens};
use crate::shm::stats::{Token, Worth};
use crate::shm::{About, Lease, Mark, Note};
use crate::tokens::cache::{Answer, Finding, Known, TokenKey, token_key};
use crate::tokens::jws;

/// Wakes those who wait for the site's lease.
static FETCHED: Signal = Signal::new();
/// How often those who wait look whether another process has returned the lease.
const LOOKS_EVERY: std::time::Duration = std::time::Duration::from_millis(20);
/// How long an RPT is kept for its session at most.
const KEPT_FOR: Seconds = Seconds(3_600);
/// How many answers of `uma-rp-get-rpt` one request may cost.
const ATTEMPTS: u32 = 3;

/// What is kept of an RPT for its session.
#[derive(Deserialize, Serialize)]
struct Kept {
    rpt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pct: Option<String>,
}

/// A session at a resource.
struct Visitor<'v, 'c> {
    ctx: &'v Ctx<'c>,
    uma: &'v UmaSettings<'v>,
    target: Target<'v>,
    session: &'v Opened<'v>,
    scopes: &'v [String],
    /// The name of the session.
    id: String,
    key: TokenKey,
}

/// Decides about a request with a session.
pub(crate) fn decide_for_session(
    ctx: &Ctx<'_>,
    uma: &UmaSettings<'_>,
    method: &str,
    session: &Opened<'_>,
    scopes: &[String],
) -> Decision {
    let path = ctx.request.path();
    let target = match target_of(uma, &path, method) {
        Ok(target) => target,
        Err(decision) => return decision,
    };
    let id = u128::from_le_bytes(session.record.id).to_string();
    let mut parts = vec!["uma session", ctx.site.as_str(), &id, target.path, target.method];
    parts.extend(scopes.iter().map(String::as_str));
    let key = token_key(&parts);
    if let Known::Fresh(Finding::Active(_)) = ctx.tokens.known(uma.tokens, &key, ctx.millis) {
        ctx.stats.token(Token::SessionRpt, Worth::Kept);
        return Decision::Open;
    }
    let visitor = Visitor {
        ctx,
        uma,
        target,
        session,
        scopes,
        id,
        key,
    };
    let decision = visitor.decide().unwrap_or_else(Decision::Refused);
    ctx.stats.token(Token::SessionRpt, decision.worth());
    decision
}

impl Visitor<'_, '_> {
    fn decide(&self) -> Result<Decision, Failure> {
        // Those who wait for the lease are limited like those who ask.
        let _place = self.ctx.oxd.wait_place()?;
        let kept = self.kept();
        if let Some(decision) = self.with_kept(kept.as_ref())? {
            return Ok(decision);
        }
        let lease = self.lease()?;
        // Another request of the session may have fetched one meanwhile.
        let newer = self.kept();
        let is_newer = newer.as_ref().map(|kept| &kept.rpt) != kept.as_ref().map(|kept| &kept.rpt);
        let known = if is_newer {
            self.with_kept(newer.as_ref())?
        } else {
            None
        };
        let decided = match known {
            Some(decision) => Ok(decision),
            None => self.fetch(newer.and_then(|kept| kept.pct)),
        };
        if decided
            .as_ref()
            .is_err_and(|failure| failure.reason == Reason::OxdTimeout)
        {
            // A call whose answer nobody waited for may still be under way in oxd: the next one would be mixed up with
            // it.
            self.ctx
                .memory
                .pause(self.quiet(), wall_millis(), self.quiet_for());
        }
        drop(lease);
        FETCHED.notify();
        decided
    }

    /// Whether the RPT that the session has opens the resource.
    fn with_kept(&self, kept: Option<&Kept>) -> Result<Option<Decision>, Failure> {
        let Some(kept) = kept else {
            return Ok(None);
        };
        let grant = granted(self.ctx, self.target, &kept.rpt, self.scopes)?;
        Ok(grant.map(|grant| self.remember(&grant)))
    }

    /// The right to ask for an RPT of the site.
    fn lease(&self) -> Result<Lease<'_>, Failure> {
        let timeouts = self.ctx.settings.server().timeouts;
        let deadline = Instant::now() + timeouts.total;
        let mark = Mark::of(About::RptLease, self.ctx.site, &[]);
        loop {
            let until = wall()
                .saturating_add(Seconds::of(timeouts.total.saturating_mul(4)))
                .saturating_add(Seconds(5));
            let seen = FETCHED.count();
            if !self
                .ctx
                .memory
                .is_paused(self.quiet(), wall_millis(), self.quiet_for())
                && let Some(lease) = self.ctx.memory.lease(mark, wall(), until)
            {
                return Ok(lease);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let detail = "other requests fetch RPTs of this site one after the other";
                return Err(Failure::new(Reason::OxdBusy, detail));
            }
            FETCHED.wait(seen, left.min(LOOKS_EVERY));
        }
    }

    /// The pause while an unanswered call for an RPT of the site may be under way.
    fn quiet(&self) -> Mark {
        Mark::of(About::RptLease, self.ctx.site, &["quiet"])
    }

    /// How long that is.
    fn quiet_for(&self) -> Seconds {
        let total = Seconds::of(self.ctx.settings.server().timeouts.total);
        total.saturating_add(Seconds(1))
    }

    /// Fetches an RPT, and proves it.
    fn fetch(&self, mut pct: Option<String>) -> Result<Decision, Failure> {
        let mut ticket = match gathering::take_ticket(self.ctx, &self.id) {
            Some(ticket) => ticket,
            None => match self.ticket()? {
                Ok(ticket) => ticket,
                Err(decision) => return Ok(decision),
            },
        };
        let (mut has_new_ticket, mut is_unproved) = (false, false);
        for _ in 0..ATTEMPTS {
            let error = match self.get_rpt(&ticket, pct.as_deref()) {
                Ok(rpt) => match self.prove(&rpt)? {
                    Some(decision) => return Ok(decision),
                    None if is_unproved => break,
                    None => {
                        is_unproved = true;
                        self.ctx.log(crate::base::Level::Warning, || {
                            "uma: oxd answered with an RPT that is not the one that was asked for; another is fetched"
                                .into()
                        });
                        ticket = match self.ticket()? {
                            Ok(ticket) => ticket,
                            Err(decision) => return Ok(decision),
                        };
                        continue;
                    }
                },
                Err(error) => error,
            };
            let Error::Answer(bad) = &error else {
                return Err(error.into());
            };
            match bad.error.as_str() {
                "invalid_ticket" if !has_new_ticket => {
                    has_new_ticket = true;
                    ticket = match self.ticket()? {
                        Ok(ticket) => ticket,
                        Err(decision) => return Ok(decision),
                    };
                }
                "invalid_pct" | "invalid_rpt" if pct.is_some() => pct = None,
                "need_info" => return self.need_info(bad),
                "request_submitted" => {
                    return Err(Failure::new(Reason::UmaSubmitted, "the owner has been asked"));
                }
                // The provider's own trouble, and oxd's with it: they are nobody's refusal.
                "server_error" | "temporarily_unavailable" | "slow_down" | "invalid_client" => {
                    return Err(error.into());
                }
                word if bad.status == 403 && bad.passed_through.is_none() && !bad.is_of_oxd() => {
                    return Err(not_granted(format!("the authorization server answered {word}")));
                }
                "invalid_ticket" => {
                    return Err(not_granted("the authorization server takes no ticket".to_owned()));
                }
                _ => return Err(error.into()),
            }
        }
        let detail = "oxd answered twice with an RPT that is not the one that was asked for";
        Err(Failure::new(Reason::OxdAnswer, detail))
    }

    /// A new ticket for the resource, or the decision where none is needed or given.
    fn ticket(&self) -> Result<Result<String, Decision>, Failure> {
        Ok(match Checked::of(self.ctx, self.uma, self.target, "")? {
            Checked::Open | Checked::Granted => Err(Decision::Open),
            Checked::Needed { ticket, .. } => Ok(ticket),
        })
    }

    fn get_rpt(&self, ticket: &str, pct: Option<&str>) -> Result<Rpt, Error> {
        let tokens = self.session.open_tokens(self.ctx);
        let tokens = tokens.as_deref().and_then(Tokens::read).unwrap_or_default();
        let id_token = std::str::from_utf8(tokens.id_token).ok();
        let claim_token = id_token.filter(|token| !token.is_empty());
        let request = UmaGetRpt {
            ticket,
            claim_token,
            claim_token_format: claim_token.map(|_| ID_TOKEN_FORMAT),
            pct,
        };
        request.send(self.ctx.oxd)
    }

    /// Whether an RPT is the one that was asked for; `None` where it is somebody else's.
    fn prove(&self, rpt: &Rpt) -> Result<Option<Decision>, Failure> {
        let text = rpt.access_token.expose();
        let Some(active) = Active::of(self.ctx, text)? else {
            return Ok(None);
        };
        if !active.opens(self.ctx, self.target, &[])? {
            return Ok(None);
        }
        let own = self.session.claim("sub").filter(Value::is_string);
        // No signature is needed: oxd has sent it, and its claims let nobody in.
        let subject = jws::payload(text).as_ref().and_then(subject_of);
        if subject.is_some_and(|subject| Some(subject) != own) {
            return Ok(None);
        }
        if !self.scopes.is_empty() && !active.opens(self.ctx, self.target, self.scopes)? {
            let detail = format!("the RPT lacks a scope of {}", self.scopes.join(" "));
            return Err(Failure::new(Reason::InsufficientScope, detail));
        }
        let grant = active.grant(self.ctx);
        let kept = Kept {
            rpt: text.to_owned(),
            pct: rpt.pct.as_ref().map(|pct| pct.expose().to_owned()),
        };
        self.keep(&kept, grant.ends)?;
        Ok(Some(self.remember(&grant)))
    }

    fn need_info(&self, bad: &BadAnswer) -> Result<Decision, Failure> {
        let (Some(ticket), true) = (&bad.ticket, bad.redirect_user.is_some()) else {
            return Err(not_granted(
                "the authorization server wants to know more, and has no page to ask".to_owned(),
            ));
        };
        if self.ctx.request.is_script() || !self.ctx.request.method().can_be_repeated() {
            // A script cannot follow a redirect, and a form would be lost: the page itself can.
            let detail = "the authorization server wants to ask the user on a page of its own";
            return Err(Failure::new(Reason::LoginRequired, detail));
        }
        if !self.uma.gathers {
            return Err(not_granted(
                "the authorization server wants to ask the user, and OxdUmaClaims does not say gather"
                    .to_owned(),
            ));
        }
        gathering::begin(self.ctx, &self.id, ticket)
    }

    /// The grant is used for a moment without another question.
    fn remember(&self, grant: &Grant) -> Decision {
        let until = grant.kept_until(self.ctx, self.uma);
        let answer = Answer::until(Finding::Active([].into()), until);
        self.ctx.tokens.replace(self.uma.tokens, &self.key, answer);
        Decision::Open
    }

    fn mark(&self) -> Mark {
        let names = [self.id.as_str(), self.target.path, self.target.method];
        Mark::of(About::Rpt, self.ctx.site, &names)
    }

    fn kept(&self) -> Option<Kept> {
        let text = session::kept_text(self.ctx, Note::Session, self.mark())?;
        serde_json::from_str(&text).ok()
    }

    fn keep(&self, kept: &Kept, ends: Option<Seconds>) -> Result<(), Failure> {
        let longest = self.ctx.now.saturating_add(KEPT_FOR);
        let until = ends.map_or(longest, |ends| ends.min(longest));
        let text = serde_json::to_string(kept).unwrap_or_default();
        // Without room for it, the next page fetches another.
        session::keep_text(self.ctx, Note::Session, self.mark(), &text, until).map(drop)
    }
}

#[cfg(test)]
mod tests;
