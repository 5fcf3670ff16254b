//! What is known about a request, without httpd's types.

use crate::base::clock::{Millis, Seconds};
use crate::base::crypto::Random;
use crate::base::log::Level;
use crate::config::settings::{Expression, Settings};
use crate::http::origin::Origin;

/// A request's method, as far as the module tells them apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// Any other.
    Other,
}

impl Method {
    /// Whether a login can bring the request back: only what RFC 9110 section 9.2.1 calls safe and a link can name.
    pub fn can_be_repeated(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// The request headers that decide something. Values that are not UTF-8 count as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'r> {
    /// `Cookie`, as it came.
    pub cookie: Option<&'r [u8]>,
    /// `Accept`
    pub accept: Option<&'r str>,
    /// `Content-Type`
    pub content_type: Option<&'r str>,
    /// `Sec-Fetch-Mode` (Fetch Metadata Request Headers)
    pub sec_fetch_mode: Option<&'r str>,
    /// `Sec-Fetch-Site`
    pub sec_fetch_site: Option<&'r str>,
    /// `Origin` (RFC 6454 section 7)
    pub origin: Option<&'r str>,
    /// `X-Requested-With`
    pub x_requested_with: Option<&'r str>,
    /// `X-Forwarded-Proto`
    pub x_forwarded_proto: Option<&'r str>,
    /// `X-Forwarded-Host`
    pub x_forwarded_host: Option<&'r str>,
    /// `X-Forwarded-Port`
    pub x_forwarded_port: Option<&'r str>,
    /// `Forwarded` (RFC 7239)
    pub forwarded: Option<&'r str>,
}

/// What is known about a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'r> {
    /// When it came.
    pub now: Seconds,
    /// The same in milliseconds.
    pub millis: Millis,
    /// Its method.
    pub method: Method,
    /// The path, decoded and normalised by httpd.
    pub path: &'r str,
    /// The query as it came, without the `?`.
    pub query: Option<&'r str>,
    /// Path and query as the browser asked for them.
    pub target: &'r str,
    /// Scheme, host and port as httpd knows them.
    pub origin: &'r Origin,
    /// The path of the innermost `<Location>` with `SetHandler oxd`, where the place has one.
    pub base: Option<&'r str>,
    /// The realm for `WWW-Authenticate` (httpd's `AuthName`).
    pub realm: Option<&'r str>,
    /// The longest request header that the server takes (`LimitRequestFieldSize`), in bytes.
    pub header_limit: usize,
    /// The headers.
    pub headers: Headers<'r>,
}

impl Facts<'_> {
    /// The origin that the browser sees: httpd's own, or what trusted proxy headers say.
    pub fn origin(&self, settings: &Settings<'_>) -> Origin {
        self.origin
            .as_seen_through(settings.trust_forwarded.unwrap_or_default(), &self.headers)
    }

    /// Whether a script and not a person asks: a redirect to another site would only puzzle it.
    pub fn is_script(&self) -> bool {
        let fetches = |mode: &str| !mode.eq_ignore_ascii_case("navigate");
        let is_xhr = |value: &str| value.eq_ignore_ascii_case("XMLHttpRequest");
        self.headers.sec_fetch_mode.is_some_and(fetches)
            || self.headers.x_requested_with.is_some_and(is_xhr)
            || !self.accepts_html()
    }

    /// Whether `Accept` leaves room for an HTML page (absent means anything, RFC 9110 section 12.5.1).
    fn accepts_html(&self) -> bool {
        self.headers.accept.is_none_or(|accept| {
            media_ranges(accept)
                .any(|range| matches!(range.as_str(), "text/html" | "application/xhtml+xml" | "*/*"))
        })
    }

    /// Whether the answer should be JSON instead of a page.
    pub fn wants_json(&self) -> bool {
        let named = |kind: &str| {
            self.headers
                .accept
                .is_some_and(|accept| media_ranges(accept).any(|range| range == kind))
        };
        let wants_page = named("text/html") || named("application/xhtml+xml");
        self.is_script() || (named("application/json") && !wants_page)
    }
}

/// The media ranges of an `Accept` header in lower case; those with `q=0` are left out.
fn media_ranges(accept: &str) -> impl Iterator<Item = String> {
    accept.split(',').filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let range = parts.next()?.to_ascii_lowercase();
        let refused = parts.any(|p| {
            p.strip_prefix("q=")
                .or(p.strip_prefix("Q="))
                .and_then(|q| q.parse::<f32>().ok())
                .is_some_and(|q| q == 0.0)
        });
        (!refused).then_some(range)
    })
}

/// What the rules need from the world besides the request itself; the Apache layer and the tests provide it.
pub trait Outside: Random {
    /// The value of a compiled httpd expression for this request, or why it has none.
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String>;
    /// Whether a line of this level would be written. Ask before building one.
    fn logs(&self, level: Level) -> bool;
    /// Writes a line to the error log. It must hold no secret, token or cookie.
    fn log(&self, level: Level, line: &str);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Facts about a plain navigation, for the tests of other modules.
    pub(crate) fn navigation<'r>(origin: &'r Origin, target: &'r str) -> Facts<'r> {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        Facts {
            now: 1_800_000_000,
            millis: 1_800_000_000_000,
            method: Method::Get,
            path,
            query,
            target,
            origin,
            base: Some("/oxd"),
            realm: None,
            header_limit: 8190,
            headers: Headers {
                accept: Some("text/html,*/*;q=0.8"),
                ..Headers::default()
            },
        }
    }

    #[test]
    fn scripts_are_told_from_navigations() {
        let origin = Origin::new("https", "app.example", None);
        let with = |change: fn(&mut Headers<'_>)| {
            let mut facts = navigation(&origin, "/");
            change(&mut facts.headers);
            (facts.is_script(), facts.wants_json())
        };
        assert_eq!(with(|_| ()), (false, false));
        assert_eq!(with(|h| h.accept = None), (false, false));
        assert!(with(|h| h.sec_fetch_mode = Some("cors")).0);
        assert!(!with(|h| h.sec_fetch_mode = Some("navigate")).0);
        assert!(with(|h| h.x_requested_with = Some("XMLHttpRequest")).0);
        assert_eq!(with(|h| h.accept = Some("application/json")), (true, true));
        assert_eq!(with(|h| h.accept = Some("application/json, */*")), (false, true));
        assert_eq!(with(|h| h.accept = Some("image/png")), (true, true));
        assert_eq!(
            with(|h| h.accept = Some("text/html;q=0, application/json")),
            (true, true)
        );
    }
}
