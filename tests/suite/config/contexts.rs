//! Where a directive may stand, and what inherits what.

use oxd_tests::{Browser, DEMO_SUB, Httpd, TestSite, begin, sign_in};

/// One good line for each directive, and whether `.htaccess` may hold it.
const LINES: [(&str, bool); 48] = [
    ("OxdServer http://127.0.0.1:1", false),
    ("OxdSite ${ROOT}/site.json", false),
    ("OxdId an-id", false),
    ("OxdClientId a", false),
    ("OxdClientSecret b", false),
    ("OxdOpHost https://op.example.org", false),
    (
        "OxdOpConfigurationEndpoint https://op.example.org/.well-known/openid-configuration",
        false,
    ),
    ("OxdServerCAFile ${ROOT}/ca.pem", false),
    ("OxdServerVerify On", false),
    ("OxdServerTimeout 10s 3s", false),
    ("OxdServerProxy none", false),
    ("OxdServerMaxCalls 4", false),
    ("OxdProtectedCommands On", false),
    ("OxdScope openid", false),
    ("OxdAcrValues basic", true),
    ("OxdPrompt login", true),
    ("OxdAuthParam a b", false),
    ("OxdCustomParam a b", false),
    ("OxdRedirectUri https://www.example.org/", false),
    ("OxdReturnTo www.example.org", false),
    ("OxdDefaultUrl /", false),
    ("OxdStateTimeout 5min", false),
    ("OxdStateMax 8", false),
    ("OxdUserInfo On", false),
    ("OxdUnauthAction auto", true),
    ("OxdSessionStore cookie", false),
    ("OxdSessionLifetime 8h", false),
    ("OxdSessionIdle 1h", false),
    ("OxdTokenRefresh 30s", false),
    ("OxdCryptoKey \"0123456789abcdef0123456789abcdef\"", false),
    ("OxdCookieName a", false),
    ("OxdCookiePath /", false),
    ("OxdCookieDomain example.org", false),
    ("OxdCookieSameSite Lax", false),
    ("OxdCookieSecure Auto", false),
    ("OxdTrustForwarded Forwarded", false),
    ("OxdRemoteUser sub", true),
    ("OxdClaims env", true),
    ("OxdClaimNames sub", true),
    ("OxdPostLogoutRedirectUri /", false),
    ("OxdClaims none", true),
    ("OxdUnauthAction login", true),
    ("OxdUnauthAction 401", true),
    ("OxdPrompt none", true),
    ("OxdAuditLog ${ROOT}/audit.log", false),
    ("OxdAuditUser none", false),
    ("OxdPages ${ROOT}/pages", false),
    ("OxdLanguages de en", false),
];

