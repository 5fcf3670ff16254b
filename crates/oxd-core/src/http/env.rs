//! The environment of every response, at a location with or without a site.

use super::forwarded::origin_seen;
use super::host::Host;
use super::origin::Origin;
use super::request::Request;
use super::response::Response;
use crate::base::{Failure, Level, Millis, Reference, Seconds};
use crate::config::Settings;
use crate::shm::stats::Stats;

/// A request and the data to respond to it.
#[derive(Clone, Copy)]
pub struct RequestEnv<'a> {
    /// The settings of its place.
    pub settings: &'a Settings<'a>,
    /// The request.
    pub request: &'a dyn Request,
    /// Log, randomness and expressions.
    pub host: &'a dyn Host,
    /// The counters.
    pub stats: Stats<'a>,
    /// The path of the `<Location>` with `SetHandler oxd` where a login of this place begins and ends, if it is known.
    pub base: Option<&'a str>,
    /// When the request came.
    pub now: Seconds,
    /// The same in milliseconds.
    pub millis: Millis,
}

impl<'a> RequestEnv<'a> {
    /// Puts it together; `base` is described at the field.
    #[inline]
    pub fn new(
        settings: &'a Settings<'a>,
        request: &'a dyn Request,
        host: &'a dyn Host,
        stats: Stats<'a>,
        base: Option<&'a str>,
    ) -> Self {
        let millis = request.millis();
        Self {
            settings,
            request,
            host,
            stats,
            base,
            now: millis.seconds(),
            millis,
        }
    }

    /// The cookies that the browser sent, or none.
    pub fn cookies(&self) -> &'a [u8] {
        self.request.cookies().unwrap_or_default()
    }

    /// The origin that the browser sees: httpd's own, or that of trusted proxy headers.
    pub fn origin(&self) -> Origin {
        origin_seen(self.request.origin(), self.request, self.settings.trust_forwarded)
    }

    /// Writes a line to the log, built only if the level is on.
    pub fn log(&self, level: Level, line: impl FnOnce() -> String) {
        if self.host.logs(level) {
            self.host.log(level, &line());
        }
    }

    /// Writes the line of a failure with its reference number to the log, and keeps its time.
    pub fn log_failure(&self, failure: &Failure, reference: &Reference) {
        self.stats.refused_last(failure.reason, self.now, reference);
        self.log(failure.reason.level(), || {
            format!("{} {}", failure.log_line(), self.found_by(reference))
        });
    }

    /// The end of a log line, by which it is found: the number that the answer shows, after the request's trace.
    pub fn found_by(&self, reference: &Reference) -> String {
        let reference = reference.in_log();
        match self.request.trace() {
            Some(trace) => format!("[trace {}] [ref {reference}]", trace.id()),
            None => format!("[ref {reference}]"),
        }
    }

    /// The response to a refusal, counted and logged. `told` replaces the reason's own text; `start_over` is a link
    /// that restarts the login.
    pub fn refuse(&self, failure: &Failure, told: Option<&str>, start_over: Option<&str>) -> Response {
        self.stats.refused(failure.reason);
        let reference = Reference::new(self.host);
        self.log_failure(failure, &reference);
        Response::refusal(failure.reason, self.request, reference, told, start_over)
    }
}
