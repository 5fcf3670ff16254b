//! Methods and headers, as far as the module tells them apart.

use std::ffi::CStr;

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
    /// Whether a login can return to the request: a safe method (RFC 9110 section 9.2.1) that a link can use.
    pub fn can_be_repeated(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

/// The request headers that decide something. `Cookie` is apart: [`super::request::Request::cookies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// `Accept` (RFC 9110 section 12.5.1)
    Accept,
    /// `Accept-Language` (RFC 9110 section 12.5.4)
    AcceptLanguage,
    /// `Content-Type`
    ContentType,
    /// `Sec-Fetch-Mode` (Fetch Metadata Request Headers)
    SecFetchMode,
    /// `Sec-Fetch-Site`
    SecFetchSite,
    /// `Sec-Fetch-Dest`
    SecFetchDest,
    /// `Sec-Purpose` (Prefetch, a W3C draft)
    SecPurpose,
    /// `Purpose`, in older versions of Chromium and Safari.
    Purpose,
    /// `X-Moz`, in older versions of Firefox.
    XMoz,
    /// `Origin` (RFC 6454 section 7)
    Origin,
    /// `X-Requested-With`
    RequestedWith,
    /// `X-Forwarded-Proto`
    ForwardedProto,
    /// `X-Forwarded-Host`
    ForwardedHost,
    /// `X-Forwarded-Port`
    ForwardedPort,
    /// `Forwarded` (RFC 7239)
    Forwarded,
    /// `traceparent` (Trace Context)
    TraceParent,
    /// `tracestate` (Trace Context)
    TraceState,
}

impl Header {
    /// The name, as httpd looks it up.
    pub fn name(self) -> &'static CStr {
        match self {
            Header::Accept => c"Accept",
            Header::AcceptLanguage => c"Accept-Language",
            Header::ContentType => c"Content-Type",
            Header::SecFetchMode => c"Sec-Fetch-Mode",
            Header::SecFetchSite => c"Sec-Fetch-Site",
            Header::SecFetchDest => c"Sec-Fetch-Dest",
            Header::SecPurpose => c"Sec-Purpose",
            Header::Purpose => c"Purpose",
            Header::XMoz => c"X-Moz",
            Header::Origin => c"Origin",
            Header::RequestedWith => c"X-Requested-With",
            Header::ForwardedProto => c"X-Forwarded-Proto",
            Header::ForwardedHost => c"X-Forwarded-Host",
            Header::ForwardedPort => c"X-Forwarded-Port",
            Header::Forwarded => c"Forwarded",
            Header::TraceParent => c"traceparent",
            Header::TraceState => c"tracestate",
        }
    }
}

/// The media ranges of an `Accept` header in lower case, without those with `q=0`.
pub(super) fn media_ranges(accept: &str) -> impl Iterator<Item = String> {
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
