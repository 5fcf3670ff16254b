//! The page for operators: who sees it, and what it says.

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, Httpd, TestSite, begin, sign_out, wait_until};

use super::common::{by_program, callback_with, watched};

/// The lines of `?auto`, as names and numbers.
#[track_caller]
fn auto(answer: &Answer) -> Vec<(String, u64)> {
    let kind = answer.expect(200).header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
        (
            name.to_owned(),
            value.parse().unwrap_or_else(|_| panic!("{line:?}")),
        )
    };
    answer.text().lines().map(line).collect()
}

#[track_caller]
fn number(lines: &[(String, u64)], wanted: &str) -> u64 {
    let line = lines.iter().find(|(name, _)| name == wanted);
    line.unwrap_or_else(|| panic!("no {wanted} in {lines:?}")).1
}

/// A page that is for some addresses, some passwords, or for nobody at all is not seen by others, whatever they try.
#[test]
fn httpds_own_rules_say_who_sees_it() {
    let site = watched()
        .config(
            "<Location /far>\nSetHandler oxd-status\nRequire ip 192.0.2.1\n</Location>\n\
             <Location /never>\nSetHandler oxd-metrics\nRequire all denied\n</Location>\n\
             <Location /password>\nSetHandler oxd-status\nAuthType Basic\nAuthName operators\n\
             AuthUserFile \"${ROOT}/users\"\nRequire valid-user\n</Location>\n\
             <Location /members>\nSetHandler oxd-status\nAuthType oxd\nRequire oxd-claim groups staff\n</Location>",
        )
        .httpd(|httpd| {
            // The password is `password`.
            httpd.file("users", "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
            httpd.load("auth_basic").load("authn_file").allow_log("AH01617|AH01618")
        })
        .start();
    let inside = site.signed_in();
    let end_all = [("action", "end-all")];
    for place in ["/far", "/never"] {
        for method in ["GET", "HEAD", "POST"] {
            let form = if method == "POST" { &end_all[..] } else { &[] };
            let answer = by_program(method, &site.url(place), form);
            assert!(!answer.expect(403).text().contains("xd_"), "{}", answer.summary());
        }
        by_program("GET", &site.url(&format!("{place}?auto")), &[]).expect(403);
    }
    let nobody = Browser::new();
    let with = |credentials: &str| {
        let ask = nobody.ask("GET", site.url("/password"));
        ask.header("authorization", &format!("Basic {credentials}"))
            .send()
    };
    nobody.get(site.url("/password")).expect(401);
    by_program("POST", &site.url("/password"), &end_all).expect(401);
    with("dXNlcjp3cm9uZw==").expect(401);
    assert!(
        with("dXNlcjpwYXNzd29yZA==")
            .expect(200)
            .text()
            .contains("<h1>mod_oxd</h1>")
    );
    // Whom the module itself has signed in may see it as well, where the rules say so.
    inside.get(site.url("/members")).expect(200);
    begin(&nobody, site.url("/members"));
    assert!(
        site.user(&inside).is_some(),
        "nobody's sessions have ended meanwhile"
    );
}

/// It does without script, keeps out of caches and frames, and can be read by a screen reader.
#[test]
fn it_is_a_page_like_the_others() {
    let site = watched().start();
    site.signed_in();
    let answer = Browser::new().get(site.url("/oxd-status"));
    answer.expect(200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{}", answer.summary());
    }
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.split("; ").any(|directive| directive == part), "{policy}");
    }
    assert!(
        !policy.contains("unsafe") && !policy.contains("script-src"),
        "{policy}"
    );

    let (text, page) = (answer.text(), answer.page());
    assert!(text.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{text}");
    assert!(!page.runs_script() && !text.contains(" style="), "{text}");
    for (name, count) in [("h1", 1), ("main", 1), ("title", 1), ("form", 2)] {
        let found = page
            .all(name)
            .filter(|element| !element.attributes.contains_key("aria-label"));
        let titles_of_plots = if name == "title" {
            page.all("svg").count()
        } else {
            0
        };
        assert_eq!(found.count() - titles_of_plots, count, "{name}: {text}");
    }
    for plot in page.all("svg") {
        assert_eq!(plot.attribute("role"), Some("img"));
        let label = plot.attribute("aria-label").unwrap_or_default();
        assert!(label.len() > 20, "a plot says what it shows: {label}");
    }
    assert!(page.all("svg").count() >= 2);
    assert_eq!(page.all("caption").count(), page.all("table").count());
    let fields = page
        .all("input")
        .filter(|field| field.attribute("type") != Some("hidden"));
    for field in fields {
        let id = field.attribute("id").unwrap_or_default();
        assert!(
            page.all("label").any(|label| label.attribute("for") == Some(id)),
            "{id}"
        );
    }
    // Nothing from elsewhere.
    for element in page.elements() {
        for name in ["src", "href", "action"] {
            let target = element.attribute(name).unwrap_or_default();
            assert!(!target.contains("//"), "{target}");
        }
    }

    let head = Browser::new().head(site.url("/oxd-status"));
    assert!(head.expect(200).body.is_empty());
    let other = Browser::new().ask("DELETE", site.url("/oxd-status")).send();
    assert_eq!(other.expect(405).header("allow"), Some("GET, HEAD, POST"));
    let metrics = by_program("POST", &site.url("/oxd-metrics"), &[("a", "b")]);
    assert_eq!(metrics.expect(405).header("allow"), Some("GET, HEAD"));
}

