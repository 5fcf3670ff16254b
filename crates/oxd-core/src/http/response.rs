//! Answers, as plain data: the Apache layer sends them, the tests read them.

use serde::Serialize;

use super::request::Request;
use crate::base::{Reason, Reference, Step};
use crate::pages;

/// The body of an answer.
#[derive(Debug, PartialEq)]
pub enum Body {
    /// No body of the module: httpd's own page for the status.
    Empty,
    /// `text/html; charset=utf-8`
    Page(String),
    /// `application/json`
    Json(String),
    /// `text/plain`, with this whole content type.
    Plain(&'static str, String),
}

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers besides those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// The body.
    pub body: Body,
    /// Whether another site may show it in a frame.
    pub framed: bool,
    /// The code of the answer ([`crate::base::reason`]), for the access log.
    pub code: Option<&'static str>,
    /// Its reference number.
    pub reference: Option<Reference>,
}

/// The body of a refusal for a script, in the form of OAuth 2.0 errors (RFC 6749 section 5.2).
#[derive(Serialize)]
struct RefusalBody<'b> {
    error: &'b str,
    error_description: &'b str,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<&'b str>,
    reference: String,
}

impl Response {
    fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: vec![],
            cookies: vec![],
            body,
            framed: false,
            code: None,
            reference: None,
        }
    }

    /// A redirect: 302 to the provider, 303 to turn any method into a GET (RFC 9110 section 15.4).
    pub fn redirect(status: u16, location: String) -> Self {
        Self::bare(status).with_header("Location", location)
    }

    /// A status for which httpd writes the page.
    pub fn bare(status: u16) -> Self {
        Self::new(status, Body::Empty)
    }

    /// A page.
    pub fn page(status: u16, html: String) -> Self {
        Self::new(status, Body::Page(html))
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        // Only a map whose keys are no texts could fail.
        let text = serde_json::to_string(value).unwrap_or_default();
        Self::new(status, Body::Json(text))
    }

    /// Text for programs.
    pub fn plain(content_type: &'static str, text: String) -> Self {
        Self::new(200, Body::Plain(content_type, text))
    }

    /// The same with the code of a step.
    #[must_use]
    pub fn as_step(mut self, step: Step) -> Self {
        self.code = Some(step.code());
        self
    }

    /// The same with a cookie more.
    #[must_use]
    pub fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// The same with a header more.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same for a frame in another site's page.
    #[must_use]
    pub fn framed(mut self) -> Self {
        self.framed = true;
        self
    }

    /// The same with the challenge that RFC 9110 section 11.6.1 wants with 401; browsers show no dialogue for a scheme
    /// that they do not know.
    #[must_use]
    pub fn with_challenge(self, realm: Option<&str>) -> Self {
        let realm = realm.unwrap_or("sign-in").replace(['"', '\\'], "");
        self.with_header("WWW-Authenticate", format!("oxd realm=\"{realm}\""))
    }

    /// The response to a refusal: a page, or JSON for clients that prefer it.
    pub fn refusal(
        reason: Reason,
        request: &dyn Request,
        reference: Reference,
        told: Option<&str>,
        start_over: Option<&str>,
    ) -> Self {
        let mut answer = if request.wants_json() {
            let body = RefusalBody {
                error: reason.code(),
                error_description: told.unwrap_or(reason.text()),
                // A script cannot follow a login, but it can send the user there.
                login: start_over.filter(|_| reason.status() == 401),
                reference: reference.on_page(),
            };
            Self::json(reason.status(), &body)
        } else {
            let link = start_over.filter(|_| reason.can_start_over());
            Self::page(reason.status(), pages::error(reason, told, link, &reference))
        };
        answer.code = Some(reason.code());
        answer.reference = Some(reference);
        if let Some(seconds) = reason.retry_after() {
            answer = answer.with_header("Retry-After", seconds.to_string());
        }
        if reason.status() == 401 {
            answer = answer.with_challenge(request.realm());
        }
        answer
    }

    /// The headers that every answer of the module carries. `with_policy` adds the policy for its own body, which would
    /// break a page of httpd's or the administrator's.
    pub fn common_headers(&self, with_policy: bool) -> Vec<(&'static str, &str)> {
        let mut headers = vec![
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ];
        if with_policy && self.body != Body::Empty {
            headers.push((
                "Content-Security-Policy",
                pages::content_security_policy(self.framed),
            ));
        }
        headers
    }

    /// The body's bytes.
    pub fn body_bytes(&self) -> &[u8] {
        match &self.body {
            Body::Empty => &[],
            Body::Page(text) | Body::Json(text) | Body::Plain(_, text) => text.as_bytes(),
        }
    }
}
