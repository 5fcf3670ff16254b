//! Answers: JSON, pages, redirects; parameters that came as a query or a form.

use super::state::AuthRequest;
use super::{Op, pages};
use axum::body::Body;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use maud::Markup;
use serde_json::Value;
use std::collections::HashMap;

/// Pages load one stylesheet and nothing else. There is no `form-action`: browsers apply it
/// to the redirects after a form too, and those lead to the client.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Parameters by name. One that comes twice is an error (RFC 6749, 3.1).
pub(super) fn parameters(encoded: &str) -> Result<HashMap<String, String>, String> {
    let mut all = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded.as_bytes()) {
        // An empty parameter counts as left out (RFC 6749, 3.1).
        if !value.is_empty() && all.insert(name.to_string(), value.into_owned()).is_some() {
            return Err(name.into_owned());
        }
    }
    Ok(all)
}

fn answer(status: u16, media_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fixed: [(HeaderName, &'static str); 4] = [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// JSON, never cached.
pub(super) fn json_answer(status: u16, value: &Value) -> Response {
    answer(status, "application/json", value.to_string())
}

/// An error of the token, registration or introspection endpoint (RFC 6749, 5.2).
pub(super) fn json_error(status: u16, error: &str, description: &str) -> Response {
    let body = serde_json::json!({ "error": error, "error_description": description });
    json_answer(status, &body)
}

/// A page.
pub(super) fn page(status: u16, markup: Markup) -> Response {
    let mut response = answer(status, "text/html; charset=utf-8", markup.into_string());
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page that may show these addresses in frames.
pub(super) fn framing(markup: Markup, frames: &[String]) -> Response {
    let mut response = page(200, markup);
    let origin = |frame: &String| {
        let url = url::Url::parse(frame).ok()?;
        Some(url.origin().ascii_serialization())
    };
    let origins: Vec<String> = frames.iter().filter_map(origin).collect();
    // What is no header value is no origin either: then nothing is framed.
    if let Ok(policy) = HeaderValue::try_from(format!("{POLICY}; frame-src {}", origins.join(" "))) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A redirect by GET. An address that cannot stand in a header gets a page instead.
pub(super) fn redirect(to: &str) -> Response {
    let Ok(to) = HeaderValue::try_from(to) else {
        return page(400, pages::problem("The address to return to cannot be used."));
    };
    let mut response = answer(303, "text/plain", String::new());
    response.headers_mut().insert(LOCATION, to);
    response
}

impl Op {
    /// Gives the browser its cookie.
    pub(super) fn with_cookie(&self, mut response: Response, browser: &str) -> Response {
        let cookie = format!("{}={browser}; Path=/; HttpOnly; SameSite=Lax", self.cookie);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Takes the result to the client in the way it asked for: query (RFC 6749, 4.1.2) or
    /// form_post (OAuth 2.0 Form Post Response Mode), with `state` and `iss` (RFC 9207).
    pub(super) fn back(&self, request: &AuthRequest, result: &[(&str, &str)]) -> Response {
        let mut fields = result.to_vec();
        if let Some(state) = &request.state {
            fields.push(("state", state));
        }
        fields.push(("iss", &self.issuer));
        if request.form_post {
            return page(200, pages::form_post(&request.redirect_uri, &fields));
        }
        match with_query(&request.redirect_uri, &fields) {
            Some(url) => redirect(&url),
            None => page(400, pages::problem("The address to return to cannot be used.")),
        }
    }

    /// The same for an error.
    pub(super) fn back_error(&self, request: &AuthRequest, error: &str, why: &str) -> Response {
        self.back(request, &[("error", error), ("error_description", why)])
    }
}

/// The address with more in its query; what stands in it stays.
pub(super) fn with_query(address: &str, fields: &[(&str, &str)]) -> Option<String> {
    let mut url = url::Url::parse(address).ok()?;
    url.query_pairs_mut().extend_pairs(fields);
    Some(url.into())
}
