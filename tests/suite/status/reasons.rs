//! Refusals: a user reads a number from the page, and whoever looks for it in the logs finds the line and the code.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, Httpd, TestSite, approve, begin, decide, wait_until};
use regex::Regex;
use serde_json::json;

use super::common::{WATCHED, by_program, callback_with, logged, refusal, watched};
use super::scrape::{Scrape, counts};

/// What makes the module refuse a request.
type Cause = fn(&TestSite) -> Answer;

/// Codes, and requests that end with them, all at one site.
const CAUSES: &[(&str, Cause)] = &[
    ("login_required", |site| {
        let browser = Browser::new();
        let ask = browser.ask("GET", site.url("/app/")).without("sec-fetch-mode");
        ask.header("accept", "application/json").send()
    }),
    ("login_required", |site| {
        Browser::new().get(site.url("/app/asked"))
    }),
    ("callback_malformed", |site| {
        get(site, "/oxd/callback?code=a&code=b&state=c")
    }),
    ("state_unknown", |site| {
        let browser = Browser::new();
        let approval = approve(&browser, &begin(&browser, site.url("/app/")).location());
        let stranger = Browser::new();
        approval.deliver(&stranger).expect(302);
        approval.deliver(&stranger)
    }),
    ("access_denied", |site| {
        let browser = Browser::new();
        let start = begin(&browser, site.url("/app/"));
        decide(&browser, &start.location(), ("test_user", "secret"), "cancel").deliver(&browser)
    }),
    ("provider_error", |site| {
        get(site, "/oxd/callback?error=server_error&state=x")
    }),
    ("return_address_not_allowed", |site| {
        get(site, "/oxd/login?return_to=//evil.test")
    }),
    ("code_invalid", |site| {
        let fault = refusal(400, "bad_request", "'code' is invalid.");
        callback_with(site, "get-tokens-by-code", fault)
    }),
    ("state_unregistered", |site| {
        let fault = refusal(400, "bad_request", "'state' is not registered.");
        callback_with(site, "get-tokens-by-code", fault)
    }),
    ("oxd_timeout", |site| {
        callback_with(site, "get-tokens-by-code", Fault::Hang)
    }),
    ("oxd_answer", |site| {
        callback_with(site, "get-user-info", Fault::NotJson)
    }),
    ("client_token_refused", |site| {
        let fault = refusal(403, "inactive_access_token", "No.");
        callback_with(site, "get-tokens-by-code", fault)
    }),
    ("user_info_error", |site| {
        let fault = Fault::WrongShape(json!({ "error": "invalid_token" }));
        callback_with(site, "get-user-info", fault)
    }),
    ("subject_mismatch", |site| {
        callback_with(site, "get-user-info", Fault::Patch(json!({ "sub": "another" })))
    }),
    ("nonce_mismatch", |site| {
        let fault = Fault::Patch(json!({ "id_token_claims": { "nonce": "another" } }));
        callback_with(site, "get-tokens-by-code", fault)
    }),
    ("id_token_invalid", |site| {
        let fault = Fault::Patch(json!({ "id_token_claims": { "exp": 0 } }));
        callback_with(site, "get-tokens-by-code", fault)
    }),
    ("session_too_large", |site| {
        let fault = Fault::Patch(json!({ "biography": "x".repeat(30_000) }));
        callback_with(site, "get-user-info", fault)
    }),
    ("logout_token_invalid", |site| {
        let url = site.url("/oxd/backchannel-logout");
        by_program("POST", &url, &[("logout_token", "x.y.z")])
    }),
    ("logout_malformed", |site| {
        get(site, "/oxd/frontchannel-logout?iss=x")
    }),
    ("form_incomplete", |site| {
        by_program("POST", &site.url("/oxd-status"), &[("action", "end")])
    }),
    ("foreign_form", |site| {
        let browser = Browser::new();
        let ask = browser.ask("POST", site.url("/oxd-status"));
        ask.header("origin", "https://evil.test")
            .form(&[("action", "end-all")])
            .send()
    }),
    ("forbidden", |site| site.signed_in().get(site.url("/app/closed"))),
    ("acr_not_met", |site| {
        let browser = site.signed_in();
        let start = begin(&browser, site.url("/app/strong"));
        approve(&browser, &start.location()).deliver(&browser).expect(303);
        browser.get(site.url("/app/strong"))
    }),
    ("user_name_missing", |site| {
        site.signed_in().get(site.url("/app/nameless"))
    }),
    ("not_found", |site| get(site, "/oxd/nonsense")),
    ("method_not_allowed", |site| {
        Browser::new().ask("DELETE", site.url("/oxd")).send()
    }),
    ("body_too_large", |site| {
        let code = "x".repeat(70_000);
        Browser::new().post(site.url("/oxd/callback"), &[("code", &code)])
    }),
];

