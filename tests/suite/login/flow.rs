//! The whole way in and out, under each MPM and over TLS.

use std::time::{SystemTime, UNIX_EPOCH};

use oxd_tests::{
    Approval, Authority, Browser, Cookie, DEMO_SUB, Mpm, TestSite, approve, begin, sign_in, sign_out,
};

#[track_caller]
fn expect_attributes(cookie: &Cookie, secure: bool) {
    assert_eq!(cookie.http_only(), Some(true), "{cookie}");
    assert_eq!(
        cookie.same_site().map(|s| s.to_string()).as_deref(),
        Some("Lax"),
        "{cookie}"
    );
    // Only the handler needs the tokens.
    let path = if cookie.name().ends_with(".tokens") {
        "/oxd"
    } else {
        "/"
    };
    assert_eq!(cookie.path(), Some(path), "{cookie}");
    assert_eq!(cookie.domain(), None, "{cookie}");
    assert_eq!(cookie.secure().unwrap_or(false), secure, "{cookie}");
}

fn whole_flow(mpm: Mpm) {
    let site = TestSite::builder().mpm(mpm).start();
    let browser = Browser::new();
    let wanted = site.url("/app/env?a=1&b=%2F%20");

    let start = begin(&browser, &wanted);
    assert_eq!(start.header("cache-control"), Some("no-store"));
    let provider = site.oxd.provider_url().to_string();
    assert!(
        start.location().as_str().starts_with(&provider),
        "{}",
        start.location()
    );
    let states = start.given_cookies("oxd_state.");
    assert_eq!(states.len(), 1, "{}", start.summary());
    expect_attributes(&states[0], false);
    assert!(start.given_cookies("oxd_session").is_empty());

    let approval = approve(&browser, &start.location());
    assert!(approval.url().as_str().starts_with(&site.url("/oxd/callback?")));
    let callback = approval.deliver(&browser);
    callback.expect(303);
    assert_eq!(callback.location().as_str(), wanted);
    assert_eq!(callback.header("cache-control"), Some("no-store"));
    let sessions = callback.given_cookies("oxd_session");
    let names: Vec<_> = sessions.iter().map(|cookie| cookie.name()).collect();
    assert_eq!(
        names,
        ["oxd_session", "oxd_session.tokens"],
        "{}",
        callback.summary()
    );
    for session in &sessions {
        expect_attributes(session, false);
    }
    assert_eq!(
        browser.cookies_named("oxd_state", &wanted),
        [],
        "the state cookie is gone"
    );

    let page = browser.get(&wanted);
    let environment = page.environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    assert_eq!(environment["AUTH_TYPE"], "oxd");
    assert_eq!(environment["QUERY_STRING"], "a=1&b=%2F%20");
    let claims = [
        ("sub", DEMO_SUB),
        ("name", "Test User"),
        ("email", "test_user@example.org"),
        ("email_verified", "true"),
    ];
    for (claim, value) in claims {
        let found = environment.get(&format!("OXD_CLAIM_{claim}"));
        assert_eq!(
            found.map(String::as_str),
            Some(value),
            "{claim} in {environment:#?}"
        );
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expires: u64 = environment["OXD_SESSION_EXPIRES"].parse().unwrap();
    assert!((now..=now + 8 * 3600).contains(&expires), "{expires} at {now}");
    for token in ["OXD_ACCESS_TOKEN", "OXD_ID_TOKEN", "OXD_REFRESH_TOKEN"] {
        assert!(!environment.contains_key(token), "{token} was not asked for");
    }
    assert_eq!(page.cookies_handed_on(), "", "the module's own are taken out");

    for path in ["/app/", "/app/index.html", "/app/1k.bin"] {
        browser.get(site.url(path)).expect(200);
    }
    assert!(
        !browser
            .get(site.url("/public/env"))
            .environment()
            .contains_key("AUTH_TYPE")
    );

    let farewell = sign_out(&browser, site.url("/oxd/logoutme"));
    let leave = farewell.leave.location();
    assert!(leave.as_str().starts_with(&provider), "{leave}");
    let query: Vec<_> = leave.query_pairs().collect();
    let sent = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_string());
    assert_eq!(sent("post_logout_redirect_uri"), Some(site.url("/oxd/logout")));
    assert!(sent("id_token_hint").is_some_and(|token| token.matches('.').count() == 2));
    assert_eq!(farewell.leave.header("cache-control"), Some("no-store"));
    assert_eq!(
        browser.cookies_named("oxd_session", &wanted),
        [],
        "the session cookie is gone"
    );
    assert!(farewell.page.url.as_str().starts_with(&site.url("/oxd/logout")));
    farewell.page.expect(200);
    begin(&browser, &wanted);
}

