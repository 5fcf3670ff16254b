//! `Require oxd-claim`, `Require oxd-acr` and the expression function `oxd_claim`, as httpd calls them.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use oxd_core::access::rule::{self, AcrRule, ClaimRule};
use oxd_core::base::log::Level;
use oxd_core::session::record::Parts;

use crate::adapter::{child, protect};
use crate::ffi::command::Command;
use crate::ffi::pool::c_text;
use crate::ffi::request::Request;
use crate::ffi::{guard, sys};

/// Registers the rules with mod_authz_core.
///
/// # Safety
/// `pool` must be the pool that httpd passed to the module's register_hooks.
pub unsafe fn register(pool: *mut sys::apr_pool_t) {
    static CLAIM: sys::authz_provider = sys::authz_provider {
        check_authorization: Some(check_claim),
        parse_require_line: Some(parse_claim),
    };
    static ACR: sys::authz_provider = sys::authz_provider {
        check_authorization: Some(check_acr),
        parse_require_line: Some(parse_acr),
    };
    for (name, provider) in [(c"oxd-claim", &CLAIM), (c"oxd-acr", &ACR)] {
        // SAFETY: the names and providers are constants, and httpd only reads them.
        unsafe {
            sys::ap_register_auth_provider(
                pool,
                sys::AUTHZ_PROVIDER_GROUP.as_ptr().cast(),
                name.as_ptr(),
                sys::AUTHZ_PROVIDER_VERSION.as_ptr().cast(),
                ptr::from_ref(provider).cast(),
                sys::AP_AUTH_INTERNAL_PER_CONF as c_int,
            );
        }
    }
}

/// Reads the line of a rule; NULL, or a message in the command's pool.
///
/// # Safety
/// As httpd calls parse_require_line: a live command and line, and a valid out parameter.
unsafe fn parse<T: Send + Sync + 'static>(
    cmd: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
    read: impl FnOnce(&[String]) -> Result<T, String>,
) -> *const c_char {
    // SAFETY: by this function's contract.
    let line = unsafe { c_text(line) }.unwrap_or_default();
    let read = |command: Command<'_>| {
        let rule = guard::contained(
            || read(&command.words(line)),
            |message| Err(format!("mod_oxd failed here: {message}")),
        );
        rule.map(|rule| ptr::from_ref(command.pool().arena().keep(rule)).cast::<c_void>())
            .map_err(|line| command.pool().text(line.as_bytes()).as_ptr())
    };
    // SAFETY: by this function's contract.
    match unsafe { Command::during(cmd, read) } {
        Some(Ok(rule)) => {
            // SAFETY: by this function's contract; the rule lives as long as the configuration.
            unsafe { *parsed = rule };
            ptr::null()
        }
        Some(Err(message)) => message,
        None => ptr::null(),
    }
}

/// What a rule says about a request: it needs a user first, then it looks at the session.
fn check(request: Request<'_>, holds: impl FnOnce(&Parts<'_>) -> bool) -> sys::authz_status {
    guard::contained(
        || {
            if !request.has_user() {
                return sys::authz_status_AUTHZ_DENIED_NO_USER;
            }
            // Somebody whom `OxdUnauthAction pass` lets go on; a session at hand may be too old for the place.
            if request.has_empty_user() {
                return sys::authz_status_AUTHZ_DENIED;
            }
            match protect::session_of(request) {
                Some(session) if holds(&session.parts) => sys::authz_status_AUTHZ_GRANTED,
                _ => sys::authz_status_AUTHZ_DENIED,
            }
        },
        |message| {
            request.log(
                Level::Error,
                &format!("internal: mod_oxd failed at a Require: {message}"),
            );
            sys::authz_status_AUTHZ_DENIED
        },
    )
}

