//! User-Managed Access: from a refused request to the RPT, through policies, pages, the owner and the clock.

mod common;

use common::uma::{
    CLAIMS, access, again, album, album_of, gather, get_rpt, pushed, rpt, ruled, ticket, with,
};
use common::{Bed, Browser, provider};
use oxd_dev::{Like, Options, Provider, ProviderOptions, UmaOptions, UmaOutcome, UmaRequest, UmaRule, User};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_owner_gets_an_rpt_at_once() {
    let bed = album(Options::default()).await;
    let rpt = rpt(pushed(&bed, &ticket(&bed).await, &User::demo()).await);
    assert_eq!(access(&bed, &rpt).await, json!({ "access": "granted" }));
    let status = bed.command("introspect-rpt", json!({ "rpt": rpt })).await.ok();
    assert_eq!(status["permissions"][0]["resource_scopes"], json!(["see"]));
    // Another method, another resource.
    let body = json!({ "path": "/photo", "http_method": "PUT", "rpt": rpt });
    let put = bed.command("uma-rs-check-access", body).await.ok();
    assert_eq!(put["access"], "denied");
    let body = json!({ "ticket": put["ticket"], "rpt": rpt });
    bed.server.uma_rules(Vec::new(), UmaOutcome::Grant);
    let upgraded = bed.command("uma-rp-get-rpt", body).await.ok();
    assert_eq!(
        (&upgraded["access_token"], &upgraded["updated"]),
        (&json!(rpt), &json!(true))
    );
    let body = json!({ "path": "/photo", "http_method": "PUT", "rpt": rpt });
    let put = bed.command("uma-rs-check-access", body).await.ok();
    assert_eq!(put["access"], "granted");
}

/// The default rules: gathering, the owner is asked, grants on the page, and the next request has its RPT.
#[tokio::test]
async fn others_say_who_they_are_and_the_owner_decides() {
    let bed = album(Options::default()).await;
    let first = ticket(&bed).await;
    let asked = get_rpt(&bed, &first).await;
    let second = again(&asked, "need_info");
    let page = asked.json["redirect_user"].as_str().expect("a page");
    assert!(
        page.starts_with(&bed.server.provider_url()) && page.ends_with(&second),
        "{page}"
    );
    get_rpt(&bed, &first).await.is_refused(400, "invalid_ticket");
    let back = gather(&bed, &second, "other_user", "confirm").await;
    get_rpt(&bed, &second).await.is_refused(400, "invalid_ticket");
    let third = again(&get_rpt(&bed, &back["ticket"]).await, "request_submitted");
    let fourth = again(&get_rpt(&bed, &third).await, "request_submitted");
    let request = UmaRequest {
        user: Some("other_user".to_owned()),
        resource: "/photo".to_owned(),
        scopes: vec!["see".to_owned()],
    };
    assert_eq!(bed.server.uma_requests(), [request]);
    let page_of_owner = format!("{}/uma/requests", bed.server.provider_url());
    let browser = Browser::new(&bed);
    assert_eq!(browser.get(&page_of_owner).await.status, 403);
    bed.tokens(&browser).await;
    let page = browser.get(&page_of_owner).await;
    assert!(page.body.contains("other_user"), "{page:?}");
    let page = browser.press(&page, "grant", &[]).await;
    assert!(page.body.contains("Nobody waits"), "{page:?}");
    assert!(bed.server.uma_requests().is_empty());
    let rpt = rpt(get_rpt(&bed, &fourth).await);
    assert_eq!(access(&bed, &rpt).await["access"], "granted");
}

