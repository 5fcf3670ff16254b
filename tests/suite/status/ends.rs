//! Sessions and their stores, as the metrics count them: who has ended sessions, and what the stores had to do.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oxd_dev::{Fault, Signer};
use oxd_tests::{Browser, DEMO_SUB, TestSite, approve, begin, sign_in, wait_until};
use serde_json::json;

use super::common::{by_program, refusal, watched};
use super::scrape::{Scrape, counts};

const REFRESH: &str = "get-access-token-by-refresh-token";
const STORE: &str = "OxdSessionStore \"shmcb:${ROOT}/run/sessions(2097152)\"";

/// Ends a session in some way.
type Ending = fn(&TestSite, &Browser);

/// Each way in which sessions end, with its label.
const ENDINGS: &[(&str, Ending)] = &[
    ("user", |site, browser| {
        browser.get(site.url("/oxd/logoutme")).expect(303);
    }),
    ("administrator", |site, _| {
        let form = [("action", "end"), ("user", DEMO_SUB)];
        by_program("POST", &site.url("/oxd-status"), &form).expect(200);
    }),
    ("administrator", |site, _| {
        by_program("POST", &site.url("/oxd-status"), &[("action", "end-all")]).expect(200);
    }),
    ("login", |site, browser| {
        let start = begin(browser, site.url("/oxd/login"));
        approve(browser, &start.location()).deliver(browser).expect(303);
    }),
    ("front_channel", |site, browser| {
        let (issuer, sid) = (site.oxd.provider_url(), sid(site, browser));
        let notice = format!("/oxd/frontchannel-logout?iss={issuer}&sid={sid}");
        Browser::new().get(site.url(&notice)).expect(200);
    }),
    ("back_channel", |site, browser| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("the system's time").as_secs();
        let claims = json!({
            "iss": site.oxd.provider_url(), "aud": site.site.client_id, "iat": now, "exp": now + 120,
            "jti": format!("{:?}", Instant::now()), "sid": sid(site, browser),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        let header = json!({ "typ": "logout+jwt" });
        let token = site.oxd.jws(&header, &claims.to_string(), &Signer::Current);
        let token = token.expect("a key of the development provider");
        let url = site.url("/oxd/backchannel-logout");
        by_program("POST", &url, &[("logout_token", &token)]).expect(200);
    }),
    ("provider", |site, browser| {
        let fault = refusal(500, "internal_error", "Unknown internal server error occurs.");
        site.oxd.fault(REFRESH, fault);
        wait_until("the end of the access token", || {
            browser.get(site.url("/app/refreshed/index.html")).status == 302
        });
        site.oxd.clear_faults();
    }),
];

fn sid(site: &TestSite, browser: &Browser) -> String {
    let session = browser.get(site.url("/oxd/session")).json();
    session["claims"]["sid"].as_str().expect("a sid").to_owned()
}

/// A site whose tokens are refreshed at each request to one place.
fn site(directives: &str) -> TestSite {
    watched()
        .directives(directives)
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(2))
        .config("<Location /app/refreshed>\nOxdTokenRefresh 1h\n</Location>")
        .httpd(|httpd| {
            httpd.file("docroot/app/refreshed/index.html", "refreshed");
            httpd.load("socache_shmcb")
        })
        .start()
}

/// "Why has everybody been signed out?" The counters know who did it.
#[test]
fn whoever_ends_sessions_is_counted() {
    for directives in ["", STORE] {
        let site = site(directives);
        for (by, end) in ENDINGS {
            let browser = site.signed_in();
            let before = Scrape::of(&site);
            end(&site, &browser);
            let after = Scrape::of(&site);
            let ended = after.since(&before, "oxd_session_ends_total");
            assert_eq!(ended, counts([(by, 1)]), "{by} {directives}");
            // The user of a session that has ended is nobody, and that is counted as well.
            let copy = browser.copy();
            let is_over = !matches!(*by, "login" | "user");
            if is_over {
                assert_eq!(site.user(&copy), None, "{by} {directives}");
                let seen = Scrape::of(&site).since(&after, "oxd_session_cookies_total");
                let expected = if *by == "provider" {
                    counts([])
                } else {
                    counts([("refused", 1)])
                };
                assert_eq!(seen, expected, "{by} {directives}");
            }
        }
    }
}

/// `OxdSessionMax`: somebody's third login ends the first.
#[test]
fn sessions_that_are_too_many_are_counted() {
    let site = site(&format!("{STORE}\nOxdSessionMax 2"));
    for (login, ended) in [(1, 0), (2, 0), (3, 1), (4, 2)] {
        site.signed_in();
        let scrape = Scrape::of(&site);
        let by_limit = scrape.value("oxd_session_ends_total{by=\"limit\"}");
        assert_eq!(by_limit, f64::from(ended), "login {login}");
        assert_eq!(scrape.value("oxd_sessions_made_total"), f64::from(login));
    }
}

