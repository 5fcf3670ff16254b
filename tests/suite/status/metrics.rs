//! The metrics: what Prometheus gets to read.

use std::collections::BTreeSet;

use oxd_dev::Fault;
use oxd_tests::{Browser, TestSite, begin, sign_in_as, user, wait_until};
use prom_text_format_parser::Type;
use serde_json::json;

use super::common::{WATCHED, access_log, callback_with, logged, watched};
use super::scrape::{Scrape, counts, whole};

/// Prometheus takes the text as it is, and each family is of the kind that its name promises.
#[test]
fn they_are_read_by_a_parser() {
    let site = watched().start();
    site.signed_in();
    let answer = Browser::new().get(site.url("/oxd-metrics"));
    for (name, value) in [
        ("content-type", "text/plain; version=0.0.4; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{}", answer.summary());
    }
    let scrape = Scrape::parse(&answer.expect(200).text());
    assert!(scrape.families.len() > 10, "{:?}", scrape.families);
    for (name, kind) in &scrape.families {
        assert!(name.starts_with("oxd_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            *kind == Type::Counter,
            "{name} is a {kind}"
        );
    }
    for (series, value) in &scrape.series {
        assert!(value.is_finite() && *value >= 0.0, "{series} {value}");
        if series.contains("_total") && !series.contains("seconds") {
            whole(*value);
        }
    }
    assert!(
        Browser::new()
            .head(site.url("/oxd-metrics"))
            .expect(200)
            .body
            .is_empty()
    );
}

/// Twenty people sign in, each with a name, an address and a mistake of their own: not one series more than before, and
/// nothing of theirs in a label.
#[test]
fn no_series_is_anybodys() {
    let people: Vec<_> = (0..20)
        .map(|n| {
            user(
                &format!("person{n}"),
                json!({ "email": format!("p{n}@example.org") }),
            )
        })
        .collect();
    let site = watched().users(people).start();
    let before = Scrape::of(&site);
    for n in 0..20 {
        let (browser, name) = (Browser::new(), format!("person{n}"));
        let page = site.url(&format!("/app/?page={n}"));
        sign_in_as(&browser, &page, &name, "secret").page.expect(200);
        browser.get(site.url(&format!("/oxd/nonsense{n}")));
        browser.get(site.url(&format!("/oxd/login?return_to=//host{n}.test")));
        browser.get(site.url(&format!("/oxd/callback?error=error{n}&state=state{n}")));
        browser.get(site.url("/oxd/logoutme"));
    }
    let after = Scrape::of(&site);
    let names = |scrape: &Scrape| scrape.series.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&before), names(&after));
    assert!(names(&after).len() < 1_000, "{} series", names(&after).len());
    assert_eq!(after.counts("oxd_logins_total")["completed"], 20);
    for (label, value) in &after.labels {
        let is_plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '-');
        // The versions of httpd and of the module are nobody's either.
        if matches!(label.as_str(), "version" | "httpd") {
            assert!(
                value.chars().all(|c| c.is_ascii_digit() || c == '.'),
                "{label}={value:?}"
            );
            continue;
        }
        let is_bound = label == "le" && (value == "+Inf" || value.parse::<f64>().is_ok());
        assert!(
            is_bound || (!value.is_empty() && value.chars().all(is_plain)),
            "{label}={value:?}"
        );
        for part in ["person", "example", "host", "nonsense", "127", "sub-of"] {
            assert!(!value.contains(part), "{label}={value:?}");
        }
    }
}

/// What is there from the beginning can be asked for its rate from the first event on.
#[test]
fn everything_is_there_from_the_start() {
    let site = TestSite::builder().config(WATCHED).start();
    let scrape = Scrape::of(&site);
    for (series, value) in &scrape.series {
        let is_no_count = ["oxd_counting_since", "oxd_marks_room", "oxd_build_info"]
            .iter()
            .any(|name| series.starts_with(name));
        assert!(is_no_count || *value == 0.0, "{series} {value}");
    }
    for series in [
        "oxd_logins_total{stage=\"completed\"}",
        "oxd_login_failures_total{reason=\"oxd_unreachable\"}",
        "oxd_calls_total{command=\"get-user-info\",outcome=\"timeout\"}",
        "oxd_call_duration_seconds_count{command=\"get-tokens-by-code\"}",
        "oxd_session_ends_total{by=\"administrator\"}",
    ] {
        scrape.value(series);
    }
    // Nobody's request for them is among what they count.
    assert_eq!(Scrape::of(&site), scrape);
}

