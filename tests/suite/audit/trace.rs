//! `traceparent`: from the client to oxd, and into the logs.

use oxd_tests::{Browser, TestSite};

use super::super::{lines, text, trailed};

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A request that oxd is called for, with these headers.
fn start(site: &TestSite, headers: &[(&str, &str)]) {
    site.forget_calls();
    let browser = Browser::new();
    let mut ask = browser.ask("GET", site.url("/app/"));
    for (name, value) in headers {
        ask = ask.header(name, value);
    }
    ask.send().expect(302);
}

#[test]
fn a_trace_goes_on_to_oxd_and_into_both_logs() {
    let site = trailed().start();
    let parent = format!("00-{ID}-00f067aa0ba902b7-01");
    start(&site, &[("traceparent", &parent), ("tracestate", "vendor=1")]);
    let calls = site.oxd.calls();
    assert!(calls.len() >= 2, "a client token and an address");
    let mut parents = Vec::new();
    for call in &calls {
        let [Some(passed), Some(state)] = &call.trace else {
            panic!("{}: {:?}", call.command, call.trace);
        };
        assert!(
            passed.starts_with(&format!("00-{ID}-")) && passed.ends_with("-01"),
            "{passed}"
        );
        assert_eq!(state, "vendor=1");
        parents.push(passed[36..52].to_owned());
    }
    parents.push("00f067aa0ba902b7".to_owned());
    parents.sort_unstable();
    parents.dedup();
    assert_eq!(
        parents.len(),
        calls.len() + 1,
        "each call has a parent of its own"
    );
    let browser = Browser::new();
    let ask = browser.ask("GET", site.url("/oxd/callback?state=x"));
    ask.header("traceparent", &parent).send().expect(400);
    let all = lines(&site);
    assert_eq!(text(&all[0], "trace"), ID);
    let reference = text(&all[0], "reference");
    site.httpd.expect_log(&format!(
        r"callback_malformed: .* \[trace {ID}\] \[ref {reference}\]$"
    ));
}

#[test]
fn what_is_no_trace_stays_here() {
    let site = trailed().start();
    for parent in [
        "",
        "00",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
    ] {
        start(&site, &[("traceparent", parent), ("tracestate", "vendor=1")]);
        for call in site.oxd.calls() {
            assert_eq!(call.trace, [None, None], "{parent:?}");
        }
    }
    start(&site, &[("tracestate", "vendor=1")]);
    assert!(site.oxd.calls().iter().all(|call| call.trace == [None, None]));
}
