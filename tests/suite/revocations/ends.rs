//! A session that ends at one machine is over at all.

use std::time::Duration;

use oxd_tests::{Browser, Mpm, RedisNode, sign_out};
use url::Url;

use super::common::*;

/// What a machine may take to hear of an end, on a machine that runs other tests, too.
const SOON: Duration = Duration::from_secs(5);

/// Half of all ends are known within a tenth of a second; how many are measured.
fn logouts() -> usize {
    std::env::var("OXD_LOGOUTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(200)
}

#[test]
fn a_logout_on_one_is_known_on_the_other_within_a_tenth_of_a_second() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    let mut times = Vec::new();
    for number in 0..logouts() {
        let browser = site.signed_in();
        let copy = browser.copy();
        assert!(is_alive(&other, &copy));
        // The user leaves at either.
        let (here, there) = match number % 2 {
            0 => (&site.httpd, &other),
            _ => (&other, &site.httpd),
        };
        browser.get(here.url("/oxd/logoutme")).expect(303);
        times.push(dies_within(SOON, there, &copy));
        assert!(!is_alive(here, &copy) && !is_alive(there, &copy));
    }
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "known elsewhere after: median {:?}, 95 % {:?}, longest {:?}, of {}",
        at(50),
        at(95),
        at(100),
        times.len()
    );
    assert!(at(50) < Duration::from_millis(100), "median {:?}", at(50));
}

/// Requests with a session look at shared memory, and ask Redis nothing.
#[test]
fn requests_ask_redis_nothing() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "OxdRevocationsMaxLag 1min").start();
    let other = machine(&site, &url, "OxdRevocationsMaxLag 1min");
    wait_for_stream(&site.httpd);
    wait_for_stream(&other);
    let browser = site.signed_in();
    let before = node.commands();
    for _ in 0..250 {
        for httpd in [&site.httpd, &other] {
            browser.get(httpd.url("/app/1k.bin")).expect(200);
        }
    }
    let mut after = node.commands();
    after.retain(|name, count| *count > before.get(name).copied().unwrap_or_default());
    // The two processes that read the stream, and this test.
    let expected = ["config|get", "info", "xread"];
    assert!(
        after.keys().all(|name| expected.contains(&name.as_str())),
        "{after:?}"
    );
}

#[test]
fn an_administrator_ends_sessions_everywhere() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    let (first, second) = (site.signed_in(), site.signed_in());
    let form = [("action", "end-all")];
    let nobody = Browser::new();
    let ask = nobody.ask("POST", other.url("/oxd-status"));
    ask.form(&form).send().expect(200);
    for browser in [&first, &second] {
        dies_within(SOON, &site.httpd, browser);
        assert!(!is_alive(&other, browser));
    }
    // Whoever signs in now is in, at both.
    let third = site.signed_in();
    assert!(is_alive(&site.httpd, &third) && is_alive(&other, &third));
}

/// A notice of the provider may reach a machine that the user has never been at.
#[test]
fn a_notice_of_the_provider_may_reach_any_machine() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").start();
    let other = machine(&site, &url, "");
    let browser = site.signed_in();
    let session = browser.get(site.url("/oxd/session")).expect(200).json();
    let sid = session["claims"]["sid"].as_str().expect("a sid").to_owned();
    let frame = |sid: &str| {
        let mut frame = Url::parse(&other.url("/oxd/frontchannel-logout")).expect("an address");
        frame
            .query_pairs_mut()
            .extend_pairs([("iss", site.oxd.provider_url().as_str()), ("sid", sid)]);
        Browser::new().get(frame).expect(200);
    };
    let marks = metric(&other, "oxd_marks");
    frame("made up");
    assert_eq!(
        metric(&other, "oxd_marks"),
        marks,
        "what no session has had is not kept"
    );
    assert!(is_alive(&site.httpd, &browser));
    frame(&sid);
    dies_within(SOON, &site.httpd, &browser);
}

#[test]
fn with_prefork_too() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let site = site(&url, "").mpm(Mpm::Prefork).start();
    let other = machine(&site, &url, "");
    let browser = site.signed_in();
    let copy = browser.copy();
    assert!(is_alive(&other, &copy));
    sign_out(&browser, site.url("/oxd/logoutme"));
    dies_within(SOON, &other, &copy);
    let browser = site.signed_in();
    let copy = browser.copy();
    browser.get(other.url("/oxd/logoutme")).expect(303);
    dies_within(SOON, &site.httpd, &copy);
}
