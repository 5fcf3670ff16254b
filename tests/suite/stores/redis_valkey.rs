//! Valkey, which speaks as Redis does.

use oxd_tests::RedisNode;

use super::redis_bed::*;

/// People have sessions in it, also after it has ended their connections, and sign out. Skipped where there is none.
#[test]
fn a_valkey_is_a_redis() {
    let Some(mut node) = RedisNode::valkey("requirepass secret") else {
        println!("skipped: there is no valkey-server in the PATH, and OXD_VALKEY names none");
        return;
    };
    node = node.with_password("secret");
    let url = format!("redis://{}", node.address());
    let site = troubled(site_at(&url, "OxdStorePassword secret")).start();
    let people = people(&site);
    for (name, browser) in &people {
        assert_eq!(seen(&site, browser), Seen::User(name.clone()));
    }
    node.cut_off();
    recovers(&site, &people);
    for (_, browser) in &people {
        browser.get(site.url("/oxd/logoutme")).expect(303);
        assert_eq!(seen(&site, browser), Seen::Nobody);
    }
}
