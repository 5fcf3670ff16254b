//! One process of a machine reads the stream, and another takes its place.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_tests::{Browser, RedisNode, wait_until};

use super::common::*;

const SOON: Duration = Duration::from_secs(8);

/// The connections that read the stream.
fn readers(node: &RedisNode) -> usize {
    let clients = node.ask(&["client", "list"]);
    clients.lines().filter(|line| line.contains("cmd=xread")).count()
}

#[test]
fn one_process_reads_and_the_next_takes_over() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    wait_until("one process of each to read", || readers(&node) == 2);
    other.allow_log("exit signal Killed");
    for child in other.children() {
        let browser = site.signed_in();
        let copy = browser.copy();
        let _ = kill(Pid::from_raw(child as i32), Signal::SIGKILL);
        browser.get(site.url("/oxd/logoutme")).expect(303);
        dies_within(SOON, &other, &copy);
    }
}

#[test]
fn a_graceful_restart_misses_nothing() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&other);
    for _ in 0..3 {
        let browser = site.signed_in();
        let copy = browser.copy();
        other.graceful();
        browser.get(site.url("/oxd/logoutme")).expect(303);
        dies_within(SOON, &other, &copy);
        wait_until("one process of each to read", || readers(&node) == 2);
    }
}

/// After a restart with another address, the new children read there, whatever the old ones still do.
#[test]
fn a_restart_with_another_address_reads_there() {
    let (first, second) = (RedisNode::start(""), RedisNode::start(""));
    let [old, new] = [&first, &second].map(|node| format!("redis://{}", node.address()));
    let site = site(&old, "").start();
    let other = machine(&site, &new, "");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    let browser = site.signed_in();
    // A request that is never finished keeps an old child.
    let mut slow = TcpStream::connect(site.httpd.address()).expect("a connection");
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n")
        .expect("half a request");
    site.httpd.edit_config(&old, &new);
    site.httpd.graceful();
    wait_until("the new address to be read by both", || readers(&second) == 2);
    let copy = browser.copy();
    browser.get(other.url("/oxd/logoutme")).expect(303);
    dies_within(SOON, &site.httpd, &copy);
    drop(slow);
}

/// Redis ends the connections of all its clients.
#[test]
fn a_connection_that_is_cut_is_made_again() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&other);
    for httpd in [&site.httpd, &other] {
        httpd.allow_log(r"\[oxd:(warn|error)\]");
    }
    for _ in 0..5 {
        let browser = site.signed_in();
        let copy = browser.copy();
        node.ask(&["client", "kill", "type", "normal"]);
        browser.get(site.url("/oxd/logoutme")).expect(303);
        dies_within(SOON, &other, &copy);
    }
}

/// Keys are changed machine by machine: what could not be read before the restart is read after it.
#[test]
fn ends_under_a_key_that_comes_later_are_not_lost() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    const NEW: &str = "\"the next key for several machines, as long as anybody could wish 9876543210\"";
    let (site, other) = {
        let site = site(&url, "").start();
        let other = machine(&site, &url, "");
        (site, other)
    };
    other.allow_log("entries cannot be read");
    let browser = site.signed_in();
    let copy = browser.copy();
    assert!(is_alive(&other, &copy));
    let both = format!("{NEW} {KEY}");
    site.httpd
        .edit_config(&format!("OxdCryptoKey {KEY}"), &format!("OxdCryptoKey {both}"));
    site.httpd.graceful();
    browser.get(site.url("/oxd/logoutme")).expect(303);
    other.expect_log("entries cannot be read");
    assert!(is_alive(&other, &copy), "not known here yet");
    other.edit_config(&format!("OxdCryptoKey {KEY}"), &format!("OxdCryptoKey {both}"));
    other.graceful();
    dies_within(SOON, &other, &copy);
}

#[test]
fn another_key_is_named_as_the_cause() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    wait_for_stream(&site.httpd);
    site.httpd.allow_log("entries cannot be read");
    node.ask(&["xadd", "mod_oxd:{ends}", "*", "e", "an entry of somebody else"]);
    node.ask(&["xadd", "mod_oxd:{ends}", "*", "another", "x"]);
    site.httpd
        .expect_log(r"\[oxd:warn\].*entries cannot be read.*OxdCryptoKey must be the same");
    let browser = site.signed_in();
    browser.get(site.url("/app/")).expect(200);
    assert!(metric(&site.httpd, "oxd_revocations_lag_seconds") < 2.0);
    Browser::new().get(site.url("/app/")).expect(302);
}
