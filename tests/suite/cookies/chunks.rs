//! Sessions that do not fit into one cookie.

use oxd_dev::User;
use oxd_tests::{Browser, SiteBuilder, TestSite, sign_in_as, user};
use serde_json::json;

/// Text that does not get smaller by compression.
fn noise(length: usize) -> String {
    let mut seed: u32 = 1;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(seed >> 26) as usize]
    };
    (0..length).map(|_| char::from(next())).collect()
}

fn big(length: usize) -> User {
    user("big", json!({ "name": "Big", "text": noise(length) }))
}

fn site(length: usize) -> SiteBuilder {
    TestSite::builder().users(vec![big(length)])
}

fn signed_in(site: &TestSite) -> Browser {
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/app/"), "big", "secret")
        .page
        .expect(200);
    browser
}

/// The cookies of the session alone, without those of its tokens.
fn chunks_of(browser: &Browser, site: &TestSite) -> Vec<(String, String)> {
    let mut cookies = browser.cookies_named("oxd_session", site.url("/"));
    cookies.retain(|(name, _)| !name.contains(".tokens"));
    cookies
}

#[test]
fn a_large_session_is_cut_into_cookies_that_browsers_keep() {
    let site = site(3000).start();
    let browser = Browser::new();
    let walk = sign_in_as(&browser, site.url("/app/env"), "big", "secret");
    let cookies = walk.callback.given_cookies("oxd_session");
    let names = cookies.iter().map(|cookie| cookie.name().to_owned());
    let (tokens, session): (Vec<_>, Vec<_>) = names.partition(|name| name.contains(".tokens"));
    assert!(session.len() > 1 && !tokens.is_empty(), "{session:?} {tokens:?}");
    for (names, first) in [(session, "oxd_session"), (tokens, "oxd_session.tokens")] {
        for (number, name) in names.iter().enumerate() {
            let expected = match number {
                0 => first.to_owned(),
                number => format!("{first}.{number}"),
            };
            assert_eq!(*name, expected);
        }
    }
    for value in walk.callback.headers.get_all("set-cookie") {
        assert!(value.len() <= 4096, "a cookie of {} bytes", value.len());
    }
    let environment = walk.page.environment();
    assert_eq!(environment["OXD_CLAIM_text"], noise(3000));
    assert_eq!(
        walk.page.cookies_handed_on(),
        "",
        "no chunk reaches the application"
    );
    assert_eq!(site.user(&browser).as_deref(), Some("sub-of-big"));
    // All of it goes at logout.
    browser.get(site.url("/oxd/logoutme")).expect(303);
    for path in ["/", "/oxd"] {
        assert_eq!(browser.cookies_named("oxd_session", site.url(path)), []);
    }
}

#[test]
fn half_of_the_chunks_is_no_session() {
    let site = site(9000).config("LimitRequestFieldSize 32768").start();
    let browser = signed_in(&site);
    let chunks = chunks_of(&browser, &site);
    assert!(chunks.len() >= 3, "{} chunks", chunks.len());
    let field = |chunks: &[(String, String)]| {
        let pairs: Vec<_> = chunks
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    };
    let ask = |field: &str| {
        let browser = Browser::new();
        let app = browser
            .ask("GET", site.url("/app/"))
            .cookie_field(field)
            .send()
            .status;
        let session = browser.ask("GET", site.url("/oxd/session")).cookie_field(field);
        (app, session.send().status)
    };
    assert_eq!(ask(&field(&chunks)), (200, 200));
    let backwards: Vec<_> = chunks.iter().rev().cloned().collect();
    assert_eq!(
        ask(&field(&backwards)),
        (200, 200),
        "the order in the header is the browser's"
    );
    for missing in 0..chunks.len() {
        let mut rest = chunks.clone();
        rest.remove(missing);
        assert_eq!(ask(&field(&rest)), (302, 401), "without chunk {missing}");
        let mut twisted = chunks.clone();
        twisted[missing].1 = chunks[(missing + 1) % chunks.len()].1.clone();
        assert_eq!(
            ask(&field(&twisted)),
            (302, 401),
            "a chunk in the place of another"
        );
        let mut cut = chunks.clone();
        cut[missing].1.pop();
        assert_eq!(ask(&field(&cut)), (302, 401), "a shortened chunk");
    }
    // Chunks of two sessions of the same user do not go together.
    let other = chunks_of(&signed_in(&site), &site);
    let mut mixed = chunks.clone();
    mixed[1] = other[1].clone();
    assert_eq!(ask(&field(&mixed)), (302, 401), "chunks of two sessions");
}

