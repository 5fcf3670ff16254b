//! What the suites of `OxdRevocations` share: machines, and whether a session is alive there.

use std::time::{Duration, Instant};

use oxd_tests::{Browser, Httpd, SiteBuilder, TestSite, within};

pub(crate) const KEY: &str =
    "\"a key for several machines, long enough for anybody to accept it 0123456789\"";

/// The directives of a machine.
pub(crate) fn directives(url: &str, more: &str) -> String {
    format!("OxdRevocations {url}\nOxdCryptoKey {KEY}\n{more}")
}

/// The pages of an administrator.
pub(crate) const STATUS: &str = "<Location /oxd-status>\nSetHandler oxd-status\nRequire all granted\n</Location>\n\
                                 <Location /oxd-metrics>\nSetHandler oxd-metrics\nRequire all granted\n</Location>";

/// The first machine.
pub(crate) fn site(url: &str, more: &str) -> SiteBuilder {
    TestSite::builder()
        .httpd(|httpd| {
            httpd
                .processes(2, 16)
                .allow_log("oxd-status without a Require of its own")
        })
        .directives(&directives(url, more))
        .config(STATUS)
}

/// Another machine with the same site and the same key.
pub(crate) fn machine(site: &TestSite, url: &str, more: &str) -> Httpd {
    Httpd::builder()
        .processes(2, 16)
        .allow_log("oxd-status without a Require of its own")
        .define("OXD", &site.oxd.url())
        .define("FIRST", &site.httpd.root().display().to_string())
        .config("OxdServer \"${OXD}\"\nOxdSite \"${FIRST}/site.json\"")
        .config(&directives(url, more))
        .config(STATUS)
        .config("<Location /oxd>\nSetHandler oxd\n</Location>")
        .config("<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>")
        .start()
}

/// Whether a browser has a session at a machine.
pub(crate) fn is_alive(httpd: &Httpd, browser: &Browser) -> bool {
    let answer = browser.get(httpd.url("/oxd/session"));
    assert!([200, 401].contains(&answer.status), "{}", answer.summary());
    answer.status == 200
}

/// How long it takes until a session is over at a machine.
#[track_caller]
pub(crate) fn dies_within(limit: Duration, httpd: &Httpd, browser: &Browser) -> Duration {
    let began = Instant::now();
    let dies = within(limit, || (!is_alive(httpd, browser)).then_some(()));
    assert!(dies.is_some(), "it is still alive after {limit:?}");
    began.elapsed()
}

/// A value on the page of metrics.
#[track_caller]
pub(crate) fn metric(httpd: &Httpd, name: &str) -> f64 {
    let text = Browser::new().get(httpd.url("/oxd-metrics")).expect(200).text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    let value = line.unwrap_or_else(|| panic!("{name} is missing"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

/// Waits until a machine has read the stream.
#[track_caller]
pub(crate) fn wait_for_stream(httpd: &Httpd) {
    let reads = within(Duration::from_secs(10), || {
        (metric(httpd, "oxd_revocations_lag_seconds") < 2.0).then_some(())
    });
    assert!(reads.is_some(), "the stream is not read:\n{}", httpd.error_log());
}