#[test]
fn every_directive_stands_in_server_vhost_and_location() {
    let mut wrong = Vec::new();
    for (open, close) in [
        ("", ""),
        ("<VirtualHost *:80>", "</VirtualHost>"),
        ("<Location /x>", "</Location>"),
        ("<Directory \"${DOCROOT}\">", "</Directory>"),
        ("<If \"true\">", "</If>"),
        ("<VirtualHost *:80>\n<Location /x>", "</Location>\n</VirtualHost>"),
    ] {
        let httpd = Httpd::builder();
        httpd.file("site.json", "{\"oxd_id\":\"a\"}");
        httpd.file("pages/error.html", "{{ title }}");
        httpd.file("ca.pem", &oxd_tests::Authority::new().certificate_pem);
        let lines: Vec<_> = LINES.iter().map(|(line, _)| *line).collect();
        let text = format!("{open}\n{}\n{close}", lines.join("\n"));
        let test = httpd.config(&text).configtest();
        if !test.ok {
            wrong.push(format!("in {open}:\n    {}", test.output.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn htaccess_holds_those_that_may_be_delegated() {
    let httpd = Httpd::builder().allow_log(r"\[core:alert\] .*/h[0-9]+/\.htaccess: Oxd\w+ not allowed");
    for (number, (line, _)) in LINES.iter().enumerate() {
        httpd.file(&format!("docroot/h{number}/index.html"), "seen");
        let line = line.replace("${ROOT}", &httpd.path("").display().to_string());
        httpd.file(&format!("docroot/h{number}/.htaccess"), &line);
    }
    httpd.file("site.json", "{\"oxd_id\":\"a\"}");
    httpd.file("ca.pem", &oxd_tests::Authority::new().certificate_pem);
    let httpd = httpd.start();
    for (number, (line, delegated)) in LINES.iter().enumerate() {
        let status = Browser::new().get(httpd.url(&format!("/h{number}/"))).status;
        assert_eq!(status, if *delegated { 200 } else { 500 }, "{line}");
    }
}

#[test]
fn htaccess_needs_to_be_allowed() {
    let httpd = Httpd::builder()
        .allow_log(r"\[core:alert\] .*OxdUnauthAction not allowed here")
        .config("<Directory \"${DOCROOT}/closed\">\nAllowOverride FileInfo\n</Directory>");
    httpd.file("docroot/closed/index.html", "seen");
    httpd.file("docroot/closed/.htaccess", "OxdUnauthAction 401");
    let httpd = httpd.start();
    Browser::new().get(httpd.url("/closed/")).expect(500);
}

#[test]
fn htaccess_may_protect_and_decide() {
    let builder = TestSite::builder().unprotected().httpd(|httpd| {
        httpd.file("docroot/app/.htaccess", "AuthType oxd\nRequire valid-user\n");
        httpd.file("docroot/app/deep/index.html", "deep");
        httpd.file("docroot/app/deep/.htaccess", "OxdUnauthAction 401\n");
        httpd
    });
    let site = builder.start();
    let browser = Browser::new();
    browser.get(site.url("/app/deep/")).expect(401);
    sign_in(&browser, site.url("/app/")).page.expect(200);
    browser.get(site.url("/app/deep/")).expect(200);
}

#[test]
fn the_inner_location_has_the_last_word() {
    let site = TestSite::builder()
        .directives("OxdUnauthAction 401\nOxdScope openid\nOxdRemoteUser email")
        .config(
            "<Location /app>\nOxdUnauthAction login\n</Location>\n\
             <Location /app/env>\nOxdRemoteUser sub\nOxdScope openid profile\n</Location>",
        )
        .start();
    let browser = Browser::new();
    begin(&browser, site.url("/app/"));
    begin(&browser, site.url("/app/env"));
    let calls = site.oxd.calls();
    let scopes: Vec<_> = calls
        .iter()
        .filter(|call| call.command == "get-authorization-url")
        .map(|call| call.body["scope"].clone())
        .collect();
    assert_eq!(scopes[0], serde_json::json!(["openid"]));
    assert_eq!(scopes[1], serde_json::json!(["openid", "profile"]));
    let walk = sign_in(&browser, site.url("/app/env"));
    assert_eq!(walk.page.environment()["REMOTE_USER"], DEMO_SUB);
}

#[test]
fn two_sites_live_on_one_server() {
    let site = TestSite::builder()
        .another_site("one")
        .another_site("two")
        .start();
    let browser = Browser::new();
    for name in ["one", "two"] {
        let walk = sign_in(&browser, site.url(&format!("/{name}/app/env")));
        assert_eq!(walk.page.environment()["REMOTE_USER"], DEMO_SUB);
        let callback = site.url(&format!("/{name}/oxd/callback"));
        assert!(walk.approval.url().as_str().starts_with(&callback));
    }
    let ids: std::collections::BTreeSet<_> = site
        .oxd
        .calls()
        .iter()
        .filter_map(|call| call.body["oxd_id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
}

#[test]
fn virtual_hosts_are_sites_of_their_own() {
    let builder = TestSite::builder();
    let port = builder.url("").rsplit(':').next().expect("a port").to_owned();
    let host = |name: &str, path: &str| format!("http://{name}.test:{port}{path}");
    let site = builder
        .redirect_uris(&[&host("one", "/oxd/callback")])
        .config(
            "<VirtualHost *:${PORT}>\nServerName one.test\n</VirtualHost>\n\
             <VirtualHost *:${PORT}>\nServerName two.test\nOxdUnauthAction 401\n</VirtualHost>",
        )
        .start();
    let browser = Browser::new();
    let walk = sign_in(&browser, host("one", "/app/env"));
    assert_eq!(walk.page.environment()["REMOTE_USER"], DEMO_SUB);
    browser.get(host("two", "/app/")).expect(401);
    site.httpd.finish();
}

#[test]
fn a_part_of_a_request_can_decide_with_if() {
    let site = TestSite::builder()
        .config("<If \"%{HTTP:X-Robot} == 'yes'\">\nOxdUnauthAction 401\n</If>")
        .start();
    let browser = Browser::new();
    begin(&browser, site.url("/app/"));
    browser
        .ask("GET", site.url("/app/"))
        .header("x-robot", "yes")
        .send()
        .expect(401);
}
