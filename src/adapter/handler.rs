//! The handler `oxd`, and the sending of answers that oxd-core has decided on.

use std::ffi::CStr;

use oxd_core::access::authn::Ctx;
use oxd_core::base::reason::Failure;
use oxd_core::config::settings::Settings;
use oxd_core::handler::routes::{self, FORM_LIMIT, Form};
use oxd_core::handler::status;
use oxd_core::http::request::Method;
use oxd_core::http::response::{Body, Response};
use oxd_core::oxd::Site;
use oxd_core::oxd::api::{AuthorizationUrl, Commands, LogoutUri, Refreshed, Tokens};
use oxd_core::oxd::client::SiteClient;
use oxd_core::oxd::http::HttpTransport;
use oxd_core::pages::status as page;
use serde_json::{Map, Value};

use crate::adapter::child;
use crate::adapter::protect;
use crate::adapter::request::{Texts, World};
use crate::adapter::store;
use crate::ffi::Status;
use crate::ffi::request::Request;
use crate::ffi::request::is_word;
use crate::ffi::table::Table;

/// The handler hook: `SetHandler oxd`.
pub fn handle(request: Request<'_>) -> Status {
    if is_word(request.handler(), "oxd-status") {
        return status_page(request);
    }
    if is_word(request.handler(), "oxd-metrics") {
        let Some(config) = request.config() else {
            return Status::Declined;
        };
        return content(with_context(request, &config.settings, |ctx| {
            status::metrics(ctx, &child::gauges())
        }));
    }
    if !is_word(request.handler(), "oxd") {
        return Status::Declined;
    }
    let Some(config) = request.config() else {
        return Status::Declined;
    };
    let mut settings = config.settings;
    let texts = Texts::of(request);
    let path = texts.facts(request, &settings).path;
    let (base, endpoint) = routes::locate(path, settings.handler_base.map(String::as_str));
    let base = base.to_owned();
    let form = if routes::reads_form(endpoint, request.method()) {
        match request.read_body(FORM_LIMIT) {
            Ok(Some(bytes)) => Form::Read(bytes),
            Ok(None) => Form::TooLarge,
            Err(status) => return Status::Http(status),
        }
    } else {
        Form::None
    };
    settings.handler_base = Some(&base);
    let answer = decide(request, &texts, &settings, |ctx| {
        routes::answer(ctx, endpoint, &form)
    });
    content(send(request, &answer))
}

/// `SetHandler oxd-status`.
fn status_page(request: Request<'_>) -> Status {
    let Some(config) = request.config() else {
        return Status::Declined;
    };
    let form = match request.method() {
        Method::Post => match request.read_body(status::FORM_LIMIT) {
            Ok(Some(bytes)) => Form::Read(bytes),
            Ok(None) => Form::TooLarge,
            Err(status) => return Status::Http(status),
        },
        _ => Form::None,
    };
    content(with_context(request, &config.settings, |ctx| {
        status::answer(ctx, &form, &child::gauges())
    }))
}

/// The section on mod_status's page.
pub fn status_section(request: Request<'_>, is_short: bool) {
    let (stats, gauges, now) = (child::stats(), child::gauges(), request.seconds());
    let text = if is_short {
        page::auto(&stats, &gauges, now)
    } else {
        page::section(&stats, &gauges, now)
    };
    request.write(text.as_bytes());
}

/// From the handler, httpd wants OK where the answer has been sent.
fn content(sent: Status) -> Status {
    match sent {
        Status::Done => Status::Ok,
        other => other,
    }
}

