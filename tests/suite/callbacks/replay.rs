//! Callbacks at the wrong time or in the wrong place: no session, and oxd is not asked.

use oxd_tests::{Answer, Approval, Browser, DEMO_SUB, TestSite, approve, begin, sign_in, wait_until};

fn to_the_callback(site: &TestSite) -> (Browser, Approval) {
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/env?here"));
    let approval = approve(&browser, &start.location());
    site.forget_calls();
    (browser, approval)
}

/// The login is restarted once, and a second time within a minute there is a page instead.
#[track_caller]
fn expect_restart(site: &TestSite, browser: &Browser, bring: impl Fn(&Browser) -> Answer) {
    let first = bring(browser);
    assert_eq!(
        first.expect(302).location().path(),
        "/oxd/login",
        "{}",
        first.summary()
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert!(
        first.given_cookies("oxd_session").is_empty(),
        "{}",
        first.summary()
    );
    let second = bring(browser);
    let page = second.expect(400).page();
    let again = page
        .links()
        .into_iter()
        .any(|link| link.starts_with("/oxd/login"));
    assert!(again, "no link to start over: {}", second.summary());
    assert!(
        second.given_cookies("oxd_session").is_empty(),
        "{}",
        second.summary()
    );
    site.expect_commands(&[]);
    assert_eq!(site.user(browser), None);
}

#[test]
fn in_another_browser() {
    let site = TestSite::start();
    let (_, approval) = to_the_callback(&site);
    expect_restart(&site, &Browser::new(), |other| approval.deliver(other));
}

#[test]
fn in_another_browser_that_is_signing_in_itself() {
    let site = TestSite::start();
    let (_, attackers) = to_the_callback(&site);
    let (victim, own) = to_the_callback(&site);
    expect_restart(&site, &victim, |victim| attackers.deliver(victim));
    // Its own login still is good.
    own.deliver(&victim).expect(303);
}

#[test]
fn with_a_state_that_was_used() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    let before = browser.copy();
    approval.deliver(&browser).expect(303);
    site.forget_calls();
    browser.forget("oxd_session");
    expect_restart(&site, &browser, |browser| approval.deliver(browser));
    // Even where the state cookie was kept back: the login has come back once, and oxd is not shown the code again.
    expect_restart(&site, &before, |before| approval.deliver(before));
}

#[test]
fn with_an_altered_state() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    let mut url = approval.url().clone();
    let pairs: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| match name.as_ref() {
            "state" => (name.into_owned(), format!("{value}x")),
            _ => (name.into_owned(), value.into_owned()),
        })
        .collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    expect_restart(&site, &browser, |browser| browser.get(&url));
    approval.deliver(&browser).expect(303);
}

#[test]
fn with_an_altered_state_cookie() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    let (name, value) = browser.cookies_named("oxd_state.", site.url("/")).remove(0);
    let middle = value.len() / 2;
    let other = if value.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let altered = format!("{}{other}{}", &value[..middle], &value[middle + 1..]);
    let put = |value: &str| browser.set_cookie(&format!("{name}={value}; Path=/"), site.url("/"));
    for bad in [
        altered.as_str(),
        "",
        "A",
        &value[..middle],
        &"A".repeat(3000),
        "%%%",
        "a.b.c",
    ] {
        put(bad);
        let copy = browser.copy();
        expect_restart(&site, &copy, |copy| {
            put_into(copy, &name, bad, &site);
            approval.deliver(copy)
        });
    }
    put(&value);
    approval.deliver(&browser).expect(303);
}

fn put_into(browser: &Browser, name: &str, value: &str, site: &TestSite) {
    browser.set_cookie(&format!("{name}={value}; Path=/"), site.url("/"));
}

#[test]
fn without_the_state_cookie() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    browser.forget("oxd_state");
    expect_restart(&site, &browser, |browser| approval.deliver(browser));
}

#[test]
fn after_the_states_time() {
    let site = TestSite::builder().directives("OxdStateTimeout 2s").start();
    let (browser, approval) = to_the_callback(&site);
    let (name, value) = browser.cookies_named("oxd_state.", site.url("/")).remove(0);
    wait_until("the browser to forget the state", || {
        browser.cookies_named("oxd_state.", site.url("/")).is_empty()
    });
    // A browser that keeps it longer does not win anything.
    expect_restart(&site, &browser, |browser| {
        put_into(browser, &name, &value, &site);
        approval.deliver(browser)
    });
}

#[test]
fn a_restarted_login_ends_well() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    browser.forget("oxd_state");
    let restart = approval.deliver(&browser);
    let start = begin(&browser, restart.expect(302).location());
    let callback = approve(&browser, &start.location()).deliver(&browser);
    browser.get(callback.expect(303).location()).expect(200);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn again_after_success_goes_to_the_page_without_asking_oxd() {
    let site = TestSite::start();
    let (browser, approval) = to_the_callback(&site);
    approval.deliver(&browser).expect(303);
    site.forget_calls();
    for _ in 0..3 {
        let again = approval.deliver(&browser);
        assert!(matches!(again.status, 302 | 303), "{}", again.summary());
        assert_eq!(again.location().as_str(), site.url("/app/env?here"));
    }
    site.expect_commands(&[]);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn at_another_sites_location() {
    let site = TestSite::builder()
        .another_site("one")
        .another_site("two")
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/one/app/"));
    let approval = approve(&browser, &start.location());
    let mut elsewhere = approval.url().clone();
    elsewhere.set_path("/two/oxd/callback");
    site.forget_calls();
    let answer = browser.get(&elsewhere);
    assert_eq!(answer.expect(302).location().path(), "/two/oxd/login");
    assert!(answer.given_cookies("oxd_session").is_empty());
    browser.get(&elsewhere).expect(400);
    site.expect_commands(&[]);
    browser.get(site.url("/two/oxd/session")).expect(401);
    // In its own place it is still good.
    approval.deliver(&browser).expect(303);
    browser.get(site.url("/one/app/")).expect(200);
    begin(&browser, site.url("/two/app/"));
}

#[test]
fn the_session_of_one_site_opens_no_other() {
    let site = TestSite::builder()
        .another_site("one")
        .another_site("two")
        .start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/one/app/")).page.expect(200);
    begin(&browser, site.url("/two/app/"));
    begin(&browser, site.url("/app/"));
    browser.get(site.url("/two/oxd/session")).expect(401);
    // Starting elsewhere did not end it.
    browser.get(site.url("/one/app/")).expect(200);
}

#[test]
fn a_state_that_oxd_forgot_can_be_started_over() {
    // Only oxd 4.1 forgets one after five minutes.
    let site = TestSite::builder()
        .oxd(|options| options.like = oxd_dev::Like::V4_1)
        .start();
    let (browser, approval) = to_the_callback(&site);
    site.oxd.advance(std::time::Duration::from_secs(301));
    let answer = approval.deliver(&browser);
    let page = answer.expect(400).page();
    assert!(
        page.links().iter().any(|link| link.starts_with("/oxd/login")),
        "{:?}",
        page.links()
    );
    assert!(answer.given_cookies("oxd_session").is_empty());
    assert_eq!(site.oxd.count("get-user-info"), 0);
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    sign_in(&browser, site.url("/app/")).page.expect(200);
}
