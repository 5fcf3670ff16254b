//! What becomes of a signed-in user at a resource, and the way to the authorization server's page and back.

use serde_json::{Map, Value, json};

use super::*;
use crate::config::{RawSettings, SameSite, SiteFile};
use crate::http::Method;
use crate::session::Leaked;
use crate::testing::{Browser, FakeStore, NOW, header, site};

fn browser<'s>(file: &'s SiteFile, path: &'s String) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        uma_path: Some(path),
        ..RawSettings::default()
    });
    browser.log_in("/photo");
    browser.oxd.rpt = Ok(active());
    browser.oxd.access = access;
    browser
}

fn active() -> Value {
    json!({
        "active": true, "exp": NOW + 600,
        "permissions": [{"resource_id": "1", "resource_scopes": ["see"], "exp": NOW + 600}],
    })
}

/// As oxd: each RPT opens the resource but that of somebody else, and nothing does without one.
fn access(request: &Map<String, Value>) -> Result<Value, Error> {
    Ok(match request["rpt"].as_str() {
        Some("" | "foreign") => {
            json!({"access": "denied", "ticket": "ticket", "www-authenticate_header": "UMA"})
        }
        _ => json!({"access": "granted"}),
    })
}

fn refused(status: u16, word: &str) -> Result<Value, Error> {
    Err(BadAnswer::scripted_as(
        UmaGetRpt::COMMAND,
        status,
        word,
        "said by oxd",
    ))
}

/// The authorization server wants to know more, and has a page to ask on.
fn need_info(ticket: Option<&str>, page: Option<&str>) -> Result<Value, Error> {
    refused(403, "need_info").map_err(|error| match error {
        Error::Answer(mut bad) => {
            bad.ticket = ticket.map(str::to_owned);
            bad.redirect_user = page.map(str::to_owned);
            Error::Answer(bad)
        }
        other => other,
    })
}

/// What is decided for the session, in a form that a table can compare.
fn decided(browser: &Browser<'_>, scopes: &[&str]) -> String {
    gathered(browser, scopes).0
}

/// The same, with the cookies of a gathering.
fn gathered(browser: &Browser<'_>, scopes: &[&str]) -> (String, Vec<String>) {
    let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    browser.look("/photo", |ctx| {
        let uma = ctx.settings.uma().expect("a place of UMA");
        let session = session::open(ctx, &Leaked).unwrap().expect("a session");
        match decide_for_session(ctx, &uma, "GET", &session, &scopes) {
            Decision::Open => ("open".to_owned(), Vec::new()),
            Decision::Gather { url, cookies } => (url, cookies),
            Decision::Refused(failure) => (failure.reason.code().to_owned(), Vec::new()),
            other => panic!("{other:?}"),
        }
    })
}

/// The requests of a command.
fn asked(browser: &Browser<'_>, command: &str) -> Vec<Value> {
    let asked = browser.oxd.asked.borrow();
    let of_command = asked.iter().filter(|(name, _)| *name == command);
    of_command.map(|(_, request)| request.clone()).collect()
}

#[test]
fn an_rpt_is_fetched_for_the_user_and_proved() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let rpt = |token: &str| Ok(json!({"access_token": token}));
    type Row = (
        &'static str,
        Vec<Result<Value, Error>>,
        &'static [&'static str],
        &'static str,
        usize,
    );
    let rows: Vec<Row> = vec![
        ("granted", vec![rpt("own")], &[], "open", 1),
        ("granted with the scope", vec![rpt("own")], &["see"], "open", 1),
        (
            "granted without a scope",
            vec![rpt("own")],
            &["print"],
            "insufficient_scope",
            1,
        ),
        (
            "somebody else's, then the own one",
            vec![rpt("foreign"), rpt("own")],
            &[],
            "open",
            2,
        ),
        (
            "somebody else's twice",
            vec![rpt("foreign"), rpt("foreign"), rpt("own")],
            &[],
            "oxd_answer",
            2,
        ),
        (
            "a ticket that was used",
            vec![refused(400, "invalid_ticket"), rpt("own")],
            &[],
            "open",
            2,
        ),
        (
            "no ticket is good",
            vec![
                refused(400, "invalid_ticket"),
                refused(400, "invalid_ticket"),
                rpt("own"),
            ],
            &[],
            "uma_not_granted",
            2,
        ),
        (
            "the owner is asked",
            vec![refused(403, "request_submitted")],
            &[],
            "uma_submitted",
            1,
        ),
        (
            "the policies say no",
            vec![refused(403, "request_denied")],
            &[],
            "uma_not_granted",
            1,
        ),
        (
            "the same, in no refusal's status",
            vec![refused(400, "request_denied")],
            &[],
            "oxd_answer",
            1,
        ),
        (
            "trouble of the provider",
            vec![refused(403, "server_error")],
            &[],
            "oxd_answer",
            1,
        ),
        (
            "oxd refuses the call",
            vec![refused(403, "oxd_access_denied")],
            &[],
            "client_token_refused",
            1,
        ),
        (
            "a pct that nobody had",
            vec![refused(400, "invalid_pct"), rpt("own")],
            &[],
            "oxd_answer",
            1,
        ),
        (
            "a question without a page",
            vec![need_info(Some("t"), None)],
            &[],
            "uma_not_granted",
            1,
        ),
        (
            "a question without a ticket",
            vec![need_info(None, Some("p"))],
            &[],
            "uma_not_granted",
            1,
        ),
        (
            "a question where none may be put",
            vec![need_info(Some("t"), Some("p"))],
            &[],
            "uma_not_granted",
            1,
        ),
    ];
    for (what, answers, scopes, expected, calls) in rows {
        let mut browser = browser(&file, &path);
        browser.settings.uma_gathers = Some(false);
        browser.oxd.rpts.replace(answers);
        assert_eq!(decided(&browser, scopes), expected, "{what}");
        assert_eq!(asked(&browser, "uma-rp-get-rpt").len(), calls, "{what}");
    }
}

