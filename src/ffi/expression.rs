//! httpd's expressions (ap_expr.h), compiled with the configuration.

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};

use oxd_core::config::Expression;

use super::pool::c_text;
use super::request::Request;
use super::sys;

/// A compiled expression. Other modules only get references to it, in the arena of the pool that the expression lives
/// in.
pub(super) struct Compiled(NonNull<sys::ap_expr_info_t>);

// SAFETY: httpd compiles an expression once and evaluates it in any thread without changing it.
unsafe impl Send for Compiled {}
// SAFETY: as above.
unsafe impl Sync for Compiled {}

impl Compiled {
    /// Compiles an expression in its string form; an error message for an invalid one.
    ///
    /// # Safety
    /// `cmd` must be live, and `text` live as long as its pool: the expression keeps pointers into it. The value must
    /// be dropped with that pool at the latest.
    pub(super) unsafe fn new(cmd: *const sys::cmd_parms, text: &CStr) -> Result<Self, String> {
        let mut error = ptr::null();
        // SAFETY: by this function's contract; the out parameter is valid.
        let compiled = unsafe { sys::oxd_compile_expression(cmd, text.as_ptr(), &mut error) };
        match NonNull::new(compiled) {
            Some(compiled) if error.is_null() => Ok(Self(compiled)),
            // SAFETY: the message is NULL or a C string in the command's pool.
            _ => Err(unsafe { c_text(error) }.map_or_else(String::new, |e| e.to_string_lossy().into_owned())),
        }
    }
}

impl Request<'_> {
    /// Evaluates an expression of the configuration.
    pub fn evaluate(self, expression: Expression<'_>) -> Result<String, String> {
        let compiled: &Compiled = expression.0.downcast_ref().ok_or("it was not compiled here")?;
        let mut error: *const c_char = ptr::null();
        // SAFETY: the request is live, and the expression is because it is borrowed from its pool's arena.
        let value = unsafe { sys::ap_expr_str_exec(self.raw.as_ptr(), compiled.0.as_ptr(), &mut error) };
        // SAFETY: NULL, or a C string in the request's pool.
        let (error, value) = unsafe { (c_text(error), c_text(value)) };
        match (error, value) {
            (Some(error), _) => Err(error.to_string_lossy().into_owned()),
            (None, Some(value)) => Ok(value.to_string_lossy().into_owned()),
            (None, None) => Err("it has no value".into()),
        }
    }
}
