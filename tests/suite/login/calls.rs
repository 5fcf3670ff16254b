//! How often oxd is asked.

use std::sync::Barrier;
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Browser, Mpm, TestSite, begin, sign_in};

#[test]
fn a_login_costs_four_calls_then_three_a_request_none_and_a_logout_one() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/"));
    let login = ["get-authorization-url", "get-tokens-by-code", "get-user-info"];
    site.expect_commands(&[&["get-client-token"], &login[..]].concat());
    // oxd takes a longer state, and does not know it when the user comes back; others it puts into the address as it is.
    let calls = site.oxd.calls();
    let asked = calls.iter().find(|call| call.command == "get-authorization-url");
    let state = asked
        .and_then(|call| call.body["state"].as_str())
        .expect("a state");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    assert!(state.len() <= 50 && state.bytes().all(plain), "{state}");

    site.forget_calls();
    sign_in(&Browser::new(), site.url("/app/"));
    site.expect_commands(&login);

    site.forget_calls();
    for path in ["/app/", "/app/1k.bin", "/app/env", "/oxd", "/oxd/session"] {
        browser.get(site.url(path)).expect(200);
    }
    site.expect_commands(&[]);

    browser.get(site.url("/oxd/logoutme")).expect(303);
    site.expect_commands(&["get-logout-uri"]);
}

/// Sends that many browsers to a protected page at the same moment, oxd being slow with tokens.
fn crowd(site: &TestSite, browsers: usize) {
    site.oxd
        .fault("get-client-token", Fault::Delay(Duration::from_millis(500)));
    let barrier = Barrier::new(browsers);
    std::thread::scope(|scope| {
        let visits: Vec<_> = (0..browsers)
            .map(|_| {
                scope.spawn(|| {
                    let browser = Browser::new();
                    barrier.wait();
                    begin(&browser, site.url("/app/"));
                })
            })
            .collect();
        for visit in visits {
            visit.join().expect("each browser is sent to the provider");
        }
    });
}

#[test]
fn threads_that_all_want_the_client_token_fetch_it_once() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 64))
        .directives("OxdServerMaxCalls 64")
        .start();
    crowd(&site, 32);
    assert_eq!(site.oxd.count("get-client-token"), 1);
    assert_eq!(site.oxd.count("get-authorization-url"), 32);
}

#[test]
fn under_prefork_each_child_fetches_it_once() {
    let site = TestSite::builder()
        .mpm(Mpm::Prefork)
        .httpd(|httpd| httpd.processes(4, 1))
        .start();
    crowd(&site, 16);
    let tokens = site.oxd.count("get-client-token");
    assert!((1..=4).contains(&tokens), "{tokens} tokens for 4 children");
    assert_eq!(site.oxd.count("get-authorization-url"), 16);
}

#[test]
fn sites_have_a_client_token_each() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 16))
        .another_site("one")
        .another_site("two")
        .start();
    for _ in 0..2 {
        for path in ["/app/", "/one/app/", "/two/app/"] {
            begin(&Browser::new(), site.url(path));
        }
    }
    assert_eq!(site.oxd.count("get-client-token"), 3);
    assert_eq!(site.oxd.count("get-authorization-url"), 6);
}

#[test]
fn a_client_token_is_renewed_before_it_runs_out() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.processes(1, 16))
        .oxd(|oxd| oxd.client_token_lifetime = Duration::from_secs(2))
        .start();
    begin(&Browser::new(), site.url("/app/"));
    oxd_tests::wait_until("a second token", || {
        begin(&Browser::new(), site.url("/app/"));
        site.oxd.count("get-client-token") > 1
    });
    let refused = site
        .oxd
        .calls()
        .into_iter()
        .filter(|call| call.status == 403)
        .count();
    assert_eq!(refused, 0, "no call was made with a token past its time");
}

/// oxd compares addresses as texts; the log names the one that is missing.
#[test]
fn an_oxd_that_lets_us_not_in_is_told_by_the_address() {
    let site = TestSite::builder()
        .oxd(|options| options.bind_ip_addresses = vec!["::1".to_owned()])
        .start();
    site.httpd.allow_log("oxd_access_denied");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.status >= 500, "{}", answer.summary());
    site.httpd.expect_log(r"bind_ip_addresses .*: add 127\.0\.0\.1");
}
