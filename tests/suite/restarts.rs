//! Graceful restarts under load: nobody notices.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oxd_tests::{Browser, Mpm, TestSite, WAIT, approve, within};

/// How many restarts there are unless `OXD_RESTARTS` says otherwise.
const RESTARTS: usize = 200;

/// How much larger than after the first restarts the parent may be in the end, in KiB. Allocators
/// do not hand back every page; what grows with each restart is far beyond this after 200.
const GROWTH_KIB: u64 = 1024;

/// How many requests users with a session make at least between two restarts.
const EACH: usize = 20;

struct Load<'a> {
    site: &'a TestSite,
    end: AtomicBool,
    requests: AtomicUsize,
    logins: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Load<'_> {
    fn running(&self) -> bool {
        !self.end.load(Ordering::Relaxed)
    }

    fn fail(&self, what: String) {
        self.failures.lock().expect("a list of failures").push(what);
    }

    /// A user with a session, who never sees anything but the page.
    fn reader(&self) {
        let browser = self.site.signed_in();
        while self.running() {
            for path in ["/app/1k.bin", "/oxd/session", "/app/"] {
                match browser.ask("GET", self.site.url(path)).try_send() {
                    Ok(answer) if answer.status == 200 => {}
                    Ok(answer) => self.fail(answer.summary()),
                    Err(error) => self.fail(format!("{path}: {error:?}")),
                }
                self.requests.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Users who sign in, one after the other.
    fn newcomers(&self) {
        while self.running() {
            let browser = Browser::new();
            let start = match browser.ask("GET", self.site.url("/app/")).try_send() {
                Ok(start) if start.status == 302 => start,
                Ok(other) => return self.fail(other.summary()),
                Err(error) => return self.fail(format!("a login's start: {error:?}")),
            };
            let approval = approve(&browser, &start.location());
            match browser.ask("GET", approval.url()).try_send() {
                Ok(callback) if callback.status == 303 => {}
                Ok(other) => return self.fail(other.summary()),
                Err(error) => return self.fail(format!("a callback: {error:?}")),
            }
            self.logins.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn restarts() -> usize {
    let count = std::env::var("OXD_RESTARTS").ok();
    count.map_or(RESTARTS, |count| count.parse().expect("OXD_RESTARTS is a number"))
}

fn restart_under_load(mpm: Mpm, count: usize) {
    let site = TestSite::builder().mpm(mpm).start();
    let load = Load {
        site: &site,
        end: AtomicBool::new(false),
        requests: AtomicUsize::new(0),
        logins: AtomicUsize::new(0),
        failures: Mutex::new(Vec::new()),
    };
    let warm = (count / 10).max(1);
    let begun = Instant::now();
    let (early, late) = std::thread::scope(|scope| {
        let threads = [
            scope.spawn(|| load.reader()),
            scope.spawn(|| load.reader()),
            scope.spawn(|| load.reader()),
            scope.spawn(|| load.newcomers()),
        ];
        let mut early = 0;
        for number in 1..=count {
            // Every generation of children has work to do.
            let before = load.requests.load(Ordering::Relaxed);
            within(WAIT, || {
                (load.requests.load(Ordering::Relaxed) >= before + EACH).then_some(())
            });
            site.httpd.graceful();
            // Old children must go, or httpd runs out of slots for new ones.
            let calm = within(WAIT, || (site.httpd.children().len() <= 6).then_some(()));
            if calm.is_none() {
                load.fail(format!("children stay: {:?}", site.httpd.children()));
            }
            if !load.failures.lock().expect("a list of failures").is_empty() {
                break;
            }
            if number == warm {
                early = site.httpd.resident_kib();
            }
        }
        let late = site.httpd.resident_kib();
        load.end.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("a client without a fault of its own");
        }
        (early, late)
    });
    let failures = load.failures.into_inner().expect("a list of failures");
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    let requests = load.requests.into_inner();
    let logins = load.logins.into_inner();
    println!(
        "{mpm:?}: {count} graceful restarts in {:.1} s, {requests} requests, {logins} logins; \
         the parent's resident memory {early} KiB after {warm}, {late} KiB after {count}",
        begun.elapsed().as_secs_f32()
    );
    assert!(
        requests > count * EACH && logins > 0,
        "{requests} requests and {logins} logins are no load"
    );
    // A sanitizer keeps what is freed for a while; it says itself what is leaked.
    let watched = std::env::var_os("OXD_SANITIZER").is_some();
    assert!(
        watched || late <= early + GROWTH_KIB,
        "the parent grew from {early} to {late} KiB"
    );
    site.httpd.finish();
}

#[test]
fn nobody_notices_graceful_restarts_under_event() {
    restart_under_load(Mpm::Event, restarts());
}

#[test]
fn nobody_notices_graceful_restarts_under_prefork() {
    restart_under_load(Mpm::Prefork, restarts().div_ceil(4));
}

#[test]
fn restarts_that_are_not_graceful_are_survived_too() {
    let site = TestSite::start();
    for _ in 0..10 {
        site.httpd.restart();
        let found = within(Duration::from_secs(10), || {
            let answer = Browser::new().ask("GET", site.url("/app/")).try_send().ok()?;
            (answer.status == 302).then_some(())
        });
        assert!(found.is_some(), "no login after a restart");
    }
}
