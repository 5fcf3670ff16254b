//! Claims gathering: the authorization server asks the user something on a page of its own, and sends the browser back to
//! `BASE/claims` with a new ticket (UMA 2.0 Grant, section 3.3.2).
//!
//! The way there and back is bound to the browser as a login is: by a sealed cookie that holds the state.

use url::{Url, form_urlencoded};

use super::{Decision, in_trail, not_granted};
use crate::base::{Failure, Reason, Seconds, random_text};
use crate::config::SameSite;
use crate::flow::Ctx;
use crate::http::Response;
use crate::login;
use crate::oxd::Request as _;
use crate::oxd::commands::uma_gathering_url::UmaGatheringUrl;
use crate::pages::{self, Told};
use crate::session;
use crate::shm::{About, Mark, Note};

/// The first character of the state of a gathering: no login's state begins so.
const STATE_MARK: char = 'u';
/// Bytes of randomness in it.
const RANDOM_BYTES: usize = 18;
/// The least time between two gatherings of a session for the same page: an authorization server that is never satisfied
/// would send the user round in circles.
const AGAIN_AFTER: Seconds = Seconds(60);
/// The parameter of a way back that our own page has sent on.
const SENT_ON: &str = "oxd_sent_on";
/// How long the ticket of a gathering waits for its page.
const TICKET_KEPT: Seconds = Seconds(300);

/// The address that the authorization server sends the browser back to.
fn claims_redirect_uri(ctx: &Ctx<'_>) -> String {
    ctx.origin().url_of(&login::below(ctx, "claims"))
}

fn mark(ctx: &Ctx<'_>, about: About, id: &str, address: &str) -> Mark {
    Mark::of(about, ctx.site, &[id, address])
}

/// Sends the user to the authorization server's page with the ticket that came with `need_info`.
pub(super) fn begin(ctx: &Ctx<'_>, id: &str, ticket: &str) -> Result<Decision, Failure> {
    let address = login::own_address(ctx);
    let asked = mark(ctx, About::Gathered, id, &address);
    if ctx.memory.is_paused(asked, ctx.millis, AGAIN_AFTER) {
        return Err(not_granted(
            "the authorization server wants to ask the user again, a moment after it has".to_owned(),
        ));
    }
    let state = format!("{STATE_MARK}{}", random_text(ctx.host, RANDOM_BYTES)?);
    let request = UmaGatheringUrl {
        ticket,
        claims_redirect_uri: &claims_redirect_uri(ctx),
        state: &state,
    };
    let url = request.send(ctx.oxd)?.url;
    let url = Url::parse(&url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        let detail = "oxd's address for claims gathering is no URL";
        return Err(Failure::new(Reason::OxdAnswer, detail));
    };
    let cookies = login::begin_gathering(ctx, state, address)?;
    ctx.memory.pause(asked, ctx.millis, AGAIN_AFTER);
    Ok(Decision::Gather {
        url: url.into(),
        cookies,
    })
}

/// `BASE/claims`: the authorization server has sent the browser back.
pub(crate) fn answer(ctx: &Ctx<'_>) -> Response {
    let query = ctx.request.query().unwrap_or_default();
    let of = |name: &str| -> Option<String> {
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(own, _)| own == name);
        let value = values.next()?.1.into_owned();
        // A name that comes twice is as good as none.
        (values.next().is_none() && !value.is_empty()).then_some(value)
    };
    // With Strict the browser holds the session back: the authorization server is another site.
    if ctx.settings.cookie().same_site == SameSite::Strict && of(SENT_ON).is_none() {
        let again = format!("{}?{query}&{SENT_ON}=1", login::below(ctx, "claims"));
        return ctx.page(200, |view| pages::onward(view, &again));
    }
    let pending = of("state").and_then(|state| login::take_gathering(ctx, &state));
    let Some(pending) = pending else {
        let detail = "a way back from claims gathering that this browser has not begun";
        return ctx.refuse(&Failure::new(Reason::StateUnknown, detail), None, None);
    };
    let refuse = |failure: &Failure, told: Option<Told<'_>>| {
        let answer = ctx.refuse(failure, told, None).with_cookie(pending.end.clone());
        in_trail(ctx, answer, failure.reason)
    };
    if let Some(error) = of("error") {
        let failure = not_granted(format!("claims gathering ended with {error:?}"));
        let told: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
        return refuse(&failure, Some(Told::Authorization(&told)));
    }
    let Some(ticket) = of("ticket").filter(|ticket| ticket.len() <= 1_000) else {
        return refuse(
            &not_granted("claims gathering ended without a ticket".to_owned()),
            None,
        );
    };
    let until = ctx.now.saturating_add(TICKET_KEPT);
    let kept = session::with_own(ctx, |session| {
        let Some(session) = session else {
            return Ok(false);
        };
        let id = u128::from_le_bytes(session.record.id).to_string();
        let mark = mark(ctx, About::Ticket, &id, &pending.target);
        session::keep_text(ctx, Note::Login, mark, &ticket, until)
    });
    match kept {
        // Without a session, or without room, the page begins anew.
        Ok(Ok(_)) => Response::redirect(303, pending.target.clone()).with_cookie(pending.end.clone()),
        Ok(Err(failure)) | Err(failure) => refuse(&failure, None),
    }
}

/// The ticket that a gathering for this page has brought, once.
pub(super) fn take_ticket(ctx: &Ctx<'_>, id: &str) -> Option<String> {
    let mark = mark(ctx, About::Ticket, id, &login::own_address(ctx));
    let ticket = session::kept_text(ctx, Note::Login, mark)?;
    // A ticket is used once.
    let _ = session::keep_text(ctx, Note::Login, mark, "", ctx.now);
    Some(ticket).filter(|ticket| !ticket.is_empty())
}
