//! `SetHandler oxd-status` and `oxd-metrics`: what has happened, and what an administrator can do about sessions. Who may,
//! httpd's own rules of the place say.

use serde_json::json;
use url::form_urlencoded;

use crate::access::authn::Ctx;
use crate::base::clock::Seconds;
use crate::base::crypto::Purpose;
use crate::base::log::Level;
use crate::base::reason::{Failure, Reason};
use crate::handler::routes::{Form, is_form};
use crate::http::request::Method;
use crate::http::response::Response;
use crate::pages;
use crate::session;
use crate::shm::memory::{About, Mark};
use crate::shm::stats::End;
use crate::shm::stats::metrics::{self, Gauges};

/// How long the page's forms can be sent, in seconds.
const FORM_LASTS: Seconds = 8 * 3_600;
/// The largest form, in bytes.
pub const FORM_LIMIT: usize = 8 * 1024;

/// Answers a request that reached the handler.
pub fn answer(ctx: &Ctx<'_>, form: &Form, gauges: &Gauges) -> Response {
    let answered = match ctx.facts.method {
        Method::Get | Method::Head if ctx.facts.query == Some("auto") => {
            let text = pages::status::auto(&ctx.stats, gauges, ctx.facts.now);
            Ok(Response::plain("text/plain; charset=utf-8", text))
        }
        Method::Get | Method::Head => shown(ctx, None, gauges),
        Method::Post => acted(ctx, form, gauges),
        Method::Other => {
            let failure = Failure::new(Reason::MethodNotAllowed, ctx.facts.path);
            return ctx
                .refuse(&failure, None, None)
                .with_header("Allow", "GET, HEAD, POST");
        }
    };
    answered.unwrap_or_else(|failure| ctx.refuse(&failure, None, None))
}

fn site<'a>(ctx: &Ctx<'a>) -> Result<&'a str, Failure> {
    let missing = || {
        Failure::new(
            Reason::NotConfigured,
            format!("{}: this place has no OxdId (or OxdSite)", ctx.facts.path),
        )
    };
    ctx.settings.effective_oxd_id().ok_or_else(missing)
}

fn shown(ctx: &Ctx<'_>, done: Option<&str>, gauges: &Gauges) -> Result<Response, Failure> {
    let now = ctx.facts.now.to_string();
    let seal = |site: &str| ctx.keys.seal(ctx.outside, Purpose::Form, site, now.as_bytes());
    // Without a site there is much to see and nothing to end.
    let token = site(ctx).ok().map(seal).transpose()?;
    let shown = pages::status::shown(&ctx.stats, gauges, ctx.facts.now);
    let html = pages::status_page(ctx.facts.path, token.as_deref(), done, &shown);
    Ok(Response::page(200, html))
}

/// `SetHandler oxd-metrics`: the counters for Prometheus.
pub fn metrics(ctx: &Ctx<'_>, gauges: &Gauges) -> Response {
    match ctx.facts.method {
        Method::Get | Method::Head => {
            Response::plain(metrics::CONTENT_TYPE, metrics::text(&ctx.stats, gauges))
        }
        _ => {
            let failure = Failure::new(Reason::MethodNotAllowed, ctx.facts.path);
            ctx.refuse(&failure, None, None).with_header("Allow", "GET, HEAD")
        }
    }
}

fn acted(ctx: &Ctx<'_>, form: &Form, gauges: &Gauges) -> Result<Response, Failure> {
    let site = site(ctx)?;
    let bytes = match form {
        Form::Read(bytes) if is_form(ctx.facts.headers.content_type) => bytes.as_slice(),
        Form::TooLarge => return Err(Failure::new(Reason::BodyTooLarge, "a form for oxd-status")),
        _ => b"",
    };
    let field = |wanted: &str| {
        let mut values = form_urlencoded::parse(bytes).filter(|(name, _)| name == wanted);
        // Of two values nobody knows which one is meant.
        values
            .next()
            .filter(|_| values.next().is_none())
            .map(|(_, value)| value.into_owned())
    };
    if !is_own_form(ctx, site, field("token").as_deref()) {
        let detail = "a form for oxd-status that its own page has not made";
        return Err(Failure::new(Reason::ForeignForm, detail));
    }
    let user = field("user").filter(|user| !user.trim().is_empty());
    let (ended, said) = match (field("action").as_deref(), user) {
        (Some("end"), Some(user)) => {
            let user = user.trim();
            // An administrator has either at hand: the sub, or the name that stands in the access log.
            session::end_marked(ctx, Mark::of(About::User, site, &[user]))?;
            session::end_marked(ctx, Mark::of(About::Name, site, &[user]))?;
            ("user", format!("All sessions of {user} have ended."))
        }
        (Some("end-all"), _) => {
            session::end_all(ctx)?;
            ("all", "All sessions have ended.".to_owned())
        }
        _ => {
            return Err(Failure::new(
                Reason::FormIncomplete,
                "oxd-status: neither action=end with user, nor action=end-all",
            ));
        }
    };
    ctx.stats.ended(End::Administrator);
    ctx.log(Level::Notice, || match ended {
        "user" => "an administrator has ended all sessions of a user".into(),
        _ => "an administrator has ended all sessions".into(),
    });
    if ctx.facts.wants_json() {
        return Ok(Response::json(200, &json!({"ended": ended})));
    }
    shown(ctx, Some(&said), gauges)
}

/// Whether a form comes from the page itself, or from something that is no browser: a browser names the origin of every
/// form that it sends elsewhere (Fetch Standard, section 3.2).
fn is_own_form(ctx: &Ctx<'_>, site: &str, token: Option<&str>) -> bool {
    let headers = &ctx.facts.headers;
    if headers.origin.is_none() && headers.sec_fetch_site.is_none() {
        return true;
    }
    let sealed_at = || {
        let text = ctx.keys.open_owned(Purpose::Form, site, token?.as_bytes())?;
        std::str::from_utf8(&text).ok()?.parse::<Seconds>().ok()
    };
    sealed_at().is_some_and(|since| ctx.facts.now < since.saturating_add(FORM_LASTS))
}