#[test]
fn the_whole_flow_under_event() {
    whole_flow(Mpm::Event);
}

#[test]
fn the_whole_flow_under_prefork() {
    whole_flow(Mpm::Prefork);
}

#[test]
fn the_whole_flow_under_worker() {
    whole_flow(Mpm::Worker);
}

#[test]
fn a_signed_out_browser_is_asked_for_the_password_again() {
    let site = TestSite::start();
    let browser = site.signed_in();
    sign_out(&browser, site.url("/oxd/logoutme"));
    let start = begin(&browser, site.url("/app/"));
    let form = browser.follow(start.location());
    assert!(
        form.page().form_with_button("sign-in").is_some(),
        "{}",
        form.summary()
    );
}

#[test]
fn cookies_are_secure_over_https() {
    let authority = Authority::new();
    let builder = TestSite::builder().httpd(|httpd| httpd.tls(&authority.certify()));
    let callback = builder.tls_url("/oxd/callback");
    let site = builder.redirect_uris(&[&callback]).start();
    let browser = Browser::trusting(&authority.certificate_pem);
    let walk = sign_in(&browser, site.httpd.tls_url("/app/env"));
    for cookie in walk.start.given_cookies("oxd_state.") {
        expect_attributes(&cookie, true);
    }
    for cookie in walk.callback.given_cookies("oxd_session") {
        expect_attributes(&cookie, true);
    }
    assert_eq!(walk.page.environment()["REMOTE_USER"], DEMO_SUB);
    assert_eq!(walk.page.environment()["AUTH_TYPE"], "oxd");
}

#[test]
fn an_http_session_is_not_renewed_or_replaced_by_every_request() {
    let site = TestSite::start();
    let browser = site.signed_in();
    for _ in 0..3 {
        let page = browser.get(site.url("/app/"));
        assert!(page.expect(200).set_cookies().is_empty(), "{}", page.summary());
    }
}

#[test]
fn several_tabs_sign_in_side_by_side() {
    let site = TestSite::start();
    let browser = Browser::new();
    let paths = ["/app/", "/app/other.html", "/app/1k.bin", "/app/env?tab=4"];
    let pages = paths.map(|path| site.url(path));
    let starts = pages.each_ref().map(|page| begin(&browser, page));
    assert_eq!(browser.cookies_named("oxd_state.", &pages[0]).len(), 4);
    for (page, start) in pages.iter().zip(&starts).rev() {
        let callback = approve(&browser, &start.location()).deliver(&browser);
        assert_eq!(callback.expect(303).location().as_str(), page);
    }
    browser.get(&pages[1]).expect(200);
    assert_eq!(browser.cookies_named("oxd_state.", &pages[0]), []);
}

#[test]
fn thirty_half_done_logins_leave_eight_state_cookies() {
    let site = TestSite::start();
    let browser = Browser::new();
    for _ in 0..30 {
        begin(&browser, site.url("/app/"));
        assert!(browser.cookies_named("oxd_state.", site.url("/")).len() <= 8);
    }
    assert_eq!(browser.cookies_named("oxd_state.", site.url("/")).len(), 8);
    begin(&browser, site.url("/app/other.html"));
}

#[test]
fn of_too_many_logins_under_way_the_oldest_goes() {
    let site = TestSite::builder().directives("OxdStateMax 3").start();
    let browser = Browser::new();
    let start = |_| begin(&browser, site.url("/app/"));
    let mut starts: Vec<_> = (0..2).map(start).collect();
    // Logins of the same second are equally old.
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    oxd_tests::wait_until("the next second", || {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > begun
    });
    starts.extend((2..5).map(start));
    assert_eq!(browser.cookies_named("oxd_state.", site.url("/")).len(), 3);
    // The oldest that is left, and then the newest.
    for start in [&starts[2], &starts[4]] {
        approve(&browser, &start.location()).deliver(&browser).expect(303);
    }
    browser.get(site.url("/app/")).expect(200);
}

#[test]
fn the_provider_may_answer_with_a_form() {
    let site = TestSite::builder()
        .directives("OxdAuthParam response_mode form_post")
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/env"));
    let approval = approve(&browser, &start.location());
    let Approval::Post(url, fields) = &approval else {
        panic!("not a form: {approval:?}")
    };
    assert_eq!(url.as_str(), site.url("/oxd/callback"));
    assert!(fields.iter().any(|(name, _)| name == "code"), "{fields:?}");
    let callback = approval.deliver(&browser);
    assert_eq!(callback.expect(303).location().as_str(), site.url("/app/env"));
    assert_eq!(
        browser.get(site.url("/app/env")).environment()["REMOTE_USER"],
        DEMO_SUB
    );
}

