//! The table of directives: the single source for parsing, the reference page and the messages of `configtest`.

mod audit;
mod bearer;
mod cookie;
mod identity;
mod login;
mod pages;
mod reference;
mod revocations;
mod server;
mod session;
mod site;
mod store;
mod uma;

pub use reference::{GROUPS, INTRODUCTION, reference_page};

use std::ffi::CStr;
use std::ops::RangeInclusive;

use crate::base::{Arena, AuditSink, Store};
use crate::config::raw::RawSettings;
use crate::config::types::{AuthParam, Expression};
use crate::config::value::{Parsed, one_line};

/// The environment of the parsers, provided by the Apache layer and the tests. `'a` is the lifetime of the
/// configuration, and so of expressions and stores.
pub trait ParseEnv<'a> {
    /// Reads a file; the path may be relative to `ServerRoot`.
    fn read_file(&self, path: &str) -> std::io::Result<Vec<u8>>;
    /// The names of the files in a folder, sorted.
    fn file_names(&self, folder: &str) -> std::io::Result<Vec<String>>;
    /// Whether users who are neither the file's owner nor in its group may read it.
    fn others_may_read(&self, path: &str) -> bool;
    /// Warns the administrator, without refusing the value.
    fn warn(&self, line: String);
    /// An environment variable of the server.
    fn variable(&self, name: &str) -> Option<String>;
    /// The first line of a command's output. `Ok(None)` when commands are not run in this pass over the configuration:
    /// httpd reads it several times, and a command runs once.
    fn run(&self, command: &str) -> Result<Option<String>, String>;
    /// Compiles an httpd expression.
    fn compile(&self, expression: &str) -> Result<Expression<'a>, String>;
    /// The path of the enclosing `<Location>`; `/` outside of all sections that apply to a part of a server; `None` within
    /// other ones.
    fn location(&self) -> Option<String>;
    /// Opens a session store on one of httpd's socache providers; the same arguments give the same store. The error is
    /// worded as the allowed values.
    fn open_store(&self, provider: &str, details: &str) -> Result<&'a dyn Store, String>;
    /// A file, or a program behind `|`, to append lines to; the same value gives the same one. The error is worded as the
    /// allowed values.
    fn open_audit(&self, target: &str) -> Result<&'a dyn AuditSink, String>;
}

/// The context of a parser.
pub struct Place<'a, 'e> {
    /// Owns the values.
    pub arena: &'a Arena<AuthParam<'a>>,
    /// The environment.
    pub env: &'e dyn ParseEnv<'a>,
}

/// Parses the arguments of one directive into the settings of its location.
pub type Apply = for<'a> fn(&mut RawSettings<'a>, &Place<'a, '_>, &[&str]) -> Parsed<()>;

/// The sections of the reference page, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The connection to oxd, and the site's registration.
    Site,
    /// Logins.
    Login,
    /// Sessions and their cookies.
    Session,
    /// The data for the application.
    Identity,
    /// Bearer tokens.
    Bearer,
    /// UMA.
    Uma,
    /// Logouts.
    Logout,
    /// The audit trail.
    Audit,
    /// The pages.
    Pages,
}

/// A directive.
pub struct Directive {
    /// Its name, NUL-terminated because httpd reads it from here.
    pub name: &'static CStr,
    /// Its section of the reference.
    pub group: Group,
    /// Whether it is allowed in `.htaccess` (`AllowOverride AuthConfig`).
    pub htaccess: bool,
    /// The number of arguments.
    pub arguments: RangeInclusive<usize>,
    /// The syntax of its arguments, for the reference.
    pub syntax: &'static str,
    /// The default, for the reference.
    pub default: &'static str,
    /// One line for `httpd -L` and the reference, NUL-terminated.
    pub summary: &'static CStr,
    /// The rest of its entry in the reference, in Markdown.
    pub details: &'static str,
    /// A configuration example.
    pub example: &'static str,
    /// Arguments that the test expects to be taken.
    #[cfg(test)]
    pub good: &'static [&'static [&'static str]],
    /// Arguments that the test expects to be refused.
    #[cfg(test)]
    pub bad: &'static [&'static [&'static str]],
    /// Its parser.
    pub apply: Apply,
}

impl Directive {
    /// The name as text.
    pub fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    /// Its contexts, for the reference.
    pub fn context(&self) -> &'static str {
        if self.htaccess {
            "server, virtual host, directory, .htaccess"
        } else {
            "server, virtual host, directory"
        }
    }

    /// Applies the directive. The error is one line with the directive, the value and the allowed values.
    pub fn parse<'a>(
        &self,
        settings: &mut RawSettings<'a>,
        place: &Place<'a, '_>,
        args: &[&str],
    ) -> Result<(), String> {
        let name = self.name();
        if !self.arguments.contains(&args.len()) {
            let given = match args.len() {
                0 => "no value".into(),
                1 => "1 value".into(),
                n => format!("{n} values"),
            };
            return Err(format!("{name}: {given} given; allowed: {name} {}", self.syntax));
        }
        (self.apply)(settings, place, args).map_err(|complaint| {
            let allowed = one_line(&complaint.allowed);
            match complaint.value {
                Some(value) => {
                    let value = value.escape_debug();
                    format!("{name}: '{value}' is not allowed; allowed: {allowed}")
                }
                None => {
                    format!(
                        "{name}: the value (not shown, as it is a secret) is not allowed; allowed: {allowed}"
                    )
                }
            }
        })
    }
}

/// The number of directives.
pub const COUNT: usize = server::TABLE.len()
    + site::TABLE.len()
    + login::TABLE.len()
    + session::TABLE.len()
    + store::TABLE.len()
    + revocations::TABLE.len()
    + cookie::TABLE.len()
    + identity::TABLE.len()
    + bearer::TABLE.len()
    + uma::TABLE.len()
    + audit::TABLE.len()
    + pages::TABLE.len();

/// All directives, in the order of the reference.
pub static TABLE: [&Directive; COUNT] = {
    let parts = [
        server::TABLE,
        site::TABLE,
        login::TABLE,
        session::TABLE,
        store::TABLE,
        revocations::TABLE,
        cookie::TABLE,
        identity::TABLE,
        bearer::TABLE,
        uma::TABLE,
        audit::TABLE,
        pages::TABLE,
    ];
    let mut table = [&server::TABLE[0]; COUNT];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut entry = 0;
        while entry < parts[part].len() {
            table[at] = &parts[part][entry];
            at += 1;
            entry += 1;
        }
        part += 1;
    }
    table
};

#[cfg(test)]
mod tests;
