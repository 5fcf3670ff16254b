//! HTTP for the oxd API: one handler for every path, so that every call can be noted and
//! every one can meet a fault.

use super::failure::{Failure, INTERNAL};
use super::{Oxd, Request, protect, unreadable};
use crate::calls::Call;
use crate::fault::{Instead, Plan};
use crate::listener::{Caller, HangUp};
use crate::{Like, Log};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No caller needs more than this; the limit protects the memory.
const BODY_LIMIT: usize = 4 << 20;

/// Commands that exist, for 404 against 405.
const COMMANDS: [&str; 20] = [
    "register-site",
    "update-site",
    "remove-site",
    "get-client-token",
    "get-access-token-by-refresh-token",
    "introspect-access-token",
    "get-authorization-url",
    "get-tokens-by-code",
    "get-user-info",
    "get-logout-uri",
    "get-jwks",
    "get-discovery",
    "get-issuer",
    "get-rp",
    "uma-rs-protect",
    UMA_RS_MODIFY,
    "uma-rs-check-access",
    "introspect-rpt",
    "uma-rp-get-rpt",
    "uma-rp-get-claims-gathering-url",
];

/// The command that oxd 4.2 brought.
const UMA_RS_MODIFY: &str = "uma-rs-modify";

/// What the real one's framework says to an address or a method that it does not have.
pub(crate) const NOT_FOUND: Failure = Failure::Http(404, Cow::Borrowed("HTTP 404 Not Found"));
const NOT_ALLOWED: Failure = Failure::Http(405, Cow::Borrowed("HTTP 405 Method Not Allowed"));

/// The oxd API as a router.
pub(crate) fn router(oxd: Arc<Oxd>) -> Router {
    Router::new().fallback(handle).with_state(oxd)
}

async fn handle(State(oxd): State<Arc<Oxd>>, request: axum::extract::Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let command = parts.uri.path().trim_start_matches('/').to_owned();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let ticket = oxd.calls.add(Call {
        command: command.clone(),
        body: noted(&body),
        authorization: header(&parts, AUTHORIZATION.as_str()),
        trace: ["traceparent", "tracestate"].map(|name| header(&parts, name)),
        status: 0,
    });
    let mut report = Report {
        log: oxd.options.log.as_ref(),
        command: &command,
        begun,
        status: None,
    };
    let plan = oxd.faults.take(&command);
    if !plan.delay.is_zero() {
        tokio::time::sleep(plan.delay).await;
    }
    let mut response = match &plan.instead {
        Some(instead) => replaced(instead).await,
        None => {
            let outcome = answer(&oxd, &parts, &command, &body).await;
            finished(outcome, &plan)
        }
    };
    plan.set_headers(response.headers_mut());
    if response.extensions().get::<HangUp>().is_none() {
        oxd.calls.finish(ticket, response.status().as_u16());
        report.status = Some(response.status());
    }
    response
}

/// The log line, written when the call ends, also when the caller goes away before.
struct Report<'a> {
    log: Option<&'a Log>,
    command: &'a str,
    begun: Instant,
    status: Option<StatusCode>,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let Some(log) = self.log else {
            return;
        };
        // The path comes from outside: no control characters, no endless lines.
        let command: String = self.command.escape_default().take(60).collect();
        let time = self.begun.elapsed().as_millis();
        match self.status {
            Some(status) => log(&format!("{command} {} {time}ms", status.as_u16())),
            None => log(&format!("{command} unanswered {time}ms")),
        }
    }
}

async fn answer(oxd: &Oxd, parts: &Parts, command: &str, body: &Bytes) -> Result<Value, Failure> {
    let let_in = || match parts.extensions.get::<Caller>() {
        Some(caller) => protect::lets_in(oxd, caller.0),
        None => Ok(()),
    };
    if command == "health-check" {
        return match parts.method {
            Method::GET => let_in().map(|()| health(oxd)),
            _ => Err(NOT_ALLOWED),
        };
    }
    let too_new = command == UMA_RS_MODIFY && !oxd.options.like.is_since_4_2();
    if too_new || !COMMANDS.contains(&command) {
        return Err(NOT_FOUND);
    }
    if parts.method != Method::POST {
        return Err(NOT_ALLOWED);
    }
    let media_type = header(parts, CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    // The real one takes a body without a Content-Type, too.
    if !media_type.is_empty() && !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Failure::Http(
            415,
            Cow::Borrowed("HTTP 415 Unsupported Media Type"),
        ));
    }
    if !takes_json(&header(parts, ACCEPT.as_str()).unwrap_or_default()) {
        return Err(Failure::Http(406, Cow::Borrowed("HTTP 406 Not Acceptable")));
    }
    let_in()?;
    let json = if body.is_empty() { b"{}" } else { &body[..] };
    // The real one reads one value and does not look at what comes after it.
    let body = match serde_json::Deserializer::from_slice(json).into_iter().next() {
        None => Value::Object(Map::new()),
        Some(read) => read.map_err(unreadable)?,
    };
    match body {
        Value::Object(_) => (),
        Value::Null => return Err(Failure::Logged),
        _ => return Err(unreadable("a JSON object is wanted")),
    }
    let request = Request {
        command: command.to_owned(),
        authorization: header(parts, AUTHORIZATION.as_str()),
        authorization_oxd_id: header(parts, "AuthorizationOxdId").filter(|id| !id.is_empty()),
        body,
    };
    oxd.run(&request).await
}

