//! Sends the answers that oxd-core has decided on.

use std::ffi::CStr;

use oxd_core::http::{Body, Response};

use crate::ffi::Status;
use crate::ffi::request::Request;
use crate::ffi::table::Table;

/// What the access log can show of an answer: its code and its reference number.
const NOTES: [&CStr; 2] = [c"oxd-reason", c"oxd-ref"];

/// The log_transaction hook: an answer's notes outlive the `ErrorDocument` that is shown for it.
pub fn before_the_log(request: Request<'_>) -> Status {
    request.hand_on_notes(NOTES);
    Status::Declined
}

/// Sends an answer. `Done` when its body was written, else the status with which httpd writes one.
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
        // httpd keeps Location, and only that, from these when it writes the redirect's body.
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
    // An empty answer of success is the handler's own; any other is left to httpd.
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

/// Adds `Set-Cookie` headers, to successful answers and errors alike.
pub fn send_cookies(request: Request<'_>, cookies: &[String]) {
    for cookie in cookies {
        request.add(
            Table::ErrHeadersOut,
            c"Set-Cookie",
            request.pool().text(cookie.as_bytes()),
        );
    }
}
