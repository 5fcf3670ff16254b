//! The table of directives: the one source for parsing, the reference page and the messages of `configtest`.

mod identity;
mod login;
mod reference;
mod server;
mod session;

pub use reference::{GROUPS, INTRODUCTION, reference_page};

use std::ffi::CStr;
use std::ops::RangeInclusive;

use crate::base::arena::Arena;
use crate::base::store::Store;
use crate::config::raw::RawSettings;
use crate::config::types::{AuthParam, Expression};
use crate::config::value::{Complaint, Parsed};

/// The environment of parsing; implemented by the Apache layer and by the tests.
///
/// `'a` is the lifetime of the configuration; expressions and stores live as long.
pub trait ParseEnv<'a> {
    /// Reads a file; the path may be relative to `ServerRoot`.
    fn read_file(&self, path: &str) -> std::io::Result<Vec<u8>>;
    /// An environment variable of the server.
    fn variable(&self, name: &str) -> Option<String>;
    /// The first line that a command prints. `Ok(None)` when commands are not run in this pass over the
    /// configuration: httpd reads it several times, and a command runs once.
    fn run(&self, command: &str) -> Result<Option<String>, String>;
    /// Compiles an httpd expression.
    fn compile(&self, expression: &str) -> Result<Expression<'a>, String>;
    /// Makes a session store of one of httpd's socache providers; the same one for the same words. What is wrong with
    /// it is said as what would be allowed.
    fn open_store(&self, provider: &str, details: &str) -> Result<&'a dyn Store, String>;
}

/// The input of a parser besides the arguments.
pub struct Place<'a, 'e> {
    /// Owns the parsed values.
    pub arena: &'a Arena<AuthParam<'a>>,
    /// The environment.
    pub env: &'e dyn ParseEnv<'a>,
}

/// Parses the arguments of one directive into the settings of its place.
pub type Apply = for<'a> fn(&mut RawSettings<'a>, &Place<'a, '_>, &[&str]) -> Parsed<()>;

/// The sections of the reference page, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// oxd's address and the site's credentials.
    Site,
    /// The login at the provider.
    Login,
    /// Sessions and their cookies.
    Session,
    /// The identity passed to the application.
    Identity,
    /// Logout.
    Logout,
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
    /// The arguments as the reference writes them.
    pub syntax: &'static str,
    /// The default, as the reference writes it.
    pub default: &'static str,
    /// One line for `httpd -L` and the reference, NUL-terminated.
    pub summary: &'static CStr,
    /// The rest of its entry in the reference, in Markdown.
    pub details: &'static str,
    /// An example line of configuration.
    pub example: &'static str,
    /// Its parser.
    pub apply: Apply,
}

impl Directive {
    /// The name as text.
    pub fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    /// The context, as the reference writes it.
    pub fn context(&self) -> &'static str {
        if self.htaccess {
            "server, virtual host, directory, .htaccess"
        } else {
            "server, virtual host, directory"
        }
    }

    /// Applies the directive, or returns a one-line error: the directive, the value, the allowed values.
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
        (self.apply)(settings, place, args).map_err(|complaint| match complaint {
            Complaint {
                value: Some(value),
                allowed,
            } => {
                format!(
                    "{name}: '{}' is not allowed; allowed: {allowed}",
                    value.escape_debug()
                )
            }
            Complaint { value: None, allowed } => {
                format!("{name}: the value (not shown, as it is a secret) is not allowed; allowed: {allowed}")
            }
        })
    }
}

/// The number of directives.
pub const COUNT: usize =
    server::TABLE.len() + login::TABLE.len() + session::TABLE.len() + identity::TABLE.len();

/// All directives, in the order of the reference.
pub static TABLE: [&Directive; COUNT] = {
    let parts = [server::TABLE, login::TABLE, session::TABLE, identity::TABLE];
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
