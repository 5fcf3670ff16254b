//! `SetHandler oxd-health`: what a load balancer, Kubernetes and Prometheus ask.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, Httpd, SiteBuilder, Store, StoreServer, TestSite, wait_until};
use serde_json::{Value, json};

use super::common::{by_program, refusal, watched};
use super::scrape::{Scrape, counts};

pub(crate) const HEALTH: &str =
    "<Location /oxd-health>\nSetHandler oxd-health\nRequire ip 127.0.0.1\n</Location>";

fn probed() -> SiteBuilder {
    watched().config(HEALTH)
}

fn ask(site: &TestSite, address: &str) -> Answer {
    by_program("GET", &site.url(&format!("/oxd-health/{address}")), &[])
}

/// Waits until the server says so: a finding is believed for a while.
#[track_caller]
fn expect_ready(site: &TestSite, status: u16, text: &str) {
    wait_until(&format!("/ready to be {text:?}"), || {
        let answer = ask(site, "ready");
        answer.status == status && answer.text() == text
    });
    assert_eq!(ask(site, "live").expect(200).text(), "alive\n");
}

#[test]
fn ready_says_what_is_missing_until_it_is_back() {
    let mut store = Store::at(StoreServer::redis());
    let mut site = probed()
        .store(&store)
        .httpd(|httpd| httpd.allow_log("socache_redis:crit"))
        .start();
    expect_ready(&site, 200, "ready\n");
    let answer = ask(&site, "ready");
    for (name, value) in [
        ("content-type", "text/plain; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{}", answer.summary());
    }
    site.oxd.stop();
    expect_ready(&site, 503, "not_ready\noxd_unreachable\n");
    assert_eq!(ask(&site, "ready").header("retry-after"), Some("5"));
    site.httpd
        .expect_log("not ready: the site of .*: oxd_unreachable");
    site.oxd.resume();
    expect_ready(&site, 200, "ready\n");
    site.httpd
        .expect_log(r"\[oxd:notice\].*ready: the site of .* works again");
    store.server_mut().stop();
    expect_ready(&site, 503, "not_ready\nstore_unavailable\n");
    store.server_mut().start();
    expect_ready(&site, 200, "ready\n");
}

/// A secret that is not the right one any more: oxd answers, and nobody could sign in.
#[test]
fn a_client_token_that_oxd_does_not_give_or_take_is_missed() {
    let site = probed().start();
    let wrong = refusal(403, "invalid_client", "Wrong secret.");
    site.oxd.fault("get-client-token", wrong);
    expect_ready(&site, 503, "not_ready\nclient_token_refused\n");
    site.oxd.clear_faults();
    expect_ready(&site, 200, "ready\n");
    // One that is given, and then not taken: only a login finds that out.
    let not_taken = refusal(403, "invalid_access_token", "No.");
    site.oxd.fault("get-authorization-url", not_taken);
    Browser::new().get(site.url("/app/")).expect(502);
    expect_ready(&site, 503, "not_ready\nclient_token_refused\n");
    site.oxd.clear_faults();
    Browser::new().get(site.url("/app/")).expect(302);
    expect_ready(&site, 200, "ready\n");
}

/// However many ask, oxd is asked once in a while.
#[test]
fn a_flood_of_requests_is_one_question_to_oxd() {
    let site = probed().start();
    expect_ready(&site, 200, "ready\n");
    let (began, before) = (Instant::now(), site.oxd.count("health-check"));
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    ask(&site, "ready").expect(200);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_until("a second check", || site.oxd.count("health-check") > before);
        over.store(true, Ordering::Relaxed);
    });
    let (checks, intervals) = (
        site.oxd.count("health-check") - before,
        began.elapsed().as_secs() / 15,
    );
    assert!(
        checks as u64 <= intervals + 1,
        "{checks} checks in {:?}",
        began.elapsed()
    );
    assert!(asked.load(Ordering::Relaxed) > 200, "{asked:?} requests");
    // A client token for each child at the most.
    assert!(site.oxd.count("get-client-token") <= site.httpd.children().len());
}

