//! The tutorial's configuration, with `SetHandler oxd` in the place of its CGI script.

use oxd_tests::{Browser, DEMO_SUB, Mpm, TestSite, approve, sign_out};

const SCRIPT: &str = "/cgi-bin/oxd.py";

fn six_steps(mpm: Mpm) {
    // 1. The site is registered as the tutorial registers it.
    let builder = TestSite::builder().mpm(mpm).base(SCRIPT).unprotected();
    let uris = ["/login", "/index"].map(|path| builder.url(&format!("{SCRIPT}{path}")));
    let site = builder
        .redirect_uris(&uris.each_ref().map(String::as_str))
        .httpd(|httpd| httpd.processes(1, 16))
        // As Debian has it.
        .config("ScriptAlias /cgi-bin/ \"${ROOT}/cgi-bin/\"")
        .start();
    let url = |path: &str| site.url(&format!("{SCRIPT}{path}"));
    let browser = Browser::new();

    let page = browser.get(url(""));
    let page = page.expect(200).page();
    let sign_in = page.links().into_iter().find(|link| link.contains("/login"));
    let sign_in = sign_in.unwrap_or_else(|| panic!("a sign-in link in {:?}", page.links()));

    // 2 and 3. A client token and the authorization URL.
    let start = browser.get(site.url(sign_in));
    start.expect(302);
    site.expect_commands(&["get-client-token", "get-authorization-url"]);

    // 4 and 5. Tokens by code and user info, at the script's own address for it.
    let approval = approve(&browser, &start.location());
    assert!(
        approval.url().as_str().starts_with(&url("/login?")),
        "{}",
        approval.url()
    );
    let callback = approval.deliver(&browser);
    callback.expect(303);
    let page = browser.get(callback.location());
    let text = page.expect(200).page().text();
    assert!(
        text.contains(DEMO_SUB) && text.contains("test_user@example.org"),
        "{text}"
    );

    // 6. The logout URI.
    let farewell = sign_out(&browser, url("/logoutme"));
    assert!(farewell.page.url.as_str().starts_with(&url("/logout")));
    farewell.page.expect(200);
    site.expect_commands(&[
        "get-client-token",
        "get-authorization-url",
        "get-tokens-by-code",
        "get-user-info",
        "get-logout-uri",
    ]);
    // The other scripts still are there.
    browser.get(site.url("/cgi-bin/env")).environment();
}

#[test]
fn the_tutorials_six_steps_under_event() {
    six_steps(Mpm::Event);
}

#[test]
fn the_tutorials_six_steps_under_prefork() {
    six_steps(Mpm::Prefork);
}
