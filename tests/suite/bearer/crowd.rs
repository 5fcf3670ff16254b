//! Many requests: one question for a token, and made-up tokens harm nobody.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, Connection, SHOWS_TOKENS};

use super::super::{access_token, bring, builder};

const INTROSPECT: &str = "introspect-access-token";

#[test]
fn requests_with_one_unknown_token_ask_one_question() {
    let site = builder("introspect")
        .directives("OxdServerMaxCalls 60")
        .httpd(|httpd| httpd.processes(1, 80))
        .start();
    site.oxd
        .fault(INTROSPECT, Fault::Delay(Duration::from_millis(500)));
    let barrier = Barrier::new(50);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                barrier.wait();
                bring(&site, "/app/", "Bearer unknown").expect(401);
            });
        }
    });
    assert_eq!(site.oxd.count(INTROSPECT), 1);
}

/// How many made-up tokens are sent unless `OXD_TOKENS` says otherwise.
const TOKENS: usize = 8_000;

/// Each costs oxd a question at most, the budget bounds how many at once, and the cache bounds what is kept of them.
#[test]
fn made_up_tokens_take_no_memory_and_no_threads() {
    let tokens = std::env::var("OXD_TOKENS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(TOKENS);
    let site = builder("introspect")
        .directives("OxdBearerCache 60s 1000")
        .httpd(|httpd| httpd.processes(1, 32).without_overwriting())
        .start();
    site.httpd.allow_log("oxd_busy");
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let send = |until: usize| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut connection = Connection::new(site.httpd.address());
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= until {
                            break;
                        }
                        let line = format!("Authorization: Bearer made-up-{number}");
                        let answer = connection.get_with("/app/", &line, "").expect("an answer");
                        assert!(matches!(answer.status, 401 | 503), "{}", answer.status);
                    }
                });
            }
        });
    };
    send(tokens / 4);
    let before = site.httpd.largest_child_kib();
    let worst = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (browser, mut worst) = (Browser::new(), Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                browser.get(site.url("/1k.bin")).expect(200);
                worst = worst.max(asked.elapsed());
            }
            worst
        });
        send(tokens);
        over.store(true, Ordering::Relaxed);
        reader.join().expect("pages that need no oxd")
    });
    let grown = site.httpd.largest_child_kib().saturating_sub(before);
    println!(
        "{tokens} made-up tokens: {} questions, a child {grown} KiB larger than after a quarter of them, worst page {worst:?}",
        site.oxd.count(INTROSPECT)
    );
    assert!(site.oxd.count(INTROSPECT) <= tokens);
    // 1,000 answers of 4 KiB at most.
    assert!(grown < 6 * 1024, "{grown} KiB");
    assert!(worst < Duration::from_secs(1), "{worst:?}");
}

/// An answer that ends under load is found out anew by one request, before it ends: no other one waits for oxd.
#[test]
fn a_good_token_is_not_refused_when_its_answer_ends() {
    let site = builder("introspect")
        .config(SHOWS_TOKENS)
        .directives("OxdBearerCache 2s")
        .httpd(|httpd| httpd.processes(1, 25))
        .start();
    let line = format!("Authorization: Bearer {}", access_token(&site));
    let first = Connection::new(site.httpd.address()).get_with("/app/1k.bin", &line, "");
    assert_eq!(first.expect("an answer").status, 200);
    site.forget_calls();
    site.oxd
        .fault(INTROSPECT, Fault::Delay(Duration::from_millis(100)));
    let (begun, lasts) = (Instant::now(), Duration::from_secs(5));
    let worst = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let (mut connection, mut worst) = (Connection::new(site.httpd.address()), Duration::ZERO);
                    while begun.elapsed() < lasts {
                        let asked = Instant::now();
                        let answer = connection.get_with("/app/1k.bin", &line, "").expect("an answer");
                        assert_eq!(answer.status, 200);
                        worst = worst.max(asked.elapsed());
                    }
                    worst
                })
            })
            .collect();
        let all = clients
            .into_iter()
            .map(|client| client.join().expect("good answers"));
        all.max().unwrap_or_default()
    });
    let asked = site.oxd.count(INTROSPECT);
    println!("{asked} questions in {lasts:?}, worst request {worst:?}");
    assert!((2..=4).contains(&asked), "{asked}");
}