const PLACES: &str = "
<Location /app/asked>
    OxdUnauthAction 401
</Location>
<Location /app/closed>
    Require user nobody
</Location>
<Location /app/strong>
    Require oxd-acr platinum
</Location>
<Location /app/nameless>
    OxdRemoteUser nickname
</Location>
";

fn get(site: &TestSite, path: &str) -> Answer {
    Browser::new().get(site.url(path))
}

/// Status and level that `docs/TROUBLESHOOTING.md` names for a code.
#[track_caller]
fn documented(code: &str) -> (u16, String) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/TROUBLESHOOTING.md");
    let page = fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let entry = page.split(&format!("### `{code}`\n")).nth(1);
    let line = entry.and_then(|entry| entry.lines().next()).unwrap_or_default();
    let pattern = Regex::new(r"^(\d{3}), ([a-z]+)\. ").expect("a pattern");
    let found = pattern.captures(line);
    let found = found.unwrap_or_else(|| panic!("{code}: no status and level in {line:?}"));
    (found[1].parse().expect("a status"), found[2].to_owned())
}

/// The number that an answer tells its user.
#[track_caller]
fn number_on(answer: &Answer) -> String {
    let is_json = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    let text = if is_json {
        answer.json()["reference"].as_str().unwrap_or_default().to_owned()
    } else {
        answer.page().text()
    };
    // No letter that one takes for a digit when it is read out.
    let pattern = Regex::new(r"\b([0-9A-HJKMNP-TV-Z]{4})-([0-9A-HJKMNP-TV-Z]{4})\b").expect("a pattern");
    let found: Vec<_> = pattern.captures_iter(&text).collect();
    assert_eq!(found.len(), 1, "one number: {text}");
    format!("{}{}", &found[0][1], &found[0][2])
}

/// Whether the number of an answer leads to the code and to one line of the error log; hands back the number.
#[track_caller]
fn expect_traceable(httpd: &Httpd, answer: &Answer, code: &str) -> String {
    let (status, level) = documented(code);
    answer.expect(status);
    let number = number_on(answer);
    let line = logged(httpd, |line| line.reference == number);
    assert_eq!((line.code.as_str(), line.status), (code, status.to_string()));
    let log = httpd.error_log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(&number)).collect();
    let [line] = lines[..] else {
        panic!("{code}, {number}: {lines:?}");
    };
    assert!(line.ends_with(&format!(" [ref {number}]")), "{line}");
    assert!(line.contains(&format!(" {code}: ")), "{code}: {line}");
    assert!(
        line.contains(&format!("[oxd:{level}]")),
        "{code} is {level}: {line}"
    );
    number
}

