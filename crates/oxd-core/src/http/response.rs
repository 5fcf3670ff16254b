//! Answers, as plain data: the Apache layer sends them, the tests read them.

use std::borrow::Cow;

use serde::Serialize;

use crate::base::{Reason, Reference, Step};
use crate::pages::{Details, Page, Told};
use crate::templates::Templates;
use crate::texts::Language;

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
    /// Why a request was refused: an `ErrorDocument` gets its texts, in the language of the answer.
    pub reason: Option<Reason>,
    /// The language of a page.
    pub language: Option<Language>,
    /// The Content-Security-Policy of a page, without `frame-ancestors`, where it is not that of the built-in ones.
    pub policy: Option<String>,
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
            reason: None,
            language: None,
            policy: None,
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
    pub fn page(status: u16, page: Page) -> Self {
        Self {
            language: Some(page.language),
            policy: Some(page.policy),
            ..Self::new(status, Body::Page(page.html))
        }
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

    /// The JSON answer to a refusal.
    pub(super) fn refusal_for_programs(reason: Reason, reference: &Reference, details: &Details<'_>) -> Self {
        let told = details.told.as_ref().map(Told::description);
        let body = RefusalBody {
            error: reason.code(),
            error_description: told.as_deref().unwrap_or(reason.text()),
            // A script cannot follow a login, but it can send the user there.
            login: details.link.filter(|_| reason.status() == 401),
            reference: reference.on_page(),
        };
        Self::json(reason.status(), &body)
    }

    /// The same for a reader of this language, where the administrator's page says what ours would.
    #[must_use]
    pub(crate) fn in_language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self
    }

    /// The same with the reason for a refusal, for the access log and an `ErrorDocument`.
    #[must_use]
    pub(crate) fn about(mut self, reason: Reason, reference: Reference) -> Self {
        self.code = Some(reason.code());
        self.reference = Some(reference);
        self.reason = Some(reason);
        self
    }

    /// The headers that every answer of the module carries. `with_policy` adds those for its own body, which would
    /// break a page of httpd's or the administrator's.
    pub fn common_headers(&self, with_policy: bool) -> Vec<(&'static str, Cow<'_, str>)> {
        let mut headers: Vec<(_, Cow<'_, str>)> = vec![
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
            ("Referrer-Policy", "no-referrer".into()),
        ];
        if with_policy && self.body != Body::Empty {
            let policy = self.policy.as_deref();
            let policy = policy.unwrap_or_else(|| Templates::built_in().policy());
            let policy = match self.framed {
                true => policy.into(),
                false => format!("{policy}; frame-ancestors 'none'").into(),
            };
            headers.push(("Content-Security-Policy", policy));
            if let Some(language) = self.language {
                headers.push(("Content-Language", language.code().into()));
            }
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
