//! Clients with an RPT, and without one.

use oxd_dev::{UmaOutcome, UmaRule};
use oxd_tests::{Browser, begin};

use super::super::{builder, client, granted, rpt, start, ticket};

const CHECK: &str = "uma-rs-check-access";
/// What mod_authz_core says of an unmet rule.
const DENIED: &str = "client denied by server configuration";

#[test]
fn a_client_gets_a_ticket_then_an_rpt_and_then_comes_in() {
    let site = start(
        builder("Require oxd-uma")
            .config("<Location /oxd-metrics>\nSetHandler oxd-metrics\nRequire all granted\n</Location>")
            .httpd(|httpd| httpd.processes(1, 16)),
    );
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    let answer = client(&site, "/app/env", None);
    answer.expect(401);
    assert_eq!(answer.json()["error"], "uma_ticket");
    assert_ne!(
        ticket(&answer),
        ticket(&client(&site, "/app/env", None)),
        "each client has its own"
    );
    let rpt = granted(&site, "/app/env");
    site.forget_calls();
    for _ in 0..3 {
        let environment = client(&site, "/app/env", Some(&rpt)).environment();
        assert_eq!(environment["REMOTE_USER"], site.site.client_id);
        assert_eq!(environment["OXD_AUTH"], "bearer");
        assert_eq!(environment["OXD_SCOPE"], "print see");
        assert!(!environment.contains_key("HTTP_AUTHORIZATION"));
    }
    // The grant is kept: with it a request asks nobody.
    site.expect_commands(&["introspect-rpt", CHECK]);
    let metrics = Browser::new().get(site.url("/oxd-metrics")).text();
    for line in [
        r#"answer="active"} 1"#,
        r#"answer="kept"} 2"#,
        r#"answer="refused"} 0"#,
    ] {
        let line = format!("oxd_tokens_total{{token=\"rpt\",{line}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    // It opens nothing else.
    let other = client(&site, "/app/album/1", Some(&rpt));
    other.expect(401);
    ticket(&other);
    client(&site, "/app/1k.bin", Some(&granted(&site, "/app/1k.bin"))).expect(200);
}

#[test]
fn an_unknown_or_ended_rpt_gets_another_ticket() {
    let site = start(builder("Require oxd-uma\nOxdUmaCache 0"));
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    ticket(client(&site, "/app/env", Some("made-up")).expect(401));
    let rpt = granted(&site, "/app/env");
    client(&site, "/app/env", Some(&rpt)).expect(200);
    site.oxd.uma_revoke_rpts();
    ticket(client(&site, "/app/env", Some(&rpt)).expect(401));
}

#[test]
fn the_rule_wants_all_of_its_scopes() {
    let site = start(builder("Require oxd-uma see print\nOxdUmaCache 0"));
    site.oxd.uma_rules(
        vec![UmaRule::new(UmaOutcome::Grant).on("/app/env").with(&["see"])],
        UmaOutcome::Grant,
    );
    let partial = granted(&site, "/app/env");
    let answer = client(&site, "/app/env", Some(&partial));
    assert!(matches!(answer.status, 401 | 403), "{}", answer.summary());
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    let whole = granted(&site, "/app/env");
    client(&site, "/app/env", Some(&whole)).expect(200);
}

#[test]
fn what_is_no_resource_is_closed_and_named_in_the_log() {
    let site = start(builder("Require oxd-uma").directives("OxdAuditLog \"${ROOT}/audit.log\""));
    site.httpd.allow_log("uma_unprotected");
    let answer = client(&site, "/app/other.html", None);
    answer.expect(403);
    assert_eq!(answer.json()["error"], "uma_unprotected");
    site.httpd.expect_log("uma_unprotected: .*oxdctl uma protect");
    let trail = std::fs::read_to_string(site.httpd.file("audit.log")).expect("the audit trail");
    let events = [
        r#""event":"access_refused","code":"uma_unprotected""#,
        r#""path":"/app/other.html","rule":"Require oxd-uma""#,
    ];
    assert!(events.iter().all(|text| trail.contains(text)), "{trail}");
    let open = start(builder("Require oxd-uma\nOxdUmaUnprotected allow"));
    client(&open, "/app/other.html", None).expect(200);
    assert_eq!(open.oxd.count(CHECK), 0);
}

#[test]
fn a_browser_signs_in_first_and_a_refusal_is_final() {
    let site = start(builder("Require oxd-uma"));
    begin(&Browser::new(), site.url("/app/env"));
    assert_eq!(site.oxd.count(CHECK), 0, "nobody needs a ticket to sign in");
    site.oxd.uma_rules(vec![], UmaOutcome::Deny);
    let answer = client(&site, "/app/env", None);
    rpt(&site, &ticket(answer.expect(401))).expect(403);
}

#[test]
fn the_rule_combines_with_others() {
    let site = start(builder(
        "<RequireAny>\nRequire oxd-uma\nRequire oxd-claim sub nobody-has-this\n</RequireAny>",
    ));
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    ticket(client(&site, "/app/env", None).expect(401));
    client(&site, "/app/env", Some(&granted(&site, "/app/env"))).expect(200);
    let both = start(builder(
        "<RequireAll>\nRequire oxd-uma\nRequire oxd-claim client_id nobody-has-this\n</RequireAll>",
    ));
    both.httpd.allow_log(DENIED);
    both.oxd.uma_rules(vec![], UmaOutcome::Grant);
    let rpt = granted(&both, "/app/env");
    client(&both, "/app/env", Some(&rpt)).expect(403);
}

#[test]
fn a_path_of_the_place_stands_for_all_of_it() {
    let site = start(builder("Require oxd-uma\nOxdUmaPath /app/album/?"));
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    let rpt = granted(&site, "/app/1k.bin");
    client(&site, "/app/1k.bin", Some(&rpt)).expect(200);
    client(&site, "/app/env", Some(&rpt)).expect(200);
}

#[test]
fn an_oxd_that_is_away_is_503_and_a_kept_grant_counts_on() {
    let mut site = start(builder("Require oxd-uma\nOxdUmaCache 60s").httpd(|httpd| httpd.processes(1, 16)));
    site.oxd.uma_rules(vec![], UmaOutcome::Grant);
    let rpt = granted(&site, "/app/env");
    client(&site, "/app/env", Some(&rpt)).expect(200);
    site.oxd.stop();
    site.httpd.allow_log("oxd_unreachable|oxd_resting");
    client(&site, "/app/env", Some(&rpt)).expect(200);
    let answer = client(&site, "/app/env", None);
    assert!(
        answer.expect(503).header("retry-after").is_some(),
        "{}",
        answer.summary()
    );
    site.oxd.resume();
}
