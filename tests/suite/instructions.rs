//! Requests take no more instructions than `instructions.json` has kept of them, but for a small tolerance.
//!
//! The numbers hold for one kind of machine: elsewhere the test says so and ends. `make keep-instructions`
//! writes them anew, after a change that is meant to cost or to save something.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use oxd_tests::{Browser, Connection, Install, SHOWS_TOKENS, TestSite, module, sign_in, valgrind};
use serde_json::{Value, json};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// So much more than what is kept is a fault. The counts of two runs differ by less than one percent.
const TOLERANCE: f64 = 0.03;

/// Requests of each kind before they are counted: so nothing is done for the first time.
const BEFORE: usize = 50;

/// Requests of each kind that are counted.
const COUNTED: usize = 500;

/// Another run where a figure is too high: it was the fault of the run if it is not again.
const RETRIES: usize = 2;

const PLACES: &str = r#"
Alias /api "${DOCROOT}"
<Location /api>
    AuthType oxd
    OxdBearer introspect
    Require valid-user
</Location>
"#;

/// A request: its name in the file, where the sessions are, what is asked for, and the status of the answer.
struct Kind {
    name: &'static str,
    store: &'static str,
    path: &'static str,
    brings: Brings,
    status: u16,
}

enum Brings {
    Session,
    Token,
    /// Like a script that takes JSON and has no session.
    Nothing,
}

const KINDS: [Kind; 5] = [
    kind(
        "unprotected, cookie sent",
        "cookie",
        "/1k.bin",
        Brings::Session,
        200,
    ),
    kind(
        "session in the cookie",
        "cookie",
        "/app/1k.bin",
        Brings::Session,
        200,
    ),
    kind("session in shmcb", "shmcb", "/app/1k.bin", Brings::Session, 200),
    kind(
        "bearer token, answer kept",
        "cookie",
        "/api/1k.bin",
        Brings::Token,
        200,
    ),
    kind(
        "refused, 401 as JSON",
        "cookie",
        "/app/1k.bin",
        Brings::Nothing,
        401,
    ),
];

const fn kind(
    name: &'static str,
    store: &'static str,
    path: &'static str,
    brings: Brings,
    status: u16,
) -> Kind {
    Kind {
        name,
        store,
        path,
        brings,
        status,
    }
}

#[test]
fn requests_take_no_more_instructions_than_before() {
    if let Some(why) = cannot_count() {
        return say(&format!("skipped: {why}"));
    }
    let here = made_with();
    let keep = std::env::var_os("OXD_KEEP_INSTRUCTIONS").is_some();
    let kept: Value = match std::fs::read_to_string(KEPT) {
        Ok(text) => serde_json::from_str(&text).expect("instructions.json is JSON"),
        Err(_) if keep => Value::Null,
        Err(error) => panic!("{KEPT}: {error}"),
    };
    if !keep && let Some(other) = difference(&kept["made_with"], &here) {
        return say(&format!(
            "skipped: instructions.json was made with another {other}"
        ));
    }
    let bounds = |kind: &Kind| match keep {
        true => u64::MAX,
        false => bound(kept["instructions"][kind.name].as_u64().unwrap_or_default()),
    };
    let counted = count(&bounds);
    if keep {
        let text = json!({ "made_with": here, "instructions": counted });
        let text = serde_json::to_string_pretty(&text).expect("JSON");
        std::fs::write(KEPT, text + "\n").expect("instructions.json can be written");
        return say(&format!("{KEPT} is written anew"));
    }
    let (mut report, mut slower) = (String::new(), false);
    for kind in &KINDS {
        let (now, before) = (counted[kind.name], kept["instructions"][kind.name].as_u64());
        let before = before.unwrap_or_else(|| panic!("instructions.json has no {:?}", kind.name));
        let percent = (now as f64 / before as f64 - 1.0) * 100.0;
        report.push_str(&format!(
            "\n  {}: {now} instructions, {before} before ({percent:+.1} %)",
            kind.name
        ));
        slower |= now > bound(before);
    }
    assert!(
        !slower,
        "more than {:.0} % above what is kept:{report}\nkept with {}, here is {}; \
         `make keep-instructions` keeps the new numbers",
        TOLERANCE * 100.0,
        kept["made_with"]["compiler"],
        here["compiler"]
    );
    say(&format!("instructions per request:{report}"));
}

/// Past what the test runner catches: a test that passes should still be able to say what it did not do.
fn say(text: &str) {
    // Nobody is left to hear of an error here.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn bound(kept: u64) -> u64 {
    (kept as f64 * (1.0 + TOLERANCE)) as u64
}

fn cannot_count() -> Option<String> {
    if valgrind().is_none() {
        return Some("valgrind is not installed, so no instructions are counted".to_owned());
    }
    let profile = module().parent().and_then(Path::file_name);
    if profile.is_none_or(|name| name != "release") {
        return Some("only a module in a directory `release` is compared: see OXD_MODULE".to_owned());
    }
    None
}

