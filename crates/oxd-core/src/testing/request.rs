//! A request as plain data.

use std::borrow::Cow;

use super::NOW;
use crate::base::{Millis, Seconds};
use crate::http::{Header, Method, Origin, Request};

/// The headers of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Headers {
    pub accept: Option<&'static str>,
    pub accept_language: Option<&'static str>,
    pub content_type: Option<&'static str>,
    pub sec_fetch_mode: Option<&'static str>,
    pub sec_fetch_site: Option<&'static str>,
    pub sec_fetch_dest: Option<&'static str>,
    pub sec_purpose: Option<&'static str>,
    pub purpose: Option<&'static str>,
    pub x_moz: Option<&'static str>,
    pub origin: Option<&'static str>,
    pub x_requested_with: Option<&'static str>,
    pub x_forwarded_proto: Option<&'static str>,
    pub x_forwarded_host: Option<&'static str>,
    pub x_forwarded_port: Option<&'static str>,
    pub forwarded: Option<&'static str>,
    pub traceparent: Option<&'static str>,
    pub user_agent: Option<&'static str>,
}

/// A request as plain data.
pub(crate) struct TestRequest {
    pub now: Seconds,
    pub method: Method,
    pub target: String,
    pub cookies: String,
    pub authorization: Option<String>,
    /// The user that httpd knows.
    pub user: Option<String>,
    pub headers: Headers,
}

impl TestRequest {
    /// A plain navigation.
    pub(crate) fn navigation(target: &str) -> Self {
        Self {
            now: NOW,
            method: Method::Get,
            target: target.to_owned(),
            cookies: String::new(),
            authorization: None,
            user: None,
            headers: Headers {
                accept: Some("text/html,*/*;q=0.8"),
                ..Headers::default()
            },
        }
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&self.target, None),
        }
    }
}

impl Request for TestRequest {
    fn millis(&self) -> Millis {
        self.now.millis()
    }

    fn method(&self) -> Method {
        self.method
    }

    fn path(&self) -> Cow<'_, str> {
        self.parts().0.into()
    }

    fn query(&self) -> Option<&str> {
        self.parts().1
    }

    fn target(&self) -> Cow<'_, str> {
        self.target.as_str().into()
    }

    fn origin(&self) -> Origin {
        Origin::new("https", "app.example", None)
    }

    fn realm(&self) -> Option<&str> {
        None
    }

    fn header_limit(&self) -> usize {
        8190
    }

    fn server_name(&self) -> Cow<'_, str> {
        "app.example".into()
    }

    fn address(&self) -> Cow<'_, str> {
        "192.0.2.7".into()
    }

    fn agent(&self) -> Cow<'_, str> {
        self.headers.user_agent.unwrap_or_default().into()
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        self.user.as_deref().map(Cow::from)
    }

    fn max_age_at(&self, address: &str) -> Option<Seconds> {
        address.starts_with("/strict").then_some(Seconds(600))
    }

    fn cookies(&self) -> Option<&[u8]> {
        (!self.cookies.is_empty()).then_some(self.cookies.as_bytes())
    }

    fn has_one_cookie(&self) -> bool {
        // As httpd's request knows it, once the module's own cookies are taken out of it.
        !self.cookies.contains([';', ','])
    }

    fn authorization(&self) -> Option<&[u8]> {
        self.authorization.as_ref().map(String::as_bytes)
    }

    fn header(&self, header: Header) -> Option<&str> {
        let headers = &self.headers;
        match header {
            Header::Accept => headers.accept,
            Header::AcceptLanguage => headers.accept_language,
            Header::ContentType => headers.content_type,
            Header::SecFetchMode => headers.sec_fetch_mode,
            Header::SecFetchSite => headers.sec_fetch_site,
            Header::SecFetchDest => headers.sec_fetch_dest,
            Header::SecPurpose => headers.sec_purpose,
            Header::Purpose => headers.purpose,
            Header::XMoz => headers.x_moz,
            Header::Origin => headers.origin,
            Header::RequestedWith => headers.x_requested_with,
            Header::ForwardedProto => headers.x_forwarded_proto,
            Header::ForwardedHost => headers.x_forwarded_host,
            Header::ForwardedPort => headers.x_forwarded_port,
            Header::Forwarded => headers.forwarded,
            Header::TraceParent => headers.traceparent,
            Header::TraceState => None,
        }
    }
}
