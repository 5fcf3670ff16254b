//! A hundred thousand requests by many users at once: everybody sees himself, nobody is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use oxd_tests::{Browser, Connection, StoreKind, TestSite, begin, decide, user};
use serde_json::{Value, json};

use super::common::*;

const THREADS: usize = 32;
const REQUESTS: usize = 100_000;
/// Users whose sessions one thread uses in turn.
const EACH: usize = 4;
/// So many requests of a thread go by between two logouts.
const STAY: usize = 50;

/// Somebody with a browser, signed in or about to be.
struct Visitor {
    name: String,
    browser: Browser,
    cookie: String,
}

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    logins: AtomicUsize,
    logouts: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Visitor {
    fn sign_in(&mut self, site: &TestSite, counts: &Counts) {
        let start = begin(&self.browser, site.url("/app/"));
        let decision = decide(&self.browser, &start.location(), (&self.name, "secret"), "allow");
        decision.deliver(&self.browser).expect(303);
        self.cookie = field(&self.browser, site);
        counts.logins.fetch_add(1, Ordering::Relaxed);
        counts.requests.fetch_add(2, Ordering::Relaxed);
    }

    /// Signs out; the cookie is of no use any more.
    fn sign_out(&mut self, site: &TestSite, connection: &mut Connection, counts: &Counts) -> Option<String> {
        self.browser.get(site.url("/oxd/logoutme")).expect(303);
        counts.logouts.fetch_add(1, Ordering::Relaxed);
        counts.requests.fetch_add(2, Ordering::Relaxed);
        match connection.get("/oxd/session", &self.cookie, "") {
            Ok(answer) if answer.status == 401 => None,
            other => Some(format!("{} after the logout: {other:?}", self.name)),
        }
    }

    /// Asks for a page and looks whether it is this user's; says what is wrong.
    fn look(&self, number: usize, connection: &mut Connection) -> Option<String> {
        let sub = format!("sub-of-{}", self.name);
        let path = match number % 10 {
            0 => "/oxd/session",
            1..=4 => "/app/",
            _ => "/app/1k.bin",
        };
        let answer = match connection.get(path, &self.cookie, "x-user") {
            Ok(answer) if answer.status == 200 => answer,
            other => return Some(format!("{} at {path}: {other:?}", self.name)),
        };
        let right = if path == "/oxd/session" {
            let session: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            session["user"] == *sub && session["claims"]["name"] == *self.name
        } else {
            answer.field.as_deref() == Some(&sub)
        };
        (!right).then(|| format!("{} at {path} got {answer:?}", self.name))
    }
}

/// One thread's part: its users in no particular order, one connection, now and then somebody leaves and
/// comes back.
fn visit(thread: usize, site: &TestSite, counts: &Counts) {
    let mut connection = Connection::new(site.httpd.address());
    let mut visitors: Vec<Visitor> = (0..EACH)
        .map(|number| Visitor {
            name: format!("u{}", thread * EACH + number),
            browser: Browser::new(),
            cookie: String::new(),
        })
        .collect();
    for visitor in &mut visitors {
        visitor.sign_in(site, counts);
    }
    let mut seed = thread;
    for number in 1.. {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let visitor = &mut visitors[(seed >> 33) % EACH];
        let mut wrong = visitor.look(number, &mut connection);
        if number % STAY == 0 {
            wrong = wrong.or_else(|| visitor.sign_out(site, &mut connection, counts));
            visitor.sign_in(site, counts);
        }
        let done = counts.requests.fetch_add(1, Ordering::Relaxed) >= REQUESTS;
        let mut failures = counts.failures.lock().expect("a list of failures");
        failures.extend(wrong);
        if done || failures.len() > 10 {
            return;
        }
    }
}

/// 128 users in 32 threads, over keep-alive connections to several children, who come and go: every answer is
/// that of its own cookie, and each session lives until its own logout.
#[test]
fn a_hundred_thousand_requests_mix_nobody_up() {
    let store = StoreKind::Redis.start();
    let users = (0..THREADS * EACH)
        .map(|number| format!("u{number}"))
        .map(|name| user(&name, json!({ "name": name })));
    let site = site(&store)
        .users(users.collect())
        .provider(|provider| provider.consent = false)
        .directives("OxdSessionIdle 100s\nOxdServerMaxCalls 33")
        .httpd(|httpd| httpd.processes(4, 44).log_level("warn"))
        .config("Header always set X-User \"expr=%{REMOTE_USER}\"\nMaxKeepAliveRequests 1000")
        .start();
    let counts = Counts::default();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (site, counts) = (&site, &counts);
            scope.spawn(move || visit(thread, site, counts));
        }
    });
    let largest = site.httpd.largest_child_kib();
    let failures = counts.failures.into_inner().expect("a list of failures");
    let requests = counts.requests.into_inner();
    let (logins, logouts) = (counts.logins.into_inner(), counts.logouts.into_inner());
    println!(
        "{requests} requests, {logins} logins, {logouts} logouts in {:.1} s; {largest} KiB",
        begun.elapsed().as_secs_f32()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(requests >= REQUESTS && logouts >= 1000, "{requests}, {logouts}");
    // Some 40 MiB are usual with so many threads; a KiB left behind by each request would be seen.
    assert!(largest < 56 * 1024, "a child of {largest} KiB");
    assert_eq!(site.oxd.count("get-tokens-by-code"), logins);
    assert_eq!(site.oxd.count("get-logout-uri"), logouts);
    assert_eq!(logins - logouts, THREADS * EACH);
}
