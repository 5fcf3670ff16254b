//! Signing out in one tab of a real browser, and what the other tab shows then; the administrator's
//! page in one.

use oxd_tests::{DEMO_SUB, SiteBuilder, TestSite, WebDriver, wait_until};

use super::token::{expect_alive, expect_dead};

/// A site with a protected page that has a link.
fn builder() -> SiteBuilder {
    TestSite::builder().httpd(|httpd| {
        let page = "<!DOCTYPE html><title>work</title><p>at work <a id=more href=other.html>more</a>";
        httpd.file("docroot/app/work.html", page);
        httpd
    })
}

/// Signs in at the provider's form, as the demo user, and agrees.
fn agree(window: &WebDriver, site: &TestSite) {
    window.wait_for_url(&site.oxd.provider_url());
    window.fill("[name=username]", "test_user");
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.click("#allow");
}

/// Works in one tab, signs out at the provider in another and clicks on in the first.
fn in_two_tabs(site: &TestSite, home: &str, name: &str, end: &str, meanwhile: impl Fn(&WebDriver)) {
    let window = WebDriver::start(name);
    let work = format!("{home}/app/work.html");
    window.open(&work);
    agree(&window, site);
    window.wait_for_url(&work);
    window.screenshot("1-at-work");

    window.new_tab();
    window.open(&format!("{}{end}", site.oxd.provider_url()));
    window.screenshot("2-the-provider-asks");
    window.click("#sign-out");
    meanwhile(&window);
    window.screenshot("3-the-provider-has-signed-out");

    window.turn_to(0);
    window.click("#more");
    window.wait_for_url(&site.oxd.provider_url());
    let asked = window.script("return document.querySelector('[name=password]') !== null");
    assert_eq!(asked, true, "the provider asks: {}", window.text());
    window.screenshot("4-the-next-click");
    // Who signs in again is where the click led.
    agree(&window, site);
    window.wait_for_url("/app/other.html");
}

#[test]
fn a_sign_out_at_the_provider_reaches_the_other_tab() {
    let site = builder().backchannel_logout().start();
    in_two_tabs(&site, &site.url(""), "backchannel", "/end_session", |window| {
        window.wait_for_url("/signed-out");
    });
    assert_eq!(site.oxd.logout_notices()[0].status, 200);
}

#[test]
fn a_sign_out_at_the_certified_provider_reaches_the_other_tab() {
    let site = builder().certified().backchannel_logout().start();
    in_two_tabs(
        &site,
        &site.url(""),
        "backchannel-certified",
        "/session/end",
        |window| {
            window.wait_for_url("/session/end/success");
        },
    );
}

#[test]
fn a_frame_reaches_the_other_tab_across_sites() {
    // Under another name than the provider's, so that the frame is of another site.
    let builder = builder().frontchannel_logout();
    let home = builder.url("").replace("127.0.0.1", "localhost");
    let callback = format!("{home}/oxd/callback");
    let site = builder.redirect_uris(&[&callback]).start();
    in_two_tabs(&site, &home, "frontchannel", "/end_session", |window| {
        // A browser that did not like the frame would show an error page there.
        let shown = window.frame_script("iframe", "return location.href");
        let expected = format!("{home}/oxd/frontchannel-logout?");
        assert!(
            shown.as_str().is_some_and(|url| url.starts_with(&expected)),
            "{shown}"
        );
    });
}

#[test]
fn the_administrator_ends_sessions_from_the_page_and_nobody_elses_page_does() {
    let status = "<Location /oxd-status>\nSetHandler oxd-status\nRequire ip 127.0.0.1\n</Location>";
    let builder = builder().config(status);
    let target = builder.url("/oxd-status");
    let trap = format!(
        "<!DOCTYPE html><title>win</title><form method=post action=\"{target}\">\
         <input type=hidden name=action value=end-all><button id=win>Win</button></form>"
    );
    let site = builder
        .httpd(|httpd| {
            httpd.file("docroot/trap.html", &trap);
            httpd
        })
        .start();
    site.httpd.allow_log(r"\[oxd:warn\] .* foreign_form");
    let (first, second) = (site.signed_in(), site.signed_in());
    let window = WebDriver::start("administrator");
    // The same page under another name is another site's.
    window.open(&site.url("/trap.html").replace("127.0.0.1", "localhost"));
    window.click("#win");
    window.wait_for_url("127.0.0.1");
    window.screenshot("1-another-sites-form");
    expect_alive(&site, &first);

    window.open(&target);
    window.screenshot("2-the-page");
    window.fill("#user", "nobody");
    window.click("#end");
    wait_until("the answer", || window.text().contains("nobody"));
    expect_alive(&site, &first);
    window.fill("#user", DEMO_SUB);
    window.click("#end");
    wait_until("the answer", || window.text().contains(DEMO_SUB));
    window.screenshot("3-a-user");
    expect_dead(&site, &first);
    expect_dead(&site, &second);
    let third = site.signed_in();
    window.click("#end-all");
    wait_until("the question", || window.text().contains("End all sessions?"));
    expect_alive(&site, &third);
    window.click("#end-all");
    wait_until("the answer", || window.text().contains("All sessions have ended"));
    window.screenshot("4-everybody");
    expect_dead(&site, &third);
}
