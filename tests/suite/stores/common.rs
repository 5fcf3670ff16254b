//! What the suites of stores share.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_dev::User;
use oxd_tests::{
    Answer, Approval, Browser, Builder, DEMO_SUB, Httpd, SiteBuilder, Store, TestSite, WAIT, approve,
    sign_in_as, user, wait_until, within,
};
use serde_json::json;

/// Makes a test of each function for each of these stores.
macro_rules! for_stores {
    ([$($kind:ident as $name:ident),*] $tests:tt) => {
        $( for_stores! { $kind $name $tests } )*
    };
    ($kind:ident $name:ident { $($test:ident,)* }) => {
        mod $name {
            $(
                #[test]
                fn $test() {
                    super::$test(oxd_tests::StoreKind::$kind.start());
                }
            )*
        }
    };
}

/// Makes a test of each function for every store.
macro_rules! with_every_store {
    ($($test:ident,)*) => {
        for_stores! {
            [
                Cookie as cookie, Shmcb as shmcb, Redis as redis, RedisUrl as redis_url, Memcache as memcache,
                Dbm as dbm
            ] { $($test,)* }
        }
    };
}

/// Makes a test of each function for every store but the browser's cookie.
macro_rules! with_every_store_of_the_server {
    ($($test:ident,)*) => {
        for_stores! { [Shmcb as shmcb, Redis as redis, RedisUrl as redis_url, Memcache as memcache, Dbm as dbm] {
                $($test,)*
            } }
    };
}

/// Makes a test of each function for Redis as operators run it: TLS, a socket, sentinels, a cluster.
macro_rules! with_every_redis {
    ($($test:ident,)*) => {
        for_stores! {
            [RedisTls as tls, RedisSocket as socket, RedisSentinel as sentinel, RedisCluster as cluster] { $($test,)* }
        }
    };
}

/// Makes a test of each function for the stores that are servers of their own.
macro_rules! with_every_store_server {
    ($($test:ident,)*) => {
        for_stores! { [Redis as redis, RedisUrl as redis_url, Memcache as memcache] { $($test,)* } }
    };
}

pub(crate) const KEY: &str = "\"a key for the stores, long enough for anybody to accept it 0123456789\"";
pub(crate) const OTHER_KEY: &str = "\"another key for the stores, as long as the first one 9876543210\"";

/// A site of several children that keeps its sessions there, with a key of its own.
pub(crate) fn site(store: &Store) -> SiteBuilder {
    TestSite::builder()
        .httpd(|httpd| httpd.processes(3, 16))
        .store(store)
        .directives(&format!("OxdCryptoKey {KEY}"))
}

/// Another httpd of the same service: the same site, the same store. Directives come last.
pub(crate) fn twin(site: &TestSite, store: &Store, directives: &str) -> Httpd {
    twin_of(site).store(store).config(directives).start()
}

/// The same with this value of `OxdSessionStore`.
pub(crate) fn twin_at(site: &TestSite, store: &str) -> Httpd {
    let builder = twin_of(site).load("socache_redis");
    builder.config(&format!("OxdSessionStore {store}")).start()
}

fn twin_of(site: &TestSite) -> Builder {
    Httpd::builder()
        .processes(2, 16)
        .define("OXD", &site.oxd.url())
        .define("FIRST", &site.httpd.root().display().to_string())
        .config("OxdServer \"${OXD}\"\nOxdSite \"${FIRST}/site.json\"")
        .config(&format!("OxdCryptoKey {KEY}"))
        .config("<Location /oxd>\nSetHandler oxd\n</Location>")
        .config("<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>")
}

/// Two people who can sign in.
pub(crate) fn anna_and_ben() -> Vec<User> {
    let claims = |name: &str| json!({ "name": name, "email": format!("{name}@example.org") });
    ["anna", "ben"].map(|name| user(name, claims(name))).into()
}

/// A new browser of somebody who has signed in.
#[track_caller]
pub(crate) fn signed_in_as(site: &TestSite, name: &str) -> Browser {
    let browser = Browser::new();
    let walk = sign_in_as(&browser, site.url("/app/"), name, "secret");
    walk.page.expect(200);
    browser
}

/// The session's cookies as a `Cookie` field, to be used by somebody who has copied them.
pub(crate) fn field(browser: &Browser, site: &TestSite) -> String {
    let cookies = browser.cookies_named("oxd_session", site.url("/"));
    let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("; ")
}

