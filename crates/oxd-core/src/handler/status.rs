//! `SetHandler oxd-status` and `oxd-metrics`: counters, and forms that end sessions. httpd's own rules for the location
//! control the access.

use serde_json::json;
use url::form_urlencoded;

use crate::base::{Failure, Level, Purpose, Reason, SealError, Seconds, SiteId};
use crate::http::audit::{Event, Kind, Who};
use crate::http::{Form, Header, Method, RequestEnv, Response, is_form};
use crate::pages;
use crate::session::{self, SessionEnv};
use crate::shm::stats::End;
use crate::shm::stats::metrics::{self, Gauges};
use crate::shm::{About, Mark, Memory};

/// How long the page's forms can be sent.
const FORM_LASTS: Seconds = Seconds(8 * 3_600);
/// The largest form, in bytes.
pub const FORM_LIMIT: usize = 8 * 1024;

/// Answers a request that reached the handler.
pub fn answer(env: &RequestEnv<'_>, memory: &Memory<'_>, form: &Form, gauges: &Gauges) -> Response {
    let answered = match env.request.method() {
        Method::Get | Method::Head if env.request.query() == Some("auto") => {
            let text = pages::status::auto(&env.stats, gauges, env.now);
            Ok(Response::plain("text/plain; charset=utf-8", text))
        }
        Method::Get | Method::Head => shown(env, None, gauges),
        Method::Post => acted(env, memory, form, gauges),
        Method::Other => {
            let failure = Failure::new(Reason::MethodNotAllowed, env.request.path());
            return env
                .refuse(&failure, None, None)
                .with_header("Allow", "GET, HEAD, POST");
        }
    };
    answered.unwrap_or_else(|failure| env.refuse(&failure, None, None))
}

fn shown(env: &RequestEnv<'_>, done: Option<&str>, gauges: &Gauges) -> Result<Response, Failure> {
    // Without a site there is much to see and nothing to end.
    let token = env.settings.site.map(|site| form_token(env, site)).transpose()?;
    let shown = pages::status::shown(&env.stats, gauges, env.now);
    let path = env.request.path();
    let page = pages::status_page(&env.site_name(), &path, token.as_deref(), done, &shown);
    Ok(Response::page(200, page))
}

/// What shows that a form is one of the page's own.
fn form_token(env: &RequestEnv<'_>, site: SiteId<'_>) -> Result<String, SealError> {
    let now = env.now.to_string();
    env.settings
        .keys
        .seal(env.host, Purpose::Form, site.as_str(), now.as_bytes())
}

/// `SetHandler oxd-metrics`: the counters for Prometheus.
pub fn metrics(env: &RequestEnv<'_>, gauges: &Gauges) -> Response {
    match env.request.method() {
        Method::Get | Method::Head => {
            Response::plain(metrics::CONTENT_TYPE, metrics::text(&env.stats, gauges))
        }
        _ => {
            let failure = Failure::new(Reason::MethodNotAllowed, env.request.path());
            env.refuse(&failure, None, None).with_header("Allow", "GET, HEAD")
        }
    }
}

fn acted(
    env: &RequestEnv<'_>,
    memory: &Memory<'_>,
    form: &Form,
    gauges: &Gauges,
) -> Result<Response, Failure> {
    let env = &SessionEnv::new(*env, memory).ok_or_else(|| {
        let path = env.request.path();
        Failure::new(
            Reason::NotConfigured,
            format!("{path}: this place has no OxdId (or OxdSite)"),
        )
    })?;
    let bytes = match form {
        Form::Read(bytes) if is_form(env.request.header(Header::ContentType)) => bytes.as_slice(),
        Form::TooLarge => return Err(Failure::new(Reason::BodyTooLarge, "a form for oxd-status")),
        _ => b"",
    };
    let field = |wanted: &str| {
        let mut values = form_urlencoded::parse(bytes).filter(|(name, _)| name == wanted);
        // With two values, the intended one is unknown.
        values
            .next()
            .filter(|_| values.next().is_none())
            .map(|(_, value)| value.into_owned())
    };
    if !is_own_form(env, field("token").as_deref()) {
        let detail = "a form for oxd-status that its own page has not made";
        return Err(Failure::new(Reason::ForeignForm, detail));
    }
    let whom = field("user").map(|user| user.trim().to_owned());
    let whom = whom.filter(|user| !user.is_empty());
    let (ended, said) = match (field("action").as_deref(), &whom) {
        (Some("end"), Some(user)) => {
            // An administrator has either at hand: the sub, or the name that stands in the access log.
            session::end_marked(env, Mark::of(About::User, env.site, &[user]))?;
            session::end_marked(env, Mark::of(About::Name, env.site, &[user]))?;
            ("user", format!("All sessions of {user} have ended."))
        }
        // A page asks before it is too late; a program has no need of that.
        (Some("end-all"), _) if is_from_page(env) && field("confirmed").as_deref() != Some("yes") => {
            let token = form_token(env, env.site)?;
            let page = pages::ask_to_end_all(&env.site_name(), &env.request.path(), &token);
            return Ok(Response::page(200, page));
        }
        (Some("end-all"), _) => {
            session::end_all(env)?;
            ("all", "All sessions have ended.".to_owned())
        }
        _ => {
            return Err(Failure::new(
                Reason::FormIncomplete,
                "oxd-status: neither action=end with user, nor action=end-all",
            ));
        }
    };
    env.stats.ended(End::Administrator);
    env.audit(|| {
        let (code, sub) = match ended {
            "user" => ("user_sessions_ended", whom.as_deref().map(Into::into)),
            _ => ("all_sessions_ended", None),
        };
        let who = Who {
            sub,
            ..Who::default()
        };
        Event::new(Kind::Admin, code).about(who).by(End::Administrator)
    });
    env.log(Level::Notice, || match ended {
        "user" => "an administrator has ended all sessions of a user".into(),
        _ => "an administrator has ended all sessions".into(),
    });
    if env.request.wants_json() {
        return Ok(Response::json(200, &json!({"ended": ended})));
    }
    shown(env, Some(&said), gauges)
}

fn is_from_browser(env: &SessionEnv<'_>) -> bool {
    let sent = |header: Header| env.request.header(header).is_some();
    sent(Header::Origin) || sent(Header::SecFetchSite)
}

/// Whether somebody looks at a page, and not a script of it at the answer.
fn is_from_page(env: &SessionEnv<'_>) -> bool {
    is_from_browser(env) && !env.request.wants_json()
}

/// Whether a form was sent from the page itself or by a client that is no browser. A browser sends `Origin` with every
/// cross-origin form (Fetch Standard, section 3.2).
fn is_own_form(env: &SessionEnv<'_>, token: Option<&str>) -> bool {
    if !is_from_browser(env) {
        return true;
    }
    let sealed_at = || {
        let text = env
            .settings
            .keys
            .open_owned(Purpose::Form, env.site.as_str(), token?.as_bytes())?;
        std::str::from_utf8(&text).ok()?.parse::<Seconds>().ok()
    };
    sealed_at().is_some_and(|since| env.now < since.saturating_add(FORM_LASTS))
}
