//! The handler's addresses: the responses of `SetHandler oxd` below its `<Location>`.

use serde_json::{Value, json};

use crate::base::{Failure, Reason, path_below};
use crate::flow::Ctx;
use crate::http::{Form, Header, Method, Response, is_form};
use crate::login::{self, LoginRequest, Returned, below};
use crate::logout;
use crate::pages;
use crate::session::{self, Opened, claims};
use crate::uma;

/// The largest form that a provider may send back, in bytes: a code and a state are far smaller.
pub const FORM_LIMIT: usize = 64 * 1024;

/// An address of the handler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Endpoint {
    /// `BASE` and `BASE/`
    Home,
    /// `BASE/login`
    Login,
    /// `BASE/callback`
    Callback,
    /// `BASE/session`
    Session,
    /// `BASE/logoutme`
    LogOut,
    /// `BASE/logout`
    LoggedOut,
    /// `BASE/frontchannel-logout`
    FrontChannel,
    /// `BASE/backchannel-logout`
    BackChannel,
    /// `BASE/claims`
    Claims,
}

/// The addresses below the base, as they stand in a URL.
const NAMES: [(&str, Endpoint); 8] = [
    ("login", Endpoint::Login),
    ("callback", Endpoint::Callback),
    ("session", Endpoint::Session),
    ("logoutme", Endpoint::LogOut),
    ("logout", Endpoint::LoggedOut),
    ("frontchannel-logout", Endpoint::FrontChannel),
    ("backchannel-logout", Endpoint::BackChannel),
    ("claims", Endpoint::Claims),
];

/// Finds base and address of a request that reached the handler. The address is `None` for an unknown one (404).
///
/// `location` is the path of the `<Location>` with `SetHandler oxd`. Where it is unknown (a handler set by a
/// regular expression or in a directory), the base is the path before a known last segment.
pub fn locate<'p>(path: &'p str, location: Option<&'p str>) -> (&'p str, Option<Endpoint>) {
    let of_rest = |rest: &str| match rest {
        "" | "/" => Some(Endpoint::Home),
        _ => NAMES
            .iter()
            .find(|(name, _)| rest.strip_prefix('/') == Some(name))
            .map(|(_, e)| *e),
    };
    if let Some(base) = location.map(|l| l.trim_end_matches('/'))
        && let Some(rest) = path_below(base, path)
    {
        return (base, of_rest(rest));
    }
    match path
        .rsplit_once('/')
        .map(|(base, _)| (base, of_rest(&path[base.len()..])))
    {
        Some((base, Some(endpoint))) => (base, Some(endpoint)),
        _ => (path, Some(Endpoint::Home)),
    }
}

/// The methods that an address takes, for `Allow`.
fn methods(endpoint: Endpoint) -> &'static [Method] {
    match endpoint {
        // With form_post a site registered for the tutorial's script gets its callback at `login`.
        Endpoint::Login | Endpoint::Callback => &[Method::Get, Method::Head, Method::Post],
        Endpoint::BackChannel => &[Method::Post],
        _ => &[Method::Get, Method::Head],
    }
}

/// Whether the answer depends on the request's body.
pub fn reads_form(endpoint: Option<Endpoint>, method: Method) -> bool {
    method == Method::Post && endpoint.is_some_and(|e| methods(e).contains(&Method::Post))
}

/// Answers a request that reached the handler. `ctx.base` is the base that [`locate`] found.
pub fn answer(ctx: &Ctx<'_>, endpoint: Option<Endpoint>, form: &Form) -> Response {
    let Some(endpoint) = endpoint else {
        return ctx.refuse(&Failure::new(Reason::NotFound, ctx.request.path()), None, None);
    };
    if !methods(endpoint).contains(&ctx.request.method()) {
        let allow = match methods(endpoint) {
            [Method::Post] => "POST",
            [Method::Get, Method::Head] => "GET, HEAD",
            _ => "GET, HEAD, POST",
        };
        let failure = Failure::new(Reason::MethodNotAllowed, ctx.request.path());
        return ctx.refuse(&failure, None, None).with_header("Allow", allow);
    }
    let acts = matches!(
        endpoint,
        Endpoint::Login | Endpoint::Callback | Endpoint::LogOut | Endpoint::Claims
    );
    if acts && ctx.request.is_prefetch() {
        let failure = Failure::new(Reason::Prefetch, ctx.request.path());
        return ctx.refuse(&failure, None, None);
    }
    match endpoint {
        Endpoint::Home => home(ctx),
        Endpoint::Login | Endpoint::Callback => login_or_callback(ctx, endpoint, form),
        Endpoint::Session => session_state(ctx),
        Endpoint::LogOut => log_out(ctx),
        Endpoint::FrontChannel => logout::by_front_channel(ctx),
        Endpoint::BackChannel => logout::by_back_channel(ctx, form),
        Endpoint::LoggedOut => logged_out(ctx),
        Endpoint::Claims => uma::gathered(ctx),
    }
}