#[test]
fn an_rpt_that_is_not_active_or_has_ended_is_not_the_users() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let mut ended = active();
    ended["exp"] = json!(NOW);
    for introspection in [json!({"active": false}), ended] {
        let mut browser = browser(&file, &path);
        browser.oxd.rpt = Ok(introspection);
        assert_eq!(decided(&browser, &[]), "oxd_answer");
    }
}

#[test]
fn the_id_token_is_pushed_and_the_ticket_is_the_resources() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let browser = browser(&file, &path);
    assert_eq!(decided(&browser, &[]), "open");
    assert_eq!(
        asked(&browser, "uma-rp-get-rpt"),
        [json!({"ticket": "ticket", "claim_token": "e30.e30.sig", "claim_token_format": ID_TOKEN_FORMAT})]
    );
}

#[test]
fn an_rpt_is_kept_for_its_session_and_asked_about_again() {
    let (file, path, store) = (site("s"), "/photo".to_owned(), FakeStore::default());
    for store in [None, Some(&store)] {
        let mut browser = browser(&file, &path);
        browser.store = store;
        browser.log_in("/photo");
        let fetched = |browser: &Browser<'_>| asked(browser, "uma-rp-get-rpt").len();
        let proved = |browser: &Browser<'_>| asked(browser, "introspect-rpt").len();
        assert_eq!(decided(&browser, &[]), "open");
        let first = proved(&browser);
        assert_eq!(decided(&browser, &[]), "open");
        assert_eq!(
            (fetched(&browser), proved(&browser)),
            (1, first),
            "a grant counts for a moment"
        );
        browser.now = NOW + 10;
        assert_eq!(decided(&browser, &[]), "open");
        assert_eq!(fetched(&browser), 1, "the RPT is good still");
        assert!(proved(&browser) > first, "but it was asked about");
        // It is no longer: another is fetched, with what the authorization server remembers of the user.
        browser.now = NOW + 20;
        browser.oxd.access = |request| {
            let opens = request["rpt"] == "second";
            Ok(json!({"access": if opens { "granted" } else { "denied" }, "ticket": "ticket"}))
        };
        let second = || Ok(json!({"access_token": "second"}));
        browser
            .oxd
            .rpts
            .replace(vec![refused(400, "invalid_pct"), second()]);
        assert_eq!(decided(&browser, &[]), "open");
        let pcts: Vec<_> = asked(&browser, "uma-rp-get-rpt")
            .iter()
            .map(|request| request.get("pct").cloned())
            .collect();
        assert_eq!(pcts, [None, Some(json!("pct")), None]);
    }
}

#[test]
fn a_grant_is_of_its_session_and_its_scopes() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let mut first = browser(&file, &path);
    assert_eq!(decided(&first, &[]), "open");
    first.oxd.rpts.replace(vec![refused(403, "request_denied")]);
    first.oxd.rpt = Ok(json!({"active": false}));
    assert_eq!(decided(&first, &["see"]), "uma_not_granted", "other scopes");
    assert_eq!(decided(&first, &[]), "open");
    // Another session of the same process.
    first.cookies.clear();
    first.log_in("/photo");
    first.oxd.rpts.replace(vec![refused(403, "request_denied")]);
    assert_eq!(decided(&first, &[]), "uma_not_granted");
}

