//! Many requests: one question for a token, and made-up tokens harm nobody.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, Connection};

use super::super::{bring, builder};

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
