//! What a configuration is read from, without httpd, and what becomes of it.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::AtomicU64;

use oxd_core::base::{AuditSink, KeyRing, Store};
use oxd_core::config::directive::ParseEnv;
use oxd_core::config::store::{StoreSettings, Stores};
use oxd_core::config::{Expression, RawSettings, ServerDefaults, Settings};

use crate::place::Kept;

/// There is no Redis.
#[derive(Debug)]
struct NoRedis;

impl Stores for NoRedis {
    fn redis<'a>(&'a self, _: &StoreSettings<'a>) -> &'a dyn Store {
        static NOTHING: std::sync::LazyLock<Kept> = std::sync::LazyLock::new(Kept::default);
        &*NOTHING
    }
}

/// What a configuration is read from.
#[derive(Default)]
pub(crate) struct Files<'a> {
    /// The content of each file, variable and command.
    pub content: &'a [u8],
    /// The one store that httpd has, if any.
    pub store: Option<&'static Kept>,
    /// The warnings so far.
    pub warned: RefCell<Vec<String>>,
}

#[derive(Debug)]
struct NoAudit;

impl AuditSink for NoAudit {
    fn append(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn name(&self) -> &str {
        ""
    }

    fn complained(&self) -> &AtomicU64 {
        static NEVER: AtomicU64 = AtomicU64::new(0);
        &NEVER
    }
}

impl<'c> ParseEnv<'c> for Files<'_> {
    fn read_file(&self, _: &str) -> io::Result<Vec<u8>> {
        Ok(self.content.to_vec())
    }

    fn file_names(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(vec!["error.html".to_owned()])
    }

    fn others_may_read(&self, path: &str) -> bool {
        path.ends_with("shared")
    }

    fn warn(&self, line: String) {
        self.warned.borrow_mut().push(line);
    }

    fn variable(&self, _: &str) -> Option<String> {
        String::from_utf8(self.content.to_vec()).ok()
    }

    fn run(&self, _: &str) -> Result<Option<String>, String> {
        Ok(String::from_utf8(self.content.to_vec()).ok())
    }

    fn compile(&self, expression: &str) -> Result<Expression<'c>, String> {
        match expression.contains("broken") {
            true => Err("syntax error".into()),
            false => Ok(Expression(&7)),
        }
    }

    fn location(&self) -> Option<String> {
        Some("/app".into())
    }

    fn open_store(&self, provider: &str, _: &str) -> Result<&'c dyn Store, String> {
        match self.store {
            Some(store) => Ok(store),
            None => Err(format!("once mod_socache_{} is loaded", provider.escape_debug())),
        }
    }

    fn open_audit(&self, target: &str) -> Result<&'c dyn AuditSink, String> {
        match target.is_empty() {
            true => Err("a file or a program".into()),
            false => Ok(&NoAudit),
        }
    }
}

/// The keys of each place.
pub(crate) fn keys() -> KeyRing {
    KeyRing::derive([&b"a key for the fuzz targets"[..]]).expect("there is a text")
}

/// The resolved settings of a place.
pub(crate) fn settings<'a>(raw: &'a RawSettings<'a>, keys: &'a KeyRing) -> Settings<'a> {
    let server = ServerDefaults {
        keys,
        threads: 16,
        stores: &NoRedis,
        revocations: None,
        tokens_path: None,
    };
    Settings::of(raw, server)
}