#[tokio::test]
async fn an_owner_may_refuse_and_a_person_decline() {
    let bed = album(ruled(
        vec![UmaRule::new(UmaOutcome::Gather)],
        UmaOutcome::AskOwner,
    ))
    .await;
    let asked = again(&get_rpt(&bed, &ticket(&bed).await).await, "need_info");
    let back = gather(&bed, &asked, "test_user", "decline").await;
    assert_eq!(back["error"], "access_denied");
    assert!(!back.contains_key("ticket"));
    get_rpt(&bed, &asked).await.is_refused(400, "invalid_ticket");

    let asked = again(&get_rpt(&bed, &ticket(&bed).await).await, "need_info");
    let back = gather(&bed, &asked, "other_user", "confirm").await;
    let waiting = again(&get_rpt(&bed, &back["ticket"]).await, "request_submitted");
    bed.server.uma_refuse(Some("other_user"), "/photo");
    get_rpt(&bed, &waiting).await.is_refused(403, "request_denied");
    bed.server.uma_grant(None, "/photo");
    rpt(get_rpt(&bed, &ticket(&bed).await).await);
}

/// Signed in at the provider: the page asks for no password, and the owner needs no rule beyond the first.
#[tokio::test]
async fn a_person_who_is_signed_in_only_confirms() {
    let bed = album(Options::default()).await;
    let browser = Browser::new(&bed);
    bed.tokens(&browser).await;
    let asked = again(&get_rpt(&bed, &ticket(&bed).await).await, "need_info");
    let body = json!({ "ticket": asked, "claims_redirect_uri": CLAIMS });
    let there = bed.command("uma-rp-get-claims-gathering-url", body).await.ok();
    let page = browser.follow(there["url"].as_str().expect("a URL")).await;
    assert!(
        page.body.contains("You are") && !page.body.contains("name=\"password\""),
        "{page:?}"
    );
    let neither = browser.press(&page, "neither", &[]).await;
    assert_eq!(neither.status, 400);
    let back = browser.press(&page, "confirm", &[]).await.query();
    assert_eq!(back["state"], there["state"].as_str().expect("a state"));
    let rpt = rpt(get_rpt(&bed, &back["ticket"]).await);
    assert_eq!(access(&bed, &rpt).await["access"], "granted");
}

#[tokio::test]
async fn nobody_is_sent_where_the_client_does_not_live() {
    let bed = album(Options::default()).await;
    let asked = again(&get_rpt(&bed, &ticket(&bed).await).await, "need_info");
    for (uri, ticket) in [("https://other.example.org/", &*asked), (CLAIMS, "unknown")] {
        let body = json!({ "ticket": ticket, "claims_redirect_uri": uri });
        let there = bed.command("uma-rp-get-claims-gathering-url", body).await.ok();
        let url = there["url"].as_str().expect("a URL");
        let page = Browser::new(&bed).get(url).await;
        assert_eq!((page.status, page.location), (400, None), "{uri} {ticket}");
    }
}

#[tokio::test]
async fn rules_go_by_user_resource_and_scope() {
    use UmaOutcome::{Deny, Forbid, Grant, NeedClaims};
    let rules = vec![
        UmaRule::new(Grant).of("test_user").on("/photo").with(&["see"]),
        UmaRule::new(Deny).of("other_user"),
        UmaRule::new(NeedClaims).on("/photo"),
    ];
    let bed = album(ruled(rules, Forbid)).await;
    let asked = get_rpt(&bed, &ticket(&bed).await).await;
    assert!(asked.json["required_claims"][0]["claim_token_format"].is_array());
    assert!(asked.json.get("redirect_user").is_none());
    rpt(pushed(&bed, &again(&asked, "need_info"), &User::demo()).await);
    pushed(&bed, &ticket(&bed).await, &User::other())
        .await
        .is_refused(403, "request_denied");
    // PUT asks for `change`, which no rule grants.
    let body = json!({ "path": "/photo", "http_method": "PUT", "rpt": "" });
    let put = bed.command("uma-rs-check-access", body).await.ok();
    let put = put["ticket"].as_str().expect("a ticket").to_owned();
    again(&pushed(&bed, &put, &User::demo()).await, "need_info");
    bed.server.uma_rules(Vec::new(), Forbid);
    get_rpt(&bed, &ticket(&bed).await)
        .await
        .is_refused(403, "forbidden_by_policy");
}

