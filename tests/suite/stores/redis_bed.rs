//! What the tests of a Redis in trouble share: people, what they see, and how they try to sign in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oxd_core::config::store::StoreAddress;
use oxd_store::{Purpose, acl_line, needed};
use oxd_tests::{Answer, Browser, PATIENT, RedisNode, SiteBuilder, TestSite, decide, user, wait_until};
use serde_json::json;

use super::common::*;

/// The names of those who can sign in.
const NAMES: [&str; 6] = ["anna", "ben", "chris", "dora", "emil", "frida"];

/// How soon a store is used again that is back, on a machine that has other work too.
const SOON: Duration = Duration::from_secs(5);

/// How many pages a browser opens before it says that they redirect it in a loop.
const PAGES: usize = 20;

/// Shows in each answer whom httpd takes the visitor for.
const SHOWS_USER: &str = "<Location /app>\nHeader always set X-User \"expr=%{REMOTE_USER}\"\n</Location>";

/// A site of two children with its sessions in Redis.
pub(crate) fn site_at(url: &str, directives: &str) -> SiteBuilder {
    site_with(&format!("OxdSessionStore {url}\n{directives}"))
}

/// The same with directives that name the store.
pub(crate) fn site_with(directives: &str) -> SiteBuilder {
    TestSite::builder()
        .httpd(|httpd| httpd.processes(2, 16).load("headers"))
        .users(NAMES.map(|name| user(name, json!({ "name": name }))).into())
        .directives(&format!("OxdCryptoKey {KEY}\n{PATIENT}\n{directives}"))
        .config(SHOWS_USER)
}

/// Makes a user `mod_oxd`, with the password `limited`, of no more rights than a store with this URL needs.
#[track_caller]
pub(crate) fn allow(node: &RedisNode, url: &str) {
    let address = StoreAddress::parse(url).expect("a URL");
    let line = acl_line("mod_oxd", true, "mod_oxd:", &needed(&address, Purpose::Sessions));
    let line = line.replace("PASSWORD", "limited");
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(node.ask(&words), "OK");
}

/// A site with its sessions in a cluster, as a user of no more rights than needed.
pub(crate) fn in_cluster(nodes: &[RedisNode]) -> TestSite {
    let url = format!("redis+cluster://{},{}", nodes[0].address(), nodes[1].address());
    nodes.iter().for_each(|node| allow(node, &url));
    let site = site_at(&url, "OxdStoreUser mod_oxd\nOxdStorePassword limited");
    troubled(site).start()
}

/// A site whose store will be in trouble.
pub(crate) fn troubled(site: SiteBuilder) -> SiteBuilder {
    site.httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]"))
}

/// Everybody's `sub`, and a browser with a session.
#[track_caller]
pub(crate) fn people(site: &TestSite) -> Vec<(String, Browser)> {
    NAMES
        .map(|name| (format!("sub-of-{name}"), signed_in_as(site, name)))
        .into()
}

/// What a protected page answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The page, for this user.
    User(String),
    /// A redirect to the provider.
    Nobody,
    /// 503.
    Unavailable,
}

/// Asks for a protected page.
#[track_caller]
pub(crate) fn seen(site: &TestSite, browser: &Browser) -> Seen {
    let answer = browser.get(site.url("/app/1k.bin"));
    match answer.status {
        200 => Seen::User(answer.header("x-user").unwrap_or_default().to_owned()),
        302 => Seen::Nobody,
        _ => {
            expect_unavailable(&answer);
            Seen::Unavailable
        }
    }
}

/// A whole login in a new browser, which is given back if it worked. It ends with the page, for this user, or with an
/// error; never in a loop.
#[track_caller]
pub(crate) fn try_to_sign_in(site: &TestSite, name: &str) -> Option<Browser> {
    let browser = Browser::new();
    let mut answer = browser.get(site.url("/app/"));
    for _ in 0..PAGES {
        answer = match answer.status {
            302 if is_of(site, &answer) => {
                let approval = decide(&browser, &answer.location(), (name, "secret"), "allow");
                approval.deliver(&browser)
            }
            302 | 303 => browser.get(answer.location()),
            200 => {
                let user = answer.header("x-user").unwrap_or_default();
                assert_eq!(user, format!("sub-of-{name}"), "{}", answer.summary());
                return Some(browser);
            }
            500..504 => {
                assert!(!answer.page().text().is_empty());
                return None;
            }
            _ => break,
        };
    }
    panic!("{name} comes to no end: {}", answer.summary());
}

/// Whether a redirect leads away from a protected page of the site, to the provider.
fn is_of(site: &TestSite, answer: &Answer) -> bool {
    answer.url.as_str().starts_with(&site.url("/")) && answer.location().origin() != answer.url.origin()
}

/// Signs in again and again until it works.
#[track_caller]
pub(crate) fn sign_in_at_last(site: &TestSite, browser: &Browser, name: &str) {
    let callback = patiently(|| {
        let start = browser.get(site.url("/oxd/login?return_to=/app/"));
        if start.status == 503 {
            return start;
        }
        decide(browser, &start.location(), (name, "secret"), "allow").deliver(browser)
    });
    callback.expect(303);
    expect_user_patiently(site, browser, &format!("sub-of-{name}"));
}

/// Does something, and sets the flag whatever becomes of it, so that threads which look at it end.
pub(crate) fn within_scope(over: &AtomicBool, act: impl FnOnce()) {
    struct OnDrop<'f>(&'f AtomicBool);
    impl Drop for OnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let _over = OnDrop(over);
    act();
}

/// Asks with all browsers until each is its user's again, which must be soon.
#[track_caller]
pub(crate) fn recovers(site: &TestSite, people: &[(String, Browser)]) {
    let begun = Instant::now();
    wait_until("the store to be used again", || {
        people
            .iter()
            .chain(people)
            .all(|(name, browser)| seen(site, browser) == Seen::User(name.clone()))
    });
    let took = begun.elapsed();
    assert!(took < SOON, "the store was used again after {took:?}");
}
