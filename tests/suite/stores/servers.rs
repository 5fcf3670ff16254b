//! Redis as operators run it: users, TLS, sockets, sentinels, a cluster.

use std::os::unix::fs::PermissionsExt;

use oxd_core::config::store::StoreAddress;
use oxd_store::{Purpose, acl_line, needed};
use oxd_tests::{
    Authority, Browser, PATIENT, RedisGroup, RedisNode, SiteBuilder, TestSite, approve, begin, sign_in,
    wait_until,
};

use super::common::{KEY, pass};
use super::refresh::{DUE, REFRESH, refreshing};

/// A site with its sessions in Redis.
fn site(url: &str, directives: &str) -> SiteBuilder {
    site_with(&format!("OxdSessionStore {url}\n{directives}"))
}

fn site_with(directives: &str) -> SiteBuilder {
    TestSite::builder()
        .httpd(|httpd| httpd.processes(2, 16))
        .directives(&format!("OxdCryptoKey {KEY}\n{PATIENT}\n{directives}"))
}

/// A user signs in, is known to the next requests, and signs out; a stranger is nobody.
#[track_caller]
fn works(site: &TestSite) {
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    for _ in 0..5 {
        browser.get(site.url("/app/")).expect(200);
    }
    Browser::new().get(site.url("/app/")).expect(302);
    browser.get(site.url("/oxd/logoutme")).expect(303);
    browser.get(site.url("/app/")).expect(302);
}

/// Signing in fails, and the log says why.
#[track_caller]
fn is_refused(site: &TestSite, why: &str) {
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    approve(&browser, &start.location()).deliver(&browser).expect(503);
    site.httpd
        .expect_log(&format!(r"\[oxd:error\].*store_unavailable.*{why}"));
}

#[test]
fn a_user_with_no_more_rights_than_the_documented_ones() {
    // The line that `oxdctl store check` prints, and that SESSIONS.md has.
    let any = StoreAddress::parse("redis://any").expect("a URL");
    let line = acl_line("mod_oxd", true, "mod_oxd:", &needed(&any, Purpose::Sessions));
    let user = line
        .replace("ACL SETUSER", "user")
        .replace("PASSWORD", "hunter2-secret");
    let node = RedisNode::start(&format!("requirepass admin\n{user}"));
    let url = format!("redis://{}", node.address());
    let with = |password: &str| format!("OxdStoreUser mod_oxd\nOxdStorePassword {password}");
    let allowed = refreshing(site(&url, &with("hunter2-secret"))).start();
    works(&allowed);
    let browser = Browser::new();
    sign_in(&browser, allowed.url("/app/")).page.expect(200);
    pass(DUE);
    browser.get(allowed.url("/app/")).expect(200);
    assert_eq!(allowed.oxd.count(REFRESH), 1);
    let site = site(&url, &with("another")).start();
    is_refused(&site, "Password authentication failed");
    assert!(!site.httpd.error_log().contains("another"));
}

/// Whoever can write into the store cannot fill the memory of httpd with it.
#[test]
fn an_entry_of_a_hundred_megabytes_is_no_session_and_is_not_read() {
    let node = RedisNode::start("");
    let site = site(&format!("redis://{}", node.address()), "").start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    let before = node.sent();
    for key in node.ask(&["keys", "*"]).lines() {
        node.ask(&["setrange", key, "100000000", "x"]);
    }
    for _ in 0..4 {
        browser.get(site.url("/app/")).expect(302);
    }
    let sent = node.sent() - before;
    assert!(sent < 4_000_000, "{sent} bytes");
}

#[test]
fn a_password_of_the_default_user_and_a_database_of_its_own() {
    let node = RedisNode::start("requirepass only-this").with_password("only-this");
    let file = node.file("password");
    std::fs::write(&file, "only-this\n").expect("a file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
    let url = format!("redis://{}/3", node.address());
    let directive = format!(
        "OxdStorePassword \"file:{}\"\nOxdStorePrefix sso:",
        file.display()
    );
    let site = site(&url, &directive).start();
    works(&site);
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    assert!(
        node.ask(&["-n", "3", "keys", "*"])
            .lines()
            .all(|key| key.starts_with("sso:"))
    );
    assert_eq!(node.keys(), 0, "database 0 has none");
}

#[test]
fn a_socket_of_this_machine() {
    let node = RedisNode::start("unixsocket ${DIR}/redis.sock\nunixsocketperm 777");
    let url = format!("redis+unix://{}", node.file("redis.sock").display());
    works(&site(&url, "").start());
}

#[test]
fn tls_with_an_authority_that_is_named() {
    let authority = Authority::new();
    let node = RedisNode::over_tls(&authority, false);
    let url = format!("rediss://localhost:{}", node.number());
    let ca = format!("OxdStoreCAFile \"{}\"", node.file("ca.pem").display());
    works(&site(&url, &ca).start());
    // Nobody has named it here.
    is_refused(&site(&url, "").start(), "invalid peer certificate");
}

#[test]
fn tls_with_a_certificate_of_the_client() {
    let authority = Authority::new();
    let node = RedisNode::over_tls(&authority, true);
    let client = RedisNode::prepare();
    client.certify(&authority);
    let path = |name: &str| client.file(name).display().to_string();
    let ca = format!("OxdStoreCAFile \"{}\"", path("ca.pem"));
    let own = format!(
        "OxdStoreCert \"{}\"\nOxdStoreKey \"{}\"",
        path("cert.pem"),
        path("key.pem")
    );
    let url = format!("rediss://localhost:{}", node.number());
    works(&site(&url, &format!("{ca}\n{own}")).start());
    is_refused(&site(&url, &ca).start(), "");
}

#[test]
fn sentinels_name_the_master_and_the_next_one() {
    let mut group = RedisGroup::start();
    let site = site_with(&group.directives()).start();
    works(&site);
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    group.in_step();
    group.lose_master();
    wait_until("the failover", || group.replica.is_master());
    let begun = std::time::Instant::now();
    // Both children find it.
    wait_until("the new master to be used", || {
        (0..20).all(|_| browser.get(site.url("/app/")).status == 200)
    });
    println!("the new master was used {:?} after it was one", begun.elapsed());
    works(&site);
}

#[test]
fn a_cluster_of_three_masters_and_their_replicas() {
    let mut nodes = RedisNode::cluster();
    let url = format!("redis+cluster://{},{}", nodes[0].address(), nodes[1].address());
    let site = site(&url, "").start();
    works(&site);
    let browsers: Vec<Browser> = (0..8)
        .map(|_| {
            let browser = Browser::new();
            sign_in(&browser, site.url("/app/")).page.expect(200);
            browser
        })
        .collect();
    let used = nodes
        .iter()
        .filter(|node| node.is_master() && node.keys() > 0)
        .count();
    assert!(used > 1, "the sessions are on {used} node");
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let dead = nodes.iter().position(RedisNode::is_master).expect("a master");
    // Redis replicates asynchronously.
    wait_until("the replicas to have all sessions", || {
        let (masters, replicas): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.is_master());
        let keys = |nodes: Vec<&RedisNode>| nodes.iter().map(|node| node.keys()).sum::<usize>();
        keys(masters) == keys(replicas)
    });
    RedisNode::lose_in_cluster(&mut nodes, dead);
    wait_until("a replica to take the place of its master", || {
        nodes.iter().filter(|node| node.is_master()).count() == 3
    });
    for browser in &browsers {
        wait_until("the session after the failover", || {
            (0..10).all(|_| browser.get(site.url("/app/")).status == 200)
        });
    }
    works(&site);
}
