//! The files and programs of `OxdAuditLog`.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oxd_core::base::AuditSink;

use crate::ffi::append::Appender;
use crate::ffi::command::Command;
use crate::ffi::server::Servers;

/// A file or a program that a directive names.
#[derive(Debug)]
struct Trail {
    /// The argument of the directive.
    name: String,
    /// The same with the whole path of a file: by whatever path places name it, they share it.
    target: String,
    end: Appender,
    /// Whether the configuration that is being read, or that was read last, names it.
    is_named: AtomicBool,
    complained: AtomicU64,
}

/// All of them that any configuration of this process has named. They are few, and never freed.
static TRAILS: Mutex<Vec<&'static Trail>> = Mutex::new(Vec::new());

fn trails() -> MutexGuard<'static, Vec<&'static Trail>> {
    TRAILS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stands behind `|`, and whether a shell runs it.
fn program(name: &str) -> Option<(&str, bool)> {
    let program = name.strip_prefix('|')?;
    Some(match program.strip_prefix('$') {
        Some(command) => (command, true),
        None => (program.strip_prefix('|').unwrap_or(program), false),
    })
}

/// The one that a directive names; it is opened when the whole configuration is read. The error text describes the allowed
/// values.
pub fn named(command: Command<'_>, name: &str) -> Result<&'static dyn AuditSink, String> {
    check(command, name)?;
    let mut trails = trails();
    let target = match program(name) {
        Some(_) => name.to_owned(),
        None => command.absolute(name).to_string_lossy().into_owned(),
    };
    let known = trails.iter().find(|trail| trail.target == target).copied();
    let trail = known.unwrap_or_else(|| {
        let trail: &'static Trail = Box::leak(Box::new(Trail {
            name: name.to_owned(),
            target,
            end: Appender::closed(),
            is_named: AtomicBool::new(false),
            complained: AtomicU64::new(0),
        }));
        trails.push(trail);
        trail
    });
    trail.is_named.store(true, Ordering::Relaxed);
    Ok(trail)
}

/// Finds mistakes before httpd starts.
fn check(command: Command<'_>, name: &str) -> Result<(), String> {
    match program(name) {
        Some((text, true)) if text.trim().is_empty() => Err("a command behind |$".into()),
        Some((_, true)) => Ok(()),
        Some((text, false)) => {
            let word = text
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_matches(['"', '\'']);
            match Path::new(word) {
                path if !path.is_absolute() => Err("a program behind |, named with its whole path".into()),
                path if !path.is_file() => Err(format!("a program that is there: there is no file {word}")),
                _ => Ok(()),
            }
        }
        None => {
            let path = command.absolute(name);
            let folder = path.parent().unwrap_or(Path::new("/"));
            if name.is_empty() || path.is_dir() {
                Err("a file, or a program behind |, or Off".into())
            } else if !folder.is_dir() {
                let folder = folder.display();
                Err(format!(
                    "a file in a directory that is there: there is no directory {folder}"
                ))
            } else {
                Ok(())
            }
        }
    }
}

/// A configuration is about to be read.
pub fn forget() {
    for trail in trails().iter() {
        trail.is_named.store(false, Ordering::Relaxed);
        trail.end.forget();
    }
}

/// Opens all that the configuration names, in the parent, which still has root's rights. The error names the one that
/// cannot be opened.
pub fn open(servers: Servers<'_>) -> Result<(), String> {
    for trail in trails()
        .iter()
        .filter(|trail| trail.is_named.load(Ordering::Relaxed))
    {
        let opened = match program(&trail.name) {
            Some((command, in_shell)) => trail.end.open_program(servers, command, in_shell),
            None => trail.end.open_file(servers, &servers.absolute(&trail.name)),
        };
        opened.map_err(|why| format!("OxdAuditLog {}: {why}", trail.name))?;
    }
    Ok(())
}

impl AuditSink for Trail {
    fn append(&self, line: &[u8]) -> io::Result<()> {
        self.end.append(line)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn complained(&self) -> &AtomicU64 {
        &self.complained
    }
}
