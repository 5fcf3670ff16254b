//! The authorization providers (`Require`) and the expression function `oxd_claim`.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use oxd_core::access::rule::{AcrRule, ClaimRule, Rule};
use oxd_core::base::Level;
use oxd_core::session::claims::lookup;

use crate::adapter::protect::Answer;
use crate::adapter::{child, protect};
use crate::ffi::command::Command;
use crate::ffi::pool::c_text;
use crate::ffi::request::Request;
use crate::ffi::{guard, sys};

/// Registers the authorization providers with mod_authz_core. A new rule needs one more line here.
///
/// # Safety
/// `pool` must be the pool that httpd passed to the module's register_hooks.
pub unsafe fn register(pool: *mut sys::apr_pool_t) {
    // SAFETY: by this function's contract.
    unsafe {
        register_one::<ClaimRule>(pool);
        register_one::<AcrRule>(pool);
    }
}

/// The callbacks of mod_authz_core for one rule type.
struct Provider<R>(PhantomData<R>);

impl<R: Rule> Provider<R> {
    const CALLS: sys::authz_provider = sys::authz_provider {
        check_authorization: Some(check::<R>),
        parse_require_line: Some(parse::<R>),
    };
}

/// # Safety
/// As for [`register`].
unsafe fn register_one<R: Rule>(pool: *mut sys::apr_pool_t) {
    let provider: &'static sys::authz_provider = &Provider::<R>::CALLS;
    // SAFETY: the pool by this function's contract; the names and the provider are constants, and httpd only reads
    // them.
    unsafe {
        sys::ap_register_auth_provider(
            pool,
            sys::AUTHZ_PROVIDER_GROUP.as_ptr().cast(),
            R::NAME.as_ptr(),
            sys::AUTHZ_PROVIDER_VERSION.as_ptr().cast(),
            ptr::from_ref(provider).cast(),
            sys::AP_AUTH_INTERNAL_PER_CONF as c_int,
        );
    }
}

/// Parses the arguments of a rule. Returns NULL, or an error message in the command's pool.
unsafe extern "C" fn parse<R: Rule>(
    cmd: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: httpd passes NULL or a C string that lives during this call.
    let line = unsafe { c_text(line) }.unwrap_or_default();
    let read = |command: Command<'_>| {
        let rule = guard::contained(
            || R::parse(&command.words(line)),
            |message| Err(format!("mod_oxd failed here: {message}")),
        );
        rule.map(|rule| ptr::from_ref(command.pool().arena().keep(rule)).cast::<c_void>())
            .map_err(|line| command.pool().text(line.as_bytes()).as_ptr())
    };
    // SAFETY: httpd passes the live parameters of a command.
    match unsafe { Command::during(cmd, read) } {
        Some(Ok(rule)) => {
            // SAFETY: the out parameter is valid; the rule lives as long as the configuration.
            unsafe { *parsed = rule };
            ptr::null()
        }
        Some(Err(message)) => message,
        None => ptr::null(),
    }
}

/// Checks a rule that [`parse`] has parsed.
unsafe extern "C" fn check<R: Rule>(
    r: *mut sys::request_rec,
    _: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    let ask = |request: Request<'_>| {
        // SAFETY: httpd passes what `parse` has made as an `R`; it lives as long as its configuration, which outlives
        // the request.
        match unsafe { parsed.cast::<R>().as_ref() } {
            Some(rule) => guarded_check(request, rule),
            None => Answer::Denied,
        }
    };
    // SAFETY: httpd calls this in the thread of the request.
    match unsafe { Request::during(r, ask) } {
        Some(Answer::Granted) => sys::authz_status_AUTHZ_GRANTED,
        Some(Answer::NoUser) => sys::authz_status_AUTHZ_DENIED_NO_USER,
        Some(Answer::Denied) | None => sys::authz_status_AUTHZ_DENIED,
    }
}

fn guarded_check<'r, R: Rule>(request: Request<'r>, rule: &'r R) -> Answer {
    guard::contained(
        || protect::check(request, rule),
        |message| {
            let line = format!("internal: mod_oxd failed at a Require: {message}");
            request.log(Level::Error, &line);
            Answer::Denied
        },
    )
}

/// The expr_lookup hook: httpd looks up a function by name while it parses an expression.
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

/// `oxd_claim('NAME')`; empty where there is no session or no such claim. While the rules are evaluated before anybody has
/// signed in, the expression fails instead.
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
    match unsafe { Request::during(raw, |request| claim(request, name)) } {
        Some(Claim::Text(text)) => text,
        Some(Claim::NeedsLogin) => {
            // SAFETY: a live context has a place for an error message.
            unsafe { *(*context).err = c"oxd_claim: nobody has signed in yet".as_ptr() };
            NOTHING.as_ptr()
        }
        Some(Claim::Missing) | None => NOTHING.as_ptr(),
    }
}

/// What an expression gets for a claim.
enum Claim {
    /// Its text, from the session or copied into the request's pool.
    Text(*const c_char),
    /// There is no session or no such claim.
    Missing,
    /// Nobody has signed in yet.
    NeedsLogin,
}

fn claim(request: Request<'_>, name: &str) -> Claim {
    guard::contained(
        || {
            let Some(session) = protect::session_for_expression(request) else {
                return Claim::NeedsLogin;
            };
            let text = session.and_then(|session| lookup::claim_text(&session.record, name));
            text.map_or(Claim::Missing, |text| match text {
                Cow::Borrowed(terminated) => Claim::Text(terminated.as_ptr().cast::<c_char>()),
                Cow::Owned(text) => {
                    let text = CString::new(text).unwrap_or_default();
                    Claim::Text(request.pool().text(text.as_bytes()).as_ptr())
                }
            })
        },
        |message| {
            request.log(
                Level::Error,
                &format!("internal: mod_oxd failed in oxd_claim: {message}"),
            );
            Claim::Missing
        },
    )
}
