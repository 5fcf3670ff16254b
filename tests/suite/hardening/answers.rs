//! Answers of the module: what httpd can send, httpd sends.

use oxd_tests::{Browser, TestSite, raw, sign_in};

#[test]
fn headers_that_are_always_set_are_on_every_answer() {
    let site = TestSite::builder()
        .config(
            "Header always set Strict-Transport-Security max-age=60\n\
             Header always set Access-Control-Allow-Origin https://app.example\n\
             <Location /app/closed>\nOxdUnauthAction 403\n</Location>\n\
             <Location /app/rule>\nRequire oxd-claim sub nobody\n</Location>",
        )
        .httpd(|httpd| httpd.allow_log("AH01630"))
        .start();
    let inside = site.signed_in();
    let script = |path: &str| {
        Browser::new()
            .ask("GET", site.url(path))
            .header("Accept", "application/json")
            .send()
    };
    let mut answers = vec![
        ("a script", 401, script("/app/")),
        ("a page", 302, Browser::new().get(site.url("/app/"))),
        (
            "a form",
            401,
            Browser::new().post(site.url("/app/"), &[("a", "b")]),
        ),
        ("a bare status", 403, Browser::new().get(site.url("/app/closed"))),
        ("a rule", 403, inside.get(site.url("/app/rule"))),
        ("the handler", 200, Browser::new().get(site.url("/oxd"))),
        (
            "no such address",
            404,
            Browser::new().get(site.url("/oxd/nothing")),
        ),
        ("no session", 401, Browser::new().get(site.url("/oxd/session"))),
    ];
    site.oxd.fault("get-authorization-url", oxd_dev::Fault::Drop);
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    answers.push(("a refusal", 502, Browser::new().get(site.url("/app/"))));
    for (what, status, answer) in answers {
        answer.expect(status);
        for header in ["strict-transport-security", "access-control-allow-origin"] {
            assert!(answer.header(header).is_some(), "{what}: {header}");
            assert_eq!(
                answer.headers.get_all(header).iter().count(),
                1,
                "{what}: {header}"
            );
        }
    }
}

#[test]
fn an_error_document_of_ours_keeps_the_status() {
    for address in ["/oxd/", "/oxd"] {
        let site = TestSite::builder()
            .config(&format!(
                "<Location /app>\nErrorDocument 401 {address}\nOxdUnauthAction 401\n</Location>"
            ))
            .start();
        let answer = Browser::new().get(site.url("/app/"));
        assert!(
            answer.expect(401).text().contains("not signed in"),
            "{}",
            answer.text()
        );
        assert!(answer.header("www-authenticate").is_some());
        Browser::new().get(site.url("/oxd")).expect(200);
    }
}

#[test]
fn a_policy_for_our_pages_is_not_put_on_the_administrators() {
    let site = TestSite::builder()
        .config("ErrorDocument 401 /public/own.html\n<Location /app>\nOxdUnauthAction 401\n</Location>")
        .httpd(|httpd| {
            httpd.file("docroot/public/own.html", "<script>ours()</script>");
            httpd
        })
        .start();
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.expect(401).text().contains("ours()"));
    assert_eq!(answer.header("content-security-policy"), None);
}

#[test]
fn a_body_that_nobody_wants_is_refused_before_it_is_sent() {
    let site = TestSite::builder()
        .config("<Location /app/rule>\nRequire oxd-claim sub nobody\n</Location>")
        .httpd(|httpd| httpd.allow_log("AH01630"))
        .start();
    let browser = site.signed_in();
    let cookies: Vec<String> = browser
        .cookies_named("oxd_session", site.url("/"))
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    for (path, cookies, status) in [
        ("/app/", String::new(), 401),
        ("/app/rule", cookies.join("; "), 403),
        ("/oxd/session", String::new(), 405),
        ("/oxd/nothing", String::new(), 404),
    ] {
        let request = format!(
            "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nExpect: 100-continue\r\n\
             Content-Length: 30000000\r\n\r\n"
        );
        // The whole answer comes, although the body never does.
        let answer = raw(site.httpd.address(), request.as_bytes());
        answer.expect(status);
    }
    // Where the body is wanted, it is asked for.
    let request = "POST /public/env HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nConnection: close\r\n\
                   Content-Length: 1\r\n\r\nx";
    assert_eq!(raw(site.httpd.address(), request.as_bytes()).status, 100);
}

#[test]
fn a_front_controller_leaves_the_handlers_addresses_alone() {
    let rules =
        "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /front.html?taken [L]\n";
    for (in_htaccess, directory) in [
        (true, String::new()),
        (false, rules.to_owned()),
        (false, "FallbackResource /front.html".to_owned()),
        (
            true,
            "<Files *>\nFallbackResource /front.html\n</Files>".to_owned(),
        ),
    ] {
        let site = TestSite::builder()
            .config(&format!(
                "<Directory \"${{DOCROOT}}\">\nAllowOverride All\nOptions +FollowSymLinks\n{directory}\n</Directory>"
            ))
            .httpd(|httpd| {
                let httpd = httpd.load("rewrite");
                if in_htaccess {
                    httpd.file("docroot/.htaccess", rules);
                }
                httpd.file("docroot/front.html", "the front controller");
                httpd
            })
            .start();
        let browser = Browser::new();
        let front = browser.get(site.url("/no/such/file"));
        assert!(front.expect(200).text().contains("front controller"));
        sign_in(&browser, site.url("/app/")).page.expect(200);
        assert!(site.user(&browser).is_some());
        browser.get(site.url("/oxd")).expect(200);
        let start = browser.get(site.url("/oxd/login?return_to=/app/deep"));
        start.expect(302);
        browser.get(site.url("/oxd/logoutme")).expect(303);
        assert_eq!(site.user(&browser), None);
    }
}