/// Lets a rule of oxd-core decide about the request and sends its answer.
pub fn with_context(
    request: Request<'_>,
    settings: &Settings<'_>,
    rule: impl FnOnce(&Ctx<'_>) -> Response,
) -> Status {
    let texts = Texts::of(request);
    let answer = decide(request, &texts, settings, rule);
    send(request, &answer)
}

/// Runs something that needs the whole context but answers nothing itself.
pub fn in_context(request: Request<'_>, settings: &Settings<'_>, action: impl FnOnce(&Ctx<'_>)) {
    let texts = Texts::of(request);
    decide(request, &texts, settings, action);
}

fn decide<'r, A>(
    request: Request<'r>,
    texts: &Texts<'r>,
    settings: &Settings<'_>,
    rule: impl FnOnce(&Ctx<'_>) -> A,
) -> A {
    let facts = texts.facts(request, settings);
    let world = World(request);
    // The client to oxd is made when a rule first calls it: most decisions need none.
    let oxd = LazyCommands {
        settings,
        path: facts.path,
    };
    rule(&Ctx {
        settings,
        facts: &facts,
        keys: protect::keys(settings),
        outside: &world,
        oxd: &oxd,
        memory: child::memory(),
        store: store::of(settings),
        stats: child::stats(),
    })
}

/// Commands to the place's site, resolved when one is sent.
struct LazyCommands<'a> {
    settings: &'a Settings<'a>,
    path: &'a str,
}

impl LazyCommands<'_> {
    fn at_site<A>(
        &self,
        call: impl FnOnce(&SiteClient<'_, HttpTransport>) -> Result<A, Failure>,
    ) -> Result<A, Failure> {
        let child = child::current()?;
        let site = Site::of(self.settings, child.default_max_calls)
            .map_err(|missing| Failure::new(missing.reason, format!("{}: {}", self.path, missing.detail)))?;
        call(&child.client.at(site))
    }
}

impl Commands for LazyCommands<'_> {
    fn authorization_url(&self, request: Map<String, Value>) -> Result<AuthorizationUrl, Failure> {
        self.at_site(|site| site.authorization_url(request))
    }

    fn tokens_by_code(&self, code: &str, state: &str) -> Result<Tokens, Failure> {
        self.at_site(|site| site.tokens_by_code(code, state))
    }

    fn user_info(&self, access_token: &str, id_token: &str) -> Result<Map<String, Value>, Failure> {
        self.at_site(|site| site.user_info(access_token, id_token))
    }

    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        since: u64,
    ) -> Result<Map<String, Value>, Failure> {
        self.at_site(|site| site.user_info_again(access_token, id_token, since))
    }

    fn logout_uri(&self, request: Map<String, Value>) -> Result<LogoutUri, Failure> {
        self.at_site(|site| site.logout_uri(request))
    }

    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Failure> {
        self.at_site(|site| site.refresh(refresh_token, scope))
    }

    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Failure> {
        self.at_site(|site| site.signing_keys(anew))
    }
}

/// What the access log can show of an answer: its code and its reference number.
const NOTES: [&CStr; 2] = [c"oxd-reason", c"oxd-ref"];

/// The log_transaction hook: an answer's notes outlive the `ErrorDocument` that is shown for it.
pub fn before_the_log(request: Request<'_>) -> Status {
    request.hand_on_notes(NOTES);
    Status::Declined
}

/// Sends an answer. `Done` when its body was written, else the status with which httpd writes one.
pub fn send(request: Request<'_>, answer: &Response) -> Status {
    let pool = request.pool();
    for (name, value) in answer.common_headers() {
        request.set(
            Table::ErrHeadersOut,
            pool.text(name.as_bytes()),
            pool.text(value.as_bytes()),
        );
    }
    for (name, value) in &answer.headers {
        // httpd keeps Location, and only that, from these when it writes the redirect's body.
        let table = if *name == "Location" {
            Table::HeadersOut
        } else {
            Table::ErrHeadersOut
        };
        request.set(table, pool.text(name.as_bytes()), pool.text(value.as_bytes()));
    }
    send_cookies(request, &answer.cookies);
    let [reason, number] = NOTES;
    if let Some(code) = answer.code {
        request.set(Table::Notes, reason, pool.text(code.as_bytes()));
    }
    if let Some(reference) = &answer.reference {
        request.set(Table::Notes, number, pool.text(reference.in_log().as_bytes()));
    }
    let own_page = matches!(answer.body, Body::Page(_)) && answer.status >= 400;
    // An empty answer of success is the handler's own; any other is left to httpd.
    let is_bare = answer.body == Body::Empty && answer.status >= 300;
    if is_bare || (own_page && request.has_error_document(answer.status)) {
        return Status::Http(answer.status);
    }
    let content_type = match answer.body {
        Body::Json(_) => c"application/json",
        Body::Plain(kind, _) => pool.text(kind.as_bytes()),
        _ => c"text/html; charset=utf-8",
    };
    request.discard_body();
    request.set_status(answer.status);
    request.send_body(content_type, answer.body_bytes());
    Status::Done
}

/// Adds `Set-Cookie` headers, to successful answers and errors alike.
pub fn send_cookies(request: Request<'_>, cookies: &[String]) {
    for cookie in cookies {
        request.add(
            Table::ErrHeadersOut,
            c"Set-Cookie",
            request.pool().text(cookie.as_bytes()),
        );
    }
}
