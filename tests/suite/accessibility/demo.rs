//! The way through the demo, as its first page describes it.

use oxd_tests::WebDriver;

use super::look::Look;

#[path = "../demo/run.rs"]
#[allow(dead_code, reason = "only starts it")]
mod run;

/// Looks at every page of the demo, its provider's included.
pub(crate) fn every_page(look: &mut Look<'_>) {
    let mut demo = run::Demo::new().on_free_ports().start();
    let said = demo.banner();
    let home = said.lines().find_map(|line| line.trim().strip_suffix('/'));
    let home = home
        .filter(|home| home.starts_with("http"))
        .expect("an address")
        .to_owned();
    let window = look.window;
    let open = |path: &str| window.open(&format!("{home}{path}"));

    open("/");
    look.at_any("home");
    open("/form/");
    look.at_any("form");
    window.fill("#text", "A text\nof some lines");
    window.click("#send-text");
    window.wait_for_url("/form/send/");
    look.at_any("kept-form");
    open("/private/");
    look.at_any("provider-sign-in");
    sign_in(window, "test_user");
    look.at_any("provider-consent");
    window.click("#allow");
    window.wait_for_url(&format!("{home}/private/"));
    look.at_any("claims");
    open("/staff/");
    look.at_any("staff");
    open("/vault/");
    sign_in(window, "test_user");
    if window.script("return document.querySelector('#allow') !== null") == true {
        window.click("#allow");
    }
    window.wait_for_url(&format!("{home}/vault/"));
    look.at_any("vault");
    open("/photos/");
    look.at_any("photos");
    let owners = window.script("return fetch('/').then(page => page.text())");
    let owners = owners
        .as_str()
        .and_then(|page| page.split('"').find(|text| text.ends_with("/uma/requests")));
    window.open(owners.expect("the owner's page"));
    look.at_any("owners-page");
    open("/form/");
    window.fill("#text", "Another text\nof <some> lines");
    window.click("#send-text");
    window.wait_for_url("/form/send/");
    look.at_any("form-sent");
    open("/oxd-status");
    look.at_any("status");
}

fn sign_in(window: &WebDriver, user: &str) {
    window.fill("#username", user);
    window.fill("#password", "secret");
    window.click("#sign-in");
}