/// The same while oxd hangs: nobody waits long, and `live` not at all.
#[test]
fn a_check_that_hangs_holds_nobody_up() {
    let site = probed().directives("OxdServerTimeout 10s 3s").start();
    site.oxd.fault("health-check", Fault::Hang);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let began = Instant::now();
                ask(&site, "ready").expect(503);
                assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
                ask(&site, "live").expect(200);
            });
        }
    });
    expect_ready(&site, 503, "not_ready\noxd_timeout\n");
    site.oxd.clear_faults();
    expect_ready(&site, 200, "ready\n");
}

/// Nobody signs in, nobody asks `/ready`: who scrapes the metrics sees the outage all the same.
#[test]
fn an_outage_without_traffic_is_in_the_metrics() {
    let mut site = probed().start();
    wait_until("the sites to be checked", || {
        Scrape::of(&site).value("oxd_ready") == 1.0
    });
    let before = Scrape::of(&site);
    assert_eq!(before.value("oxd_sites"), 1.0);
    assert!(before.counts("oxd_sites_not_ready").is_empty());
    assert!(before.value("oxd_sites_checked_timestamp_seconds") > 1.0);
    site.oxd.stop();
    wait_until("the outage to be seen", || {
        Scrape::of(&site).value("oxd_ready") == 0.0
    });
    let after = Scrape::of(&site);
    assert_eq!(
        after.counts("oxd_sites_not_ready"),
        counts([("oxd_unreachable", 1)])
    );
    // Nobody has tried to sign in.
    assert!(after.counts("oxd_refusals_total").is_empty());
    assert!(after.counts("oxd_logins_total").is_empty());
    site.oxd.resume();
    wait_until("oxd to be found", || Scrape::of(&site).value("oxd_ready") == 1.0);
}

/// What an administrator looks at during an outage, and after it.
#[test]
fn the_status_page_tells_of_the_outage_and_of_its_end() {
    let mut site = probed().start();
    let site_url = site.url("/oxd-status");
    let page = || Browser::new().get(&site_url).expect(200).page();
    let verdict_is = |class: &str| {
        let page = page();
        page.all("p")
            .any(|p| p.attribute("class") == Some(&format!("verdict {class}")))
    };
    site.signed_in();
    wait_until("a good day", || {
        verdict_is("good") && page().text().contains("works; checked")
    });
    site.oxd.stop();
    wait_until("the outage", || {
        verdict_is("bad") && page().text().contains("oxd_unreachable for")
    });
    Browser::new().get(site.url("/app/")).expect(503);
    let text = page().text();
    assert!(
        text.contains("Last failure: ") && text.contains("in httpd 2.4"),
        "{text}"
    );
    site.oxd.resume();
    wait_until("its end", || ask(&site, "ready").status == 200);
    assert!(
        verdict_is("bad"),
        "nobody has signed in again yet: {}",
        page().text()
    );
    site.signed_in();
    let text = page().text();
    assert!(
        verdict_is("good") && text.contains("Logins work again: 1 since the last failure."),
        "{text}"
    );
}

/// Without the handler nobody is asked anything, and there are no such metrics.
#[test]
fn without_the_handler_nothing_is_checked() {
    let site = watched().start();
    let scrape = Scrape::of(&site);
    Browser::new().get(site.url("/oxd-status")).expect(200);
    assert!(!scrape.series.contains_key("oxd_ready"));
    assert_eq!(site.oxd.total(), 0);
}

#[test]
fn the_answer_is_json_for_whoever_wants_that() {
    let mut site = probed().start();
    let json_of = |site: &TestSite, address: &str| -> Value {
        let nobody = Browser::new();
        let ask = nobody.ask("GET", site.url(&format!("/oxd-health/{address}")));
        let answer = ask.header("accept", "application/json").send();
        serde_json::from_str(&answer.text()).expect("JSON")
    };
    expect_ready(&site, 200, "ready\n");
    let ready = json_of(&site, "ready");
    assert_eq!(
        (&ready["status"], &ready["missing"]),
        (&json!("ready"), &json!([]))
    );
    assert!(
        ready["checked_seconds_ago"].as_u64().is_some_and(|ago| ago < 20),
        "{ready}"
    );
    assert_eq!(json_of(&site, "live"), json!({ "status": "alive" }));
    site.oxd.stop();
    expect_ready(&site, 503, "not_ready\noxd_unreachable\n");
    let away = json_of(&site, "ready");
    assert_eq!(away["missing"], json!(["oxd_unreachable"]));
}

