//! The stream on Redis as operators run it: users with few rights, TLS, sentinels, a cluster.

use std::time::Duration;

use oxd_core::config::store::StoreAddress;
use oxd_store::{Purpose, acl_line, needed};
use oxd_tests::{Authority, RedisNode, wait_until};

use super::common::*;

const SOON: Duration = Duration::from_secs(8);

/// A logout at one machine reaches the other.
#[track_caller]
fn works(url: &str, more: &str) {
    let site = site(url, more).start();
    let other = machine(&site, url, more);
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    let browser = site.signed_in();
    let copy = browser.copy();
    browser.get(site.url("/oxd/logoutme")).expect(303);
    dies_within(SOON, &other, &copy);
}

#[test]
fn a_user_with_no_more_rights_than_the_documented_ones() {
    // The line that `oxdctl store check --revocations` prints, and that SESSIONS.md has.
    let any = StoreAddress::parse("redis://any").expect("a URL");
    let line = acl_line("mod_oxd", true, "mod_oxd:", &needed(&any, Purpose::Revocations));
    let user = line
        .replace("ACL SETUSER", "user")
        .replace("PASSWORD", "hunter2-secret");
    let node = RedisNode::start(&format!("requirepass admin\n{user}"));
    let url = format!("redis://{}", node.address());
    works(&url, "OxdStoreUser mod_oxd\nOxdStorePassword hunter2-secret");
}

#[test]
fn tls() {
    let authority = Authority::new();
    let node = RedisNode::over_tls(&authority, false);
    let url = format!("rediss://localhost:{}", node.number());
    works(
        &url,
        &format!("OxdStoreCAFile \"{}\"", node.file("ca.pem").display()),
    );
}

#[test]
fn a_cluster() {
    let nodes = RedisNode::cluster();
    let seeds = [nodes[0].address(), nodes[1].address()].join(",");
    works(&format!("redis+cluster://{seeds}"), "");
}

/// The next master goes on; what the old one had told nobody is told again.
#[test]
fn sentinels() {
    let mut master = RedisNode::start("");
    let replica = RedisNode::start(&format!("replicaof 127.0.0.1 {}", master.number()));
    wait_until("the replica", || {
        replica
            .ask(&["info", "replication"])
            .contains("master_link_status:up")
    });
    let sentinels = RedisNode::sentinels(&master, "");
    wait_until("the sentinels to know all", || {
        sentinels.iter().all(|sentinel| {
            let about = sentinel.ask(&["sentinel", "master", "main"]);
            about.contains("num-slaves\n1\n") && about.contains("num-other-sentinels\n2\n")
        })
    });
    let hosts: Vec<_> = sentinels.iter().map(RedisNode::address).collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    for httpd in [&site.httpd, &other] {
        httpd.allow_log(r"\[oxd:(warn|error)\]");
    }
    let (before, during) = (site.signed_in(), site.signed_in());
    let copies = [before.copy(), during.copy()];
    before.get(site.url("/oxd/logoutme")).expect(303);
    RedisNode::lose_master(&sentinels, &mut master);
    during.get(site.url("/oxd/logoutme")).expect(303);
    wait_until("the replica to be the master", || replica.is_master());
    for copy in &copies {
        dies_within(SOON, &other, copy);
    }
    let late = machine(&site, &url, "");
    wait_for_stream(&late);
    wait_until("a new machine to know all", || {
        copies.iter().all(|copy| !is_alive(&late, copy))
    });
}
