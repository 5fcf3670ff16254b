//! The handlers `oxd`, `oxd-status`, `oxd-metrics` and `oxd-health`.

use oxd_core::base::{Level, wall};
use oxd_core::handler::{health as health_answer, resource, routes, status};
use oxd_core::http::{Form, Method};
use oxd_core::pages::status as page;
use oxd_core::shm::health::Readiness;
use oxd_core::shm::stats::metrics::{About, Gauges};

use super::child;
use super::context::{Place, read_form};
use super::health;
use super::respond::send;
use super::revocations;
use crate::ffi::Status;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::process;
use crate::ffi::request::{Request, is_word};

/// The path of the resource whose description is asked for (`OxdResourceMetadata`), if there is one with that path.
pub fn described_resource(request: Request<'_>) -> Option<String> {
    if !request.path_begins(b"/.well-known/") || request.is_subrequest() {
        return None;
    }
    let address = request.path()?.to_str().ok()?;
    let path = resource::path_of(address)?.to_owned();
    let lookup = request.pool().text(path.as_bytes());
    let is_resource = |place: Request<'_>| {
        let bearer = place.config().and_then(|config| config.settings.bearer());
        bearer.and_then(|bearer| bearer.resource) == Some(path.as_str())
    };
    (request.with_lookup(lookup, is_resource) == Some(true)).then_some(path)
}

/// The document about a resource, in the configuration of its own place.
fn describe(request: Request<'_>, path: &str) -> Status {
    let lookup = request.pool().text(path.as_bytes());
    let answer = request.with_lookup(lookup, |place| {
        let config = place.config()?;
        let place = Place::of(place, config);
        let answer = place.decide(|ctx| resource::answer(ctx, path, request.method()));
        Some(answer.unwrap_or_else(|missing| place.env().refuse(&missing, None, None)))
    });
    match answer.flatten().map(|answer| send(request, &answer)) {
        Some(Status::Done) => Status::Ok,
        Some(status) => status,
        None => Status::Http(404),
    }
}

/// What runs here.
fn about() -> About {
    let description = process::httpd_description();
    let (_, version) = description.split_once('/').unwrap_or_default();
    About {
        version: env!("CARGO_PKG_VERSION"),
        httpd: version.split(' ').next().unwrap_or_default().to_owned(),
        mpm: process::mpm(),
        machine: process::machine(),
    }
}

/// The current values that are not counters.
fn gauges(ready: Option<Readiness>) -> Gauges {
    let memory = child::memory();
    Gauges {
        under_way: child::stats().all_under_way(process::lives),
        lost_marks: memory.lost(),
        marks: memory.marks_in_use(wall()),
        feed: revocations::gauges(),
        ready,
        sites: health::sites(),
        about: about(),
    }
}

/// The handler hook.
pub fn handle(request: Request<'_>) -> Status {
    if let Some(path) = described_resource(request) {
        return describe(request, &path);
    }
    let handler = request.handler();
    let named = |word| is_word(handler, word);
    let answer: for<'r> fn(Request<'r>, &'r DirConfig<'r>) -> Result<Status, u16> = if named("oxd") {
        login_and_logout
    } else if named("oxd-status") {
        status_page
    } else if named("oxd-metrics") {
        metrics
    } else if named("oxd-health") {
        health_state
    } else {
        return Status::Declined;
    };
    let Some(config) = request.config() else {
        return Status::Declined;
    };
    if !named("oxd") && !child::is_handler_of_server(request) {
        request.log(
            Level::Error,
            "forbidden: oxd-status, oxd-metrics and oxd-health are served only where the server's configuration has their SetHandler, \
             not a .htaccess file, AddHandler or a rewrite rule",
        );
        return Status::Http(403);
    }
    match answer(request, config) {
        // A handler must return OK, not DONE, after it has sent a response.
        Ok(Status::Done) => Status::Ok,
        Ok(status) => status,
        Err(status) => Status::Http(status),
    }
}

/// `SetHandler oxd`
fn login_and_logout<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Result<Status, u16> {
    let path = request
        .path()
        .map_or_else(Default::default, |path| path.to_string_lossy());
    let (base, endpoint) = routes::locate(&path, config.handler_base);
    let form = if routes::reads_form(endpoint, request.method()) {
        read_form(request, routes::FORM_LIMIT)?
    } else {
        Form::None
    };
    let place = Place::of(request, config).with_base(base.to_owned());
    Ok(place.answer(send, |ctx| routes::answer(ctx, endpoint, &form)))
}

/// `SetHandler oxd-status`
fn status_page<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Result<Status, u16> {
    let form = match request.method() {
        Method::Post => read_form(request, status::FORM_LIMIT)?,
        _ => Form::None,
    };
    let place = Place::of(request, config);
    let answer = status::answer(
        &place.env(),
        child::memory(),
        &form,
        &gauges(health::readiness_if_on()),
    );
    Ok(send(request, &answer))
}

/// `SetHandler oxd-metrics`
fn metrics<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Result<Status, u16> {
    let place = Place::of(request, config);
    Ok(send(
        request,
        &status::metrics(&place.env(), &gauges(health::readiness_if_on())),
    ))
}

/// `SetHandler oxd-health`
fn health_state<'r>(request: Request<'r>, config: &'r DirConfig<'r>) -> Result<Status, u16> {
    let path = request
        .path()
        .map_or_else(Default::default, |path| path.to_string_lossy());
    let asked = health_answer::asked(&path);
    let place = Place::of(request, config);
    Ok(send(
        request,
        &health_answer::answer(&place.env(), asked, health::readiness),
    ))
}

/// The module's section on the page of mod_status.
pub fn status_section(request: Request<'_>, is_short: bool) {
    let (stats, gauges, now) = (child::stats(), gauges(None), request.millis().seconds());
    let text = if is_short {
        page::auto(&stats, &gauges, now)
    } else {
        page::section(&stats, &gauges, now)
    };
    request.write(text.as_bytes());
}