/// Runs `body` with a request and the rule that `parse` has read; denies where either is missing.
///
/// # Safety
/// `r` must be NULL or a live request of this thread, and `parsed` NULL or what `parse` made as a `T` for a
/// configuration that is in force for the request.
unsafe fn with_rule<T: 'static>(
    r: *mut sys::request_rec,
    parsed: *const c_void,
    body: impl for<'r> FnOnce(Request<'r>, &'r T) -> sys::authz_status,
) -> sys::authz_status {
    let answer = |request: Request<'_>| {
        // SAFETY: by this function's contract; the rule lives as long as its configuration, which outlives the request.
        match unsafe { parsed.cast::<T>().as_ref() } {
            Some(rule) => body(request, rule),
            None => sys::authz_status_AUTHZ_DENIED,
        }
    };
    // SAFETY: by this function's contract.
    let answer = unsafe { Request::during(r, answer) };
    answer.unwrap_or(sys::authz_status_AUTHZ_DENIED)
}

unsafe extern "C" fn parse_claim(
    cmd: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: httpd calls this while it reads a `Require` line.
    unsafe { parse(cmd, line, parsed, ClaimRule::parse) }
}

unsafe extern "C" fn parse_acr(
    cmd: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: httpd calls this while it reads a `Require` line.
    unsafe { parse(cmd, line, parsed, AcrRule::parse) }
}

unsafe extern "C" fn check_claim(
    r: *mut sys::request_rec,
    _: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    let body = |request: Request<'_>, rule: &ClaimRule| check(request, |parts| rule.holds(parts));
    // SAFETY: httpd asks in the thread of the request, with what `parse_claim` has made.
    unsafe { with_rule(r, parsed, body) }
}

unsafe extern "C" fn check_acr(
    r: *mut sys::request_rec,
    _: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    // SAFETY: httpd asks in the thread of the request, with what `parse_acr` has made.
    unsafe { with_rule(r, parsed, acr_holds) }
}

fn acr_holds<'r>(request: Request<'r>, rule: &'r AcrRule) -> sys::authz_status {
    let answer = check(request, |parts| rule.holds(parts));
    if answer == sys::authz_status_AUTHZ_DENIED {
        request.keep(|kept| kept.wanted_acr = Some(&rule.values));
    }
    answer
}

/// The expr_lookup hook: httpd asks for a function by name while it reads an expression.
pub unsafe extern "C" fn find_function(parameters: *mut sys::ap_expr_lookup_parms) -> c_int {
    // SAFETY: httpd passes live parameters with valid out pointers.
    unsafe {
        let is_ours = (*parameters).type_ == sys::AP_EXPR_FUNC_STRING as c_int
            && c_text((*parameters).name).is_some_and(|n| n.to_bytes().eq_ignore_ascii_case(b"oxd_claim"));
        if !is_ours {
            return sys::DECLINED;
        }
        child::note_claims_in_expressions();
        let function: sys::ap_expr_string_func_t = Some(claim_function);
        *(*parameters).func = function.map_or(ptr::null(), |f| f as *const c_void);
        *(*parameters).data = ptr::null();
    }
    sys::OK
}

/// `oxd_claim('NAME')`; the empty text where there is no session or no such claim.
unsafe extern "C" fn claim_function(
    context: *mut sys::ap_expr_eval_ctx_t,
    _: *const c_void,
    name: *const c_char,
) -> *const c_char {
    const NOTHING: &CStr = c"";
    // SAFETY: httpd passes a live context.
    let raw = unsafe { (*context).r };
    // SAFETY: httpd passes a C string that lives during this call.
    let name = unsafe { c_text(name) };
    let Some(name) = name.and_then(|n| n.to_str().ok()) else {
        return NOTHING.as_ptr();
    };
    // SAFETY: httpd evaluates expressions in the thread of the request.
    let found = unsafe { Request::during(raw, |request| claim(request, name)) };
    found.flatten().unwrap_or(NOTHING.as_ptr())
}

/// A claim's text, as it stands in the session or copied into the request's pool.
fn claim(request: Request<'_>, name: &str) -> Option<*const c_char> {
    guard::contained(
        || {
            let session = protect::session_of(request)?;
            rule::claim_text(&session.parts, name).map(|text| match text {
                Cow::Borrowed(terminated) => terminated.as_ptr().cast::<c_char>(),
                Cow::Owned(text) => {
                    let text = CString::new(text).unwrap_or_default();
                    request.pool().text(text.as_bytes()).as_ptr()
                }
            })
        },
        |message| {
            request.log(
                Level::Error,
                &format!("internal: mod_oxd failed in oxd_claim: {message}"),
            );
            None
        },
    )
}