#[test]
fn a_question_is_put_on_a_page_once_a_minute_and_to_nobody_who_cannot_see_it() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let gathers = || {
        let mut browser = browser(&file, &path);
        browser.settings.uma_gathers = Some(true);
        let question = || need_info(Some("asked"), Some("page"));
        browser.oxd.rpts.replace(vec![question(), question(), question()]);
        browser
    };
    let mut page = gathers();
    assert!(decided(&page, &[]).starts_with("https://as/gather?state=u"));
    let request = &asked(&page, "uma-rp-get-claims-gathering-url")[0];
    assert_eq!(
        (&request["ticket"], &request["claims_redirect_uri"]),
        (&json!("asked"), &json!("https://app.example/oxd/claims"))
    );
    page.now = NOW + 59;
    assert_eq!(decided(&page, &[]), "uma_not_granted", "in circles");
    page.now = NOW + 60;
    assert!(decided(&page, &[]).starts_with("https://as/gather"));

    let mut script = gathers();
    script.headers.sec_fetch_mode = Some("cors");
    assert_eq!(decided(&script, &[]), "login_required");
    let mut form = gathers();
    form.method = Method::Post;
    assert_eq!(decided(&form, &[]), "login_required");
}

/// A browser at the authorization server's page, and the state that it took there.
fn at_the_page<'s>(file: &'s SiteFile, path: &'s String) -> (Browser<'s>, String) {
    let mut browser = browser(file, path);
    browser.settings.uma_gathers = Some(true);
    browser
        .oxd
        .rpts
        .replace(vec![need_info(Some("asked"), Some("page"))]);
    let (url, cookies) = gathered(&browser, &[]);
    browser.take_cookies(&cookies);
    (browser, url.split_once("state=").unwrap().1.to_owned())
}

#[test]
fn who_comes_back_from_the_page_goes_on_with_its_ticket() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let (mut browser, state) = at_the_page(&file, &path);
    let back = browser.get(&format!("/oxd/claims?ticket=answered&state={state}"));
    assert_eq!((back.status, header(&back, "Location")), (303, Some("/photo")));
    assert_eq!(decided(&browser, &[]), "open");
    let tickets: Vec<_> = asked(&browser, "uma-rp-get-rpt")
        .iter()
        .map(|request| request["ticket"].clone())
        .collect();
    assert_eq!(tickets, ["ticket", "answered"]);
    // The ticket was used: the next RPT needs one of the resource.
    browser.now = NOW + 700;
    browser.oxd.access = access;
    decided(&browser, &[]);
    let last = asked(&browser, "uma-rp-get-rpt").last().unwrap()["ticket"].clone();
    assert_eq!(last, "ticket");
    let again = browser.get(&format!("/oxd/claims?ticket=answered&state={state}"));
    assert_eq!(again.status, 400, "the way back is used once");
}

#[test]
fn a_way_back_that_is_not_as_it_should_be_ends_on_a_page() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let long = "t".repeat(1_001);
    for (query, status) in [
        ("ticket=t&state=STATE", 303),
        ("ticket=t&state=uother", 400),
        ("ticket=t", 400),
        ("ticket=t&state=STATE&state=STATE", 400),
        ("state=STATE", 403),
        ("ticket=&state=STATE", 403),
        ("ticket=a&ticket=b&state=STATE", 403),
        ("error=access%0A_denied&ticket=t&state=STATE", 403),
        (&format!("ticket={long}&state=STATE"), 403),
        (&format!("ticket={}&state=STATE", &long[1..]), 303),
    ] {
        let (mut browser, state) = at_the_page(&file, &path);
        let answer = browser.get(&format!("/oxd/claims?{}", query.replace("STATE", &state)));
        assert_eq!(answer.status, status, "{query:.60}");
        let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
        assert_eq!(page.contains("access_denied"), query.contains("error"), "{page}");
        // It is over, whichever way: the cookie of the gathering goes.
        let is_over = answer.cookies.iter().any(|line| line.contains("Max-Age=0"));
        assert_eq!(is_over, status != 400, "{query:.60}");
    }
}

#[test]
fn a_browser_that_holds_the_session_back_is_sent_on_once() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let (mut browser, state) = at_the_page(&file, &path);
    browser.settings.cookie_same_site = Some(SameSite::Strict);
    let address = format!("/oxd/claims?ticket=answered&state={state}");
    let page = browser.get(&address);
    let text = String::from_utf8_lossy(page.body_bytes()).into_owned();
    assert!(page.status == 200 && text.contains("oxd_sent_on=1"), "{text}");
    assert_eq!(browser.get(&format!("{address}&oxd_sent_on=1")).status, 303);
}