#[test]
fn chunk_numbers_from_the_client_cost_nothing() {
    let site = site(3000).config("LimitRequestFieldSize 200000").start();
    let browser = signed_in(&site);
    let chunks = browser.cookies_named("oxd_session", site.url("/"));
    let own: Vec<_> = chunks
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let own = own.join("; ");
    let many: String = (1..8000).map(|n| format!("; oxd_session.{n}=AAAA")).collect();
    for field in [
        "oxd_session.1=A",
        "oxd_session=2.A; oxd_session.1=A",
        "oxd_session=99999999999999999999.A",
        "oxd_session=-1.A; oxd_session.-1=A",
        "oxd_session=A; oxd_session.18446744073709551616=A",
        "oxd_session=A; oxd_session.4294967295=A",
        "oxd_session=A; oxd_session.1=A; oxd_session.1=B",
        "oxd_session=A; oxd_session.01=A",
        "oxd_session=A; oxd_session.1.1=A",
        "oxd_session=A; oxd_session.x=A",
        &format!("oxd_session=AAAA{many}"),
        &format!("oxd_session=8000.AAAA{many}"),
    ] {
        let answer = Browser::new();
        let answer = answer.ask("GET", site.url("/app/")).cookie_field(field).send();
        let short: String = field.chars().take(100).collect();
        assert_eq!(answer.status, 302, "{short}: {}", answer.summary());
    }
    // Left over from a longer session, or planted: never an error.
    for extra in ["oxd_session.2=A", "oxd_session.9=A", "oxd_session.x=A"] {
        let ask = Browser::new();
        let answer = ask
            .ask("GET", site.url("/app/"))
            .cookie_field(&format!("{own}; {extra}"))
            .send();
        assert!(
            matches!(answer.status, 200 | 302),
            "{extra}: {}",
            answer.summary()
        );
    }
}

#[test]
fn a_smaller_session_takes_the_larger_ones_place() {
    let small = user("small", json!({ "name": "Small" }));
    let site = TestSite::builder().users(vec![big(3000), small]).start();
    let browser = signed_in(&site);
    assert!(chunks_of(&browser, &site).len() > 1);
    site.oxd.forget_provider_sessions();
    let walk = sign_in_as(
        &browser,
        site.url("/oxd/login?return_to=/app/"),
        "small",
        "secret",
    );
    walk.page.expect(200);
    let names: Vec<_> = browser
        .cookies_named("oxd_session", site.url("/oxd"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["oxd_session", "oxd_session.tokens"]);
    assert_eq!(site.user(&browser).as_deref(), Some("sub-of-small"));
}

#[test]
fn a_session_that_no_browser_could_bring_back_is_an_error_and_no_loop() {
    let site = site(40_000).start();
    let browser = Browser::new();
    let start = oxd_tests::begin(&browser, site.url("/app/"));
    let credentials = ("big", "secret");
    let approval = oxd_tests::decide(&browser, &start.location(), credentials, "allow");
    let callback = approval.deliver(&browser);
    assert!((500..600).contains(&callback.status), "{}", callback.summary());
    assert!(callback.given_cookies("oxd_session").is_empty());
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    // The browser is not locked out.
    browser.get(site.url("/oxd")).expect(200);
}

#[test]
fn long_addresses_do_not_lock_the_browser_out() {
    let site = TestSite::start();
    for length in [1000, 2500, 3500, 6000] {
        let browser = Browser::new();
        let page = site.url(&format!("/app/env?q={}", "x".repeat(length)));
        for _ in 0..10 {
            oxd_tests::begin(&browser, &page);
        }
        browser.get(site.url("/1k.bin")).expect(200);
        // Back to that page or, where no cookie can hold its address, to another one.
        let walk = oxd_tests::sign_in(&browser, &page);
        assert!(
            walk.callback.location().as_str().starts_with(&site.url("/")),
            "{length}"
        );
        assert_eq!(
            site.user(&browser).as_deref(),
            Some(oxd_tests::DEMO_SUB),
            "{length}"
        );
        if length <= 1000 {
            assert_eq!(walk.callback.location().as_str(), page);
        }
    }
}

#[test]
fn logins_begun_beside_a_large_session_do_not_lock_the_browser_out() {
    // As large as a session can be on this server.
    let fits = (2000..6000).step_by(250).rev().find_map(|length| {
        let site = site(length).start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        let browser = Browser::new();
        let start = oxd_tests::begin(&browser, site.url("/app/"));
        let decision = oxd_tests::decide(&browser, &start.location(), ("big", "secret"), "allow");
        (decision.deliver(&browser).status == 303).then_some((site, browser))
    });
    let (site, browser) = fits.expect("some session fits");
    for number in 0..10 {
        let start = browser.get(site.url("/oxd/login?return_to=/app/other.html"));
        assert!(start.status == 302, "login {number}: {}", start.summary());
        browser.get(site.url("/app/")).expect(200);
    }
}
