//! Cookies that nobody was given: no session, and never an error of the server.

use oxd_tests::{Browser, DEMO_SUB, TestSite, begin, raw};

/// Asks with these bytes as `Cookie` field and says how the site took it.
fn status(site: &TestSite, path: &str, cookie: &[u8]) -> u16 {
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n").into_bytes();
    request.extend_from_slice(b"Connection: close\r\n");
    for line in cookie.split(|byte| *byte == b'\n') {
        request.extend_from_slice(b"Cookie: ");
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    raw(site.httpd.address(), &request).status
}

#[track_caller]
fn expect_outside(site: &TestSite, cookie: &[u8]) {
    let shown = String::from_utf8_lossy(&cookie[..cookie.len().min(200)]).into_owned();
    assert_eq!(
        status(site, "/app/", cookie),
        302,
        "a protected page, Cookie: {shown}"
    );
    assert_eq!(
        status(site, "/oxd/session", cookie),
        401,
        "the session, Cookie: {shown}"
    );
    assert_eq!(
        status(site, "/oxd", cookie),
        200,
        "the handler's page, Cookie: {shown}"
    );
}

#[track_caller]
fn expect_inside(site: &TestSite, cookie: &[u8]) {
    let shown = String::from_utf8_lossy(&cookie[..cookie.len().min(200)]).into_owned();
    assert_eq!(status(site, "/app/", cookie), 200, "Cookie: {shown}");
    assert_eq!(status(site, "/oxd/session", cookie), 200, "Cookie: {shown}");
}

fn session_cookie(site: &TestSite) -> String {
    let browser = site.signed_in();
    let (_, value) = browser.cookies_named("oxd_session", site.url("/")).remove(0);
    value
}

#[test]
fn an_altered_cookie_is_none() {
    let site = TestSite::start();
    let value = session_cookie(&site);
    let length = value.len();
    for at in (0..length).step_by(length / 24).chain([1, 2, 3, length - 2]) {
        let mut altered = value.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'Q' } else { b'A' };
        expect_outside(&site, &[b"oxd_session=", altered.as_slice()].concat());
    }
    for end in [0, 1, 2, 3, 10, 16, 40, length / 2, length - 4, length - 1] {
        expect_outside(&site, format!("oxd_session={}", &value[..end]).as_bytes());
        expect_outside(
            &site,
            format!("oxd_session={}", &value[length - end..]).as_bytes(),
        );
    }
    for added in ["A", "AAAA", "=", "==", ".", "%00", value.as_str()] {
        expect_outside(&site, format!("oxd_session={value}{added}").as_bytes());
    }
    expect_inside(&site, format!("oxd_session={value}").as_bytes());
}

#[test]
fn an_invented_cookie_is_none() {
    let site = TestSite::start();
    let long = "A".repeat(7000);
    for value in [
        "",
        "x",
        "A",
        "AAAA",
        "null",
        "{}",
        "0",
        "-1",
        "....",
        "a.b.c",
        "\"\"",
        "\"quoted\"",
        "%",
        "%s%n%s%n",
        "../../etc/passwd",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
        &long,
    ] {
        expect_outside(&site, format!("oxd_session={value}").as_bytes());
    }
    expect_outside(&site, b"oxd_session=\xff\xfe\x80");
    expect_outside(&site, "oxd_session=\u{fc}\u{1f36a}".as_bytes());
}

#[test]
fn odd_cookie_fields_are_survived() {
    let site = TestSite::start();
    let session = format!("oxd_session={}", session_cookie(&site));
    let many = "a=b; ".repeat(1000);
    for odd in [
        "",
        ";",
        "; ;",
        ";;;;",
        "=",
        "=;=",
        "= ; =x",
        "x",
        "oxd_session",
        "oxd_session;",
        "oxd_session=",
        "oxd_session==",
        " oxd_session = x ",
        "OXD_SESSION=x",
        "oxd_sessio=x",
        "oxd_sessions=x",
        "oxd_session.=x",
        "oxd_state",
        "oxd_state.",
        "oxd_state.=",
        "oxd_state.x",
        "oxd_state.x=y",
        "$Version=1; $Path=/",
        ",",
        "a,b=c",
        "\t",
        "a=\"b; c\"",
        "a=b",
        &many,
    ] {
        expect_outside(&site, odd.as_bytes());
        let inside = format!("{odd}; {session}");
        if inside.len() < 8000 && !odd.starts_with("oxd_session=") && odd != " oxd_session = x " {
            expect_inside(&site, inside.as_bytes());
            expect_inside(&site, format!("{session}; {odd}").as_bytes());
            expect_inside(&site, format!("{session};{odd}").as_bytes());
        }
    }
    // Two fields, which no browser sends: httpd joins them with a comma.
    for cookie in [format!("a=b\n{session}"), format!("{session}\na=b")] {
        let taken = status(&site, "/app/", cookie.as_bytes());
        assert!(matches!(taken, 200 | 302), "{taken}: {cookie}");
    }
}

