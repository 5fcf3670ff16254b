//! People with a browser, who never see a ticket.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oxd_dev::{UmaOutcome, UmaRule};
use oxd_tests::{Answer, Browser, TestSite, begin, sign_in_as};

use super::super::{builder, start};

const GET_RPT: &str = "uma-rp-get-rpt";
const PAGE: &str = "/app/env";

/// What mod_authz_core says of an unmet rule.
const DENIED: &str = "client denied by server configuration";

fn site() -> TestSite {
    let site = start(builder("Require oxd-uma").httpd(|httpd| httpd.processes(1, 32)));
    site.httpd.allow_log(DENIED);
    site
}

/// Signs in, and answers with what the page shows then.
fn open(site: &TestSite, browser: &Browser, user: &str) -> Answer {
    sign_in_as(browser, site.url(PAGE), user, "secret").page
}

/// Presses a button of the authorization server's page, and comes back.
fn press(browser: &Browser, page: &Answer, button: &str) -> Answer {
    let Some((form, button)) = page.page().form_with_button(button) else {
        panic!("no button {button} in {}", page.summary());
    };
    let fields = form.press(&button);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let target = page.url.join(&form.action).expect("the form's action");
    browser.follow_from(browser.post(target, &fields))
}

#[test]
fn whom_the_owner_grants_it_sees_the_page_and_the_next_request_asks_nobody() {
    let site = site();
    site.oxd.uma_rules(
        vec![UmaRule::new(UmaOutcome::Grant).of("test_user")],
        UmaOutcome::Deny,
    );
    let browser = Browser::new();
    let environment = open(&site, &browser, "test_user").environment();
    assert_eq!(environment["OXD_AUTH"], "session");
    assert_eq!(site.oxd.count(GET_RPT), 1);
    site.forget_calls();
    for _ in 0..3 {
        browser.get(site.url(PAGE)).expect(200);
    }
    site.expect_commands(&[]);
    // Whom nobody grants it does not see it, and is told so.
    let page = open(&site, &Browser::new(), "other_user");
    page.expect(403);
    assert!(
        page.text().contains("does not let you see it"),
        "{}",
        page.summary()
    );
}

#[test]
fn a_question_of_the_authorization_servers_is_answered_on_its_page() {
    let site = site();
    site.oxd
        .uma_rules(vec![UmaRule::new(UmaOutcome::Gather)], UmaOutcome::Grant);
    let browser = Browser::new();
    let start = open(&site, &browser, "other_user");
    start.expect(302);
    assert!(
        start.location().as_str().starts_with(&site.oxd.provider_url()),
        "{}",
        start.summary()
    );
    let question = browser.follow_from(start);
    let page = press(&browser, &question, "confirm");
    page.expect(200);
    assert_eq!(page.url.as_str(), site.url(PAGE));
}

#[test]
fn who_declines_stays_outside_and_is_told_so() {
    let site = site();
    site.oxd
        .uma_rules(vec![UmaRule::new(UmaOutcome::Gather)], UmaOutcome::Grant);
    let browser = Browser::new();
    let question = browser.follow_from(open(&site, &browser, "other_user"));
    let page = press(&browser, &question, "decline");
    page.expect(403);
    assert!(page.text().contains("access_denied"), "{}", page.summary());
    // A moment later it is not asked again.
    browser.get(site.url(PAGE)).expect(403);
}

#[test]
fn an_owner_who_is_asked_may_grant_it_later() {
    let site = site();
    site.oxd.uma_rules(
        vec![UmaRule::new(UmaOutcome::Grant).of("test_user")],
        UmaOutcome::AskOwner,
    );
    let browser = Browser::new();
    let page = open(&site, &browser, "other_user");
    page.expect(403);
    assert!(
        page.text().contains("The owner has been asked"),
        "{}",
        page.summary()
    );
    site.oxd.uma_grant(Some("other_user"), PAGE);
    browser.get(site.url(PAGE)).expect(200);
}

#[test]
fn a_gathering_is_bound_to_the_browser_and_is_no_login() {
    let site = site();
    site.oxd
        .uma_rules(vec![UmaRule::new(UmaOutcome::Gather)], UmaOutcome::Grant);
    let victim = Browser::new();
    let question = victim.follow_from(open(&site, &victim, "other_user"));
    let Some((form, button)) = question.page().form_with_button("confirm") else {
        panic!("no form in {}", question.summary());
    };
    let fields = form.press(&button);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let back = victim
        .post(question.url.join(&form.action).expect("an address"), &fields)
        .location();
    assert!(back.path().ends_with("/oxd/claims"), "{back}");
    // Another browser, with a session of its own, cannot use it.
    let attacker = Browser::new();
    open(&site, &attacker, "test_user").expect(302);
    attacker.get(&back).expect(400);
    // Nor is it the answer to a login.
    let mut login = back.clone();
    login.set_path("/oxd/callback");
    let code = format!("{}&code=c", back.query().unwrap_or_default());
    login.set_query(Some(&code));
    site.forget_calls();
    let answer = victim.get(&login);
    assert!(answer.given_cookies("oxd_session").is_empty());
    assert_eq!(site.oxd.count("get-tokens-by-code"), 0, "{}", answer.summary());
    // Its own browser uses it once.
    victim.follow(&back).expect(200);
    victim.get(&back).expect(400);
}

