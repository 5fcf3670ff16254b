//! The table of directives: the one source for parsing, for the reference page and for what `configtest` says.

mod identity;
mod login;
mod reference;
mod server;
mod session;

pub use reference::{GROUPS, INTRODUCTION, reference_page};

use std::ffi::CStr;
use std::ops::RangeInclusive;

use crate::base::{Arena, Store};
use crate::config::raw::RawSettings;
use crate::config::types::{AuthParam, Expression};
use crate::config::value::{Complaint, Parsed};

/// What parsing needs from the world; the Apache layer and the tests provide it.
///
/// `'a` is the life of the configuration: expressions and stores are handed out for as long.
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

/// Everything that a parser gets besides the arguments.
pub struct Place<'a, 'e> {
    /// Keeps the values.
    pub arena: &'a Arena<AuthParam<'a>>,
    /// The world.
    pub env: &'e dyn ParseEnv<'a>,
}

/// Parses the arguments of one directive into the settings of its place.
pub type Apply = for<'a> fn(&mut RawSettings<'a>, &Place<'a, '_>, &[&str]) -> Parsed<()>;

/// The parts of the reference page, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Which oxd, and who we are there.
    Site,
    /// The way to the provider and back.
    Login,
    /// Sessions and their cookies.
    Session,
    /// What the application gets.
    Identity,
    /// Leaving.
    Logout,
}

/// A directive.
pub struct Directive {
    /// Its name, NUL-terminated because httpd reads it from here.
    pub name: &'static CStr,
    /// Where it stands in the reference.
    pub group: Group,
    /// Whether `.htaccess` may have it (`AllowOverride AuthConfig`).
    pub htaccess: bool,
    /// How many arguments it takes.
    pub arguments: RangeInclusive<usize>,
    /// The arguments as the reference writes them.
    pub syntax: &'static str,
    /// What holds when it is not there.
    pub default: &'static str,
    /// One line for `httpd -L` and the reference, NUL-terminated.
    pub summary: &'static CStr,
    /// The rest of its entry in the reference, in Markdown.
    pub details: &'static str,
    /// An example, as it would stand in a configuration.
    pub example: &'static str,
    /// Its parser.
    pub apply: Apply,
}

impl Directive {
    /// The name as text.
    pub fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    /// Where it may stand, as the reference says it.
    pub fn context(&self) -> &'static str {
        if self.htaccess {
            "server, virtual host, directory, .htaccess"
        } else {
            "server, virtual host, directory"
        }
    }

    /// Applies the directive, or says in one line what is wrong: the directive, the value, what is allowed.
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

/// How many directives there are.
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
