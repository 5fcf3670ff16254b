//! Bearer tokens, as the metrics and the status page count them.

use oxd_tests::{Answer, Browser, SHOWS_TOKENS, TestSite};

use super::common::{refusal, watched};
use super::scrape::{Scrape, counts};

fn bring(site: &TestSite, token: &str) -> Answer {
    let client = Browser::new();
    let ask = client.ask("GET", site.url("/app/env"));
    ask.header("authorization", &format!("Bearer {token}")).send()
}

#[test]
fn tokens_are_counted_by_what_they_turn_out_to_be() {
    let site = watched()
        .config(SHOWS_TOKENS)
        .config("<Location /app>\nOxdBearer introspect\n</Location>")
        .start();
    let environment = site.signed_in().get(site.url("/tokens/env")).environment();
    let token = &environment["OXD_ACCESS_TOKEN"];
    for _ in 0..3 {
        bring(&site, token).expect(200);
    }
    bring(&site, "made-up").expect(401);
    bring(&site, "made-up").expect(401);
    let fault = refusal(500, "internal_error_of_another_kind", "Something else.");
    site.oxd.fault("introspect-access-token", fault);
    bring(&site, "another").expect(503);
    let expected = counts([
        ("access_token active", 1),
        ("access_token kept", 3),
        ("access_token refused", 1),
        ("access_token unknown", 1),
    ]);
    assert_eq!(Scrape::of(&site).counts("oxd_tokens_total"), expected);
    let page = Browser::new().get(site.url("/oxd-status")).text();
    assert!(page.contains("Tokens"), "{page}");
}