/// Strangers learn a code, whatever they send; and only where the rules let them.
#[test]
fn strangers_learn_no_more_than_a_code() {
    let mut site = probed()
        .config("<Location /far>\nSetHandler oxd-health\nRequire ip 192.0.2.1\n</Location>")
        .start();
    site.oxd.stop();
    expect_ready(&site, 503, "not_ready\noxd_unreachable\n");
    let nobody = Browser::new();
    for (header, value) in [
        ("host", "evil.example.org"),
        ("x-forwarded-host", "evil.example.org"),
        ("accept", "application/json"),
        ("accept", "text/html"),
        ("cookie", "oxd_session=x"),
    ] {
        let ask = nobody.ask("GET", site.url("/oxd-health/ready?evil=<script>"));
        let answer = ask.header(header, value).send();
        let (text, head) = (answer.expect(503).text(), answer.summary());
        for word in ["evil", "script", "127.0.0.1", "localhost", "OxdServer", "ref"] {
            assert!(!text.contains(word), "{header}: {value}: {word} in {text} {head}");
        }
        assert!(answer.set_cookies().is_empty());
    }
    for path in [
        "/oxd-health",
        "/oxd-health/",
        "/oxd-health/other",
        "/oxd-health/ready/",
    ] {
        nobody.get(site.url(path)).expect(404);
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = nobody.ask(method, site.url("/oxd-health/ready")).send();
        assert_eq!(answer.expect(405).header("allow"), Some("GET, HEAD"));
    }
    assert!(
        nobody
            .head(site.url("/oxd-health/ready"))
            .expect(503)
            .body
            .is_empty()
    );
    nobody.get(site.url("/far/ready")).expect(403);
    nobody.get(site.url("/far/live")).expect(403);
}

/// An httpd without a site is not ready for anything; one whose sites are those of another name is.
#[test]
fn the_sites_of_the_whole_configuration_count() {
    let httpd = Httpd::builder().config(HEALTH).start();
    let answer = by_program("GET", &httpd.url("/oxd-health/ready"), &[]);
    assert_eq!(answer.expect(503).text(), "not_ready\nnot_configured\n");
    drop(httpd);
    let site = probed().another_site("two").start();
    expect_ready(&site, 200, "ready\n");
    wait_until("both sites", || Scrape::of(&site).value("oxd_sites") == 2.0);
    let before = site.oxd.count("health-check");
    wait_until("another check", || {
        ask(&site, "ready").expect(200);
        site.oxd.count("health-check") > before
    });
    // Two sites of one oxd are one question.
    assert_eq!(site.oxd.count("health-check"), before + 1);
    site.httpd.graceful();
    expect_ready(&site, 200, "ready\n");
}

/// A site that an `<If>` or a `<Files>` completes is checked as any other; one that nothing completes is none.
#[test]
fn a_site_of_an_inner_section_counts() {
    let away = "OxdServer http://127.0.0.1:1\nOxdId x\n";
    let rest = "OxdProtectedCommands Off\n";
    for (config, expected) in [
        (
            format!("<Location /app>\n<If \"true\">\n{away}{rest}</If>\n</Location>"),
            "oxd_unreachable",
        ),
        (format!("{away}<Files \"*\">\n{rest}</Files>"), "oxd_unreachable"),
        (
            format!(
                "{away}<Directory \"/\">\n<Files \"*\">\n<If \"true\">\n{rest}</If>\n</Files>\n</Directory>"
            ),
            "oxd_unreachable",
        ),
        (away.to_owned(), "not_configured"),
    ] {
        let httpd = Httpd::builder()
            .config(HEALTH)
            .config(&config)
            .allow_log("not ready: the site of ")
            .start();
        let answer = by_program("GET", &httpd.url("/oxd-health/ready"), &[]);
        assert_eq!(
            answer.expect(503).text(),
            format!("not_ready\n{expected}\n"),
            "{config}"
        );
    }
}
