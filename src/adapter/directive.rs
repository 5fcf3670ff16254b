//! Parses directives with access to httpd and the operating system.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command as Program, Stdio};

use oxd_core::base::{AuditSink, Store};
use oxd_core::config::Expression;
use oxd_core::config::check;
use oxd_core::config::directive::{self, ParseEnv, Place};

use crate::adapter::{audit, child, store};
use crate::ffi::command::Command;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::process;

/// Parses one directive, by its index in the table, into the configuration of its location. Returns an error message
/// for an invalid value.
///
/// `arguments` is `None` when they are not UTF-8.
pub fn take<'c>(
    command: Command<'c>,
    config: &mut DirConfig<'c>,
    args: Option<&[&str]>,
) -> Result<(), String> {
    let directive = directive::TABLE
        .get(command.number())
        .ok_or("an unknown directive")?;
    let not_text = || format!("{}: the value is not UTF-8 text", directive.name());
    let args = args.ok_or_else(not_text)?;
    let place = Place {
        arena: command.pool().arena(),
        env: &Env(command),
    };
    directive.parse(&mut config.settings, &place, args)?;
    config.configured = true;
    Ok(())
}

/// The environment in which a directive is parsed.
struct Env<'c>(Command<'c>);

impl<'c> ParseEnv<'c> for Env<'c> {
    fn read_file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.absolute(path))
    }

    fn file_names(&self, folder: &str) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.0.absolute(folder))? {
            let entry = entry?;
            if !entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn others_may_read(&self, path: &str) -> bool {
        let mode = std::fs::metadata(self.0.absolute(path)).map(|file| file.permissions().mode());
        mode.is_ok_and(|mode| mode & 0o004 != 0)
    }

    fn warn(&self, line: String) {
        child::warn_later(line);
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn run(&self, command: &str) -> Result<Option<String>, String> {
        let mut words = command.split_ascii_whitespace();
        let program = words.next().ok_or("it names no program")?;
        if !Path::new(program).is_absolute() {
            return Err(format!("the program {program} must be named with its whole path"));
        }
        if process::is_dry_run() {
            return if Path::new(program).is_file() {
                Ok(None)
            } else {
                Err(format!("there is no file {program}"))
            };
        }
        let output = Program::new(program)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{program}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{program}: {}", output.status));
        }
        let text =
            String::from_utf8(output.stdout).map_err(|_| format!("{program} printed what is not text"))?;
        Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
    }

    fn compile(&self, expression: &str) -> Result<Expression<'c>, String> {
        self.0.compile(expression)
    }

    fn location(&self) -> Option<String> {
        let sections = self.0.sections();
        let is = |opening: &str, name: &str| {
            opening.get(1..).is_some_and(|rest| {
                rest.get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name))
                    && rest[name.len()..].starts_with(' ')
            })
        };
        // Conditions apply to a part of their section's requests, not to a part of its addresses.
        let around = sections.iter().find(|opening| {
            ["If", "ElseIf", "Else", "IfModule", "IfDefine", "IfVersion"]
                .iter()
                .all(|name| !is(opening, name))
        });
        match around {
            None => Some("/".to_owned()),
            Some(opening) if is(opening, "VirtualHost") => Some("/".to_owned()),
            Some(opening) => check::location(opening).map(str::to_owned),
        }
    }

    fn open_store(&self, provider: &str, details: &str) -> Result<&'c dyn Store, String> {
        store::open(self.0, provider, details)
    }

    fn open_audit(&self, target: &str) -> Result<&'c dyn AuditSink, String> {
        audit::named(self.0, target)
    }
}