/// What has happened is what it says, to people and to programs.
#[test]
fn the_numbers_are_right() {
    let site = watched().start();
    let before = auto(&by_program("GET", &site.url("/oxd-status?auto"), &[]));
    assert_eq!(number(&before, "OxdLoginsBegun"), 0);
    let browsers: Vec<_> = (0..5).map(|_| site.signed_in()).collect();
    callback_with(&site, "get-user-info", Fault::NotJson).expect(502);
    begin(&Browser::new(), site.url("/app/"));
    sign_out(&browsers[0], site.url("/oxd/logoutme"));

    let answer = by_program("GET", &site.url("/oxd-status?auto"), &[]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let lines = auto(&answer);
    for (name, value) in [
        ("OxdLoginsBegun", 7),
        ("OxdLoginsCompleted", 5),
        ("OxdLoginsFailed", 1),
        ("OxdLoginsRestarted", 0),
        ("OxdSessionsMade", 5),
        ("OxdSessionEnds", 1),
        ("OxdSessionsRefused", 0),
        ("OxdSessionsUnknown", 0),
        ("OxdCalls", site.oxd.total() as u64),
        ("OxdCallsFailed", 0),
        ("OxdCallsUnderWay", 0),
    ] {
        assert_eq!(number(&lines, name), value, "{name}: {lines:?}");
    }
    assert!(number(&lines, "OxdSecondsCounted") < 600, "{lines:?}");

    let text = Browser::new().get(site.url("/oxd-status")).page().text();
    for shown in [
        "begun 7",
        "completed 5",
        "oxd_answer 1",
        "made 5",
        "get-authorization-url",
        "get-user-info",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

/// Whoever watches httpd through `server-status` sees the module there too.
#[test]
fn httpds_own_status_page_has_a_section() {
    let site = watched()
        .httpd(|httpd| httpd.load("status"))
        .config("<Location /server-status>\nSetHandler server-status\nRequire ip 127.0.0.1\n</Location>")
        .start();
    site.signed_in();
    let page = by_program("GET", &site.url("/server-status"), &[]);
    let text = page.expect(200).text();
    assert!(text.contains("<h1>mod_oxd</h1>"), "{text}");
    assert!(text.contains("<dt>OxdLoginsCompleted: 1</dt>"), "{text}");
    assert_eq!(text.matches("mod_oxd</h1>").count(), 1);
    assert!(text.trim_end().ends_with("</html>"), "the page goes on after it");
    let short = by_program("GET", &site.url("/server-status?auto"), &[]);
    let text = short.expect(200).text();
    assert!(text.contains("\nOxdLoginsCompleted: 1\n"), "{text}");
    assert!(!text.contains('<'), "{text}");
    // The same names as the module's own.
    let own = auto(&by_program("GET", &site.url("/oxd-status?auto"), &[]));
    for (name, _) in own {
        assert!(text.contains(&format!("\n{name}: ")), "{name}");
    }
}

/// A server whose virtual hosts have the sites shows the page anyway: there is nothing to end, but much to see.
#[test]
fn a_place_without_a_site_has_no_forms() {
    let httpd = Httpd::builder().allow_log(r"\[oxd:error\]").config(
        "<Location /oxd-status>\nSetHandler oxd-status\nRequire ip 127.0.0.1\n</Location>\n\
         <Location /oxd-metrics>\nSetHandler oxd-metrics\nRequire ip 127.0.0.1\n</Location>",
    );
    let httpd = httpd.start();
    let answer = Browser::new().get(httpd.url("/oxd-status"));
    let page = answer.expect(200).page();
    assert!(page.forms().is_empty() && page.all("svg").count() >= 2);
    Browser::new().get(httpd.url("/oxd-metrics")).expect(200);
    auto(&by_program("GET", &httpd.url("/oxd-status?auto"), &[]));
    by_program("POST", &httpd.url("/oxd-status"), &[("action", "end-all")]).expect(500);
}

/// What a user is called is text on the page, not markup.
#[test]
fn names_are_text() {
    let site = watched().start();
    let evil = "<script>alert(1)</script>\"'";
    let fields = [("action", "end"), ("user", evil)];
    let nobody = Browser::new();
    let ask = nobody.ask("POST", site.url("/oxd-status")).form(&fields);
    let answer = ask.without("origin").send();
    assert!(!answer.expect(200).page().runs_script());
    assert!(answer.page().text().contains(evil));
}

/// Calls that are under way are shown as long as they are, and a child that dies takes its own along.
#[test]
fn calls_under_way_are_shown() {
    let site = watched()
        .httpd(|httpd| httpd.processes(2, 8))
        .directives("OxdServerTimeout 20s 1s")
        .start();
    begin(&Browser::new(), site.url("/app/"));
    let under_way = || {
        let lines = auto(&by_program("GET", &site.url("/oxd-status?auto"), &[]));
        number(&lines, "OxdCallsUnderWay")
    };
    let late = Fault::Delay(std::time::Duration::from_secs(3));
    site.oxd.fault("get-authorization-url", late);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| begin(&Browser::new(), site.url("/app/")));
        }
        wait_until("three calls under way", || under_way() == 3);
        wait_until("none under way", || under_way() == 0);
    });
}

/// The page of a server that has just started has empty plots, not broken ones.
#[test]
fn an_hour_without_logins_is_an_empty_plot() {
    let site = TestSite::builder().config(super::common::WATCHED).start();
    let answer = Browser::new().get(site.url("/oxd-status"));
    let text = answer.expect(200).text();
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    assert_eq!(answer.page().all("rect").count(), 0);
}
