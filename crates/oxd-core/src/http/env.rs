//! The environment of every response, at a location with or without a site.

use super::forwarded::origin_seen;
use super::headers::Header;
use super::host::Host;
use super::origin::Origin;
use super::request::Request;
use super::response::Response;
use crate::base::{Failure, Level, Millis, Reference, Seconds};
use crate::config::Settings;
use crate::pages::{self, Details, Page, Told, View};
use crate::shm::stats::Stats;
use crate::templates::Words;
use crate::texts::{Language, choose};

/// The longest name of a site on a page, in characters. A host has 253 at most.
const SITE_LIMIT: usize = 100;

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

    /// The response to a refusal, counted and logged. `told` is added to the reason's own text; `start_over` is a link
    /// that restarts the login.
    pub fn refuse(&self, failure: &Failure, told: Option<Told<'_>>, start_over: Option<&str>) -> Response {
        let details = Details {
            told,
            link: start_over,
            ..Details::default()
        };
        self.refuse_with(failure, &details)
    }

    /// The same with more details.
    pub fn refuse_with(&self, failure: &Failure, details: &Details<'_>) -> Response {
        self.stats.refused(failure.reason);
        let reference = Reference::new(self.host);
        self.log_failure(failure, &reference);
        let details = Details {
            link: details
                .link
                .filter(|_| self.request.wants_json() || failure.reason.can_start_over()),
            ..*details
        };
        let mut answer = if self.request.wants_json() {
            Response::refusal_for_programs(failure.reason, &reference, &details)
        } else {
            let page = |view: &View<'_>| pages::error(view, failure.reason, &details, &reference);
            self.page(failure.reason.status(), page)
        };
        answer = answer.about(failure.reason, reference);
        if let Some(seconds) = failure.reason.retry_after() {
            answer = answer.with_header("Retry-After", seconds.to_string());
        }
        if failure.reason.status() == 401 {
            answer = answer.with_challenge(self.request.realm());
        }
        answer
    }

    /// The language of the request's pages (`OxdLanguages`, `Accept-Language`).
    pub fn language(&self) -> Language {
        choose(
            self.request.header(Header::AcceptLanguage),
            self.settings.pages().languages,
        )
    }

    /// The name of the site on its pages: the host as the browser addressed it.
    pub fn site_name(&self) -> String {
        self.origin().authority().chars().take(SITE_LIMIT).collect()
    }

    /// A response with a page. A template of the administrator's that fails is logged.
    pub fn page(&self, status: u16, make: impl FnOnce(&View<'_>) -> Page) -> Response {
        let site = self.site_name();
        let mut page = make(&View {
            templates: self.settings.pages().templates,
            words: Words {
                language: self.language(),
                site: &site,
            },
        });
        if let Some(why) = page.trouble.take() {
            self.log(Level::Error, || {
                let why: String = why
                    .chars()
                    .map(|c| match c {
                        // httpd escapes no quotes in an ErrorLogFormat.
                        '"' => '\'',
                        c if c.is_control() => ' ',
                        c => c,
                    })
                    .take(500)
                    .collect();
                format!("OxdPages: {why}; the built-in page is shown")
            });
        }
        Response::page(status, page)
    }
}
