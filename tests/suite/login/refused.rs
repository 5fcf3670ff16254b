//! What a failed refresh means for the session, the log and the metrics: each failure that oxd can answer with, once
//! the access token has run out.

use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Browser, TestSite, wait_until};

const REFRESH: &str = "get-access-token-by-refresh-token";
const CLIENT_TOKEN: &str = "get-client-token";

/// A failure and what it leads to.
struct Failure {
    what: &'static str,
    faults: Vec<(&'static str, Fault)>,
    /// The status of the page that wanted the refresh.
    page: u16,
    /// Calls to refresh, of three requests.
    calls: usize,
    /// What the one line in the log says; `None`: there is none.
    line: Option<&'static str>,
    /// Series of the metrics, with their values.
    metrics: [&'static str; 2],
}

const FAILED: &str = "oxd_renewals_total{what=\"failed\"} 1";
const STAYS: &str = "oxd_session_ends_total{by=\"provider\"} 0";

fn answer(code: u16, body: &str) -> Fault {
    Fault::Status {
        code,
        body: body.to_owned(),
        content_type: "application/json".to_owned(),
    }
}

/// An error in oxd's own shape.
fn refusal(code: u16, error: &str) -> Fault {
    let error =
        format!(r#"{{"error":"{error}","error_description":"said by oxd","details":null,"reason":null}}"#);
    answer(code, &error)
}

fn failures() -> Vec<Failure> {
    let stays = |what, line, faults| Failure {
        what,
        faults,
        page: 200,
        calls: 1,
        line: Some(line),
        metrics: [FAILED, STAYS],
    };
    vec![
        // A refused refresh token and a broken token endpoint are the same answer: what the provider says to a client
        // token tells them apart.
        Failure {
            what: "refused",
            faults: vec![(REFRESH, refusal(500, "internal_error"))],
            page: 302,
            calls: 1,
            line: Some("refresh_refused"),
            metrics: [FAILED, "oxd_session_ends_total{by=\"provider\"} 1"],
        },
        stays(
            "token endpoint broken",
            "internal_error",
            vec![
                (REFRESH, refusal(500, "internal_error")),
                (CLIENT_TOKEN, refusal(500, "internal_error")),
            ],
        ),
        stays(
            "provider down",
            "internal_error",
            vec![
                (REFRESH, refusal(500, "internal_error")),
                (CLIENT_TOKEN, refusal(500, "no_connect_discovery_response")),
            ],
        ),
        stays(
            "site lost",
            "invalid_oxd_id",
            vec![(REFRESH, refusal(400, "invalid_oxd_id"))],
        ),
        Failure {
            what: "client token lost",
            faults: vec![(
                REFRESH,
                Fault::Times(1, Box::new(refusal(403, "inactive_access_token"))),
            )],
            page: 200,
            calls: 2,
            line: None,
            metrics: ["oxd_renewals_total{what=\"tokens\"} 1", STAYS],
        },
        stays("time-out", "oxd_timeout", vec![(REFRESH, Fault::Hang)]),
        stays(
            "an answer of the provider, passed through",
            "400",
            vec![(REFRESH, answer(400, r#"{"error":"invalid_client"}"#))],
        ),
    ]
}

/// A user whose access token has run out.
fn with_expired_token(site: &TestSite) -> Browser {
    let browser = site.signed_in();
    let begun = Instant::now();
    wait_until("the access token to end", || {
        begun.elapsed() > Duration::from_millis(3200)
    });
    site.forget_calls();
    browser
}

fn expect(failure: Failure) {
    let what = failure.what;
    // Short only where it is to be waited for: a busy machine may need a second for a sign-in.
    let timeout = if what == "time-out" { "1s" } else { "10s" };
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 16))
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(2))
        .directives(&format!("OxdTokenRefresh 1s\nOxdServerTimeout {timeout}"))
        .config("<Location /oxd-metrics>\nSetHandler oxd-metrics\nRequire ip 127.0.0.1\n</Location>")
        .start();
    site.httpd.allow_log(r"\[oxd:(notice|warn|error)\]");
    let browser = with_expired_token(&site);
    for (command, fault) in failure.faults {
        site.oxd.fault(command, fault);
    }
    for _ in 0..3 {
        let page = browser.get(site.url("/app/"));
        assert_eq!(page.status, failure.page, "{what}: {}", page.summary());
    }
    assert_eq!(site.oxd.count(REFRESH), failure.calls, "{what}");
    let log = site.httpd.error_log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("were not refreshed"))
        .collect();
    assert_eq!(
        lines.len(),
        usize::from(failure.line.is_some()),
        "{what}: {lines:?}"
    );
    if let Some(words) = failure.line {
        assert!(lines[0].contains(words), "{what}: {}", lines[0]);
    }
    let metrics = Browser::new().get(site.url("/oxd-metrics")).text();
    for series in failure.metrics {
        assert!(metrics.contains(&format!("{series}\n")), "{what}: not {series}");
    }
}

#[test]
fn each_failure_has_its_outcome() {
    std::thread::scope(|scope| {
        let cases: Vec<_> = failures()
            .into_iter()
            .map(|failure| scope.spawn(|| expect(failure)))
            .collect();
        for case in cases {
            case.join().expect("the outcome of a failure");
        }
    });
}

/// How long an access token works in [`shut_out`].
const TOKEN: Duration = Duration::from_secs(4);
/// The least time between two attempts to refresh (`access::backoff`).
const BACK_OFF: Duration = Duration::from_secs(5);
/// For a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// A user with a token just refreshed whom the provider shuts out: how long until a page is refused, read all the while.
/// Before it refuses, the provider gives these answers once.
fn shut_out(before: &[(&str, Fault)]) -> Duration {
    let site = TestSite::builder()
        .provider(|provider| provider.access_token_lifetime = TOKEN)
        .directives("OxdTokenRefresh 2s")
        .start();
    site.httpd.allow_log(r"\[oxd:(notice|warn|error)\]");
    let browser = site.signed_in();
    site.forget_calls();
    wait_until("a refresh that works", || {
        browser.get(site.url("/app/")).expect(200);
        site.oxd.count(REFRESH) > 0
    });
    let shut = Instant::now();
    site.oxd.fault(REFRESH, refusal(500, "internal_error"));
    for (command, fault) in before {
        site.oxd.fault(command, fault.clone());
    }
    let mut status = 200;
    wait_until("the user to be out", || {
        if !before.is_empty() && site.oxd.count(REFRESH) > 1 {
            // The provider is there again, and refuses.
            site.oxd.clear_faults();
            site.oxd.fault(REFRESH, refusal(500, "internal_error"));
        }
        status = browser.get(site.url("/app/")).status;
        status != 200
    });
    let took = shut.elapsed();
    assert_eq!(status, 302);
    took
}

#[test]
fn a_user_who_is_shut_out_is_out_when_the_token_ends() {
    let took = shut_out(&[]);
    println!("out after {took:?}, the token works for {TOKEN:?}");
    assert!(took <= TOKEN + SLACK, "{took:?}");
}

/// The provider breaks down when it should refuse: nobody knows then, until the next attempt.
#[test]
fn a_provider_that_fails_first_costs_one_back_off_more() {
    let took = shut_out(&[(CLIENT_TOKEN, refusal(500, "internal_error"))]);
    println!("out after {took:?}, the token works for {TOKEN:?}, one back-off is {BACK_OFF:?}");
    assert!(took <= TOKEN + BACK_OFF + SLACK, "{took:?}");
}