/// `health-check`. oxd 4.1 tells its status alone.
fn health(oxd: &Oxd) -> Value {
    match oxd.options.like {
        Like::V4_1 => json!({ "status": "running" }),
        like => json!({
            "application": "oxd",
            "version": format!("{like} (oxd-dev, a stand-in for development)"),
            "status": "running",
        }),
    }
}

/// Whether a caller with this `Accept` field takes JSON (RFC 9110, section 12.5.1, without the weights).
fn takes_json(accept: &str) -> bool {
    let mut ranges = accept
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    accept.trim().is_empty()
        || ranges.any(|range| matches!(range, "*/*" | "application/*" | "application/json"))
}

fn finished(outcome: Result<Value, Failure>, plan: &Plan) -> Response {
    let success = outcome.is_ok();
    let not_allowed = matches!(outcome, Err(Failure::Http(405, _)));
    let (status, media_type, value, text) = match outcome {
        Ok(value) => (200, "application/json", Some(value), String::new()),
        Err(failure) => {
            let (value, text) = failure.body();
            (failure.status(), failure.media_type(), value, text)
        }
    };
    let bytes = match value {
        Some(value) => plan.edit(value).to_string(),
        None => text,
    };
    let length = bytes.len();
    let body = match plan.trickle {
        None => Body::from(bytes),
        Some(interval) => Body::from_stream(trickle(bytes.into(), interval)),
    };
    let mut response = respond(status, media_type, body);
    if success {
        let vary = HeaderValue::from_static("Accept-Encoding, User-Agent");
        response.headers_mut().insert(VARY, vary);
    }
    if not_allowed {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST,OPTIONS"));
    }
    // A trickled body has its real length, so that only its pace is odd.
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

async fn replaced(instead: &Instead) -> Response {
    match instead {
        Instead::Status {
            code,
            body,
            content_type,
        } => respond(*code, content_type, Body::from(body.clone())),
        Instead::Hang => std::future::pending().await,
        Instead::Drop => {
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(HangUp);
            response
        }
        Instead::Huge(bytes) => respond(200, "application/json", Body::from_stream(huge(*bytes))),
        Instead::Redirect(to) => {
            let mut response = respond(302, "text/plain", Body::empty());
            match HeaderValue::try_from(to) {
                Ok(to) => {
                    response.headers_mut().insert(LOCATION, to);
                    response
                }
                Err(why) => finished(Err(INTERNAL.because(why)), &Plan::default()),
            }
        }
    }
}

fn respond(status: u16, media_type: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(media_type) = HeaderValue::try_from(media_type) {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

fn trickle(bytes: Bytes, interval: Duration) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(interval).await;
        let byte = rest.split_to(1);
        Some((Ok(byte), rest))
    })
}

/// `{"padding":"xxx..."}` of exactly so many bytes (but at least the empty one), made on the way.
fn huge(total: usize) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    const START: &str = "{\"padding\":\"";
    const END: &str = "\"}";
    const CHUNK: &[u8] = &[b'x'; 16 << 10];
    enum Part {
        Start,
        Middle(usize),
        Done,
    }
    let middle = total.saturating_sub(START.len() + END.len());
    stream::unfold(Part::Start, move |part| async move {
        let (bytes, next) = match part {
            Part::Start => (Bytes::from_static(START.as_bytes()), Part::Middle(middle)),
            Part::Middle(0) => (Bytes::from_static(END.as_bytes()), Part::Done),
            Part::Middle(left) => {
                let now = left.min(CHUNK.len());
                (Bytes::from_static(&CHUNK[..now]), Part::Middle(left - now))
            }
            Part::Done => return None,
        };
        Some((Ok(bytes), next))
    })
}

fn noted(body: &Bytes) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

fn header(parts: &Parts, name: &str) -> Option<String> {
    let value = parts.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
