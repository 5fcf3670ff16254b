//! The site that is struck: httpd, its store and oxd, and what each blow may do to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use oxd_tests::{
    Browser, SiteBuilder, Store, StoreKind, StoreServer, TestSite, decide, sign_in_as, user, within,
};
use serde_json::json;
use tempfile::TempDir;

use super::crowd::field;

/// How many users there are, each with a thread.
pub(crate) const USERS: usize = 8;

const KEY: &str = "\"a key for those who were struck, long enough for anybody to accept it 0123456789\"";

/// A session store, and whether it finds its sessions again when it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Cookie,
    Shmcb,
    Redis,
    RedisUrl,
    /// `redis://` at a Redis that writes everything down.
    KeptRedisUrl,
    Memcache,
}

impl Place {
    pub(crate) fn store(self) -> Store {
        match self {
            Place::Cookie => StoreKind::Cookie.start(),
            Place::Shmcb => StoreKind::Shmcb.start(),
            Place::Redis => StoreKind::Redis.start(),
            Place::RedisUrl => StoreKind::RedisUrl.start(),
            Place::KeptRedisUrl => Store::by_url_at(StoreServer::persistent_redis()),
            Place::Memcache => StoreKind::Memcache.start(),
        }
    }

    /// Whether it is a server of its own.
    pub(crate) fn is_server(self) -> bool {
        !matches!(self, Place::Cookie | Place::Shmcb)
    }
}

/// A user's name; the `sub` is [`sub`].
pub(crate) fn name(number: usize) -> String {
    format!("user-{number}")
}

/// What httpd calls a user.
pub(crate) fn sub(number: usize) -> String {
    format!("sub-of-{}", name(number))
}

/// A site whose answers say whom they are for. One user more than the crowd has can sign in.
pub(crate) fn site(store: &Store) -> SiteBuilder {
    site_without_store().store(store)
}

/// The same, without a word about where sessions are.
pub(crate) fn site_without_store() -> SiteBuilder {
    let users = (0..=USERS).map(|number| user(&name(number), json!({})));
    TestSite::builder()
        .httpd(|httpd| httpd.processes(3, 16))
        .provider(|provider| provider.consent = false)
        .users(users.collect())
        .directives(&format!("OxdCryptoKey {KEY}"))
        .config("<Location /app>\nHeader always set X-User \"expr=%{REMOTE_USER}\"\n</Location>")
}

/// A browser of a user who has signed in.
#[track_caller]
pub(crate) fn signed_in(site: &TestSite, number: usize) -> Browser {
    let browser = Browser::new();
    let walk = sign_in_as(&browser, site.url("/app/"), &name(number), "secret");
    walk.page.expect(200);
    browser
}

/// Fails the test unless the page is for this user.
#[track_caller]
pub(crate) fn expect_own(site: &TestSite, browser: &Browser, number: usize) {
    let answer = browser.get(site.url("/app/1k.bin"));
    assert_eq!(answer.expect(200).header("x-user"), Some(sub(number).as_str()));
}

/// Fails the test unless somebody without a session can sign in soon. Says how soon.
#[track_caller]
pub(crate) fn expect_logins(site: &TestSite, limit: Duration) -> Duration {
    let begun = Instant::now();
    let back = within(limit, || sign_in_once(site, USERS).then_some(()));
    assert!(
        back.is_some(),
        "nobody can sign in within {limit:?}:\n{}",
        site.httpd.error_log()
    );
    begun.elapsed()
}

/// Signs out, and returns a copy of the session's cookies.
#[track_caller]
pub(crate) fn sign_out(site: &TestSite, browser: &Browser) -> String {
    let cookies = field(browser, &site.url("/"));
    browser.get(site.url("/oxd/logoutme")).expect(303);
    cookies
}

/// The status that a visitor meets who brings these cookies.
pub(crate) fn status_with(site: &TestSite, cookies: &str) -> u16 {
    let browser = Browser::new();
    let ask = browser.ask("GET", site.url("/app/1k.bin"));
    ask.cookie_field(cookies).send().status
}

/// A directory that httpd's children may read, who are somebody else.
pub(crate) fn readable_directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("permissions");
    directory
}

/// Tries to sign in; whether it worked.
pub(crate) fn sign_in_once(site: &TestSite, number: usize) -> bool {
    let browser = Browser::new();
    let ask = |url: &str| browser.ask("GET", url).try_send().ok();
    let Some(start) = ask(&site.url("/app/1k.bin")).filter(|start| start.status == 302) else {
        return false;
    };
    let approval = decide(&browser, &start.location(), (&name(number), "secret"), "allow");
    if ask(approval.url().as_str()).is_none_or(|callback| callback.status != 303) {
        return false;
    }
    ask(&site.url("/app/1k.bin")).is_some_and(|page| page.header("x-user") == Some(sub(number).as_str()))
}
