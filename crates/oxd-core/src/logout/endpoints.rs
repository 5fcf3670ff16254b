//! Logout by the user (RP-Initiated Logout 1.0) and by the provider (Front-Channel Logout 1.0, Back-Channel Logout
//! 1.0).
//!
//! The session ends here first, whatever oxd, the provider or the store answer; the page reports what failed.

use serde_json::json;
use url::{Url, form_urlencoded};

use super::token;
use crate::base::{Failure, Level, Reason, Reference, Step, random_text};
use crate::flow::Ctx;
use crate::http::audit::{Event, Kind, Who};
use crate::http::{Form, Header, Response, is_form};
use crate::login::below;
use crate::oxd::Request as _;
use crate::oxd::commands::logout_uri::GetLogoutUri;
use crate::pages;
use crate::session;
use crate::shm::stats::End;
use crate::shm::{About, Mark};

/// `BASE/logoutme`: the session here ends, then the browser is sent to the provider.
pub(crate) fn by_user(ctx: &Ctx<'_>) -> Response {
    let reference = Reference::new(ctx.host);
    let warn = |what: &str, failure: &Failure| {
        ctx.log(failure.reason.level(), || {
            format!("{what}: {} {}", failure.log_line(), ctx.found_by(&reference))
        });
    };
    let mut response = match session::end_own(ctx) {
        Ok(ended) => {
            let (who, id_token) = match ended {
                Some(ended) => (Some(ended.who), ended.id_token),
                None => (None, None),
            };
            let answer = match provider_logout(ctx, id_token) {
                Ok(uri) => Response::redirect(303, uri).as_step(Step::SignedOut),
                Err(failure) => {
                    warn("the session has ended here, but not at the provider", &failure);
                    signed_out(ctx, "logged-out-not-at-provider")
                }
            };
            if let Some(who) = who {
                let shown = Some(&reference).filter(|_| answer.code == Some(Step::SignedOutHere.code()));
                let event = || Event::new(Kind::Logout, answer.code.unwrap_or_default());
                ctx.stats.ended(End::User);
                ctx.audit(|| event().about(who).by(End::User).found_by(shown));
            }
            answer
        }
        // Without the session there is no telling which one the provider is to end.
        Err(failure) => {
            warn(
                "the session has ended on this machine, but not in the store",
                &failure,
            );
            let event = || Event::new(Kind::Logout, failure.reason.code());
            ctx.audit(|| event().by(End::User).found_by(Some(&reference)));
            signed_out(ctx, "logged-out-not-in-store")
        }
    };
    response.cookies = session::clear(ctx);
    if response.code == Some(Step::SignedOutHere.code()) {
        response.reference = Some(reference);
    }
    response
}

/// Counts a logout of the provider's, and writes it to the audit trail.
fn noted(ctx: &Ctx<'_>, by: End, who: Who<'_>) {
    ctx.stats.ended(by);
    ctx.audit(|| {
        Event::new(Kind::Logout, Step::LogoutNoted.code())
            .about(who)
            .by(by)
    });
}

/// A session at the provider.
fn of_provider(sid: Mark) -> Who<'static> {
    Who {
        provider_session: Some(sid.word()),
        ..Who::default()
    }
}

fn signed_out(ctx: &Ctx<'_>, warning: &str) -> Response {
    ctx.page(200, |view| {
        pages::logged_out(view, &below(ctx, "login"), Some(warning))
    })
    .as_step(Step::SignedOutHere)
}

/// The address at the provider that ends the session there (`get-logout-uri`).
fn provider_logout(ctx: &Ctx<'_>, id_token: Option<String>) -> Result<String, Failure> {
    let back = match ctx.settings.login().post_logout_redirect_uri {
        Some(uri) if !uri.starts_with('/') => uri.to_owned(),
        Some(path) => ctx.origin().url_of(path),
        None => ctx.origin().url_of(&below(ctx, "logout")),
    };
    let state = random_text(ctx.host, 12)?;
    let request = GetLogoutUri {
        post_logout_redirect_uri: &back,
        state: &state,
        id_token_hint: id_token.as_deref(),
    };
    let answer = request.send(ctx.oxd)?;
    match Url::parse(&answer.uri) {
        Ok(uri) if matches!(uri.scheme(), "http" | "https") => Ok(uri.into()),
        _ => Err(Failure::new(
            Reason::OxdAnswer,
            "get-logout-uri answered a uri that is neither http nor https",
        )),
    }
}