/// Refreshes that worked, and one that did not although nobody noticed.
#[test]
fn refreshes_are_counted() {
    let site = site("");
    let browser = site.signed_in();
    let before = Scrape::of(&site);
    browser.get(site.url("/app/refreshed/index.html")).expect(200);
    let once = Scrape::of(&site);
    assert_eq!(once.since(&before, "oxd_renewals_total"), counts([("tokens", 1)]));
    site.oxd.fault(REFRESH, Fault::Times(1, Box::new(Fault::NotJson)));
    browser.get(site.url("/app/refreshed/index.html")).expect(200);
    let twice = Scrape::of(&site);
    assert_eq!(twice.since(&once, "oxd_renewals_total"), counts([("failed", 1)]));
    let calls = twice.since(&before, "oxd_calls_total");
    assert_eq!(calls, counts([("get-access-token-by-refresh-token ok", 2)]));
    assert!(twice.since(&before, "oxd_refusals_total").is_empty());
}

/// A request with a session asks the store once; a cookie that names nothing asks it once, in vain.
#[test]
fn what_a_store_is_asked_for_is_counted() {
    let site = site(STORE);
    let fresh = |begun: Instant| begun.elapsed() < Duration::from_secs(4);
    // A session's use is written down every five seconds; a machine that is so slow is given another try.
    for attempt in 0.. {
        let begun = Instant::now();
        let browser = site.signed_in();
        let before = Scrape::of(&site);
        for _ in 0..10 {
            browser.get(site.url("/app/1k.bin")).expect(200);
        }
        let stranger = Browser::new();
        stranger.set_cookie(&format!("oxd_session={}; Path=/", "A".repeat(44)), site.url("/"));
        stranger.get(site.url("/oxd/session")).expect(401);
        let after = Scrape::of(&site);
        let asked = after.since(&before, "oxd_store_operations_total");
        let seen = after.since(&before, "oxd_session_cookies_total");
        let expected = counts([("get absent", 1), ("get ok", 10)]);
        assert!(
            attempt < 5,
            "this machine takes {:?} for ten requests",
            begun.elapsed()
        );
        if asked != expected && !fresh(begun) {
            continue;
        }
        assert_eq!(asked, expected);
        assert_eq!(seen, counts([("alive", 10), ("refused", 1)]));
        let time = after.value("oxd_store_seconds_total{operation=\"get\"}");
        assert!(time > before.value("oxd_store_seconds_total{operation=\"get\"}"));
        break;
    }
    let browser = site.signed_in();
    let before = Scrape::of(&site);
    browser.get(site.url("/oxd/logoutme")).expect(303);
    let asked = Scrape::of(&site).since(&before, "oxd_store_operations_total");
    assert!(
        asked.contains_key("remove ok") && asked.contains_key("put ok"),
        "{asked:?}"
    );
    assert!(!asked.keys().any(|name| name.ends_with("failed")), "{asked:?}");
}

/// A store that does not answer: sessions that nobody can look up, and operations that failed.
#[test]
fn a_store_that_fails_is_counted() {
    let nobody = oxd_tests::Port::reserve();
    let store = format!("OxdSessionStore redis:127.0.0.1:{}", nobody.number());
    let site = watched()
        .httpd(|httpd| {
            httpd
                .load("socache_redis")
                .allow_log(r"\[socache_redis:(crit|error)\]")
        })
        .directives(&store)
        .start();
    let stranger = Browser::new();
    stranger.set_cookie(&format!("oxd_session={}; Path=/", "A".repeat(44)), site.url("/"));
    stranger.get(site.url("/app/")).expect(503);
    let scrape = Scrape::of(&site);
    assert_eq!(
        scrape.counts("oxd_session_cookies_total"),
        counts([("unknown", 1)])
    );
    assert_eq!(
        scrape.counts("oxd_store_operations_total"),
        counts([("get failed", 1)])
    );
    assert_eq!(
        scrape.counts("oxd_refusals_total"),
        counts([("store_unavailable", 1)])
    );
    assert!(scrape.counts("oxd_login_failures_total").is_empty());
}

/// A browser that signs in twice leaves one session, and the numbers say so.
#[test]
fn logins_and_sessions_add_up() {
    let site = site("");
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    let start = begin(&browser, site.url("/oxd/login"));
    approve(&browser, &start.location()).deliver(&browser).expect(303);
    let scrape = Scrape::of(&site);
    assert_eq!(
        scrape.counts("oxd_logins_total"),
        counts([("begun", 2), ("completed", 2)])
    );
    assert_eq!(scrape.value("oxd_sessions_made_total"), 2.0);
    assert_eq!(scrape.counts("oxd_session_ends_total"), counts([("login", 1)]));
}
