//! The answer to a request, and its checks.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::html::Page;

/// A cookie as the server set it, with its attributes.
pub type Cookie = cookie_store::RawCookie<'static>;

/// An HTTP answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The address that was asked.
    pub url: Url,
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header field's value; `None` when the answer has none, a failure when it has several.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        assert!(values.next().is_none(), "{name} stands there twice: {self:#?}");
        Some(
            value
                .to_str()
                .unwrap_or_else(|_| panic!("{name} is not text: {value:?}")),
        )
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as HTML.
    #[track_caller]
    pub fn page(&self) -> Page {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("text/html"),
            "not a page but {kind:?}: {}",
            self.text()
        );
        Page::parse(&self.text())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("application/json"),
            "not JSON but {kind:?}: {}",
            self.text()
        );
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The variables that the program under `/app/env` printed.
    #[track_caller]
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.expect(200);
        let text = self.text();
        let variables = text.split('\0').filter_map(|variable| variable.split_once('='));
        variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The cookies that the program under `/app/env` was handed, without the provider's own: it
    /// lives on the same host, and cookies do not know ports.
    #[track_caller]
    pub fn cookies_handed_on(&self) -> String {
        let cookies = self.environment().remove("HTTP_COOKIE").unwrap_or_default();
        let pairs = cookies
            .split("; ")
            .filter(|pair| !pair.starts_with("oxd_dev_session"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Where the answer sends the browser, as an absolute address.
    #[track_caller]
    pub fn location(&self) -> Url {
        let location = self.header("location");
        let location = location.unwrap_or_else(|| panic!("no Location in {}", self.summary()));
        self.url
            .join(location)
            .unwrap_or_else(|error| panic!("Location {location:?}: {error}"))
    }

    /// The cookies that the answer sets or takes away.
    #[track_caller]
    pub fn set_cookies(&self) -> Vec<Cookie> {
        let values = self.headers.get_all("set-cookie").iter();
        let parse = |value: &reqwest::header::HeaderValue| {
            let text = value.to_str().unwrap_or_else(|_| panic!("Set-Cookie {value:?}"));
            let cookie = Cookie::parse(text.to_owned());
            cookie.unwrap_or_else(|error| panic!("Set-Cookie {text:?}: {error}"))
        };
        values.map(parse).collect()
    }

    /// The cookies that the answer gives a value, among those whose name begins like this.
    #[track_caller]
    pub fn given_cookies(&self, prefix: &str) -> Vec<Cookie> {
        let mut cookies = self.set_cookies();
        cookies.retain(|cookie| cookie.name().starts_with(prefix) && !takes_away(cookie));
        cookies
    }

    /// Fails the test when the status is another one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Answer {
        assert_eq!(self.status, status, "{}", self.summary());
        self
    }

    /// The answer in a few lines, for a failing test.
    pub fn summary(&self) -> String {
        let status = StatusCode::from_u16(self.status).map(|status| status.to_string());
        let mut text = format!("{}: {}\n", self.url, status.unwrap_or_default());
        for (name, value) in &self.headers {
            text.push_str(&format!(
                "{name}: {}\n",
                String::from_utf8_lossy(value.as_bytes())
            ));
        }
        text.push_str(&self.text().chars().take(2000).collect::<String>());
        text
    }
}

/// Whether a `Set-Cookie` removes the cookie instead of giving it a value.
pub(crate) fn takes_away(cookie: &Cookie) -> bool {
    let zero = cookie
        .max_age()
        .is_some_and(|age| age.is_zero() || age.is_negative());
    zero || cookie.value().is_empty()
}
