//! oxd away, slow or crowded.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, Mpm, TestSite, approve, begin, sign_in, wait_until};
use socket2::{Domain, Socket, Type};

/// How long a child may refuse what needs oxd without asking it, after the outage's last failed call.
const ASKS_NOBODY: Duration = Duration::from_millis(2_100);

#[track_caller]
fn expect_unavailable(answer: &oxd_tests::Answer) {
    let again = answer.expect(503).header("retry-after").unwrap_or_default();
    assert!(
        again.parse::<u32>().is_ok_and(|seconds| seconds > 0),
        "Retry-After {again:?}"
    );
    assert!(answer.set_cookies().is_empty(), "{}", answer.summary());
}

fn gone_and_back(mpm: Mpm) {
    let mut site = TestSite::builder().mpm(mpm).start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let inside = site.signed_in();
    let halfway = Browser::new();
    let start = begin(&halfway, site.url("/app/"));
    let approval = approve(&halfway, &start.location());
    site.oxd.stop();

    let begun = Instant::now();
    expect_unavailable(&Browser::new().get(site.url("/app/")));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // However many have tried by the time it is back.
    for _ in 0..10 {
        expect_unavailable(&Browser::new().get(site.url("/app/")));
    }
    expect_unavailable(&approval.deliver(&halfway.copy()));
    assert_eq!(site.user(&halfway), None);
    for path in ["/app/", "/app/env", "/oxd", "/oxd/session"] {
        inside.get(site.url(path)).expect(200);
    }
    Browser::new().get(site.url("/")).expect(200);

    site.oxd.resume();
    // By every child: each has noticed the outage by itself, and asks nobody for a while.
    let back = Instant::now();
    wait_until("oxd to be found again", || {
        (0..10).all(|_| Browser::new().get(site.url("/app/")).status == 302) && back.elapsed() > ASKS_NOBODY
    });
    for _ in 0..3 {
        sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    }
    inside.get(site.url("/app/")).expect(200);
}

#[test]
fn gone_and_back_under_event() {
    gone_and_back(Mpm::Event);
}

#[test]
fn gone_and_back_under_prefork() {
    gone_and_back(Mpm::Prefork);
}

#[test]
fn a_logout_works_while_oxd_is_gone() {
    let mut site = TestSite::start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let browser = site.signed_in();
    site.oxd.stop();
    let page = browser.follow(site.url("/oxd/logoutme"));
    assert!(
        page.expect(200)
            .page()
            .text()
            .to_lowercase()
            .contains("signed out")
    );
    assert_eq!(site.user(&browser), None);
}

#[test]
fn never_there_from_the_start() {
    let mut site = TestSite::builder().start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    site.oxd.stop();
    site.httpd.restart();
    expect_unavailable(&Browser::new().get(site.url("/app/")));
    site.oxd.resume();
    wait_until("oxd to be found", || {
        Browser::new().get(site.url("/app/")).status == 302
    });
}

#[test]
fn no_connection_is_waited_for_longer_than_the_connect_time() {
    // A listener whose queue is full: the system lets further connections hang.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue does not fill");
    }
    let site = TestSite::builder()
        .directives(&format!("OxdServer http://{address}\nOxdServerTimeout 20s 1s"))
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let begun = Instant::now();
    let answer = Browser::new().get(site.url("/app/"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(answer.status, 503 | 504), "{}", answer.summary());
}

#[test]
fn an_answer_that_drips_in_is_bounded_by_the_total_time() {
    let site = TestSite::builder().directives("OxdServerTimeout 2s 1s").start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    begin(&Browser::new(), site.url("/app/"));
    site.oxd.fault(
        "get-authorization-url",
        Fault::Trickle(Duration::from_millis(250)),
    );
    let begun = Instant::now();
    Browser::new().get(site.url("/app/")).expect(504);
    let took = begun.elapsed();
    assert!(
        (Duration::from_millis(1500)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
}

#[test]
fn one_call_too_many_is_turned_away_and_other_pages_are_not_held_up() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 16))
        .directives("OxdServerMaxCalls 1\nOxdServerTimeout 20s 1s")
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let inside = site.signed_in();
    site.forget_calls();
    site.oxd
        .fault("get-authorization-url", Fault::Delay(Duration::from_secs(6)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| Browser::new().get(site.url("/app/")).status);
        wait_until("the first call", || site.oxd.count("get-authorization-url") == 1);
        let begun = Instant::now();
        let crowd: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| expect_unavailable(&Browser::new().get(site.url("/app/")))))
            .collect();
        inside.get(site.url("/app/")).expect(200);
        Browser::new().get(site.url("/1k.bin")).expect(200);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        for visitor in crowd {
            visitor.join().expect("turned away");
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(first.join().expect("the first one"), 302);
    });
    assert_eq!(site.oxd.count("get-authorization-url"), 1);
}

#[test]
fn by_default_half_of_the_threads_can_wait_for_oxd() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 8))
        .directives("OxdServerTimeout 20s 1s")
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    begin(&Browser::new(), site.url("/app/"));
    site.forget_calls();
    site.oxd
        .fault("get-authorization-url", Fault::Delay(Duration::from_secs(6)));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let visits: Vec<_> = (0..7)
            .map(|_| scope.spawn(|| Browser::new().get(site.url("/app/")).status))
            .collect();
        wait_until("the calls", || site.oxd.count("get-authorization-url") == 4);
        Browser::new().get(site.url("/1k.bin")).expect(200);
        visits
            .into_iter()
            .map(|visit| visit.join().expect("an answer"))
            .collect()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 302).count(),
        4,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 503).count(),
        3,
        "{statuses:?}"
    );
}