/// Looks at the browser's session, and notes where that is due that it was used.
fn with_session(
    ctx: &Ctx<'_>,
    answer: impl Fn(Option<&Opened<'_>>) -> Response,
) -> Result<Response, Failure> {
    session::with_own(ctx, |session| {
        let Some(session) = session else {
            return Ok(answer(None));
        };
        if !session.is_due(&ctx.settings.session(), ctx.now) {
            return Ok(answer(Some(&session)));
        }
        match session::touch(ctx, &session)? {
            Some(cookies) => {
                let mut response = answer(Some(&session));
                response.cookies = cookies;
                Ok(response)
            }
            None => {
                let mut response = answer(None);
                response.cookies = session::clear(ctx);
                Ok(response)
            }
        }
    })?
}

/// `BASE/logoutme`. A link of another site must not sign anybody out: its page asks first (login CSRF, the other way
/// round).
fn log_out(ctx: &Ctx<'_>) -> Response {
    let is_alive = || session::with_own(ctx, |session| session.is_some()).unwrap_or(true);
    if ctx.request.is_cross_site() && is_alive() {
        return ctx.page(200, |view| pages::ask_to_sign_out(view, &below(ctx, "logoutme")));
    }
    logout::by_user(ctx)
}

/// `BASE/logout`: where the provider sends the user after a logout.
fn logged_out(ctx: &Ctx<'_>) -> Response {
    let page = with_session(ctx, |session| {
        ctx.page(200, |view| match session {
            None => pages::logged_out(view, &below(ctx, "login"), None),
            Some(session) => pages::still_signed_in(view, &person(ctx, session), &below(ctx, "logoutme")),
        })
    });
    page.unwrap_or_else(|failure| ctx.refuse(&failure, None, None))
}

fn home(ctx: &Ctx<'_>) -> Response {
    let page = with_session(ctx, |session| match session {
        None => ctx.page(200, |view| pages::signed_out(view, &below(ctx, "login"))),
        Some(session) => {
            let shown: Vec<_> = session
                .record
                .claims()
                .map(|c| {
                    (
                        String::from_utf8_lossy(c.name).into_owned(),
                        String::from_utf8_lossy(c.text()).into_owned(),
                    )
                })
                .collect();
            let user = person(ctx, session);
            let form_waits = ctx.request.query() == Some(login::FORM_WAITS);
            ctx.page(200, |view| {
                pages::signed_in(view, &user, &shown, &below(ctx, "logoutme"), form_waits)
            })
        }
    });
    page.unwrap_or_else(|failure| ctx.refuse(&failure, None, None))
}

/// The name of a session's user on a page.
fn person(ctx: &Ctx<'_>, session: &Opened<'_>) -> String {
    session::person(session.record, &ctx.settings.identity())
}

/// `BASE/session`: session data for the application's scripts.
fn session_state(ctx: &Ctx<'_>) -> Response {
    let state = with_session(ctx, |session| match session {
        None => Response::json(401, &json!({"active": false})),
        Some(session) => {
            let acr = String::from_utf8_lossy(session.record.strings.acr);
            Response::json(
                200,
                &json!({
                    "active": true,
                    "user": session.user_text(&ctx.settings.identity()),
                    "claims": claims::to_json(session.record),
                    "expires_at": session.ends(&ctx.settings.session()),
                    "acr": if acr.is_empty() { Value::Null } else { Value::from(acr) },
                }),
            )
        }
    });
    state.unwrap_or_else(|failure| ctx.refuse(&failure, None, None))
}

fn login_or_callback(ctx: &Ctx<'_>, endpoint: Endpoint, form: &Form) -> Response {
    let encoded = match (ctx.request.method(), form) {
        (Method::Post, Form::TooLarge) => {
            let detail = format!("a form of more than {FORM_LIMIT} bytes");
            return ctx.refuse(&Failure::new(Reason::BodyTooLarge, detail), None, None);
        }
        (Method::Post, Form::Read(bytes)) if is_form(ctx.request.header(Header::ContentType)) => {
            bytes.as_slice()
        }
        (Method::Post, _) => b"",
        _ => ctx.request.query().unwrap_or_default().as_bytes(),
    };
    let returned = Returned::parse(encoded);
    let request = LoginRequest::parse(encoded);
    let is_form = ctx.request.method() == Method::Post && !request.is_initiated();
    if endpoint == Endpoint::Callback || is_form || returned.is_callback() {
        return login::answer(ctx, &returned);
    }
    login::from_link(ctx, &request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_below_a_known_location() {
        for (path, expected) in [
            ("/oxd", ("/oxd", Some(Endpoint::Home))),
            ("/oxd/", ("/oxd", Some(Endpoint::Home))),
            ("/oxd/login", ("/oxd", Some(Endpoint::Login))),
            ("/oxd/login/", ("/oxd", None)),
            ("/oxd/login/x", ("/oxd", None)),
            ("/oxd/nothing", ("/oxd", None)),
            ("/oxd//login", ("/oxd", None)),
        ] {
            assert_eq!(locate(path, Some("/oxd")), expected, "{path}");
            assert_eq!(locate(path, Some("/oxd/")), expected, "{path}");
        }
        assert_eq!(locate("/login", Some("/")), ("", Some(Endpoint::Login)));
    }

    #[test]
    fn without_a_known_location_the_last_segment_decides() {
        assert_eq!(
            locate("/a/oxd.py/login", None),
            ("/a/oxd.py", Some(Endpoint::Login))
        );
        assert_eq!(locate("/a/oxd.py", None), ("/a/oxd.py", Some(Endpoint::Home)));
        assert_eq!(
            locate("/a/oxd.py", Some("/other")),
            ("/a/oxd.py", Some(Endpoint::Home))
        );
        assert_eq!(locate("/a/", None), ("/a", Some(Endpoint::Home)));
    }
}