#[test]
fn what_the_login_directives_say_is_asked_of_oxd() {
    let site = TestSite::builder()
        .directives(
            "OxdScope openid email\n\
             OxdAcrValues otp basic\n\
             OxdPrompt consent\n\
             OxdAuthParam ui_locales \"de\"\n\
             OxdAuthParam login_hint \"%{HTTP_HOST}\"\n\
             OxdCustomParam custom_one 1",
        )
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let calls = site.oxd.calls();
    let token = calls
        .iter()
        .find(|call| call.command == "get-client-token")
        .expect("a token");
    assert!(
        token.body["scope"]
            .as_array()
            .is_some_and(|scope| scope.contains(&"oxd".into()))
    );
    assert_eq!(token.body["op_host"], site.site.op_host.as_str());
    let call = calls
        .iter()
        .find(|call| call.command == "get-authorization-url")
        .expect("a login");
    assert_eq!(call.body["oxd_id"], site.site.oxd_id.as_str());
    assert_eq!(call.body["scope"], serde_json::json!(["openid", "email"]));
    assert_eq!(call.body["acr_values"], serde_json::json!(["otp", "basic"]));
    assert_eq!(call.body["prompt"], "consent");
    assert_eq!(call.body["params"]["ui_locales"], "de");
    let host = site.httpd.address().to_string();
    assert_eq!(call.body["params"]["login_hint"], host.as_str());
    assert_eq!(call.body["custom_parameters"]["custom_one"], "1");
    assert!(
        call.body.get("redirect_uri").is_none_or(|uri| uri.is_null()),
        "{}",
        call.body
    );
    let authorization = call.authorization.as_deref().unwrap_or_default();
    assert!(authorization.starts_with("Bearer "), "{authorization:?}");
    for name in ["state", "nonce"] {
        let value = call.body[name].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(value.len() >= 20 && value.chars().all(plain), "{name} {value:?}");
    }
    approve(&browser, &start.location()).deliver(&browser).expect(303);
}

#[test]
fn a_redirect_uri_of_the_administrators_choice_is_sent() {
    let builder = TestSite::builder();
    let (first, second) = (builder.url("/oxd/callback"), builder.url("/oxd/login"));
    let directive = format!("OxdRedirectUri {second}");
    let site = builder
        .redirect_uris(&[&second, &first])
        .directives(&directive)
        .start();
    let walk = sign_in(&Browser::new(), site.url("/app/"));
    assert!(
        walk.approval.url().as_str().starts_with(&second),
        "{}",
        walk.approval.url()
    );
    let calls = site.oxd.calls();
    let call = calls
        .iter()
        .find(|call| call.command == "get-authorization-url")
        .expect("a login");
    assert_eq!(call.body["redirect_uri"], second.as_str());
}

/// oxd exchanges every code with the first registered address; the log says why the provider refuses the code.
#[test]
fn a_redirect_uri_that_is_not_the_first_is_named() {
    let builder = TestSite::builder();
    let (first, second) = (builder.url("/oxd/login"), builder.url("/oxd/callback"));
    let directive = format!("OxdRedirectUri {second}");
    let site = builder
        .redirect_uris(&[&first, &second])
        .directives(&directive)
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    approve(&browser, &start.location()).deliver(&browser).expect(400);
    site.httpd
        .expect_log(r"\[oxd:warn\].* code_invalid: .*; OxdRedirectUri is http.*the first address");
}

#[test]
fn single_directives_do_without_a_site_file() {
    let site = TestSite::builder().by_directives().start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
}

#[test]
fn an_oxd_server_that_asks_no_client_token_is_sent_none() {
    let site = TestSite::builder()
        .oxd(|oxd| oxd.protect_commands = false)
        .directives("OxdProtectedCommands Off")
        .start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    site.expect_commands(&["get-authorization-url", "get-tokens-by-code", "get-user-info"]);
    assert!(site.oxd.calls().iter().all(|call| call.authorization.is_none()));
}

#[test]
fn without_user_info_the_id_token_is_enough() {
    let site = TestSite::builder().directives("OxdUserInfo Off").start();
    let walk = sign_in(&Browser::new(), site.url("/app/env"));
    assert_eq!(walk.page.environment()["REMOTE_USER"], DEMO_SUB);
    assert_eq!(site.oxd.count("get-user-info"), 0);
}
