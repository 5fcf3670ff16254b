//! The access log: one word for whatever the module answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, TestSite, approve, begin, wait_until};

use super::common::{Line, logged, refusal, watched};

const PLACES: &str = "
<Location /app/strong>
    Require oxd-acr otp
</Location>
<Location /app/young>
    OxdMaxAge 1s
</Location>
<Location /app/form>
    OxdPostPreserve On
</Location>
";

/// Asks like this browser, and finds the line of the request in the access log.
#[track_caller]
fn line_of(site: &TestSite, browser: &Browser, url: impl AsRef<str>) -> (Answer, Line) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("m{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let answer = browser.ask("GET", url).header("x-mark", &mark).send();
    let line = logged(&site.httpd, |line| line.mark == mark);
    (answer, line)
}

#[track_caller]
fn expect_step(site: &TestSite, browser: &Browser, url: impl AsRef<str>, code: &str, status: u16) -> Answer {
    let (answer, line) = line_of(site, browser, url);
    answer.expect(status);
    assert_eq!((line.code.as_str(), line.status), (code, status.to_string()));
    if line.reference != "-" {
        let log = site.httpd.error_log();
        let number = format!("[ref {}]", line.reference);
        assert_eq!(log.matches(&number).count(), 1, "{code} {number}");
    }
    answer
}

/// Who follows one browser through the access log reads its login as a story.
#[test]
fn each_step_of_a_login_has_its_word() {
    let site = watched().config(PLACES).start();
    let browser = Browser::new();
    let start = expect_step(&site, &browser, site.url("/app/"), "login_started", 302);
    let callback = approve(&browser, &start.location()).url().clone();
    expect_step(&site, &browser, &callback, "login_done", 303);
    expect_step(&site, &browser, &callback, "already_signed_in", 303);
    // What is no answer of the module has no word of it.
    expect_step(&site, &browser, site.url("/app/"), "-", 200);
    expect_step(&site, &browser, site.url("/1k.bin"), "-", 200);

    let strong = site.url("/app/strong");
    let stronger = expect_step(&site, &browser, &strong, "step_up_started", 302);
    approve(&browser, &stronger.location())
        .deliver(&browser)
        .expect(303);
    let young = site.url("/app/young");
    wait_until("the session to grow old", || {
        browser.copy().get(&young).status == 302
    });
    expect_step(&site, &browser, &young, "silent_login_started", 302);

    let stranger = Browser::new();
    let (once, twice) = (302, 400);
    expect_step(&site, &stranger, &callback, "login_restarted", once);
    expect_step(&site, &stranger, &callback, "state_unknown", twice);
}

/// The same with `OxdCookieSameSite Strict`, where a login ends with a page that leads on.
#[test]
fn a_login_that_ends_with_a_page_is_done_too() {
    let site = watched().directives("OxdCookieSameSite Strict").start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let callback = approve(&browser, &start.location()).url().clone();
    expect_step(&site, &browser, callback, "login_done", 200);
}

/// Leaving, and what could not be told about it.
#[test]
fn each_way_out_has_its_word() {
    let site = watched().start();
    let leave = site.url("/oxd/logoutme");
    expect_step(&site, &site.signed_in(), &leave, "signed_out", 303);
    let browser = site.signed_in();
    site.oxd
        .fault("get-logout-uri", Fault::Times(1, Box::new(Fault::NotJson)));
    expect_step(&site, &browser, &leave, "signed_out_here", 200);
    let notice = site.url("/oxd/frontchannel-logout?iss=https://op.example.org&sid=nobody");
    expect_step(&site, &Browser::new(), &notice, "logout_noted", 200);
}

/// A form that waits in its page while the user signs in.
#[test]
fn a_kept_form_has_its_word() {
    let site = watched().config(PLACES).start();
    let browser = Browser::new();
    let ask = browser
        .ask("POST", site.url("/app/form"))
        .header("x-mark", "form");
    let ask = ask.header("origin", &site.url("")).form(&[("text", "long")]);
    ask.send().expect(401);
    let line = logged(&site.httpd, |line| line.mark == "form");
    assert_eq!((line.code.as_str(), line.status.as_str()), ("form_kept", "401"));
}

/// The word and the number are the module's own, whatever oxd says, and stay between it and the log.
#[test]
fn nobody_else_has_a_say_in_it() {
    let site = watched().start();
    let environment = site.signed_in().get(site.url("/app/env")).environment();
    let leaked: Vec<_> = environment
        .keys()
        .filter(|name| name.to_lowercase().contains("oxd-"))
        .collect();
    assert!(leaked.is_empty(), "notes are no variables: {leaked:?}");
    let fault = refusal(500, "login_done", "' \" \n\r [ref AAAAAAAA]");
    site.oxd.fault("get-authorization-url", fault);
    let (_, line) = line_of(&site, &Browser::new(), site.url("/app/"));
    assert_eq!(line.code, "oxd_answer");
    assert!(
        line.reference.len() == 8 && line.reference != "AAAAAAAA",
        "{line:?}"
    );
}
