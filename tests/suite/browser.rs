//! The whole flow in a real browser, with a picture of every page.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use oxd_tests::{Authority, TestSite, WebDriver, wait_until};

/// What a page may do at most, said by the browser itself.
const COUNT_SCRIPTS: &str = "return document.scripts.length";

#[test]
fn somebody_signs_in_and_out() {
    let site = TestSite::builder()
        .directives("OxdPostLogoutRedirectUri /oxd/logout")
        .start();
    let window = WebDriver::start("flow");

    window.open(&site.url("/oxd"));
    window.screenshot("1-signed-out");
    assert_eq!(window.script(COUNT_SCRIPTS), 0);
    window.click("a[href='/oxd/login']");

    window.wait_for_url(&site.oxd.provider_url());
    window.screenshot("2-provider");
    window.fill("[name=username]", "test_user");
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.screenshot("3-consent");
    window.click("#allow");

    window.wait_for_url(&site.url("/oxd"));
    let text = window.text();
    assert!(
        text.contains("test_user@example.org") && text.contains("Vienna"),
        "{text}"
    );
    window.screenshot("4-signed-in");
    window.resize(390, 844);
    let wide = window.script("return document.documentElement.scrollWidth > innerWidth");
    assert_eq!(wide, false, "the page does not scroll sideways on a phone");
    window.screenshot("5-signed-in-on-a-phone");
    window.resize(1024, 768);

    window.open(&site.url("/app/"));
    assert!(window.text().contains("application"), "{}", window.text());
    let cookies = window.script("return document.cookie");
    assert_eq!(cookies, "", "no script sees the module's cookies");

    window.open(&site.url("/oxd"));
    window.click("a[href='/oxd/logoutme']");
    if window.url().contains(&site.oxd.provider_url()) {
        window.screenshot("6-provider-sign-out");
        window.click("#sign-out");
    }
    window.wait_for_url(&site.url("/oxd/logout"));
    window.screenshot("7-signed-out-again");

    window.open(&site.url("/app/"));
    window.wait_for_url(&site.oxd.provider_url());
}

#[test]
fn a_protected_page_leads_through_the_login_and_back() {
    let site = TestSite::start();
    let window = WebDriver::start("protected");
    let page = site.url("/app/other.html?a=%20b#part");
    window.open(&page);
    agree(&window, &site);
    window.wait_for_url(&site.url("/app/other.html?a=%20b"));
    assert!(window.text().contains("other page"), "{}", window.text());
    // Back and reload do not lead into a loop or an error.
    window.back();
    window.open(&page);
    assert!(window.text().contains("other page"), "{}", window.text());
}

#[test]
fn errors_are_pages_that_one_can_read() {
    let site = TestSite::start();
    let window = WebDriver::start("errors");
    window.open(&site.url("/oxd/callback?code=a&code=b&state=c"));
    assert!(!window.title().is_empty());
    assert_eq!(window.script(COUNT_SCRIPTS), 0);
    window.screenshot("1-bad-request");
    window.click("a[href^='/oxd/login']");
    window.wait_for_url(&site.oxd.provider_url());
    window.fill("[name=username]", "test_user");
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.click("#cancel");
    window.wait_for_url(&site.url("/oxd/"));
    window.screenshot("2-not-agreed");
    window.open(&site.url("/oxd/nonsense"));
    window.screenshot("3-not-found");
}

/// Signs in at the provider's form, as the demo user, and agrees.
fn agree(window: &WebDriver, site: &TestSite) {
    window.wait_for_url(&site.oxd.provider_url());
    window.fill("[name=username]", "test_user");
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.click("#allow");
}

/// A site that the browser knows under another name than the provider's, so that what comes from
/// the provider comes from another site.
fn across_sites(directives: &str) -> (TestSite, String) {
    let builder = TestSite::builder().directives(directives);
    let home = builder.url("").replace("127.0.0.1", "localhost");
    let callback = format!("{home}/oxd/callback");
    (builder.redirect_uris(&[&callback]).start(), home)
}

#[test]
fn the_provider_may_be_another_site() {
    for (name, directives) in [("lax", ""), ("strict", "OxdCookieSameSite Strict")] {
        let (site, home) = across_sites(directives);
        let window = WebDriver::start(name);
        let page = format!("{home}/app/other.html");
        window.open(&page);
        agree(&window, &site);
        window.wait_for_url(&page);
        assert!(window.text().contains("other page"), "{name}: {}", window.text());
        window.open(&format!("{home}/oxd"));
        assert!(
            window.text().contains("test_user@example.org"),
            "{name}: {}",
            window.text()
        );
    }
}

#[test]
fn the_provider_may_be_another_site_and_answer_with_a_form() {
    let authority = Authority::new();
    let builder = TestSite::builder().httpd(|httpd| httpd.tls(&authority.certify()));
    let callback = builder.tls_url("/oxd/callback");
    let site = builder
        .redirect_uris(&[&callback])
        .directives("OxdAuthParam response_mode form_post")
        .start();
    let window = WebDriver::start("form-post");
    let page = site.httpd.tls_url("/app/other.html");
    window.open(&page);
    agree(&window, &site);
    window.click("#continue");
    window.wait_for_url(&page);
    assert!(window.text().contains("other page"), "{}", window.text());
}

#[test]
fn http_2_makes_no_difference() {
    let authority = Authority::new();
    let builder = TestSite::builder().httpd(|httpd| {
        httpd
            .tls(&authority.certify())
            .load("http2")
            .config("Protocols h2 http/1.1")
    });
    let callback = builder.tls_url("/oxd/callback");
    let site = builder.redirect_uris(&[&callback]).start();
    let window = WebDriver::start("http2");
    window.open(&site.httpd.tls_url("/app/other.html"));
    agree(&window, &site);
    window.wait_for_url("/app/other.html");
    window.open(&site.httpd.tls_url("/oxd"));
    assert!(
        window.text().contains("test_user@example.org"),
        "{}",
        window.text()
    );
    let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(window.script(protocol), "h2");
}

#[test]
fn what_somebody_has_entered_survives_the_sign_in() {
    let site = TestSite::builder()
        .directives("OxdPostPreserve On")
        .httpd(|httpd| {
            let form = "<form method=post action=/app/echo><textarea name=t></textarea><button id=go>Go</button></form>";
            httpd.file("docroot/form.html", form);
            let echo = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nreceived '\ncat\n";
            let program = httpd.file("cgi-bin/echo", echo);
            set_permissions(program, Permissions::from_mode(0o755)).expect("a program");
            httpd.config("ScriptAlias /app/echo \"${ROOT}/cgi-bin/echo\"")
        })
        .start();
    let window = WebDriver::start("form");
    window.open(&site.url("/form.html"));
    window.fill("textarea", "a long text\nwith <b>lines</b>");
    window.click("#go");
    window.screenshot("1-kept");
    // Who sends it too early loses nothing.
    window.click("#send");
    window.click("#sign-in");
    window.turn_to(1);
    agree(&window, &site);
    window.wait_for_url(&site.url("/oxd?form"));
    assert!(
        window.text().contains("Go back to the window with your input"),
        "{}",
        window.text()
    );
    window.turn_to(0);
    window.click("#send");
    // The address stays the same; what the application answers tells that the form has arrived.
    wait_until("the application", || window.text().contains("received"));
    assert_eq!(
        window.text(),
        "received t=a+long+text%0D%0Awith+%3Cb%3Elines%3C%2Fb%3E"
    );
}
