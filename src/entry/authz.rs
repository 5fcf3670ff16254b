//! The authorization providers (`Require`) and the expression function `oxd_claim`.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use oxd_core::access::rule::{AcrRule, ClaimRule, Rule, ScopeRule, Standing, UmaRule};
use oxd_core::base::Level;
use oxd_core::session::claims::lookup;

use crate::adapter::rules::Answer;
use crate::adapter::{protect, rules};
use crate::ffi::command::Command;
use crate::ffi::pool::{Pool, c_text};
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
        register_one::<ScopeRule>(pool);
        register_one::<UmaRule>(pool);
    }
}

/// A rule of the configuration, and where it stands.
struct Placed<R> {
    rule: R,
    standing: Standing,
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
        let placed = rule.map(|rule| Placed {
            rule,
            standing: standing(command),
        });
        placed
            .map(|placed| ptr::from_ref(command.pool().arena().keep(placed)).cast::<c_void>())
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

/// Where the `Require` line that is read stands.
fn standing(command: Command<'_>) -> Standing {
    let (name, words) = command.directive();
    Standing::of(&name, &words, &command.sections())
}

/// Checks a rule that [`parse`] has parsed.
unsafe extern "C" fn check<R: Rule>(
    r: *mut sys::request_rec,
    _: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    let ask = |request: Request<'_>| {
        // SAFETY: httpd passes what `parse` has made as a `Placed<R>`; it lives as long as its configuration, which
        // outlives the request.
        match unsafe { parsed.cast::<Placed<R>>().as_ref() } {
            Some(placed) => guarded_check(request, placed),
            None => Answer::Denied,
        }
    };
    // SAFETY: httpd calls this in the thread of the request.
    status(unsafe { Request::during(r, ask) }.unwrap_or(Answer::Denied))
}

/// An answer as httpd has it.
fn status(answer: Answer) -> sys::authz_status {
    match answer {
        Answer::Granted => sys::authz_status_AUTHZ_GRANTED,
        Answer::NoUser => sys::authz_status_AUTHZ_DENIED_NO_USER,
        Answer::Denied => sys::authz_status_AUTHZ_DENIED,
    }
}

fn guarded_check<'r, R: Rule>(request: Request<'r>, placed: &'r Placed<R>) -> Answer {
    let Placed { rule, standing } = placed;
    guard::contained(
        || rules::check(request, rule, *standing),
        |message| {
            let line = format!("internal: mod_oxd failed at a Require: {message}");
            request.log(Level::Error, &line);
            Answer::refusal(*standing)
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
        let function: sys::ap_expr_string_func_t = Some(claim_function);
        *(*parameters).func = function.map_or(ptr::null(), |f| f as *const c_void);
        *(*parameters).data = ptr::null();
    }
    sys::OK
}

/// `oxd_claim('NAME')`; empty where there is no session or no such claim.
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

