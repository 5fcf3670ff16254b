//! Sends the responses that oxd-core has decided on.

use std::ffi::CStr;

use oxd_core::http::{Body, Response};

use crate::ffi::Status;
use crate::ffi::request::Request;
use crate::ffi::table::Table;

/// The notes that the access log can show: the reason code and the reference number of a response.
const NOTES: [&CStr; 2] = [c"oxd-reason", c"oxd-ref"];

/// The log_transaction hook: copies a response's notes to the `ErrorDocument` request that is logged in its place.
pub fn before_the_log(request: Request<'_>) -> Status {
    request.hand_on_notes(NOTES);
    Status::Declined
}

/// Sends a response. `Done` when its body was sent; otherwise the status for which httpd writes a body.
pub fn send(request: Request<'_>, answer: &Response) -> Status {
    let pool = request.pool();
    for (name, value) in answer.common_headers() {
        request.set(
            Table::ErrHeadersOut,
            pool.text(name.as_bytes()),
            pool.text(value.as_bytes()),
        );
    }
    for (name, value) in &answer.headers {
        // From these headers, httpd keeps only Location when it writes the body of the redirect.
        let table = if *name == "Location" {
            Table::HeadersOut
        } else {
            Table::ErrHeadersOut
        };
        request.set(table, pool.text(name.as_bytes()), pool.text(value.as_bytes()));
    }
    send_cookies(request, &answer.cookies);
    let [reason, number] = NOTES;
    if let Some(code) = answer.code {
        request.set(Table::Notes, reason, pool.text(code.as_bytes()));
    }
    if let Some(reference) = &answer.reference {
        request.set(Table::Notes, number, pool.text(reference.in_log().as_bytes()));
    }
    let own_page = matches!(answer.body, Body::Page(_)) && answer.status >= 400;
    // An empty success response is complete; for any other empty response, httpd writes the body.
    let is_bare = answer.body == Body::Empty && answer.status >= 300;
    if is_bare || (own_page && request.has_error_document(answer.status)) {
        return Status::Http(answer.status);
    }
    let content_type = match answer.body {
        Body::Json(_) => c"application/json",
        Body::Plain(kind, _) => pool.text(kind.as_bytes()),
        _ => c"text/html; charset=utf-8",
    };
    request.discard_body();
    request.set_status(answer.status);
    request.send_body(content_type, answer.body_bytes());
    Status::Done
}

/// Adds `Set-Cookie` headers, to success and error responses alike.
pub fn send_cookies(request: Request<'_>, cookies: &[String]) {
    for cookie in cookies {
        request.add(
            Table::ErrHeadersOut,
            c"Set-Cookie",
            request.pool().text(cookie.as_bytes()),
        );
    }
}
