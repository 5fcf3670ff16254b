//! `oxdctl store check` with servers that belong together: a master and replicas, sentinels, a cluster.

mod common;

use common::run_with;
use common::store::{AS_MODULE, Report, grant, run, url};
use oxd_tests::{RedisNode, wait_until};

#[test]
fn sentinels_name_the_master_and_its_replica() {
    let master = RedisNode::start("requirepass admin\nmasterauth admin").with_password("admin");
    let settings = format!(
        "requirepass admin\nmasterauth admin\nreplicaof 127.0.0.1 {}",
        master.number()
    );
    let replica = RedisNode::start(&settings).with_password("admin");
    let mut sentinels = RedisNode::sentinels(&master, "sentinel auth-pass main admin");
    wait_until("the sentinels to know each other and the replica", || {
        sentinels.iter().all(|sentinel| {
            let known = sentinel.ask(&["sentinel", "replicas", "main"]);
            let others = sentinel.ask(&["sentinel", "sentinels", "main"]);
            known.contains(&replica.number().to_string())
                && !known.contains("s_down")
                && !known.contains("disconnected")
                && others.matches("runid").count() == 2
                && sentinel.ask(&["sentinel", "ckquorum", "main"]).starts_with("OK")
        })
    });
    let hosts: Vec<_> = sentinels.iter().map(RedisNode::address).collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    run(&master, &grant(&url));
    // Redis does not copy users.
    Report::of(0, &url, AS_MODULE)
        .has(
            "user",
            "warning",
            "wrong_password",
            "it is a replica",
            "a user of one server",
        )
        .is_ok(&[("client", "")]);
    run(&replica, &grant(&url));
    Report::of(0, &url, AS_MODULE).is_ok(&[
        ("address", "all 3 sentinels accept connections"),
        (
            "sentinel",
            "with 1 replica; 3 sentinels, a failover needs 2 of them",
        ),
        ("user", "logged in as mod_oxd (each of 2 servers)"),
        ("rights", "the user mod_oxd may run all 13 commands"),
        ("client", "connects in"),
    ]);
    run(&replica, "ACL SETUSER mod_oxd -zrem");
    Report::of(0, &url, AS_MODULE).has(
        "rights",
        "warning",
        "rights_missing",
        "ZREM; it is a replica",
        "the replicas too",
    );
    run(&master, "ACL SETUSER mod_oxd -role");
    Report::of(1, &url, AS_MODULE).has("rights", "failed", "rights_missing", "may not run ROLE", "+role");
    let admin = ["--password", "file:admin"];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("admin"), "admin\n").unwrap();
    let args: Vec<&str> = ["store", "check", &url, "--json"]
        .iter()
        .chain(&admin)
        .copied()
        .collect();
    let report = Report(run_with(folder.path(), &args, "", &[]).ended(0).json());
    report.is_ok(&[("replication", "a master with 1 replica, "), ("clock", "agree")]);
    Report::of(1, &url.replace("/main", "/other"), &[]).has(
        "sentinel",
        "failed",
        "service_unknown",
        "no service other, but main",
        "sentinel monitor",
    );
    let args = ["--sentinel-password", "env:STORE_PASSWORD"];
    Report::of(1, &url, &args).has(
        "sentinel",
        "failed",
        "sentinel_password_needless",
        "",
        "leave out",
    );
    Report::of(1, &format!("redis://{}", hosts[0]), &[]).has(
        "server",
        "failed",
        "is_a_sentinel",
        "",
        "redis+sentinel://",
    );
    Report::of(
        1,
        &format!("redis+sentinel://{}/main", master.address()),
        AS_MODULE,
    )
    .has("sentinel", "failed", "not_a_sentinel", "", "");
    // Those of the bed are patient with each other, too.
    let soon = sentinels[2].ask(&["sentinel", "set", "main", "down-after-milliseconds", "1000"]);
    assert_eq!(soon, "OK");
    sentinels[0].kill();
    sentinels[1].kill();
    wait_until("the last sentinel to be alone", || {
        !sentinels[2]
            .ask(&["sentinel", "ckquorum", "main"])
            .starts_with("OK")
    });
    run(&master, &grant(&url));
    Report::of(0, &url, AS_MODULE)
        .has(
            "address",
            "warning",
            "some_unreachable",
            "1 of 3 sentinels",
            "redis-sentinel",
        )
        .has("sentinel", "warning", "no_quorum", "", "start the missing");
}

#[test]
fn a_cluster_is_checked_node_by_node() {
    let nodes = RedisNode::cluster();
    let url = format!("redis+cluster://{},{}", nodes[0].address(), nodes[1].address());
    // CLUSTER SLOTS has a replica once something has been written.
    Report::of(0, &url, &[]);
    wait_until("the replicas to be known", || {
        nodes.iter().all(|node| {
            let known = node.ask(&["cluster", "slots"]);
            let in_step = node.ask(&["info", "replication"]);
            let is_known = |other: &RedisNode| known.contains(&other.number().to_string());
            nodes.iter().all(is_known) && (!node.is_master() || in_step.contains("state=online"))
        })
    });
    Report::of(0, &url, &[]).is_ok(&[
        ("address", "all 2 nodes accept connections"),
        ("cluster", "3 masters, 3 replicas, 16384 of 16384 slots; state ok"),
        ("server", "Redis "),
        ("rights", "(each of 6 servers)"),
        ("clock", "(each of 3 servers)"),
        ("replication", "a master with 1 replica, "),
    ]);
    for node in &nodes {
        run(node, &grant(&url));
    }
    Report::of(0, &url, AS_MODULE).is_ok(&[
        ("cluster", "not told to this user (CLUSTER INFO)"),
        ("rights", "may run all 15 commands"),
        ("client", "connects in"),
    ]);
    let other = nodes.iter().rev().find(|node| node.is_master()).unwrap();
    run(other, "ACL SETUSER mod_oxd -eval");
    let found = format!("{}: the user mod_oxd may not run EVAL", other.address());
    Report::of(1, &url, AS_MODULE).has("rights", "failed", "rights_missing", &found, "on each server");
    Report::of(1, &format!("redis://{}", nodes[0].address()), &[]).has(
        "server",
        "failed",
        "is_a_cluster",
        "node of a cluster",
        "redis+cluster://",
    );
    let alone = RedisNode::start("");
    Report::of(1, &format!("redis+cluster://{}", alone.address()), &[]).has(
        "cluster",
        "failed",
        "not_a_cluster",
        "",
        "redis://",
    );
    assert!(nodes.iter().all(|node| node.keys() == 0));
}

#[test]
fn a_replica_by_itself_takes_no_sessions() {
    let master = RedisNode::start("");
    let replica = RedisNode::start(&format!("replicaof 127.0.0.1 {}", master.number()));
    wait_until("the replica to be in step", || {
        master.ask(&["info", "replication"]).contains("state=online")
    });
    Report::of(1, &url(&replica), &[])
        .is_ok(&[("rights", "the server refuses some: see replication")])
        .has(
            "replication",
            "failed",
            "is_replica",
            "a replica of 127.0.0.1:",
            "name the master",
        );
    Report::of(0, &url(&master), &[]).is_ok(&[("replication", "a master with 1 replica")]);
}