#[test]
fn a_script_is_told_where_to_go_and_a_stranger_signs_in_first() {
    let site = site();
    site.oxd
        .uma_rules(vec![UmaRule::new(UmaOutcome::Gather)], UmaOutcome::Grant);
    begin(&Browser::new(), site.url(PAGE));
    let browser = Browser::new();
    open(&site, &browser, "other_user").expect(302);
    let script = browser
        .ask("GET", site.url("/app/album/1"))
        .header("accept", "application/json")
        .send();
    script.expect(401);
    assert_eq!(script.json()["login"], "/app/album/1");
    assert!(script.set_cookies().is_empty());
}

#[test]
fn two_tabs_get_their_own_pages() {
    let site = site();
    site.oxd
        .uma_rules(vec![UmaRule::new(UmaOutcome::Gather)], UmaOutcome::Grant);
    let browser = Browser::new();
    let first = browser.follow_from(open(&site, &browser, "other_user"));
    let second = browser.follow(site.url("/app/1k.bin"));
    let page = press(&browser, &second, "confirm");
    assert_eq!(
        (page.status, page.url.as_str()),
        (200, site.url("/app/1k.bin").as_str())
    );
    let page = press(&browser, &first, "confirm");
    assert_eq!((page.status, page.url.as_str()), (200, site.url(PAGE).as_str()));
}

/// How many page views there are unless `OXD_VIEWS` says otherwise, and browsers unless `OXD_USERS` does.
const VIEWS: usize = 600;
const USERS: u32 = 8;

/// How many RPTs are fetched between two ends of all.
const BETWEEN_ENDS: usize = 8;

fn number<N: std::str::FromStr>(variable: &str, usual: N) -> N {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// As the real one, oxd answers with another caller's RPT where calls of a site meet.
#[test]
fn nobody_gets_in_on_anothers_grant() {
    let (views, users) = (number("OXD_VIEWS", VIEWS), number("OXD_USERS", USERS));
    let site = start(
        builder("Require oxd-uma print\nOxdUmaCache 0")
            .oxd(|options| options.mixes_up_callers = true)
            .directives(&format!(
                "OxdServerMaxCalls {}\nOxdServerTimeout 30s 20s",
                2 * users
            ))
            .httpd(|httpd| httpd.processes(1, 4 * users)),
    );
    site.httpd.allow_log("uma|oxd_busy");
    site.httpd.allow_log(DENIED);
    // Both get an RPT for the page; only one of them has the scope that the rule wants.
    site.oxd.uma_rules(
        vec![
            UmaRule::new(UmaOutcome::Grant).of("test_user"),
            UmaRule::new(UmaOutcome::Grant).of("other_user").with(&["see"]),
        ],
        UmaOutcome::Deny,
    );
    let people: Vec<(Browser, bool)> = (0..users)
        .map(|number| {
            let browser = Browser::new();
            let may = number % 2 == 0;
            open(&site, &browser, if may { "test_user" } else { "other_user" });
            (browser, may)
        })
        .collect();
    let barrier = Barrier::new(people.len());
    let (next, wrong, seen) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // So that everybody fetches RPTs all the time. RPTs are fetched one after the other, and whoever loses
            // one to this fetches the next at once: with so many in between, nobody loses two.
            let mut fetched = site.oxd.count(GET_RPT);
            while next.load(Ordering::Relaxed) < views {
                let now = site.oxd.count(GET_RPT);
                if now - fetched >= BETWEEN_ENDS {
                    site.oxd.uma_revoke_rpts();
                    fetched = now;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for (browser, may) in &people {
            let (barrier, next, wrong, seen, site) = (&barrier, &next, &wrong, &seen, &site);
            scope.spawn(move || {
                barrier.wait();
                while next.fetch_add(1, Ordering::Relaxed) < views {
                    let status = browser.get(site.url(PAGE)).status;
                    match (status, may) {
                        (200, true) => drop(seen.fetch_add(1, Ordering::Relaxed)),
                        (200, false) => drop(wrong.fetch_add(1, Ordering::Relaxed)),
                        _ => {}
                    }
                }
            });
        }
    });
    let (wrong, seen) = (wrong.into_inner(), seen.into_inner());
    let fetched = site.oxd.count(GET_RPT);
    println!(
        "{views} page views of {users} users: {seen} of those who may, {wrong} of those who may not; {fetched} RPTs fetched"
    );
    assert_eq!(wrong, 0);
    assert!(seen > 20, "{seen}");
}