/// `BASE/frontchannel-logout`: the provider's page has the browser load this address in a frame. Only `iss` and `sid`
/// count: the browser may hold the site's cookies back in a frame of another site.
pub(crate) fn by_front_channel(ctx: &Ctx<'_>) -> Response {
    let query = ctx.request.query().unwrap_or_default();
    let all = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes())
            .filter(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| value.into_owned())
            .collect::<Vec<_>>()
    };
    let (issuers, sids) = (all("iss"), all("sid"));
    let ([issuer], [sid]) = (issuers.as_slice(), sids.as_slice()) else {
        let failure = Failure::new(
            Reason::LogoutMalformed,
            "front-channel logout without one iss and one sid",
        );
        return ctx.refuse(&failure, None, None).framed();
    };
    let mark = Mark::of_sid(ctx.site, issuer, sid);
    // Any client can call this address; values that no session here has had are not stored.
    let ended = session::is_known(ctx, mark).and_then(|is_known| {
        if is_known {
            session::end_marked(ctx, mark)?;
            noted(ctx, End::FrontChannel, of_provider(mark));
        }
        Ok(is_known)
    });
    let is_known = match ended {
        Ok(is_known) => is_known,
        Err(failure) => return ctx.refuse(&failure, None, None).framed(),
    };
    ctx.log(Level::Debug, || {
        format!(
            "front-channel logout{}",
            if is_known {
                ""
            } else {
                " of a session that is not here"
            }
        )
    });
    ctx.page(200, pages::logout_noted)
        .framed()
        .as_step(Step::LogoutNoted)
}

/// `BASE/backchannel-logout`: the provider itself sends a signed logout token.
pub(crate) fn by_back_channel(ctx: &Ctx<'_>, form: &Form) -> Response {
    match try_back_channel(ctx, form) {
        Ok(()) => Response::bare(200).as_step(Step::LogoutNoted),
        Err(failure) => {
            ctx.stats.refused(failure.reason);
            let reference = Reference::new(ctx.host);
            ctx.log_failure(&failure, &reference);
            // Back-Channel Logout 1.0, section 2.8; the detail helps to set the provider up, and holds no secret.
            let (error, said) = match failure.reason {
                Reason::LogoutTokenInvalid => ("invalid_request", failure.detail.as_str()),
                reason => (reason.code(), reason.text()),
            };
            let mut answer = Response::json(
                failure.reason.status(),
                &json!({"error": error, "error_description": said, "reference": reference.on_page()}),
            );
            answer.code = Some(failure.reason.code());
            answer.reference = Some(reference);
            match failure.reason.retry_after() {
                Some(seconds) => answer.with_header("Retry-After", seconds.to_string()),
                None => answer,
            }
        }
    }
}

fn try_back_channel(ctx: &Ctx<'_>, form: &Form) -> Result<(), Failure> {
    let invalid = |why: &str| Failure::new(Reason::LogoutTokenInvalid, why);
    let bytes = match form {
        Form::TooLarge => return Err(Failure::new(Reason::BodyTooLarge, "a logout token of this size")),
        Form::Read(bytes) if is_form(ctx.request.header(Header::ContentType)) => bytes.as_slice(),
        _ => return Err(invalid("the request is not a form")),
    };
    let tokens: Vec<_> = form_urlencoded::parse(bytes)
        .filter(|(name, _)| name == "logout_token")
        .map(|(_, value)| value)
        .collect();
    let [token] = tokens.as_slice() else {
        return Err(invalid("the form needs logout_token, once"));
    };
    let token = token::check(ctx, token)?;
    let mark = match (&token.sid, &token.sub) {
        (Some(sid), _) => Mark::of_sid(ctx.site, &token.iss, sid),
        (None, Some(sub)) => Mark::of(About::User, ctx.site, &[sub]),
        (None, None) => return Err(invalid("it names neither sid nor sub")),
    };
    session::end_marked(ctx, mark)?;
    token::use_up(ctx, &token)?;
    let whose = Who {
        sub: token.sub.as_deref().map(Into::into),
        provider_session: token.sid.is_some().then(|| mark.word()),
        session: None,
    };
    noted(ctx, End::BackChannel, whose);
    ctx.log(Level::Info, || {
        let whose = if token.sid.is_some() {
            "a session"
        } else {
            "all sessions of a user"
        };
        format!("the provider has ended {whose}")
    });
    Ok(())
}

#[cfg(test)]
mod tests;