/// "It says K7Q1-0M2P." One grep in either log says what happened to this user, and to nobody else.
#[test]
fn the_number_on_the_page_leads_to_the_cause() {
    // As on a default installation: httpd's level, and the package's own file.
    let packaged = concat!(env!("CARGO_MANIFEST_DIR"), "/../apache-conf/oxd.conf");
    let site = watched()
        .config(PLACES)
        .httpd(|httpd| httpd.log_level("warn").config(&format!("Include \"{packaged}\"")))
        .start();
    let (mut numbers, mut before) = (BTreeSet::new(), Scrape::of(&site));
    for (code, cause) in CAUSES {
        let answer = cause(&site);
        site.oxd.clear_faults();
        let number = expect_traceable(&site.httpd, &answer, code);
        assert!(numbers.insert(number), "{code}: a number that another has");
        // It is counted once, and under no other name.
        let after = Scrape::of(&site);
        let refused = after.since(&before, "oxd_refusals_total");
        assert_eq!(refused, counts([(code, 1)]), "{}", answer.summary());
        before = after;
    }
}

/// oxd away, left alone, and crowded: three different things to do about it.
#[test]
fn trouble_with_oxd_has_three_names() {
    let mut site = watched()
        .httpd(|httpd| httpd.processes(1, 16))
        .directives("OxdServerMaxCalls 1\nOxdServerTimeout 20s 1s")
        .start();
    begin(&Browser::new(), site.url("/app/"));
    site.forget_calls();
    let late = Fault::Delay(Duration::from_secs(4));
    site.oxd.fault("get-authorization-url", late);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| get(&site, "/app/").status);
        wait_until("the first call", || site.oxd.count("get-authorization-url") == 1);
        expect_traceable(&site.httpd, &get(&site, "/app/"), "oxd_busy");
        assert_eq!(first.join().expect("an answer"), 302);
    });
    site.oxd.stop();
    let mut codes = Vec::new();
    for _ in 0..7 {
        let answer = get(&site, "/app/");
        let code = logged(&site.httpd, |line| line.reference == number_on(&answer)).code;
        expect_traceable(&site.httpd, &answer, &code);
        codes.push(code);
    }
    codes.dedup();
    assert_eq!(codes, ["oxd_unreachable", "oxd_resting"]);
}

/// The server of the sessions is away: the user's number says so.
#[test]
fn a_store_that_is_away_is_named() {
    let nobody = oxd_tests::Port::reserve();
    let store = format!("OxdSessionStore redis:127.0.0.1:{}", nobody.number());
    let site = watched()
        .httpd(|httpd| {
            httpd
                .load("socache_redis")
                .allow_log(r"\[socache_redis:(crit|error)\]")
        })
        .directives(&store)
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let answer = approve(&browser, &start.location()).deliver(&browser);
    expect_traceable(&site.httpd, &answer, "store_unavailable");
}

/// A place that somebody has not finished: its administrator is told at once, by the number too.
#[test]
fn a_place_that_is_not_set_up_is_named() {
    let httpd = Httpd::builder().allow_log(r"\[oxd:error\]").config(WATCHED);
    httpd.file("docroot/late/.htaccess", "AuthType oxd\nRequire valid-user\n");
    let httpd = httpd.start();
    let answer = Browser::new().get(httpd.url("/late/"));
    expect_traceable(&httpd, &answer, "not_configured");
}

/// Lines of the error log can be counted by their code, whatever an attacker writes into a request.
#[test]
fn nobody_writes_lines_into_the_log() {
    let site = watched().start();
    for path in [
        "/oxd/callback?error=x%0a%5boxd:error%5d%20internal:%20forged%20%5bref%20AAAAAAAA%5d&state=s",
        "/oxd/login?return_to=//a%0d%0ainternal:%20forged",
        "/oxd/nonsense%0ainternal:%20forged",
    ] {
        let answer = get(&site, path);
        let number = number_on(&answer);
        let log = site.httpd.error_log();
        assert!(
            log.lines().any(|line| line.ends_with(&format!("[ref {number}]"))),
            "{log}"
        );
        assert!(
            !log.lines()
                .any(|line| line.starts_with("[oxd:error]") || line.starts_with("internal")),
            "{log}"
        );
    }
}