/// oxd gone: five attempts, then it is left alone for a moment.
#[test]
fn a_breaker_that_opens_is_counted() {
    let mut site = watched().httpd(|httpd| httpd.processes(1, 8)).start();
    let before = Scrape::of(&site);
    site.oxd.stop();
    let mut codes = Vec::new();
    for n in 0..8 {
        let mark = format!("m{n}");
        let browser = Browser::new();
        browser
            .ask("GET", site.url("/app/"))
            .header("x-mark", &mark)
            .send()
            .expect(503);
        codes.push(logged(&site.httpd, |line| line.mark == mark).code);
    }
    let after = Scrape::of(&site);
    let of = |code: &str| codes.iter().filter(|c| *c == code).count() as u64;
    let (unreachable, resting) = (of("oxd_unreachable"), of("oxd_resting"));
    assert!(unreachable >= 5 && unreachable + resting == 8, "{codes:?}");
    assert_eq!(
        after.since(&before, "oxd_calls_total"),
        counts([
            ("get-client-token resting", resting),
            ("get-client-token unreachable", unreachable)
        ])
    );
    assert_eq!(
        after.since(&before, "oxd_login_failures_total"),
        counts([("oxd_resting", resting), ("oxd_unreachable", unreachable)])
    );
    let opened = after.since(&before, "oxd_call_events_total");
    assert_eq!(opened, counts([("breaker_opened", 1)]), "{codes:?}");
    // What was never sent took no time.
    let sent = after.value("oxd_call_duration_seconds_count{command=\"get-client-token\"}");
    assert_eq!(whole(sent), unreachable);
    assert_eq!(after.value("oxd_calls_under_way"), 0.0);
}

/// A crowd: one call more than allowed is refused at once, and counted.
#[test]
fn calls_that_are_not_sent_are_counted() {
    let site = watched()
        .httpd(|httpd| httpd.processes(1, 16))
        .directives("OxdServerMaxCalls 1\nOxdServerTimeout 20s 1s")
        .start();
    begin(&Browser::new(), site.url("/app/"));
    let before = Scrape::of(&site);
    let late = Fault::Delay(std::time::Duration::from_secs(3));
    site.oxd
        .fault("get-authorization-url", Fault::Times(1, Box::new(late)));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| begin(&Browser::new(), site.url("/app/")));
        wait_until("the first call", || site.oxd.count("get-authorization-url") == 2);
        let others: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| Browser::new().get(site.url("/app/")).status))
            .collect();
        let under_way = || Scrape::of(&site).value("oxd_calls_under_way");
        assert_eq!(under_way(), 1.0, "those that wait are not under way");
        for other in others {
            assert_eq!(other.join().expect("an answer"), 503);
        }
        first.join().expect("a login");
    });
    let after = Scrape::of(&site);
    assert_eq!(
        after.since(&before, "oxd_calls_total"),
        counts([("get-authorization-url busy", 4), ("get-authorization-url ok", 1)])
    );
    assert_eq!(after.value("oxd_calls_under_way"), 0.0);
}

/// Response times land where they belong: who draws a percentile sees what users have waited.
#[test]
fn a_histogram_has_the_times() {
    let site = watched().directives("OxdServerTimeout 20s 1s").start();
    begin(&Browser::new(), site.url("/app/"));
    let before = Scrape::of(&site);
    let late = Fault::Delay(std::time::Duration::from_millis(600));
    callback_with(&site, "get-user-info", late).expect(303);
    let after = Scrape::of(&site);
    let more = |series: &str| after.value(series) - before.value(series);
    let bucket = |le: &str| {
        let labels = format!("{{command=\"get-user-info\",le=\"{le}\"}}");
        more(&format!("oxd_call_duration_seconds_bucket{labels}"))
    };
    assert_eq!((bucket("0.5"), bucket("30"), bucket("+Inf")), (0.0, 1.0, 1.0));
    let sum = more("oxd_call_duration_seconds_sum{command=\"get-user-info\"}");
    assert!((0.6..10.0).contains(&sum), "{sum}");
    assert_eq!(
        more("oxd_call_duration_seconds_count{command=\"get-user-info\"}"),
        1.0
    );
}

/// Restarts, graceful or not, take nothing away; only a stop does.
#[test]
fn counters_outlive_restarts() {
    let mut site = watched().start();
    site.signed_in();
    let before = Scrape::of(&site);
    site.httpd.graceful();
    assert_eq!(Scrape::of(&site), before);
    site.httpd.restart();
    assert_eq!(Scrape::of(&site), before);
    site.signed_in();
    assert_eq!(Scrape::of(&site).counts("oxd_logins_total")["completed"], 2);
    let lines = access_log(&site.httpd);
    let processes: BTreeSet<_> = lines.iter().map(|line| &line.process).collect();
    assert!(processes.len() >= 3, "each time other children: {processes:?}");
    site.httpd.stop();
    site.httpd.start();
    let fresh = Scrape::of(&site);
    assert!(fresh.counts("oxd_logins_total").is_empty(), "{fresh:?}");
    let since = |scrape: &Scrape| scrape.value("oxd_counting_since_seconds");
    assert!(since(&fresh) >= since(&before));
}