/// What the numbers depend on, besides the module's sources. valgrind hides some of the processor, and the
/// C library chooses its functions by what is left.
fn made_with() -> BTreeMap<&'static str, String> {
    let said = |program: &Path, option: &str, pattern: &str| {
        let output = Command::new(program).arg(option).output();
        let output = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        let pattern = regex::Regex::new(pattern).expect("a pattern of our own");
        let output = output.unwrap_or_default();
        let found = pattern.captures(&output).map(|found| found[1].to_owned());
        found.unwrap_or_else(|| "unknown".to_owned())
    };
    BTreeMap::from([
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("processor", processor().to_owned()),
        ("httpd", said(&Install::get().binary, "-v", r"Apache/([\d.]+)")),
        ("C library", said(Path::new("ldd"), "--version", r"([\d.]+)\n")),
        (
            "valgrind",
            said(Path::new("valgrind"), "--version", r"valgrind-([\d.]+)"),
        ),
        (
            "compiler",
            said(Path::new("rustc"), "--version", r"(rustc [\d.]+)"),
        ),
    ])
}

#[cfg(target_arch = "x86_64")]
fn processor() -> &'static str {
    match std::arch::is_x86_feature_detected!("avx2") {
        true => "with AVX2",
        false => "without AVX2",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> &'static str {
    "any"
}

/// What of this makes the numbers incomparable. A compiler's version does not: the tolerance has room for it.
fn difference(kept: &Value, here: &BTreeMap<&str, String>) -> Option<String> {
    let other = here
        .iter()
        .find(|(name, value)| **name != "compiler" && kept[**name] != **value);
    other.map(|(name, value)| format!("{name}: {}, here {value:?}", kept[*name]))
}

/// Instructions of each kind of request. Counting does not mind other processes, so two httpds run at a time.
fn count(bounds: &(dyn Fn(&Kind) -> u64 + Sync)) -> BTreeMap<&'static str, u64> {
    let counted = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for store in ["cookie", "shmcb"] {
            let counted = &counted;
            scope.spawn(move || {
                let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.store == store).collect();
                let mut least = vec![u64::MAX; kinds.len()];
                for _ in 0..=RETRIES {
                    let found = run(store, &kinds);
                    least = least
                        .iter()
                        .zip(found)
                        .map(|(least, now)| now.min(*least))
                        .collect();
                    let fits = |(kind, least): (&&Kind, &u64)| *least <= bounds(kind);
                    if kinds.iter().zip(&least).all(fits) {
                        break;
                    }
                }
                let mut counted = counted.lock().expect("no panic with this lock");
                counted.extend(kinds.iter().map(|kind| kind.name).zip(least));
            });
        }
    });
    counted.into_inner().expect("no panic with this lock")
}

/// Instructions of each of these kinds of requests, at an httpd of their own.
fn run(store: &str, kinds: &[&Kind]) -> Vec<u64> {
    let mut builder = TestSite::builder()
        .httpd(|httpd| httpd.counting_instructions())
        .config(PLACES)
        .config(SHOWS_TOKENS);
    if store == "shmcb" {
        builder = builder
            .httpd(|httpd| httpd.load("socache_shmcb"))
            .directives("OxdSessionStore \"shmcb:${ROOT}/run/sessions(4194304)\"");
    }
    let site = builder.start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/1k.bin")).page.expect(200);
    let token = browser.get(site.url("/tokens/env")).environment()["OXD_ACCESS_TOKEN"].clone();
    let mut cookies: BTreeMap<_, _> = browser.cookies(site.url("/app/")).into_iter().collect();
    let mut connection = Connection::new(site.httpd.address());
    let mut ask = |connection: &mut Connection, kind: &Kind, times: usize| {
        for _ in 0..times {
            let lines = match kind.brings {
                Brings::Session => {
                    let pairs: Vec<_> = cookies
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    format!("Accept: text/html\r\nCookie: {}", pairs.join("; "))
                }
                Brings::Token => format!("Accept: application/json\r\nAuthorization: Bearer {token}"),
                Brings::Nothing => "Accept: application/json".to_owned(),
            };
            let answer = connection.get_with(kind.path, &lines, "set-cookie");
            let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", kind.name));
            assert_eq!(answer.status, kind.status, "{}", kind.name);
            // A client that is deaf to a renewed cookie would be sent another one with each answer.
            let renewed = answer
                .field
                .as_deref()
                .and_then(|field| field.split(';').next()?.split_once('='));
            if let Some((name, value)) = renewed {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    };
    let mark = |connection: &mut Connection| {
        let answer = connection.request("OPTIONS", "/1k.bin", "Accept: */*", "allow");
        assert_eq!(answer.expect("an answer to a mark").status, 200);
    };
    for kind in kinds {
        ask(&mut connection, kind, BEFORE);
        mark(&mut connection);
        ask(&mut connection, kind, COUNTED);
        mark(&mut connection);
    }
    // The last two marks have only one of them between.
    mark(&mut connection);
    let counts = site.httpd.instructions();
    assert_eq!(counts.len(), 2 * kinds.len() + 1, "callgrind noticed each mark");
    let of_mark = counts[counts.len() - 1];
    (0..kinds.len())
        .map(|index| (counts[2 * index + 1] - of_mark) / COUNTED as u64)
        .collect()
}
