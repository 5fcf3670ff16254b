//! The steady state: what a request with a session costs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_tests::{Answer, Browser, TestSite, begin, wait_until};

const REFRESH: &str = "get-access-token-by-refresh-token";

/// Below `/app` and, the same files, below `/basic`: requests that httpd makes several of, with the status of the
/// answer and a text in it.
const KINDS: [(&str, u16, &str); 7] = [
    ("/1k.bin", 200, "kkkk"),
    ("/", 200, "application"),
    ("/list/", 200, "three.html"),
    ("/short", 200, "other page"),
    ("/shorter", 200, "other page"),
    ("/missing", 404, "other page"),
    ("/whole.shtml", 200, "other page"),
];

/// `/short` is rewritten before httpd looks for a file, `/shorter` by an internal redirect.
const PLACE: &str = r#"
    RewriteRule ^/PLACE/short$ /PLACE/other.html [PT]
    <Directory "${DOCROOT}/PLACE">
        Options +Includes +Indexes
        AddType text/html .shtml
        AddOutputFilter INCLUDES .shtml
        ErrorDocument 404 /PLACE/other.html
        RewriteEngine On
        RewriteRule ^shorter$ other.html
    </Directory>
"#;

/// A site where `/app` is protected by the module and `/basic` by httpd's own means.
fn site(directives: &str) -> TestSite {
    let builder = TestSite::builder()
        .directives(directives)
        .config("RewriteEngine On")
        .config(&PLACE.replace("PLACE", "app"))
        .config(&PLACE.replace("PLACE", "basic"))
        .config(
            "<Location /basic>\nAuthType Basic\nAuthName basic\nAuthUserFile \"${ROOT}/users\"\n\
             Require valid-user\n</Location>",
        );
    let builder = builder.httpd(|mut httpd| {
        let include = "<!--#include virtual=\"other.html\" --><!--#include virtual=\"list/one.html\" -->";
        for place in ["app", "basic"] {
            for (name, text) in [
                ("1k.bin", &*"k".repeat(1024)),
                ("index.html", "application"),
                ("other.html", "other page"),
                ("whole.shtml", include),
                ("list/one.html", "one"),
                ("list/two.html", "two"),
                ("list/three.html", "three"),
            ] {
                httpd.file(&format!("docroot/{place}/{name}"), text);
            }
        }
        // The password is `password`.
        httpd.file("users", "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
        for module in ["autoindex", "rewrite", "include", "auth_basic", "authn_file"] {
            httpd = httpd.load(module);
        }
        httpd
            .without_overwriting()
            .log_level("warn oxd:debug authz_core:debug")
    });
    builder.start()
}

/// How often httpd has asked the rules.
fn evaluations(site: &TestSite) -> usize {
    site.httpd.error_log().matches("of Require valid-user").count()
}

fn with_password(browser: &Browser, url: String) -> Answer {
    let ask = browser.ask("GET", url);
    ask.header("authorization", "Basic dXNlcjpwYXNzd29yZA==").send()
}

#[test]
fn a_request_that_becomes_several_is_one_to_the_module() {
    // Cookies are renewed after a second.
    let site = site("OxdSessionIdle 100s");
    for (path, _, _) in KINDS {
        let stranger = Browser::new();
        site.forget_calls();
        let leave = begin(&stranger, site.url(&format!("/app{path}")));
        assert_eq!(leave.given_cookies("oxd_state").len(), 1, "{}", leave.summary());
        assert_eq!(site.oxd.count("get-authorization-url"), 1, "{path}");
    }
    let browser = site.signed_in();
    site.forget_calls();
    let begun = Instant::now();
    wait_until("the cookie to grow old", || {
        begun.elapsed() > Duration::from_millis(2100)
    });
    for (path, status, text) in KINDS {
        // Each with the same old cookie.
        let answer = browser.copy().get(site.url(&format!("/app{path}")));
        assert!(
            answer.expect(status).text().contains(text),
            "{path}: {}",
            answer.summary()
        );
        let set = answer.set_cookies();
        let names: Vec<_> = set.iter().map(oxd_tests::Cookie::name).collect();
        assert_eq!(names, ["oxd_session.seen"], "{path}");
    }
    site.expect_commands(&[]);
}

#[test]
fn the_rules_are_asked_no_more_often_than_with_a_password() {
    let site = site("OxdSessionIdle 1h");
    let browser = site.signed_in();
    for (path, status, text) in KINDS {
        let before = evaluations(&site);
        let with_session = browser.get(site.url(&format!("/app{path}")));
        let between = evaluations(&site);
        let with_password = with_password(&browser, site.url(&format!("/basic{path}")));
        let after = evaluations(&site);
        for answer in [with_session, with_password] {
            assert!(
                answer.expect(status).text().contains(text),
                "{}",
                answer.summary()
            );
        }
        let (ours, httpds) = (between - before, after - between);
        assert!(
            (1..=httpds).contains(&ours),
            "{path}: {ours} times, with a password {httpds}"
        );
    }
}

#[test]
fn two_hundred_requests_ask_oxd_nothing() {
    let site = site("");
    let browser = site.signed_in();
    let cookies = browser.cookies(site.url("/"));
    site.forget_calls();
    for (path, status, text) in KINDS.iter().cycle().take(200) {
        let answer = browser.get(site.url(&format!("/app{path}")));
        assert!(
            answer.expect(*status).text().contains(text),
            "{path}: {}",
            answer.summary()
        );
        assert!(
            answer.given_cookies("oxd_state").is_empty(),
            "{}",
            answer.summary()
        );
    }
    site.expect_commands(&[]);
    let names =
        |cookies: Vec<(String, String)>| -> Vec<String> { cookies.into_iter().map(|c| c.0).collect() };
    assert_eq!(names(browser.cookies(site.url("/"))), names(cookies));
}

/// Whoever looks over httpd's shoulder.
struct Strace(Child);

impl Strace {
    /// Begins to note a process's system calls of these kinds; `None` where the system does not allow it.
    fn attach(pid: u32, calls: &str, notes: &Path) -> Option<Strace> {
        let said = notes.with_extension("said");
        let output = fs::File::create(&said).expect("a file for what strace says");
        let child = Command::new("strace")
            .args(["-f", "-e", &format!("trace={calls}"), "-o"])
            .arg(notes)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(output)
            .spawn();
        let mut strace = Strace(child.unwrap_or_else(|error| panic!("strace does not run: {error}")));
        let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        let mut ended = false;
        wait_until("strace to see every thread", || {
            ended = strace.0.try_wait().is_ok_and(|status| status.is_some());
            let said = fs::read_to_string(&said).unwrap_or_default();
            ended || (traced(pid) == threads() && said.contains("attached"))
        });
        if !ended {
            return Some(strace);
        }
        let said = fs::read_to_string(&said).unwrap_or_default();
        assert!(said.contains("not permitted"), "strace: {said}");
        None
    }

    /// Ends strace, which writes the rest of its notes.
    fn detach(mut self) {
        let pid = i32::try_from(self.0.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal for strace");
        self.0.wait().expect("strace ends");
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // A test that fails in between leaves nothing behind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many threads of a process somebody traces.
fn traced(pid: u32) -> usize {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let is_traced = |status: String| {
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|tracer| tracer.trim() != "0")
    };
    threads.map_or(0, |threads| {
        threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
            .filter(|status| is_traced(status.clone()))
            .count()
    })
}

/// The system calls in strace's notes, and how often each was made.
fn counted(notes: &Path) -> BTreeMap<String, usize> {
    let notes = fs::read_to_string(notes).expect("strace's notes");
    let mut calls = BTreeMap::new();
    for line in notes.lines() {
        // `123 openat(AT_FDCWD, ...) = 3`; what was interrupted has a second line, without the bracket.
        let call = line
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.split_once('('));
        if let Some((name, _)) = call.filter(|(name, _)| !name.is_empty() && !name.starts_with('<')) {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}

#[test]
fn a_session_costs_no_system_call() {
    const REQUESTS: usize = 50;
    // All that a login needs, and that a request with a session must not.
    const CALLS: &str = "%file,%network,getrandom,read,write,writev,sendfile,openat,clone,clone3";
    let site = TestSite::builder()
        .directives("OxdSessionIdle 8h")
        .httpd(|httpd| {
            httpd.file("docroot/open/1k.bin", &"k".repeat(1024));
            httpd.processes(1, 8)
        })
        .start();
    let browser = site.signed_in();
    // A new child has no connection to oxd whose end it could notice; its cookies open as before.
    let before = site.httpd.children();
    site.httpd.graceful();
    wait_until("the old child to end", || {
        let children = site.httpd.children();
        children.len() == 1 && children != before
    });
    let child = site.httpd.children()[0];
    let ask = |path: &str| {
        let answer = browser.get(site.url(path));
        assert_eq!(answer.expect(200).body.len(), 1024);
        assert!(answer.set_cookies().is_empty(), "{}", answer.summary());
    };
    // Whatever a thread does only once is done before.
    for _ in 0..REQUESTS {
        ask("/open/1k.bin");
        ask("/app/1k.bin");
    }
    site.forget_calls();
    let measure = |notes: &str, requests: &dyn Fn()| {
        let notes = site.httpd.file(notes);
        let strace = Strace::attach(child, CALLS, &notes)?;
        requests();
        strace.detach();
        Some(counted(&notes))
    };
    let fifty = |path: &str| (0..REQUESTS).for_each(|_| ask(path));
    let open = measure("open.strace", &|| fifty("/open/1k.bin"));
    let measured = open.zip(measure("app.strace", &|| fifty("/app/1k.bin")));
    let Some((open, protected)) = measured else {
        // A container or Yama forbids it to everybody but root.
        eprintln!("system calls are not counted: strace may not look at httpd here");
        return;
    };
    site.expect_commands(&[]);
    assert!(
        open.get("openat").is_some_and(|count| *count >= REQUESTS),
        "strace saw too little: {open:?}"
    );
    // What it would look like: a login.
    let login = measure("login.strace", &|| {
        _ = begin(&Browser::new(), site.url("/app/1k.bin"))
    });
    let login = login.unwrap_or_default();
    for name in ["getrandom", "socket", "connect"] {
        assert!(
            login.contains_key(name) && !open.contains_key(name),
            "{name}: {login:?}"
        );
    }
    let names = |calls: &BTreeMap<String, usize>| calls.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(&protected),
        names(&open),
        "with a session {protected:?}, without protection {open:?}"
    );
    for name in [
        "openat",
        "getrandom",
        "socket",
        "connect",
        "newfstatat",
        "stat",
        "accept4",
    ] {
        assert_eq!(
            protected.get(name),
            open.get(name),
            "{name}: with a session {protected:?}, without protection {open:?}"
        );
    }
}

#[test]
fn fifty_requests_at_once_share_one_refresh_and_its_token() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 64))
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(60))
        .directives("OxdTokenRefresh 58s\nOxdPassTokens access_token")
        .start();
    let browser = site.signed_in();
    let token = |browser: &Browser| {
        let environment = browser.get(site.url("/app/env")).environment();
        environment["OXD_ACCESS_TOKEN"].clone()
    };
    let old = token(&browser);
    site.forget_calls();
    let begun = Instant::now();
    wait_until("the token to grow old", || {
        begun.elapsed() > Duration::from_millis(3200)
    });
    site.oxd
        .fault(REFRESH, oxd_dev::Fault::Delay(Duration::from_millis(500)));
    let barrier = Barrier::new(50);
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    let tab = browser.copy();
                    barrier.wait();
                    token(&tab)
                })
            })
            .collect();
        let answers = requests.into_iter().map(std::thread::ScopedJoinHandle::join);
        answers.map(|answer| answer.expect("an answer")).collect()
    });
    assert_eq!(site.oxd.count(REFRESH), 1, "{:?}", site.commands());
    let distinct: BTreeSet<&String> = tokens.iter().collect();
    assert!(
        distinct.len() <= 2,
        "the old token, which still works, or the same new one"
    );
    let new = token(&browser);
    assert!(
        new != old && distinct.contains(&new),
        "the request that refreshed has the new one"
    );
}
