//! The stream is away: sessions go on, and nothing is lost.

use std::time::{Duration, Instant};

use oxd_tests::{Browser, RedisNode, wait_until, within};

use super::common::*;

const AWAY: &str = r"\[oxd:error\].*OxdRevocations redis.*until it is reached again";
const KEPT: &str = r"\[oxd:warn\].*kept, and told to other machines later";
const BACK: &str = r"\[oxd:notice\].*reached again after";

/// How soon after its return the stream has been read, on a machine that has other work too.
const SOON: Duration = Duration::from_secs(4);

/// How long the stream is cut, in seconds.
fn cut() -> u64 {
    std::env::var("OXD_CUT")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(4)
}

#[test]
fn sessions_go_on_and_ended_ones_die_soon_after_the_return() {
    let mut node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    for httpd in [&site.httpd, &other] {
        httpd.allow_log(r"\[oxd:(warn|error)\]");
    }
    let (stays, leaves) = (site.signed_in(), site.signed_in());
    let copy = leaves.copy();
    node.kill();
    let away_since = Instant::now();
    site.httpd.expect_log(AWAY);
    other.expect_log(AWAY);
    leaves.get(site.url("/oxd/logoutme")).expect(303);
    site.httpd.expect_log(KEPT);
    assert!(!is_alive(&site.httpd, &copy), "over where it was ended");
    wait_until("the page to say so", || {
        metric(&other, "oxd_revocations_lag_seconds") > 2.0
    });
    let page = Browser::new().get(other.url("/oxd-status")).expect(200).text();
    assert!(page.contains("is not reached: sessions that end on other machines go on here"));
    assert!(metric(&site.httpd, "oxd_revocations_untold") >= 1.0);
    while away_since.elapsed() < Duration::from_secs(cut()) {
        for httpd in [&site.httpd, &other] {
            assert!(is_alive(httpd, &stays));
        }
        assert!(is_alive(&other, &copy), "nobody could tell");
    }
    node.start_again();
    let took = dies_within(Duration::from_secs(10), &other, &copy);
    println!("over elsewhere {took:?} after the return of Redis");
    assert!(took < SOON, "{took:?}");
    for httpd in [&site.httpd, &other] {
        httpd.expect_log(BACK);
        assert!(is_alive(httpd, &stays));
    }
    wait_until("all to be told", || {
        metric(&site.httpd, "oxd_revocations_untold") == 0.0
    });
}

/// What could not be told before httpd stopped is told by the next one.
#[test]
fn what_was_not_told_outlives_httpd() {
    let mut node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let mut site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&other);
    for httpd in [&site.httpd, &other] {
        httpd.allow_log(r"\[oxd:(warn|error)\]");
    }
    let leaves = site.signed_in();
    let copy = leaves.copy();
    node.kill();
    leaves.get(site.url("/oxd/logoutme")).expect(303);
    site.httpd.stop();
    node.start_again();
    wait_for_stream(&other);
    assert!(is_alive(&other, &copy));
    site.httpd.start();
    dies_within(Duration::from_secs(10), &other, &copy);
}

#[test]
fn a_machine_that_starts_knows_all_ends() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let ended: Vec<_> = (0..20)
        .map(|_| {
            let browser = site.signed_in();
            let copy = browser.copy();
            browser.get(site.url("/oxd/logoutme")).expect(303);
            copy
        })
        .collect();
    let alive = site.signed_in();
    let late = machine(&site, &url, "");
    wait_for_stream(&late);
    assert!(ended.iter().all(|copy| !is_alive(&late, copy)));
    assert!(is_alive(&late, &alive));
    // The process that began to read meanwhile may have told some again.
    let entries = node.ask(&["xlen", "mod_oxd:{ends}"]);
    assert!((20..=40).contains(&entries.parse().unwrap_or(0)), "{entries}");
}

/// Redis comes back without anything: it is told all ends again, for machines that start later.
#[test]
fn an_emptied_redis_is_told_again() {
    let mut node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    wait_for_stream(&site.httpd);
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = site.signed_in();
    let copy = browser.copy();
    browser.get(site.url("/oxd/logoutme")).expect(303);
    node.kill();
    site.httpd.expect_log(AWAY);
    node.start_again();
    wait_until("the stream to be there again", || {
        node.ask(&["xlen", "mod_oxd:{ends}"]) == "1"
    });
    let late = machine(&site, &url, "");
    wait_for_stream(&late);
    assert!(!is_alive(&late, &copy));
}

#[test]
fn a_limit_of_silence_keeps_sessions_out_until_it_is_over() {
    let mut node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "OxdRevocationsMaxLag 2s").start();
    wait_for_stream(&site.httpd);
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = site.signed_in();
    browser.get(site.url("/app/")).expect(200);
    node.kill();
    wait_until("the limit", || browser.get(site.url("/app/")).status == 503);
    let answer = browser.get(site.url("/app/"));
    assert!(answer.header("retry-after").is_some());
    Browser::new().get(site.url("/app/")).expect(302);
    site.httpd
        .expect_log(r"\[oxd:error\].*revocations_lag: nothing was heard");
    node.start_again();
    let returned = Instant::now();
    let back = within(Duration::from_secs(10), || {
        (browser.get(site.url("/app/")).status == 200).then_some(())
    });
    assert!(back.is_some());
    assert!(returned.elapsed() < SOON, "{:?}", returned.elapsed());
}
