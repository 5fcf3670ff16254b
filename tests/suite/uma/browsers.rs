//! A person asks for a page, in a real browser, and its owner grants it.

use oxd_dev::{UmaOutcome, UmaRule};
use oxd_tests::{TestSite, WebDriver, wait_until};

use super::super::{builder, start};

const PAGE: &str = "/app/a.html";
const OTHER: &str = "/app/b.html";
/// What both show.
const SHOWN: &str = "A photo of a lake";

/// A site that browsers know under another name than the provider's: what comes from there comes from another site.
fn across_sites(directives: &str, otherwise: UmaOutcome) -> (TestSite, String) {
    let builder = builder("Require oxd-uma").directives(directives).httpd(|httpd| {
        for page in [PAGE, OTHER] {
            httpd.file(&format!("docroot{page}"), SHOWN);
        }
        httpd
    });
    let home = builder.url("").replace("127.0.0.1", "localhost");
    let site = start(builder.redirect_uris(&[&format!("{home}/oxd/callback")]));
    site.httpd.allow_log("client denied by server configuration");
    let rules = vec![
        UmaRule::new(UmaOutcome::Grant).of("test_user"),
        UmaRule::new(UmaOutcome::Gather),
    ];
    site.oxd.uma_rules(rules, otherwise);
    (site, format!("{home}{PAGE}"))
}

fn sign_in(window: &WebDriver, site: &TestSite, user: &str) {
    window.wait_for_url(&site.oxd.provider_url());
    window.fill("[name=username]", user);
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.click("#allow");
}

#[test]
fn somebody_asks_for_a_page_and_its_owner_grants_it() {
    for (name, directives) in [("lax", ""), ("strict", "OxdCookieSameSite Strict")] {
        let (site, page) = across_sites(directives, UmaOutcome::AskOwner);
        let visitor = WebDriver::start(&format!("uma-{name}"));
        visitor.open(&page);
        sign_in(&visitor, &site, "other_user");
        visitor.wait_for_url("/restv1/uma/gather_claims");
        visitor.screenshot("1-claims-gathering");
        visitor.click("#confirm");
        visitor.wait_for_url(&page);
        wait_until("the refusal", || {
            visitor.text().contains("The owner has been asked")
        });
        assert_eq!(visitor.script("return document.scripts.length"), 0);
        visitor.screenshot("2-the-owner-is-asked");
        visitor.prefer("dark");
        visitor.resize(390, 844);
        let wide = visitor.script("return document.documentElement.scrollWidth > innerWidth");
        assert_eq!(wide, false, "the page does not scroll sideways on a phone");
        visitor.screenshot("3-the-same-on-a-phone-in-the-dark");

        let owner = WebDriver::start(&format!("uma-{name}-owner"));
        owner.open(&page);
        sign_in(&owner, &site, "test_user");
        owner.wait_for_url(&page);
        wait_until("the page", || owner.text().contains(SHOWN));
        owner.open(&format!("{}/uma/requests", site.oxd.provider_url()));
        owner.screenshot("4-the-owners-page");
        owner.click("#grant-0");
        wait_until("the decision", || site.oxd.uma_requests().is_empty());

        visitor.open(&page);
        wait_until("the page", || visitor.text().contains(SHOWN));
    }
}

#[test]
fn tabs_the_back_button_and_a_used_ticket_do_no_harm() {
    let (site, page) = across_sites("", UmaOutcome::Grant);
    let window = WebDriver::start("uma-tabs");
    window.open(&page);
    sign_in(&window, &site, "other_user");
    window.wait_for_url("/restv1/uma/gather_claims");
    let question = window.url();
    window.new_tab();
    window.turn_to(1);
    window.open(&page.replace(PAGE, OTHER));
    window.wait_for_url("/restv1/uma/gather_claims");
    window.click("#decline");
    wait_until("the refusal", || window.text().contains("access_denied"));
    window.screenshot("1-declined");
    window.turn_to(0);
    window.click("#confirm");
    window.wait_for_url(&page);
    wait_until("the page", || window.text().contains(SHOWN));
    window.back();
    window.open(&question);
    assert!(window.text().contains("unknown or too old"), "{}", window.text());
    window.open(&page);
    assert!(window.text().contains(SHOWN), "{}", window.text());
}
