//! Users of Redis with the rights that the documentation lists, and none besides, behind sentinels and in a cluster.

use oxd_tests::{Browser, RedisGroup, RedisNode, TestSite, wait_until};

use super::redis_bed::*;

#[track_caller]
fn works(site: &TestSite) -> Vec<(String, Browser)> {
    let people = people(site);
    for (name, browser) in people.iter().chain(&people) {
        assert_eq!(seen(site, browser), Seen::User(name.clone()));
    }
    people
}

/// Sentinels: the module asks a server whether it is the master.
#[test]
fn a_user_behind_sentinels() {
    let mut group = RedisGroup::start();
    for node in [&group.master, &group.replica] {
        allow(node, "redis+sentinel://any/main");
    }
    let directives = group.directives().replace(
        "OxdStorePassword secret",
        "OxdStoreUser mod_oxd\nOxdStorePassword limited",
    );
    let site = troubled(site_with(&directives)).start();
    let people = works(&site);
    group.in_step();
    group.lose_master();
    wait_until("the sentinels to name the new master", || group.named() == 3);
    recovers(&site, &people);
}

/// A cluster: the module asks which node has which slots, and looks whether nodes are there. (Slots that move: see
/// `redis_cluster`.)
#[test]
fn a_user_in_a_cluster() {
    let mut nodes = RedisNode::cluster();
    let site = in_cluster(&nodes);
    let people = works(&site);
    for node in &nodes {
        node.cut_off();
    }
    recovers(&site, &people);
    let dead = nodes.iter().position(RedisNode::is_master).expect("a master");
    // Redis replicates asynchronously.
    wait_until("the replicas to have all sessions", || {
        let (masters, replicas): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.is_master());
        let keys = |nodes: Vec<&RedisNode>| nodes.iter().map(|node| node.keys()).sum::<usize>();
        keys(masters) == keys(replicas)
    });
    RedisNode::lose_in_cluster(&mut nodes, dead);
    wait_until("a replica to take the place of its master", || {
        nodes.iter().filter(|node| node.is_master()).count() == 3
    });
    wait_until("the sessions to be there again", || {
        people
            .iter()
            .chain(&people)
            .all(|(name, browser)| seen(&site, browser) == Seen::User(name.clone()))
    });
}
