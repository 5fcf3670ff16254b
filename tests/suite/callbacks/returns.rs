//! Return addresses: an open redirect is what each of these would like to be.

use oxd_tests::{Browser, TestSite, approve, begin, raw, sign_in};
use url::Url;

fn login(site: &TestSite, return_to: &str) -> Url {
    let mut url = Url::parse(&site.url("/oxd/login")).unwrap();
    url.query_pairs_mut().append_pair("return_to", return_to);
    url
}

#[test]
fn hostile_ones_are_refused() {
    let site = TestSite::builder().directives("OxdReturnTo friend.test").start();
    let here = site.httpd.address();
    let mut hostile: Vec<String> = [
        "//evil.test",
        "///evil.test",
        "////evil.test/",
        "/\\evil.test",
        "\\/evil.test",
        "\\\\evil.test",
        "\\evil.test",
        "/\\/evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "\t//evil.test",
        " //evil.test",
        "/\u{0}/evil.test",
        "/app\u{0}",
        "/app\r\nSet-Cookie: evil=1",
        "/app\nx",
        "/app\u{7f}",
        "/app\u{85}",
        "http://evil.test",
        "https://evil.test/app/",
        "HTTP://EVIL.TEST",
        "http:evil.test",
        "https:evil.test",
        "http:/evil.test",
        "http:///evil.test",
        "http:\\\\evil.test",
        "https:\\evil.test",
        "//friend.test@evil.test",
        "http://friend.test@evil.test/",
        "http://friend.test:x@evil.test/",
        "http://evil.test#@friend.test/",
        "http://evil.test?@friend.test/",
        "http://evil.test\\@friend.test/",
        "http://friend.test.evil.test/",
        "http://friend.testevil.test/",
        "http://evilfriend.test/",
        "http://sub.friend.test/",
        "http://[friend.test]/",
        "http://[::1/",
        "http://",
        "http://:80/",
        "http:// friend.test/",
        "http://evil.test%2f.friend.test/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)//http://friend.test",
        "data:text/html,x",
        "ftp://friend.test/",
        "file:///etc/passwd",
        "evil.test",
        "app/",
        "?x",
        "#x",
        ".",
    ]
    .map(str::to_owned)
    .into();
    hostile.push(format!("http://{here}@evil.test/"));
    hostile.push(format!("http://evil.test/http://{here}/"));
    hostile.push(format!("http://user:password@{here}/app/"));
    hostile.push(format!("//{here}.evil.test/"));
    hostile.push(format!("/{}", "a".repeat(20_000)));
    let mut taken = Vec::new();
    for return_to in &hostile {
        let browser = Browser::new();
        let answer = browser.get(login(&site, return_to));
        if answer.status != 400 && !(return_to.len() > 8000 && answer.status == 414) {
            let short: String = return_to.chars().take(100).collect();
            taken.push(format!("{short:?}: {}", answer.status));
        }
        assert!(answer.given_cookies("oxd_state").is_empty() || answer.status != 400);
    }
    assert!(taken.is_empty(), "not refused:\n{}", taken.join("\n"));
    site.expect_commands(&[]);
}

#[test]
fn hostile_bytes_that_no_browser_would_send_are_refused_too() {
    let site = TestSite::start();
    for target in [
        "/oxd/login?return_to=//evil.test",
        "/oxd/login?return_to=/\\evil.test",
        "/oxd/login?return_to=/%5cevil.test",
        "/oxd/login?return_to=%2f%2fevil.test",
        "/oxd/login?return_to=/%09/evil.test",
        "/oxd/login?return_to=/app%0d%0aSet-Cookie:%20evil=1",
        "/oxd/login?return_to=/app%00",
        "/oxd/login?return_to=%",
        "/oxd/login?return_to=/app/&return_to=//evil.test",
        "/oxd/login?return_to=//evil.test&return_to=/app/",
        "/oxd/login?return_to=/app/;@evil.test%0a",
    ] {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            site.httpd.address()
        );
        let answer = raw(site.httpd.address(), request.as_bytes());
        assert_eq!(answer.status, 400, "{target}: {}", answer.summary());
    }
    site.expect_commands(&[]);
    // httpd has its own opinion of some.
    site.httpd.allow_log("AH02034|AH00127|AH03490|AH10244");
}

