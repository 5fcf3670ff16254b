//! Names that do not resolve any more, or take their time.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oxd_tests::{Browser, Port, SiteBuilder, StoreServer, TestSite, compile_shared, wait_until, within};
use tempfile::TempDir;

use super::service::{expect_logins, expect_own, readable_directory, signed_in, site_without_store, sub};

/// The names of the servers: the preloaded library resolves both to this machine, as long as it resolves at all.
const OXD: &str = "oxd.names.test";
const STORE: &str = "store.names.test";

/// How soon all goes on once names are there again: a child that has seen oxd fail leaves it alone for two seconds.
const BACK: Duration = Duration::from_secs(8);

/// How long a page may take that needs no name, or that is refused because there is none: less than one takes that
/// waits for a resolver that does not answer.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long a login may take until it is refused.
const TOLD: Duration = Duration::from_secs(6);

/// What `tests/preload/names.c` reads before it resolves a name.
struct Resolver {
    file: PathBuf,
    /// Kept as long as the file.
    _directory: TempDir,
}

impl Resolver {
    fn new() -> Resolver {
        let directory = readable_directory();
        let resolver = Resolver {
            file: directory.path().join("names"),
            _directory: directory,
        };
        resolver.says("ok");
        resolver
    }

    /// Compiles the preloaded library, and says where it is.
    fn compiled_library(&self) -> String {
        let library = self.file.with_file_name("names.so");
        compile_shared(
            &[concat!(env!("CARGO_MANIFEST_DIR"), "/preload/names.c").to_owned()],
            &library,
        );
        library.display().to_string()
    }

    /// From now on names resolve (`ok`), do not (`gone`), or nothing answers (`hangs`).
    fn says(&self, what: &str) {
        fs::write(&self.file, what).expect("the resolver's file");
    }
}

/// A site that knows oxd and its store by names.
fn site(store: Option<&StoreServer>, resolver: &Resolver) -> SiteBuilder {
    let port = Port::reserve();
    let mut directives = format!(
        "OxdServer http://{OXD}:{}\nOxdSite \"${{ROOT}}/site.json\"\nOxdServerTimeout 3s 1s",
        port.number()
    );
    if let Some(store) = store {
        let port = store.address().port();
        directives.push_str(&format!("\nOxdSessionStore redis://{STORE}:{port}"));
    }
    site_without_store()
        .without_directives()
        .oxd(|oxd| oxd.listen = port.address())
        .directives(&directives)
        .httpd(|httpd| {
            httpd
                .without_overwriting()
                .environment("LD_PRELOAD", &resolver.compiled_library())
                .environment("OXD_NAMES", &resolver.file.display().to_string())
                .allow_log(
                    r"\[oxd:(warn|error)\].* (oxd_(unreachable|resting|busy|timeout)|store_unavailable): ",
                )
        })
}

/// Ends the connections to oxd, so that its name is needed again.
fn lose_connections(site: &mut TestSite) {
    site.oxd.stop();
    site.oxd.resume();
}

/// Whoever has a session does not notice that no name resolves; whoever has none is told to come back, soon.
#[test]
fn a_session_in_a_cookie_needs_no_names() {
    for trouble in ["gone", "hangs"] {
        let resolver = Resolver::new();
        let mut site = site(None, &resolver).start();
        let inside = signed_in(&site, 0);
        resolver.says(trouble);
        lose_connections(&mut site);
        // More than oxd's bound on calls, and more often than one would give up.
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for _ in 0..4 {
                        expect_to_be_told(&site);
                    }
                });
            }
            for _ in 0..20 {
                let begun = Instant::now();
                expect_own(&site, &inside, 0);
                assert!(begun.elapsed() < AT_ONCE, "{trouble}: {:?}", begun.elapsed());
            }
        });
        resolver.says("ok");
        let back = expect_logins(&site, BACK);
        println!("oxd's name, {trouble}: signed in {back:.1?} after it was back");
        expect_own(&site, &inside, 0);
    }
}

/// A login fails in no more than the time that a call to oxd may take, with the request to come back.
#[track_caller]
fn expect_to_be_told(site: &TestSite) {
    let begun = Instant::now();
    let answer = Browser::new().get(site.url("/app/"));
    assert!(matches!(answer.status, 503 | 504), "{}", answer.summary());
    assert!(begun.elapsed() < TOLD, "{:?}", begun.elapsed());
}

/// A store whose name does not resolve keeps its sessions: 503 until it does, and then nobody has to sign in again.
#[test]
fn a_store_without_a_name_loses_no_session() {
    for trouble in ["gone", "hangs"] {
        let resolver = Resolver::new();
        let mut store = StoreServer::persistent_redis();
        // A child that httpd starts meanwhile would have no connection yet.
        let site = site(Some(&store), &resolver)
            .httpd(|httpd| httpd.processes(1, 16))
            .start();
        let inside: Vec<_> = (0..3).map(|number| signed_in(&site, number)).collect();
        let gone = signed_in(&site, 3);
        let copy = gone.copy();
        gone.get(site.url("/oxd/logoutme")).expect(303);
        resolver.says(trouble);
        // The connections that there are do not need it.
        for (number, browser) in inside.iter().enumerate() {
            expect_own(&site, browser, number);
        }
        store.kill();
        store.start();
        for browser in inside.iter().cycle().take(30) {
            let begun = Instant::now();
            let answer = browser.get(site.url("/app/1k.bin"));
            assert!(begun.elapsed() < AT_ONCE, "{trouble}: {:?}", begun.elapsed());
            answer.expect(503);
        }
        resolver.says("ok");
        let begun = Instant::now();
        for (number, browser) in inside.iter().enumerate().cycle().take(30) {
            let back = within(BACK, || {
                Some(browser.get(site.url("/app/1k.bin"))).filter(|answer| answer.status != 503)
            });
            let Some(back) = back else {
                panic!("{trouble}: still away after {:?}", begun.elapsed());
            };
            assert_eq!(back.expect(200).header("x-user"), Some(sub(number).as_str()));
        }
        println!(
            "the store's name, {trouble}: all were in again {:.1?} after it was back",
            begun.elapsed()
        );
        copy.get(site.url("/app/")).expect(302);
        expect_logins(&site, BACK);
    }
}

/// httpd starts without names, as after a power failure, and finds its servers later.
#[test]
fn httpd_starts_before_there_are_names() {
    let resolver = Resolver::new();
    resolver.says("gone");
    let store = StoreServer::redis();
    let site = site(Some(&store), &resolver).start();
    Browser::new().get(site.url("/1k.bin")).expect(200);
    expect_to_be_told(&site);
    resolver.says("ok");
    wait_until("the breaker to close", || {
        Browser::new().get(site.url("/app/")).status == 302
    });
    expect_logins(&site, BACK);
}