#[test]
fn what_the_rule_refuses_is_answered_so_that_the_client_can_go_on() {
    use super::super::{Unopened, answer};

    let (file, path) = (site("s"), "/photo".to_owned());
    let browser = browser(&file, &path);
    let told = |why: Unopened<'_>| browser.look("/photo", |ctx| answer(ctx, why));
    let ticket = told(Unopened::Ticket("UMA ticket=\"t\""));
    assert_eq!(
        (ticket.status, header(&ticket, "WWW-Authenticate")),
        (401, Some("UMA ticket=\"t\""))
    );
    let challenges = ticket
        .headers
        .iter()
        .filter(|(name, _)| *name == "WWW-Authenticate");
    assert_eq!(challenges.count(), 1);
    let gather = told(Unopened::Gather {
        url: "https://as/gather",
        cookies: "a=1\nb=2",
    });
    assert_eq!(
        (gather.status, header(&gather, "Location"), gather.cookies.clone()),
        (
            302,
            Some("https://as/gather"),
            vec!["a=1".to_owned(), "b=2".to_owned()]
        )
    );
    let denied = told(Unopened::Refused(Reason::UmaDenied, "why"));
    assert!(header(&denied, "Warning").is_some_and(|text| text.starts_with("199 ")));
    let away = told(Unopened::Refused(Reason::OxdTimeout, "why"));
    assert_eq!(header(&away, "Warning"), None);
    let script = told(Unopened::Refused(Reason::LoginRequired, "why"));
    let page = String::from_utf8_lossy(script.body_bytes()).into_owned();
    assert!(script.status == 401 && page.contains("href=\"/photo\""), "{page}");
}

#[test]
fn after_a_call_without_an_answer_the_next_one_waits_no_longer_than_that_call_may_last() {
    use crate::config::Timeouts;
    use crate::oxd::{Cause, Trouble};
    use std::time::Duration;

    let (file, path) = (site("s"), "/photo".to_owned());
    let mut browser = browser(&file, &path);
    browser.settings.server_timeout = Some(Timeouts {
        connect: Duration::ZERO,
        total: Duration::ZERO,
    });
    browser.oxd.rpts.replace(vec![Err(Error::NoAnswer {
        at: "http://oxd/scripted".to_owned(),
        trouble: Trouble::new(Cause::NoAnswer, "scripted"),
    })]);
    assert_eq!(decided(&browser, &[]), "oxd_timeout");
    assert_eq!(decided(&browser, &[]), "oxd_busy", "the answer may still come");
    let began = Instant::now();
    while decided(&browser, &[]) == "oxd_busy" {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "the site is never asked again"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(decided(&browser, &[]), "open");
}

#[test]
fn an_rpt_with_a_subject_is_the_users_or_is_not_used() {
    let (file, path) = (site("s"), "/photo".to_owned());
    let signer = crate::testing::ed25519("k");
    for (claims, expected) in [
        (json!({"sub": "alice"}), "open"),
        (json!({"sub": "bob"}), "oxd_answer"),
        (json!({"pct_claims": {"sub": ["alice"]}}), "open"),
        (json!({"pct_claims": {"sub": "bob"}}), "oxd_answer"),
        (json!({"pct_claims": {"sub": ["bob"]}}), "oxd_answer"),
        (json!({"sub": ["bob"]}), "oxd_answer"),
        (json!({"sub": {"is": "alice"}}), "oxd_answer"),
        (json!({"sub": 7}), "oxd_answer"),
        (json!({"pct_claims": {"sub": ["alice", "bob"]}}), "oxd_answer"),
        (json!({"sub": null}), "open"),
        (json!({}), "open"),
    ] {
        let mut browser = browser(&file, &path);
        browser.oxd.keys = vec![signer.public.clone()];
        let rpt = || Ok(json!({"access_token": signer.sign(Some("k"), None, &claims)}));
        browser.oxd.rpts.replace(vec![rpt(), rpt()]);
        assert_eq!(decided(&browser, &[]), expected, "{claims}");
        // Whoever has signed it.
        browser.oxd.keys.clear();
        let rpt = || Ok(json!({"access_token": signer.sign(Some("k"), None, &claims)}));
        browser.oxd.rpts.replace(vec![rpt(), rpt()]);
        assert_eq!(decided(&browser, &[]), expected, "{claims}, without a key");
    }
}

#[test]
fn a_path_that_oxd_does_not_protect_is_open_where_the_directive_says_so() {
    let (file, path) = (site("s"), "/photo".to_owned());
    for (open, expected) in [(None, "uma_unprotected"), (Some(true), "open")] {
        let mut browser = browser(&file, &path);
        browser.settings.uma_open_elsewhere = open;
        browser.oxd.access = |_| {
            let command = crate::oxd::commands::uma_check_access::UmaCheckAccess::COMMAND;
            Err(BadAnswer::scripted_as(
                command,
                400,
                "invalid_request",
                "not protected",
            ))
        };
        assert_eq!(decided(&browser, &[]), expected);
    }
}