/// The value of the cookie `oxd_session`.
#[track_caller]
pub(crate) fn session_cookie(browser: &Browser, site: &TestSite) -> String {
    let cookies = browser.cookies_named("oxd_session", site.url("/"));
    let found = cookies.into_iter().find(|(name, _)| name == "oxd_session");
    found.expect("a session cookie").1
}

/// What the protected page and `BASE/session` answer to this `Cookie` field.
pub(crate) fn statuses(site: &TestSite, field: &str) -> (u16, u16) {
    let browser = Browser::new();
    let ask = |path: &str| {
        let ask = browser.ask("GET", site.url(path)).cookie_field(field);
        ask.send().status
    };
    (ask("/app/"), ask("/oxd/session"))
}

/// Fails the test unless this browser is somebody's, wherever it looks.
#[track_caller]
pub(crate) fn expect_user(site: &TestSite, browser: &Browser, expected: &str) {
    assert_eq!(site.user(browser).as_deref(), Some(expected));
    browser.get(site.url("/app/")).expect(200);
}

/// Fails the test unless this browser is nobody's. Its cookies are left alone.
#[track_caller]
pub(crate) fn expect_nobody(site: &TestSite, browser: &Browser) {
    let copy = browser.copy();
    assert_eq!(site.user(&copy), None);
    copy.get(site.url("/app/")).expect(302);
}

/// Asks as somebody who comes back as often as he is told to: until the store is there again. Each child finds it
/// by itself, so that one answer says nothing about the next.
#[track_caller]
pub(crate) fn patiently(ask: impl Fn() -> Answer) -> Answer {
    let answer = within(WAIT, || {
        let answer = ask();
        (answer.status != 503).then_some(answer)
    });
    answer.expect("the store to be found again")
}

/// [`expect_user`] of somebody who comes back as often as he is told to.
#[track_caller]
pub(crate) fn expect_user_patiently(site: &TestSite, browser: &Browser, expected: &str) {
    let session = patiently(|| browser.get(site.url("/oxd/session")));
    assert_eq!(session.expect(200).json()["user"], expected);
    patiently(|| browser.get(site.url("/app/"))).expect(200);
}

/// Signs in again and again until the store keeps the session.
#[track_caller]
pub(crate) fn sign_in_patiently(site: &TestSite, browser: &Browser) {
    let callback = patiently(|| {
        let start = browser.get(site.url("/oxd/login?return_to=/app/"));
        if start.status == 503 {
            return start;
        }
        approve(browser, &start.location()).deliver(browser)
    });
    callback.expect(303);
    expect_user_patiently(site, browser, DEMO_SUB);
}

/// Fails the test unless the answer says that the store is away, soon.
#[track_caller]
pub(crate) fn expect_unavailable(answer: &Answer) {
    let again = answer.expect(503).header("retry-after").unwrap_or_default();
    let seconds = again.parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "{}", answer.summary());
    assert!(answer.given_cookies("oxd_").is_empty(), "{}", answer.summary());
}

/// Fails the test when oxd was asked for anything else, besides the client token that each child needs, and
/// when a call failed.
#[track_caller]
pub(crate) fn expect_calls(site: &TestSite, commands: &[&str]) {
    let mut calls = site.oxd.calls();
    calls.retain(|call| call.command != "get-client-token");
    let made: Vec<_> = calls
        .iter()
        .map(|call| (call.command.as_str(), call.status))
        .collect();
    let expected: Vec<_> = commands.iter().map(|command| (*command, 200)).collect();
    assert_eq!(made, expected, "calls to oxd");
}

/// Time that must pass because it is what the test is about.
pub(crate) fn pass(time: Duration) {
    let begun = Instant::now();
    wait_until("time to pass", || begun.elapsed() >= time);
}

/// Ends every child of httpd at once, as the kernel does when memory runs out.
pub(crate) fn kill_children(httpd: &Httpd) {
    httpd.allow_log("exit signal Killed|AH10392: children are killed successively");
    for child in httpd.children() {
        let pid = i32::try_from(child).expect("a process id");
        // It may have ended by itself meanwhile.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The provider's answer as a load balancer hands it to another httpd of the service.
pub(crate) fn at(approval: &Approval, httpd: &Httpd) -> Approval {
    let Approval::Redirect(url) = approval else {
        panic!("not a redirect: {approval:?}");
    };
    let mut url = url.clone();
    url.set_port(Some(httpd.address().port())).expect("a port");
    Approval::Redirect(url)
}