/// The text of a claim, from the session or copied into the request's pool.
fn claim(request: Request<'_>, name: &str) -> Option<*const c_char> {
    guard::contained(
        || {
            let session = protect::session_for_expression(request)?;
            lookup::claim_text(session.record, name).map(|text| match text {
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

/// mod_authz_core's own provider of `Require expr`.
static EXPRESSION: AtomicPtr<sys::authz_provider> = AtomicPtr::new(ptr::null_mut());

/// The provider in front of it; it lives as long as the configuration.
static WRAPPED: AtomicPtr<sys::authz_provider> = AtomicPtr::new(ptr::null_mut());

const EXPRESSION_NAME: &CStr = c"expr";

/// Puts a provider of `Require expr` in front of mod_authz_core's, which knows that a claim needs a user.
///
/// # Safety
/// `pool` must be the pool of the configuration that httpd is about to read.
pub unsafe fn wrap_expressions(pool: *mut sys::apr_pool_t) {
    let (group, version) = (
        sys::AUTHZ_PROVIDER_GROUP.as_ptr().cast::<c_char>(),
        sys::AUTHZ_PROVIDER_VERSION.as_ptr().cast::<c_char>(),
    );
    // SAFETY: the texts are constants.
    let own = unsafe { sys::ap_lookup_provider(group, EXPRESSION_NAME.as_ptr(), version) };
    let own = own.cast::<sys::authz_provider>();
    if own.is_null() || own == WRAPPED.load(Ordering::Acquire) {
        return;
    }
    EXPRESSION.store(own, Ordering::Release);
    let wrapped = sys::authz_provider {
        check_authorization: Some(check_expression),
        parse_require_line: Some(parse_expression),
    };
    // SAFETY: by this function's contract.
    let Some(pool_of) = (unsafe { Pool::from_raw(pool) }) else {
        return;
    };
    let wrapped = pool_of.keep(wrapped);
    WRAPPED.store(ptr::from_ref(wrapped).cast_mut(), Ordering::Release);
    // SAFETY: the texts are constants; the provider lives as long as the configuration, as the registration does.
    unsafe {
        sys::ap_register_provider(
            pool,
            group,
            EXPRESSION_NAME.as_ptr(),
            version,
            ptr::from_ref(wrapped).cast(),
        );
    }
}

/// A `Require expr` of the configuration, and where it stands.
#[derive(Clone, Copy)]
struct PlacedExpression {
    /// What mod_authz_core has made of the line.
    parsed: *const c_void,
    standing: Standing,
}

/// Parses the expression of a `Require expr`, which mod_authz_core does.
unsafe extern "C" fn parse_expression(
    cmd: *mut sys::cmd_parms,
    line: *const c_char,
    parsed: *mut *const c_void,
) -> *const c_char {
    // SAFETY: NULL, or mod_authz_core's provider.
    let original = unsafe { EXPRESSION.load(Ordering::Acquire).as_ref() };
    let mut of_original = ptr::null();
    if let Some(parse) = original.and_then(|provider| provider.parse_require_line) {
        // SAFETY: httpd passes what this provider's function expects; the out parameter is valid.
        let refused = unsafe { parse(cmd, line, &raw mut of_original) };
        if !refused.is_null() {
            return refused;
        }
    }
    let keep = |command: Command<'_>| {
        let placed = PlacedExpression {
            parsed: of_original,
            standing: guard::contained(|| standing(command), |_| Standing::default()),
        };
        ptr::from_ref(command.pool().keep(placed)).cast::<c_void>()
    };
    // SAFETY: httpd passes the live parameters of a command.
    if let Some(placed) = unsafe { Command::during(cmd, keep) } {
        // SAFETY: the out parameter is valid; what was kept lives as long as the configuration.
        unsafe { *parsed = placed };
    }
    ptr::null()
}

/// Checks a `Require expr` that [`parse_expression`] has parsed.
unsafe extern "C" fn check_expression(
    r: *mut sys::request_rec,
    line: *const c_char,
    parsed: *const c_void,
) -> sys::authz_status {
    // SAFETY: NULL, or mod_authz_core's provider.
    let original = unsafe { EXPRESSION.load(Ordering::Acquire).as_ref() };
    // SAFETY: httpd passes what `parse_expression` has made; it lives as long as its configuration, which outlives the
    // request.
    let placed = unsafe { parsed.cast::<PlacedExpression>().as_ref() };
    let check = original.and_then(|provider| provider.check_authorization);
    let (Some(check), Some(placed)) = (check, placed) else {
        return sys::authz_status_AUTHZ_GENERAL_ERROR;
    };
    // SAFETY: httpd passes what this provider's function expects, and `parsed` is what its own parser has made.
    let evaluate = || unsafe { check(r, line, placed.parsed) };
    // SAFETY: httpd passes NULL or the text of the configuration, which outlives the request.
    let text = unsafe { c_text(line) };
    let refusal = status(Answer::refusal(placed.standing));
    let ask = |request: Request<'_>| {
        let status = protect::check_expression(request, evaluate);
        if status == Some(refusal) {
            let note = || rules::note_expression(request, text.unwrap_or_default(), placed.standing);
            guard::contained(note, |_| ());
        }
        status
    };
    // SAFETY: httpd calls this in the thread of the request.
    match unsafe { Request::during(r, ask) } {
        Some(Some(status)) => status,
        Some(None) => status(Answer::NoUser),
        None => sys::authz_status_AUTHZ_GENERAL_ERROR,
    }
}
