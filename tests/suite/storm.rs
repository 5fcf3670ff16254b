//! Visitors storm while oxd is slow, hangs, refuses or flaps: whoever needs no oxd does not notice.
//!
//! A suite of its own, so that no other suite runs beside it; its tests take turns.

mod storm {
    #[path = "../logout/token.rs"]
    #[allow(dead_code, reason = "a storm needs good tokens only")]
    pub(crate) mod token;
    pub(crate) mod visitors;
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, Connection, Mpm, TestSite, sign_in};
use storm::visitors::{COMMANDS, Crowd};

/// One storm at a time.
static TURN: Mutex<()> = Mutex::new(());

/// How long a storm is watched.
const LASTS: Duration = Duration::from_millis(1_500);
/// How long a slow oxd takes for an answer.
const SLOW: Duration = Duration::from_millis(2_500);
/// No static page waits for oxd: one that did would take as long as a slow answer, or longer. This is no measure of
/// speed, which other work on the machine decides as well; the figures are printed.
const WORST: Duration = Duration::from_millis(2_000);
/// Most of them meet nothing at all.
const MEDIAN: Duration = Duration::from_millis(500);
/// How soon logins work again once oxd does: the breaker is open for two seconds.
const RECOVERS: Duration = Duration::from_secs(10);

/// What is wrong with oxd.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Slow,
    Hanging,
    Refusing,
    Flapping,
}

/// All of them. The keys of the provider are kept for a while, so that those come first with which nothing is fetched.
const TROUBLES: [Trouble; 4] = [
    Trouble::Hanging,
    Trouble::Refusing,
    Trouble::Slow,
    Trouble::Flapping,
];

impl Trouble {
    fn fault(self) -> Fault {
        match self {
            Trouble::Slow => Fault::Delay(SLOW),
            Trouble::Hanging | Trouble::Flapping => Fault::Hang,
            Trouble::Refusing => Fault::Drop,
        }
    }
}

fn site(mpm: Mpm) -> TestSite {
    let site = TestSite::builder()
        .mpm(mpm)
        .directives("OxdServerTimeout 3s 1s\nOxdTokenRefresh 3590s\nOxdSessionIdle 1h")
        .oxd(|oxd| oxd.client_token_lifetime = Duration::from_secs(1))
        .provider(|provider| provider.consent = false)
        .httpd(|httpd| match mpm {
            Mpm::Prefork => httpd.processes(64, 1),
            _ => httpd.processes(1, 64),
        })
        .start();
    site.httpd
        .allow_log(r"\[oxd:(warn|error)\]|AH00484|AH00485|AH00161");
    site
}

/// The times of a static page on one connection while a storm lasts.
fn watch(site: &TestSite) -> Vec<Duration> {
    let mut connection = Connection::new(site.httpd.address());
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < LASTS {
        let asked = Instant::now();
        let answer = connection.get("/1k.bin", "a=1", "server").expect("a static page");
        times.push(asked.elapsed());
        assert_eq!(answer.status, 200);
        std::thread::sleep(Duration::from_millis(5));
    }
    times.sort_unstable();
    times
}

/// How long it takes until somebody can sign in.
fn recovery(site: &TestSite) -> Duration {
    let begun = Instant::now();
    loop {
        let browser = Browser::new();
        if browser.get(site.url("/app/")).status == 302 {
            sign_in(&browser, site.url("/app/")).page.expect(200);
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody can sign in");
    }
}

fn storms(mpm: Mpm) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let site = site(mpm);
    for command in COMMANDS {
        for trouble in TROUBLES {
            let crowd = Crowd::prepare(&site, command);
            site.oxd.fault(command, trouble.fault());
            let over = AtomicBool::new(false);
            let times = std::thread::scope(|scope| {
                crowd.storm(scope, &site, &over);
                if matches!(trouble, Trouble::Flapping) {
                    scope.spawn(|| {
                        while !over.load(Ordering::Relaxed) {
                            site.oxd.clear_faults();
                            std::thread::sleep(Duration::from_millis(100));
                            site.oxd.fault(command, trouble.fault());
                            std::thread::sleep(Duration::from_millis(100));
                        }
                    });
                }
                let times = watch(&site);
                over.store(true, Ordering::Relaxed);
                times
            });
            site.oxd.clear_faults();
            let recovered = recovery(&site);
            let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
            println!(
                "{mpm:?} {command} {trouble:?}: median {median:?}, worst {worst:?}, sign-in after {recovered:?}"
            );
            assert!(median < MEDIAN, "{command} {trouble:?}: median {median:?}");
            assert!(worst < WORST, "{command} {trouble:?}: worst {worst:?}");
            assert!(recovered < RECOVERS, "{command} {trouble:?}: {recovered:?}");
        }
    }
}

#[test]
fn pages_without_oxd_do_not_notice_under_event() {
    storms(Mpm::Event);
}

#[test]
fn pages_without_oxd_do_not_notice_under_worker() {
    storms(Mpm::Worker);
}

#[test]
fn pages_without_oxd_do_not_notice_under_prefork() {
    storms(Mpm::Prefork);
}
