//! The world as oxd-core sees it from within a request: facts, the log, expressions, randomness.

use std::borrow::Cow;
use std::ffi::CStr;

use oxd_core::base::crypto::{NoRandomness, Random, SystemRandom};
use oxd_core::base::log::Level;
use oxd_core::config::settings::{Expression, Settings};
use oxd_core::http::origin::Origin;
use oxd_core::http::request::{Facts, Headers, Outside};

use crate::ffi::request::Request;

/// A request as the world of a decision.
pub struct World<'r>(pub Request<'r>);

impl Random for World<'_> {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom.fill(buffer)
    }
}

impl Outside for World<'_> {
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String> {
        self.0.evaluate(expression)
    }

    fn logs(&self, level: Level) -> bool {
        self.0.logs(level)
    }

    fn log(&self, level: Level, line: &str) {
        self.0.log(level, line);
    }
}

/// The texts that [`Facts`] borrow and httpd does not have in the form that is wanted.
pub struct Texts<'r> {
    path: Cow<'r, str>,
    target: String,
    origin: Origin,
}

impl<'r> Texts<'r> {
    /// Gathers them.
    pub fn of(request: Request<'r>) -> Self {
        let lossy = |text: Option<&'r CStr>| text.map_or(Cow::Borrowed(""), CStr::to_string_lossy);
        let (scheme, host, port) = request.server_address();
        Self {
            path: lossy(request.path()),
            target: request.with_first(|first| target(first.unparsed().map_or(b"/", CStr::to_bytes))),
            origin: Origin::new(&lossy(scheme), &lossy(host), Some(port)),
        }
    }

    /// The facts about the request.
    pub fn facts<'t>(&'t self, request: Request<'r>, settings: &Settings<'t>) -> Facts<'t> {
        let header = |name: &CStr| request.header(name).and_then(|value| value.to_str().ok());
        Facts {
            now: request.seconds(),
            millis: request.millis(),
            method: request.method(),
            path: &self.path,
            query: request.query().and_then(|q| q.to_str().ok()),
            target: &self.target,
            origin: &self.origin,
            base: settings.handler_base.map(String::as_str),
            realm: request.auth_name().and_then(|name| name.to_str().ok()),
            header_limit: request.header_limit(),
            headers: Headers {
                cookie: cookies(request),
                accept: header(c"Accept"),
                content_type: header(c"Content-Type"),
                sec_fetch_mode: header(c"Sec-Fetch-Mode"),
                sec_fetch_site: header(c"Sec-Fetch-Site"),
                origin: header(c"Origin"),
                x_requested_with: header(c"X-Requested-With"),
                x_forwarded_proto: header(c"X-Forwarded-Proto"),
                x_forwarded_host: header(c"X-Forwarded-Host"),
                x_forwarded_port: header(c"X-Forwarded-Port"),
                forwarded: header(c"Forwarded"),
            },
        }
    }
}

/// The `Cookie` header as the browser sent it.
pub fn cookies<'r>(request: Request<'r>) -> Option<&'r [u8]> {
    request
        .kept()
        .cookies
        .or_else(|| request.header(c"Cookie"))
        .map(CStr::to_bytes)
}

/// Path and query of a request line's target, which may be absolute (RFC 9112 section 3.2), as ASCII text.
fn target(unparsed: &[u8]) -> String {
    let text: String = unparsed
        .iter()
        .map(|&b| {
            if b.is_ascii_graphic() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    if text.starts_with('/') {
        return text;
    }
    let path = text
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    path.unwrap_or_else(|| "/".to_owned())
}
