use std::io;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::base::{Key, Seconds, Secret, StoreError};
use crate::config::settings::{ServerDefaults, Settings};

/// A store that nobody asks.
#[derive(Debug)]
struct NoStore;

impl Store for NoStore {
    fn get(&self, _: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn put(&self, _: &Key, _: &[u8], _: Seconds) -> Result<(), StoreError> {
        Ok(())
    }

    fn remove(&self, _: &Key) -> Result<(), StoreError> {
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// An environment with a few files, one variable and one command.
struct Env;

const SITE: &str = r#"{"oxd_id":"i","client_id":"c","client_secret":"s","op_host":"https://op","x":1}"#;

const RESOURCES: &str =
    r#"{"resources": [{"path": "/x", "conditions": [{"httpMethods": ["GET"], "scopes": ["s"]}]}]}"#;

impl<'a> ParseEnv<'a> for Env {
    fn read_file(&self, path: &str) -> io::Result<Vec<u8>> {
        match path {
            "/site.json" => Ok(SITE.into()),
            "/broken.json" => Ok("{".into()),
            "/list.json" => Ok("[]".into()),
            "/odd.json" => Ok(r#"{"oxd_id": 5}"#.into()),
            "/resources.json" => Ok(RESOURCES.into()),
            "/empty" => Ok(vec![]),
            "/shared" => Ok("from-a-file-that-all-can-read".into()),
            "/secret" => Ok("from-a-file-1234567\nsecond line\n".into()),
            "/text.pem" => Ok("no certificate".into()),
            "/pages/error.html" => Ok("{{ title }}".into()),
            "/broken-pages/error.html" => Ok("{{ titel }}".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_names(&self, folder: &str) -> io::Result<Vec<String>> {
        match folder {
            "/pages" | "/broken-pages" => Ok(vec!["error.html".to_owned()]),
            "/odd-pages" => Ok(vec!["eror.html".to_owned()]),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn others_may_read(&self, path: &str) -> bool {
        path == "/shared"
    }

    fn warn(&self, _: String) {}

    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "from-the-environment".into())
    }

    fn run(&self, command: &str) -> Result<Option<String>, String> {
        match command {
            "/bin/good x" => Ok(Some("from-a-command-12345".into())),
            "/bin/later" => Ok(None),
            "/bin/talks" => Err("first\nsecond".into()),
            _ => Err("cannot be run".into()),
        }
    }

    fn compile(&self, expression: &str) -> Result<Expression<'a>, String> {
        if expression.contains("%{broken") {
            Err("syntax error".into())
        } else {
            Ok(Expression(&7))
        }
    }

    fn location(&self) -> Option<String> {
        Some("/app".into())
    }

    fn open_store(&self, provider: &str, details: &str) -> Result<&'a dyn Store, String> {
        match (provider, details) {
            ("memcache", _) => Err("once mod_socache_memcache is loaded".into()),
            _ => Ok(&NoStore),
        }
    }

    fn open_audit(&self, target: &str) -> Result<&'a dyn AuditSink, String> {
        match target {
            "" | "|" | "|missing" | "missing/audit.log" => Err("a file or a program".into()),
            _ => Ok(&NoAudit),
        }
    }
}

/// A log that nobody writes to.
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

fn parse<'a>(arena: &'a Arena<AuthParam<'a>>, line: &[&str]) -> Result<RawSettings<'a>, String> {
    let directive = TABLE
        .iter()
        .find(|d| d.name() == line[0])
        .expect("a directive of the table");
    let mut settings = RawSettings::default();
    directive.parse(&mut settings, &Place { arena, env: &Env }, &line[1..])?;
    Ok(settings)
}

#[test]
fn every_directive_takes_good_values_and_refuses_bad_ones() {
    let arena = Arena::default();
    for directive in TABLE {
        let name = directive.name();
        // No file that the table could name exists on every machine.
        let names_a_file =
            ["OxdServerCAFile", "OxdStoreCAFile", "OxdStoreCert", "OxdStoreKey"].contains(&name);
        assert!(!directive.good.is_empty() || names_a_file, "{name}");
        assert!(!directive.bad.is_empty(), "{name}");
        for args in directive.good {
            if let Err(line) = parse(&arena, &[&[name], *args].concat()) {
                panic!("{name} {args:?} should be allowed: {line}");
            }
        }
        for args in directive.bad {
            let line = parse(&arena, &[&[name], *args].concat())
                .err()
                .unwrap_or_default();
            assert!(line.starts_with(&format!("{name}: ")), "{name} {args:?}: {line}");
            assert!(
                line.contains("allowed: ") && !line.contains('\n'),
                "{name} {args:?}: {line}"
            );
        }
    }
}

#[test]
fn secrets_never_stand_in_the_message() {
    let arena = Arena::default();
    for line in [
        ["OxdCryptoKey", "short-secret"],
        // As a key in base64 may begin.
        ["OxdCryptoKey", "/short-secret/ABC"],
        ["OxdClientSecret", "exec:/bin/bad"],
    ] {
        let message = parse(&arena, &line).err().unwrap();
        assert!(!message.contains("short-secret"), "{message}");
    }
}

#[test]
fn what_a_command_or_a_library_says_stays_in_one_line() {
    let arena = Arena::default();
    let line = parse(&arena, &["OxdClientSecret", "exec:/bin/talks"])
        .err()
        .unwrap();
    assert!(line.contains("first\\nsecond") && !line.contains('\n'), "{line}");
}

#[test]
fn secrets_come_from_where_they_are_said_to_be() {
    let arena = Arena::default();
    for (value, expected) in [
        ("text", "text"),
        ("file:/secret", "from-a-file-1234567"),
        ("env:SECRET", "from-the-environment"),
        ("exec:/bin/good x", "from-a-command-12345"),
    ] {
        let settings = parse(&arena, &["OxdClientSecret", value]).unwrap();
        assert_eq!(settings.client_secret.map(Secret::expose), Some(expected));
    }
}

#[test]
fn directives_that_may_repeat_add_up() {
    let (arena, mut settings) = (Arena::default(), RawSettings::default());
    let place = Place {
        arena: &arena,
        env: &Env,
    };
    let custom = TABLE.iter().find(|d| d.name() == "OxdCustomParam").unwrap();
    custom.parse(&mut settings, &place, &["a", "1"]).unwrap();
    custom.parse(&mut settings, &place, &["b", "2"]).unwrap();
    assert_eq!(settings.custom_params.unwrap().len(), 2);
}

#[test]
fn the_reference_page_is_the_one_in_the_repository() {
    let page = include_str!("../../../../../docs/DIRECTIVES.md");
    assert!(
        page == reference_page(),
        "docs/DIRECTIVES.md is not what the table says: run `make docs`"
    );
}

/// Directives whose default is described in words, as it is no value that one could write.
const DEFAULT_IN_WORDS: &[&str] = &[
    "none",
    "the system's roots",
    "half of ThreadsPerChild, at least 1",
    "not sent: oxd uses the first one registered",
    "not sent (oxd takes client_secret_basic)",
    "not sent",
    "the site's client_id for JWTs, not checked otherwise",
    "the request's host",
    "the path of OxdUmaResources that matches",
    "login where the unmet rule is oxd-acr, else 403",
    "the handler's own page",
    "random per server start, kept across graceful restarts",
    "none: the request's host only",
    "no limit",
    "all",
    "the handler's logout page",
];

#[test]
fn a_documented_default_is_what_holds_without_the_directive() {
    let keys = crate::testing::keys();
    let resolved = |raw: &RawSettings<'_>| {
        let server = ServerDefaults {
            keys: &keys,
            threads: 4,
            stores: &crate::testing::NoStores,
            revocations: None,
            tokens_path: None,
        };
        format!("{:?}", Settings::of(raw, server))
    };
    let without = resolved(&RawSettings::default());
    let mut values = 0;
    for directive in TABLE {
        // The text after a comma explains the value.
        let value = directive.default.split(", ").next().unwrap();
        let written: Vec<&str> = value.split(' ').collect();
        let (arena, mut raw) = (Arena::default(), RawSettings::default());
        let place = Place {
            arena: &arena,
            env: &Env,
        };
        let parsed = directive.parse(&mut raw, &place, &written);
        if DEFAULT_IN_WORDS.contains(&directive.default) && (parsed.is_err() || resolved(&raw) != without) {
            continue;
        }
        parsed.unwrap_or_else(|why| panic!("{}: {why}", directive.name()));
        assert_eq!(resolved(&raw), without, "{}", directive.name());
        values += 1;
    }
    assert!(values >= 17, "{values} defaults are values");
}
