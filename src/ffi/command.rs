//! The command (a directive or a `Require` line) that httpd is parsing.

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr::NonNull;

use oxd_core::config::Expression;

use super::dir_config::DirConfig;
use super::expression::Compiled;
use super::pool::{Pool, c_text};
use super::sys;

/// A command of the configuration. `'c` is the lifetime of the pool that the configuration is read into. It belongs to
/// one command alone, because [`Command::during`] introduces a new one for each call.
#[derive(Clone, Copy)]
pub struct Command<'c> {
    raw: NonNull<sys::cmd_parms>,
    pool: Pool<'c>,
    brand: PhantomData<fn(&'c ()) -> &'c ()>,
}

impl<'c> Command<'c> {
    /// Runs `body` with a command; `None` for NULL.
    ///
    /// # Safety
    /// `raw` must be NULL or live parameters of a command, in the thread that reads the configuration.
    pub unsafe fn during<A>(
        raw: *mut sys::cmd_parms,
        body: impl for<'o> FnOnce(Command<'o>) -> A,
    ) -> Option<A> {
        let raw = NonNull::new(raw)?;
        // SAFETY: the parameters are live by this function's contract.
        let pool = unsafe { raw.as_ref() }.pool;
        // SAFETY: the configuration's pool is live while it is read.
        let pool = unsafe { Pool::from_raw(pool) }?;
        Some(body(Command {
            raw,
            pool,
            brand: PhantomData,
        }))
    }

    /// The configuration's pool.
    pub fn pool(self) -> Pool<'c> {
        self.pool
    }

    /// Whether the command is part of the server configuration, and not of a file that is read for one request.
    pub(super) fn is_of_server(self) -> bool {
        // SAFETY: the parameters are live by the contract of `during`, and name a live server, which has its process.
        let pconf = unsafe { (*(*self.raw.as_ref().server).process).pconf };
        pconf == self.pool.as_ptr()
    }

    /// The directive's `cmd_data` in the command table, which is its index.
    pub fn number(self) -> usize {
        // SAFETY: the parameters are live by the contract of `during`.
        unsafe { self.raw.as_ref() }.info.addr()
    }

    /// Changes the configuration that the command belongs to.
    ///
    /// # Safety
    /// `config` must be what httpd passed with the command, and so come from `dir_config::create` with the same pool.
    pub unsafe fn change<A>(self, config: *mut c_void, body: impl FnOnce(&mut DirConfig<'c>) -> A) -> A {
        // SAFETY: by this function's contract; nobody else uses the configuration while it is read.
        body(unsafe { &mut *config.cast::<DirConfig<'c>>() })
    }

    /// The directive that is read: its name, and the words behind it.
    pub fn directive(self) -> (String, Vec<String>) {
        // SAFETY: the parameters are live by the contract of `during`; httpd names the directive that it reads.
        let Some(directive) = (unsafe { self.raw.as_ref().directive.as_ref() }) else {
            return (String::new(), Vec::new());
        };
        // SAFETY: both are C strings that live as long as the directive.
        let (name, args) = unsafe { (c_text(directive.directive), c_text(directive.args)) };
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        (name, self.words(args.unwrap_or_default()))
    }

    /// The sections that the command stands in, from the innermost: the opening of each, such as `<Location /app>`.
    pub fn sections(self) -> Vec<String> {
        let mut sections = Vec::new();
        // SAFETY: the parameters are live by the contract of `during`; httpd names the directive that it reads.
        let mut directive = unsafe { self.raw.as_ref().directive.as_ref() };
        while let Some(inner) = directive {
            // SAFETY: NULL, or the live directive of the section around it.
            directive = unsafe { inner.parent.as_ref() };
            if let Some(section) = directive {
                // SAFETY: both are C strings that live as long as the directive.
                let (name, args) = unsafe { (c_text(section.directive), c_text(section.args)) };
                let text = |part: Option<&CStr>| part.unwrap_or_default().to_string_lossy().into_owned();
                let (name, args) = (text(name), text(args));
                sections.push(format!("{name} {}>", args.trim_end_matches('>')));
            }
        }
        sections
    }

    /// Makes a path absolute, relative to ServerRoot.
    pub fn absolute(self, path: &str) -> PathBuf {
        let Ok(text) = CString::new(path) else {
            return PathBuf::from(path);
        };
        // SAFETY: the pool is live; httpd copies what it keeps of the path.
        let absolute = unsafe { sys::ap_server_root_relative(self.pool.as_ptr(), text.as_ptr()) };
        // SAFETY: NULL, or a C string in the pool.
        let absolute = unsafe { c_text(absolute) };
        absolute
            .and_then(|p| p.to_str().ok())
            .map_or_else(|| PathBuf::from(path), PathBuf::from)
    }

    /// Compiles an httpd expression in its string form.
    pub fn compile(self, expression: &str) -> Result<Expression<'c>, String> {
        if expression.contains('\0') {
            return Err("it has a NUL".into());
        }
        let text = self.pool.text(expression.as_bytes());
        // SAFETY: the parameters are live, text and expression live in their pool, whose arena drops the value.
        let compiled = unsafe { Compiled::new(self.raw.as_ptr(), text) }?;
        Ok(Expression(self.pool.arena().keep(compiled)))
    }

    /// Splits a line into words by httpd's quoting rules. Invalid UTF-8 becomes replacement characters.
    pub fn words(self, line: &CStr) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = line.as_ptr();
        loop {
            // SAFETY: `rest` points into the line, at its NUL at the most.
            if unsafe { *rest } == 0 {
                return words;
            }
            // SAFETY: the pool is live; ap_getword_conf moves `rest` along the line, to its NUL at the most.
            let word = unsafe { sys::ap_getword_conf(self.pool.as_ptr(), &mut rest) };
            // SAFETY: the word is a C string in the pool.
            let word = unsafe { c_text(word) };
            words.push(word.map_or_else(String::new, |w| w.to_string_lossy().into_owned()));
        }
    }
}