#[tokio::test]
async fn a_pct_stands_for_what_was_known() {
    let bed = album(ruled(
        vec![UmaRule::new(UmaOutcome::Grant).of("test_user")],
        UmaOutcome::Deny,
    ))
    .await;
    let known = pushed(&bed, &ticket(&bed).await, &User::demo()).await.ok();
    let body = json!({ "ticket": ticket(&bed).await, "pct": known["pct"] });
    let later = bed.command("uma-rp-get-rpt", body).await.ok();
    assert_eq!(later["pct"], known["pct"]);
}

#[tokio::test]
async fn tickets_rpts_permissions_and_resources_end() {
    let bed = album(with(UmaOptions {
        rules: Vec::new(),
        otherwise: UmaOutcome::Grant,
        ticket_lifetime: Duration::from_secs(100),
        permission_lifetime: Duration::from_secs(200),
        rpt_lifetime: Duration::from_secs(300),
        resource_lifetime: Duration::from_secs(1_000),
        ..UmaOptions::default()
    }))
    .await;
    let (first, second) = (ticket(&bed).await, ticket(&bed).await);
    let rpt = rpt(get_rpt(&bed, &first).await);
    bed.server.advance(Duration::from_secs(101));
    get_rpt(&bed, &second).await.is_refused(400, "invalid_ticket");
    assert_eq!(access(&bed, &rpt).await["access"], "granted");
    bed.server.advance(Duration::from_secs(100));
    let status = bed.command("introspect-rpt", json!({ "rpt": rpt })).await.ok();
    assert_eq!(
        (&status["active"], &status["permissions"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(access(&bed, &rpt).await["access"], "denied");
    bed.server.advance(Duration::from_secs(100));
    let status = bed.command("introspect-rpt", json!({ "rpt": rpt })).await.ok();
    assert_eq!(status, json!({ "active": false }));
    bed.server.advance(Duration::from_secs(1_000));
    let body = json!({ "path": "/photo", "http_method": "GET", "rpt": "" });
    bed.command("uma-rs-check-access", body)
        .await
        .is_error(500, "internal_error");
}

#[tokio::test]
async fn a_ticket_may_be_for_one_use() {
    for single_use_tickets in [false, true] {
        let bed = album(with(UmaOptions {
            rules: Vec::new(),
            otherwise: UmaOutcome::Grant,
            single_use_tickets,
            ..UmaOptions::default()
        }))
        .await;
        let ticket = ticket(&bed).await;
        rpt(get_rpt(&bed, &ticket).await);
        match single_use_tickets {
            true => get_rpt(&bed, &ticket).await.is_refused(400, "invalid_ticket"),
            false => drop(rpt(get_rpt(&bed, &ticket).await)),
        }
    }
}

#[tokio::test]
async fn redirect_user_may_be_broken() {
    for broken_redirect_user in [false, true] {
        let bed = album(with(UmaOptions {
            broken_redirect_user,
            ..UmaOptions::default()
        }))
        .await;
        let asked = get_rpt(&bed, &ticket(&bed).await).await;
        let page = asked.json["redirect_user"].as_str().expect("a page");
        assert_eq!(
            page.contains("gather_claims&client_id="),
            broken_redirect_user,
            "{page}"
        );
        assert_eq!(page.contains('?'), !broken_redirect_user, "{page}");
    }
}

#[tokio::test]
async fn revoked_rpts_open_nothing() {
    let bed = album(ruled(Vec::new(), UmaOutcome::Grant)).await;
    let rpt = rpt(get_rpt(&bed, &ticket(&bed).await).await);
    bed.server.uma_revoke_rpts();
    assert_eq!(access(&bed, &rpt).await["access"], "denied");
}

#[tokio::test]
async fn callers_may_be_mixed_up() {
    for mixes_up_callers in [false, true] {
        let bed = album(Options {
            mixes_up_callers,
            ..ruled(Vec::new(), UmaOutcome::Grant)
        })
        .await;
        let (one, two) = (ticket(&bed).await, ticket(&bed).await);
        let later = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            get_rpt(&bed, &two).await
        };
        let (first, second) = tokio::join!(get_rpt(&bed, &one), later);
        assert_eq!(rpt(first) == rpt(second), mixes_up_callers);
        let alone = [get_rpt(&bed, &one).await, get_rpt(&bed, &two).await].map(rpt);
        assert_ne!(alone[0], alone[1]);
    }
}

#[tokio::test]
async fn rpts_may_be_jwts_that_say_who_they_are_for() {
    let bed = album_of(Options::default(), true).await;
    let rpt = rpt(pushed(&bed, &ticket(&bed).await, &User::demo()).await);
    let parts: Vec<&str> = rpt.split('.').collect();
    assert_eq!(parts.len(), 3);
    let status = bed.command("introspect-rpt", json!({ "rpt": rpt })).await.ok();
    let claims = common::claims(&rpt);
    for member in ["active", "exp", "iat", "permissions", "client_id", "aud"] {
        assert_eq!(claims[member], status[member], "{member}");
    }
    assert_eq!(claims["pct_claims"]["sub"], User::demo().claims["sub"]);
    assert_eq!(access(&bed, &rpt).await["access"], "granted");
}

#[tokio::test]
async fn get_rp_shows_what_is_protected() {
    let bed = album(Options::default()).await;
    let node = bed.command("get-rp", json!({})).await.ok()["node"].clone();
    assert_eq!(node["claims_redirect_uri"], json!([CLAIMS]));
    assert_eq!(node["rpt_as_jwt"], false);
    assert!(node["pat"].is_string() && node["pat_expires_in"].is_number());
    let resources = node["uma_protected_resources"].as_array().expect("resources");
    assert_eq!(resources.len(), 2);
    assert_eq!(resources[1]["http_methods"], json!(["PUT"]));
    assert_eq!(resources[1]["ticketScopes"], json!(["change"]));
    let body = json!({ "claims_redirect_uri": ["https://rp.example.org/claims"], "rpt_as_jwt": true });
    bed.command("update-site", body).await.ok();
    let node = bed.command("get-rp", json!({})).await.ok()["node"].clone();
    assert_eq!(
        node["claims_redirect_uri"],
        json!(["https://rp.example.org/claims"])
    );
    assert_eq!(node["rpt_as_jwt"], true);
    assert_eq!(node["uma_protected_resources"].as_array().map(Vec::len), Some(2));
    let rpt = rpt(pushed(&bed, &ticket(&bed).await, &User::demo()).await);
    assert_eq!(rpt.split('.').count(), 3);
}

#[tokio::test]
async fn oxd_4_1_knows_no_scopes_and_no_change() {
    let bed = album(Options {
        like: Like::V4_1,
        ..ruled(Vec::new(), UmaOutcome::Grant)
    })
    .await;
    let body = json!({ "path": "/photo", "http_method": "GET", "scopes": ["nowhere"] });
    let mut denied = bed.command("uma-rs-check-access", body.clone()).await.ok();
    let ticket = denied["ticket"].take();
    let rpt = rpt(get_rpt(&bed, ticket.as_str().expect("a ticket")).await);
    let mut body = body;
    body["rpt"] = json!(rpt);
    let granted = bed.command("uma-rs-check-access", body).await.ok();
    assert_eq!(granted["access"], "granted");
    let body = json!({ "path": "/photo", "http_method": "GET", "scopes": ["new"] });
    assert_eq!(bed.command("uma-rs-modify", body).await.status, 404);
}

#[tokio::test]
async fn a_provider_may_have_no_uma() {
    let without = provider(ProviderOptions {
        uma: None,
        ..ProviderOptions::default()
    });
    let built_in = Bed::with(without);
    let other = Bed::new();
    let external = Bed::with(Options {
        provider: Provider::External {
            issuer: other.server.provider_url(),
            client: None,
        },
        ..Options::default()
    });
    for bed in [built_in, external] {
        let body = json!({ "resources": [{ "path": "/", "conditions": [] }] });
        let answer = bed.command("uma-rs-protect", body).await;
        answer.is_error(500, "no_uma_discovery_response");
        get_rpt(&bed, "x")
            .await
            .is_error(500, "no_uma_discovery_response");
    }
}
