//! `OxdSessionStore redis://` over a bad network: answers cut in the middle, late answers, a stall.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oxd_tests::{Browser, Proxy, RedisNode, SiteBuilder, wait_until};

use super::common::*;
use super::redis_bed::*;

/// As the directive's default.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A site whose way to Redis leads through a proxy. Redis must live as long as the site.
fn through_proxy() -> (RedisNode, Proxy, SiteBuilder) {
    let node = RedisNode::start("");
    let proxy = Proxy::to(node.socket());
    let site = site_at(
        &format!("redis://{}", proxy.address()),
        "OxdStoreTimeout 500ms 250ms",
    );
    (node, proxy, site)
}

/// One cut answer, after any number of bytes, costs nobody anything: the command is sent again.
#[test]
fn an_answer_that_is_cut_once_is_asked_for_again() {
    let (_node, proxy, site) = through_proxy();
    let site = site.start();
    let anna = signed_in_as(&site, "anna");
    for bytes in [0, 1, 2, 3, 4, 5, 6, 7, 16, 64, 200, 400, 10_000] {
        proxy.cut(1, bytes);
        let before = proxy.cuts();
        wait_until("an answer to be cut", || {
            assert_eq!(
                seen(&site, &anna),
                Seen::User("sub-of-anna".to_owned()),
                "{bytes} bytes"
            );
            proxy.cuts() > before
        });
        expect_user(&site, &anna, "sub-of-anna");
    }
}

/// While every answer is cut, users are asked to come back; none is taken for another, and none is sent round.
#[test]
fn while_each_answer_is_cut_nobody_is_another_or_sent_round() {
    let (_node, proxy, site) = through_proxy();
    let site = troubled(site).start();
    let people = people(&site);
    for bytes in [0, 1, 3, 5, 50, 300] {
        proxy.cut(usize::MAX, bytes);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (name, browser) in &people {
                let (site, over) = (&site, &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        match seen(site, browser) {
                            Seen::User(user) => assert_eq!(user, *name, "{bytes} bytes"),
                            Seen::Unavailable => {}
                            Seen::Nobody => panic!("{name} was sent to the provider, {bytes} bytes"),
                        }
                    }
                });
            }
            let before = proxy.cuts();
            within_scope(&over, || {
                wait_until("some answers to be cut", || proxy.cuts() > before + 10);
            });
        });
        try_to_sign_in(&site, "ben");
        proxy.cut(0, 0);
        recovers(&site, &people);
    }
    site.httpd.expect_log(r"\[oxd:error\].* store_unavailable: ");
}

/// A login whose answers are cut here and there either works or says that it did not; the next one works.
#[test]
fn a_login_whose_answers_are_cut_is_no_wrong_login() {
    let (_node, proxy, site) = through_proxy();
    let site = troubled(site).start();
    for cuts in [1, 2, 3, 4] {
        for bytes in [0, 2, 4] {
            proxy.cut(cuts, bytes);
            try_to_sign_in(&site, "anna");
            proxy.cut(0, 0);
            let browser = Browser::new();
            patiently(|| browser.get(site.url("/oxd/session"))).expect(401);
            sign_in_at_last(&site, &browser, "ben");
        }
    }
}

/// A Redis that is far away, but not too far, is slow for everybody and wrong for nobody.
#[test]
fn answers_later_than_usual_are_those_of_the_one_who_asked() {
    let (_node, proxy, site) = through_proxy();
    let site = site.start();
    let people = people(&site);
    let latency = TIMEOUT / 4;
    proxy.delay(latency);
    std::thread::scope(|scope| {
        for (name, browser) in people.iter().chain(&people) {
            let site = &site;
            scope.spawn(move || {
                for _ in 0..8 {
                    let begun = Instant::now();
                    assert_eq!(seen(site, browser), Seen::User(name.clone()));
                    assert!(begun.elapsed() >= latency, "{:?}", begun.elapsed());
                }
            });
        }
    });
    assert!(try_to_sign_in(&site, "anna").is_some());
}

/// A Redis that answers later than `OxdStoreTimeout` allows is one that is away, until its answers are soon enough again.
#[test]
fn answers_later_than_the_time_limit_are_none() {
    let (_node, proxy, site) = through_proxy();
    let site = troubled(site).start();
    let people = people(&site);
    for latency in [TIMEOUT * 3 / 2, TIMEOUT * 6] {
        proxy.delay(latency);
        for (_, browser) in people.iter().chain(&people) {
            let begun = Instant::now();
            expect_unavailable(&browser.get(site.url("/app/")));
            let took = begun.elapsed();
            // Whoever waited for the last answer would take longer.
            assert!(took < TIMEOUT * 5, "{took:?}");
        }
        try_to_sign_in(&site, "anna");
        proxy.delay(Duration::ZERO);
        recovers(&site, &people);
    }
    site.httpd
        .expect_log(r"\[oxd:error\].* store_unavailable: .*(no answer|no connection)");
}

/// Answers that come after all, when their requests have long been answered, are given to nobody.
#[test]
fn answers_of_a_stalled_connection_are_given_to_nobody() {
    let (_node, proxy, site) = through_proxy();
    let site = troubled(site).start();
    let people = people(&site);
    for _ in 0..4 {
        proxy.stall(true);
        std::thread::scope(|scope| {
            for (_, browser) in &people {
                scope.spawn(|| expect_unavailable(&browser.get(site.url("/app/"))));
            }
        });
        proxy.stall(false);
        recovers(&site, &people);
    }
}

/// Connections that a firewall ends behind everybody's back cost no request its answer.
#[test]
fn connections_that_end_while_nobody_asks_cost_nobody_anything() {
    let (_node, proxy, site) = through_proxy();
    let site = site.start();
    let people = people(&site);
    for _ in 0..10 {
        proxy.drop_connections();
        for (name, browser) in &people {
            assert_eq!(seen(&site, browser), Seen::User(name.clone()));
        }
    }
}
