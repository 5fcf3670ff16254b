//! From one store to another without a login.

use oxd_tests::{Browser, DEMO_SUB, RedisNode, StoreKind};

use super::common::*;

/// httpd's own client of Redis, then the module's, at the same server; then without the older one.
#[test]
fn from_httpds_client_of_redis_to_the_modules() {
    let store = StoreKind::Redis.start();
    let mut site = site(&store).start();
    let (stays, leaves, idle) = (site.signed_in(), site.signed_in(), site.signed_in());
    let copy = leaves.copy();
    let old = format!("redis:{}", store.server().address());
    let new = format!("redis://{}", store.server().address());
    site.httpd.edit_config(
        &format!("OxdSessionStore \"{old}\""),
        &format!("OxdSessionStore {new} {old}"),
    );
    site.httpd.graceful();
    site.forget_calls();
    for browser in [&stays, &leaves] {
        browser.get(site.url("/app/")).expect(200);
        assert_eq!(site.user(browser).as_deref(), Some(DEMO_SUB));
    }
    expect_calls(&site, &[]);
    leaves.get(site.url("/oxd/logoutme")).expect(303);
    copy.get(site.url("/app/")).expect(302);
    Browser::new().get(site.url("/app/")).expect(302);
    // One lifetime later the older one is taken away; whoever has not come meanwhile signs in again.
    site.httpd.stop();
    site.httpd.edit_config(
        &format!("OxdSessionStore {new} {old}"),
        &format!("OxdSessionStore {new}"),
    );
    site.httpd.start();
    stays.get(site.url("/app/")).expect(200);
    copy.get(site.url("/app/")).expect(302);
    idle.get(site.url("/app/")).expect(302);
}

/// Of two machines one names the old store first and the other the new one: a session follows its user.
#[test]
fn machines_that_are_changed_one_after_the_other() {
    let store = StoreKind::Redis.start();
    let site = site(&store).start();
    let old = format!("redis:{}", store.server().address());
    let new = format!("redis://{}", store.server().address());
    site.httpd.edit_config(
        &format!("OxdSessionStore \"{old}\""),
        &format!("OxdSessionStore {old} {new}"),
    );
    site.httpd.graceful();
    let other = twin_at(&site, &format!("{new} {old}"));
    let browser = site.signed_in();
    let copy = browser.copy();
    site.forget_calls();
    for _ in 0..3 {
        for httpd in [&other, &site.httpd] {
            browser.get(httpd.url("/app/")).expect(200);
        }
    }
    expect_calls(&site, &[]);
    browser.get(other.url("/oxd/logoutme")).expect(303);
    for httpd in [&site.httpd, &other] {
        copy.get(httpd.url("/app/")).expect(302);
    }
}

/// While both are asked, an end of all sessions reaches those that have not been moved.
#[test]
fn an_end_of_all_reaches_those_that_were_not_moved() {
    let store = StoreKind::Redis.start();
    let site = site(&store)
        .httpd(|httpd| httpd.allow_log("oxd-status without a Require of its own"))
        .config("<Location /oxd-status>\nSetHandler oxd-status\nRequire all granted\n</Location>")
        .start();
    let (moved, left) = (site.signed_in(), site.signed_in());
    let node = RedisNode::start("");
    let old = format!("redis:{}", store.server().address());
    let new = format!("redis://{} {old}", node.address());
    site.httpd.edit_config(
        &format!("OxdSessionStore \"{old}\""),
        &format!("OxdSessionStore {new}"),
    );
    site.httpd.graceful();
    moved.get(site.url("/app/")).expect(200);
    let nobody = Browser::new();
    let ask = nobody.ask("POST", site.url("/oxd-status"));
    ask.form(&[("action", "end-all")]).send().expect(200);
    for browser in [&moved, &left] {
        browser.get(site.url("/app/")).expect(302);
    }
}
