//! A request, as the host of the module knows it.

use std::borrow::Cow;

use super::headers::{Header, Method, media_ranges};
use super::origin::Origin;
use crate::base::{Millis, Seconds, Trace};

/// A request. Each value is read on demand: most requests only need the time and the cookies.
///
/// The Apache layer provides it on httpd's `request_rec`, the tests on plain data.
pub trait Request {
    /// When it came.
    fn millis(&self) -> Millis;
    /// Its method.
    fn method(&self) -> Method;
    /// The path, decoded and normalised by httpd.
    fn path(&self) -> Cow<'_, str>;
    /// The query as it came, without the `?`; `None` also where it is not UTF-8.
    fn query(&self) -> Option<&str>;
    /// Path and query as the browser sent them, as ASCII text.
    fn target(&self) -> Cow<'_, str>;
    /// Scheme, host and port as httpd knows them.
    fn origin(&self) -> Origin;
    /// The realm for `WWW-Authenticate` (httpd's `AuthName`).
    fn realm(&self) -> Option<&str>;
    /// The longest request header that the server takes (`LimitRequestFieldSize`), in bytes.
    fn header_limit(&self) -> usize;
    /// The `Cookie` header as the browser sent it.
    fn cookies(&self) -> Option<&[u8]>;
    /// Whether that header is known to have one cookie alone, which need not be looked for.
    fn has_one_cookie(&self) -> bool {
        false
    }
    /// The `Authorization` header as the client sent it.
    fn authorization(&self) -> Option<&[u8]>;
    /// The name of the server that answers it (`ServerName`).
    fn server_name(&self) -> Cow<'_, str>;
    /// The client's address, as httpd sees it (mod_remoteip); empty where it is unknown.
    fn address(&self) -> Cow<'_, str>;
    /// `User-Agent`, whatever bytes it has; empty without the header.
    fn agent(&self) -> Cow<'_, str>;
    /// The user that httpd knows for the request.
    fn user(&self) -> Option<Cow<'_, str>>;
    /// `OxdMaxAge` of the location that another address of this server belongs to. The address is a path with its query.
    fn max_age_at(&self, address: &str) -> Option<Seconds>;
    /// Another header; `None` also where its value is not UTF-8.
    fn header(&self, header: Header) -> Option<&str>;

    /// Whether a script sent the request: it cannot follow a redirect to the provider.
    fn is_script(&self) -> bool {
        let fetches = |mode: &str| !mode.eq_ignore_ascii_case("navigate");
        let is_xhr = |value: &str| value.eq_ignore_ascii_case("XMLHttpRequest");
        self.header(Header::SecFetchMode).is_some_and(fetches)
            || self.header(Header::RequestedWith).is_some_and(is_xhr)
            || !self.accepts_html()
    }

    /// Whether the browser fetches the address in advance, without its user having asked for it.
    fn is_prefetch(&self) -> bool {
        [Header::SecPurpose, Header::Purpose, Header::XMoz]
            .into_iter()
            .filter_map(|header| self.header(header))
            .any(|value| {
                let value = value.to_ascii_lowercase();
                value.contains("prefetch") || value.contains("prerender") || value.contains("preview")
            })
    }

    /// Whether the answer is shown in a frame of another page, which a provider's sign-in page refuses.
    fn is_framed(&self) -> bool {
        self.header(Header::SecFetchDest).is_some_and(|dest| {
            ["iframe", "frame", "embed", "object"]
                .iter()
                .any(|name| dest.eq_ignore_ascii_case(name))
        })
    }

    /// Whether a page of another site led here (Fetch Metadata Request Headers).
    fn is_cross_site(&self) -> bool {
        self.header(Header::SecFetchSite)
            .is_some_and(|site| site.eq_ignore_ascii_case("cross-site"))
    }

    /// The trace that the request belongs to, where its header is as Trace Context wants it.
    fn trace(&self) -> Option<Trace<'_>> {
        Trace::parse(self.header(Header::TraceParent)?, self.header(Header::TraceState))
    }

    /// Whether `Accept` allows an HTML page (absent means anything, RFC 9110 section 12.5.1).
    fn accepts_html(&self) -> bool {
        self.header(Header::Accept).is_none_or(|accept| {
            media_ranges(accept)
                .any(|range| matches!(range.as_str(), "text/html" | "application/xhtml+xml" | "*/*"))
        })
    }

    /// Whether the answer should be JSON instead of a page.
    fn wants_json(&self) -> bool {
        let named = |kind: &str| {
            self.header(Header::Accept)
                .is_some_and(|accept| media_ranges(accept).any(|range| range == kind))
        };
        let wants_page = named("text/html") || named("application/xhtml+xml");
        self.is_script() || (named("application/json") && !wants_page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Headers, TestRequest};

    #[test]
    fn scripts_are_told_from_navigations() {
        let with = |change: fn(&mut Headers)| {
            let mut request = TestRequest::navigation("/");
            change(&mut request.headers);
            (request.is_script(), request.wants_json())
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
