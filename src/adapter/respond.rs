//! Sends the responses that oxd-core has decided on.

use std::ffi::CStr;

use oxd_core::http::{Body, Response};
use oxd_core::texts::Language;

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

/// Marks what a signed-in user gets as private, unless the application says otherwise: httpd's own cache (mod_cache) and
/// others would give it to everybody (RFC 9111 section 5.2.2.7).
pub fn make_private(request: Request<'_>) {
    if request.is_subrequest() {
        // The page that the subrequest becomes a part of; its headers may be sent before a filter of its own could run.
        request.with_main(before_headers);
    } else if !request.own_state(|state| state.is_private) {
        request.filter_response();
        request.update_state(|state| state.is_private = true);
    }
}

/// The response's headers are complete.
pub fn before_headers(request: Request<'_>) {
    let is_set = |table| request.has(table, c"Cache-Control");
    if !is_set(Table::HeadersOut) && !is_set(Table::ErrHeadersOut) {
        request.add(Table::HeadersOut, c"Cache-Control", c"private");
    }
}

/// Sends a response from a hook, before httpd calls a handler.
pub fn send_early(request: Request<'_>, answer: &Response) -> Status {
    send_with(request, answer, || request.insert_error_filters())
}

/// Sends a response of the handler. `Done` when its body was sent; otherwise the status for which httpd writes a body.
pub fn send(request: Request<'_>, answer: &Response) -> Status {
    send_with(request, answer, || ())
}

fn send_with(request: Request<'_>, answer: &Response, insert_filters: impl FnOnce()) -> Status {
    let pool = request.pool();
    let own_page = matches!(answer.body, Body::Page(_)) && answer.status >= 400;
    // An empty success response is complete; for any other empty response, httpd writes the body.
    let is_bare = answer.body == Body::Empty && answer.status >= 300;
    let is_of_httpd = is_bare || (own_page && request.has_error_document(answer.status));
    for (name, value) in answer.common_headers(!is_of_httpd) {
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
    if is_of_httpd {
        explain(request, answer);
        return Status::Http(answer.status);
    }
    if answer.language.is_some() {
        // Beside what other modules have put there.
        request.add(Table::ErrHeadersOut, c"Vary", c"Accept-Language");
    }
    let content_type = match answer.body {
        Body::Json(_) => c"application/json",
        Body::Plain(kind, _) => pool.text(kind.as_bytes()),
        _ => c"text/html; charset=utf-8",
    };
    // As an ErrorDocument, a page of ours has the status of the error.
    if !request.is_error_document() {
        request.set_status(answer.status);
    }
    if answer.status >= 400 && request.expects_continue() {
        // The client keeps its body when it sees the status, so the connection cannot be used again.
        request.close_connection();
    } else {
        request.discard_body();
    }
    insert_filters();
    request.send_body(content_type, answer.body_bytes());
    Status::Done
}

/// Says in the environment why a request was refused: the administrator's `ErrorDocument` gets it as `REDIRECT_OXD_ERROR_...`.
fn explain(request: Request<'_>, answer: &Response) {
    let pool = request.pool();
    let say = |name: &'static CStr, value: &str| {
        request.set(Table::Environment, name, pool.text(value.as_bytes()));
    };
    if let (Some(code), Some(reason)) = (answer.code, answer.reason) {
        // With another status than its own (OxdUnauthAction 404), nobody is to learn that signing in would help.
        if reason.status() == answer.status {
            let language = answer.language.unwrap_or(Language::ENGLISH);
            say(c"OXD_ERROR_CODE", code);
            say(c"OXD_ERROR_TITLE", reason.title_in(language));
            say(c"OXD_ERROR_TEXT", reason.text_in(language));
        }
        if let Some(reference) = &answer.reference {
            say(c"OXD_ERROR_REFERENCE", &reference.on_page());
        }
    }
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