#[test]
fn a_name_given_twice_is_never_an_error() {
    let site = TestSite::start();
    let session = format!("oxd_session={}", session_cookie(&site));
    for cookie in [
        format!("{session}; {session}"),
        format!("{session}; oxd_session=x"),
        format!("oxd_session=x; {session}"),
        format!("oxd_session=; {session}"),
    ] {
        let taken = status(&site, "/app/", cookie.as_bytes());
        assert!(matches!(taken, 200 | 302), "{taken}: {cookie}");
    }
}

#[test]
fn too_long_a_field_is_httpds_to_refuse() {
    let site = TestSite::start();
    let cookie = format!("oxd_session={}", "A".repeat(9000));
    assert_eq!(status(&site, "/app/", cookie.as_bytes()), 400);
    let site = TestSite::builder().config("LimitRequestFieldSize 200000").start();
    expect_outside(&site, format!("oxd_session={}", "A".repeat(150_000)).as_bytes());
    let many: String = (0..9000).map(|n| format!("c{n}=v; ")).collect();
    let session = format!("oxd_session={}", session_cookie(&site));
    expect_outside(&site, many.as_bytes());
    expect_inside(&site, format!("{many}{session}").as_bytes());
}

#[test]
fn state_cookies_of_somebody_else_do_not_stop_a_login() {
    let site = TestSite::start();
    let browser = Browser::new();
    for n in 0..60 {
        let value = "A".repeat(60);
        browser.set_cookie(&format!("oxd_state.{n}x={value}; Path=/"), site.url("/"));
    }
    let walk = oxd_tests::sign_in(&browser, site.url("/app/"));
    walk.page.expect(200);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn a_session_cookie_is_no_state_and_a_state_no_session() {
    let site = TestSite::start();
    let session = session_cookie(&site);
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let (name, state) = browser.cookies_named("oxd_state.", site.url("/")).remove(0);
    expect_outside(&site, format!("oxd_session={state}").as_bytes());
    let approval = oxd_tests::approve(&browser, &start.location());
    browser.set_cookie(&format!("{name}={session}; Path=/"), site.url("/"));
    site.forget_calls();
    assert!(
        approval
            .deliver(&browser)
            .expect(302)
            .given_cookies("oxd_session")
            .is_empty()
    );
    site.expect_commands(&[]);
}

#[test]
fn the_cookie_shows_nothing_of_what_is_in_it() {
    let site = TestSite::start();
    let (one, two) = (session_cookie(&site), session_cookie(&site));
    assert_ne!(one, two);
    use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};
    let mut texts = vec![one.clone().into_bytes()];
    texts.extend(BASE64_URL_SAFE_NO_PAD.decode(&one).ok());
    texts.extend(BASE64_STANDARD_NO_PAD.decode(&one).ok());
    for text in texts {
        let text = String::from_utf8_lossy(&text).into_owned();
        for secret in ["test_user", DEMO_SUB, "Vienna", "example.org"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn the_log_tells_no_secrets() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.log_level("warn oxd:trace8"))
        .start();
    let browser = Browser::new();
    let walk = oxd_tests::sign_in(&browser, site.url("/app/"));
    let cookies = browser.cookies(site.url("/"));
    browser.get(site.url("/oxd/logoutme")).expect(303);
    let log = site.httpd.error_log();
    assert!(
        log.contains("[oxd:"),
        "the module says something at trace level:\n{log}"
    );
    let code = walk
        .approval
        .url()
        .query_pairs()
        .find(|(name, _)| name == "code")
        .unwrap()
        .1;
    let mut secrets = vec![site.site.client_secret.clone(), code.into_owned()];
    secrets.extend(cookies.into_iter().map(|(_, value)| value));
    for call in site.oxd.calls() {
        secrets.extend(
            call.authorization
                .and_then(|a| Some(a.strip_prefix("Bearer ")?.into())),
        );
        for name in ["access_token", "id_token_hint"] {
            secrets.extend(call.body[name].as_str().map(str::to_owned));
        }
    }
    assert!(secrets.len() >= 6, "{secrets:?}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret:?} stands in the log:\n{log}");
    }
}