#[test]
fn good_ones_are_where_the_login_ends() {
    let site = TestSite::builder()
        .directives("OxdReturnTo friend.test other.friend.test:8080 \"[::1]\"")
        .start();
    let here = site.url("");
    let browser = Browser::new();
    for (return_to, end) in [
        ("/", format!("{here}/")),
        ("/app/", format!("{here}/app/")),
        (
            "/app/env?a=1&b=//evil.test",
            format!("{here}/app/env?a=1&b=//evil.test"),
        ),
        (
            "/app/?next=http://evil.test/",
            format!("{here}/app/?next=http://evil.test/"),
        ),
        ("/app/%2F%2Fevil.test", format!("{here}/app/%2F%2Fevil.test")),
        ("/app/other.html#part", format!("{here}/app/other.html#part")),
        (&format!("{here}/app/"), format!("{here}/app/")),
        ("http://friend.test/x?y", "http://friend.test/x?y".to_owned()),
        ("https://friend.test/", "https://friend.test/".to_owned()),
        (
            "http://other.friend.test:8080/x",
            "http://other.friend.test:8080/x".to_owned(),
        ),
    ] {
        let start = begin(&browser, login(&site, return_to));
        let callback = approve(&browser, &start.location()).deliver(&browser);
        assert_eq!(callback.expect(303).location().as_str(), end, "{return_to}");
    }
}

#[test]
fn the_protected_pages_own_address_cannot_lead_away() {
    let site = TestSite::builder()
        .config("<Location /evil.test>\nAuthType oxd\nRequire valid-user\n</Location>")
        .start();
    for path in [
        "//evil.test/",
        "///evil.test/x",
        "//evil.test//",
        "/evil.test//evil.test",
    ] {
        let browser = Browser::new();
        let answer = browser.get(site.url(path));
        if answer.status == 302 {
            let callback = approve(&browser, &answer.location()).deliver(&browser);
            let end = callback.expect(303).location();
            assert!(end.as_str().starts_with(&site.url("/")), "{path} leads to {end}");
        } else {
            answer.expect(400);
        }
    }
}

#[test]
fn a_forged_host_does_not_send_the_user_there() {
    let site = TestSite::start();
    let browser = Browser::new();
    let start = browser
        .ask("GET", site.url("/app/"))
        .header("host", "evil.test")
        .send();
    let callback = approve(&browser, &start.expect(302).location()).deliver(&browser);
    let end = callback.expect(303).location();
    assert!(end.as_str().starts_with(&site.url("/")), "leads to {end}");
}

#[test]
fn the_page_asked_for_is_kept_to_the_letter() {
    let site = TestSite::start();
    let browser = Browser::new();
    for path in [
        "/app/env?",
        "/app/env?a=%20+%2B&a=b&=&&c",
        "/app/env?u=%C3%BC%ff",
        "/app/env?x=%0d%0aSet-Cookie:%20evil=1",
        "/app/env?return_to=//evil.test&code=1&state=2",
    ] {
        browser.forget("oxd_session");
        let walk = sign_in(&browser, site.url(path));
        assert_eq!(walk.callback.location().as_str(), site.url(path));
        assert!(walk.callback.given_cookies("evil").is_empty());
    }
}

#[test]
fn odd_hosts_are_survived() {
    let site = TestSite::start();
    for host in [
        "",
        " ",
        "[",
        "]",
        "[]",
        "[::1",
        "::1",
        "[::1]",
        "[::1]:80",
        "[v1.x]",
        "a b",
        "a@b",
        "a/b",
        "a\\b",
        "host:99999",
        "host:x",
        ":80",
        "..",
        "-",
        "%00",
        "xn--",
        "\u{fc}",
        "evil.test",
        &"h".repeat(5000),
    ] {
        for path in [
            "/app/",
            "/oxd/login",
            "/oxd/login?return_to=/app/",
            "/oxd",
            "/oxd/logoutme",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = raw(site.httpd.address(), request.as_bytes());
            let fine = answer.status < 500;
            assert!(fine, "{path} with Host {host:?}: {}", answer.summary());
        }
    }
    for request in ["GET /app/ HTTP/1.0\r\n\r\n", "GET /oxd/login HTTP/1.0\r\n\r\n"] {
        raw(site.httpd.address(), request.as_bytes()).expect(302);
    }
}
