//! `oxdctl store check` with one real server.

mod common;

use common::store::{AS_MODULE, PASSWORD, Report, check, grant, run, url};
use oxd_core::config::store::StoreAddress;
use oxd_store::{Purpose, needed};
use oxd_tests::{Authority, RedisNode};

#[test]
fn a_plain_server_is_well_and_keeps_nothing_of_the_check() {
    let node = RedisNode::start("");
    let ran = check(&url(&node), &[]).ended(0);
    ran.says(&[
        "Checking the store at redis://127.0.0.1:",
        "ok       user        the user default without a password, within this machine",
        "ok       rights      the user default may run all ",
        "noeviction; ",
        "no limit (maxmemory 0)",
        "a restart of Redis ends all sessions",
        "All is well.",
    ]);
    Report::of(0, &url(&node), &["--revocations"]).is_ok(&[("server", "Redis "), ("rights", "8 commands")]);
    Report::of(0, &format!("{}/3", url(&node)), &[]).is_ok(&[("rights", "13 commands")]);
    for database in ["0", "3"] {
        assert_eq!(node.ask(&["-n", database, "dbsize"]), "0");
    }
    run(&node, "config set appendonly yes");
    run(&node, "config set maxmemory 100mb");
    Report::of(0, &url(&node), &[]).is_ok(&[("persistence", "append-only file"), ("memory", "of 100.0 MB")]);
}

#[test]
fn a_user_with_just_the_documented_rights_is_well_and_one_with_fewer_is_told() {
    let node = RedisNode::start("requirepass admin").with_password("admin");
    let url = url(&node);
    run(&node, &grant(&url));
    let report = Report::of(0, &url, AS_MODULE);
    report
        .is_ok(&[
            ("user", "logged in as mod_oxd"),
            ("rights", "the user mod_oxd may run all 12 commands"),
            ("client", "connects in"),
        ])
        .is_skipped(&["memory", "persistence", "clock", "replication"]);
    report.has("memory", "skipped", "", "(INFO)", "--user");
    check(&url, AS_MODULE).says(&["What could be checked is well; 4 things could not be."]);
    for name in needed(&StoreAddress::parse(&url).unwrap(), Purpose::Sessions) {
        run(&node, &format!("ACL SETUSER mod_oxd -{name}"));
        let missing = Report::of(1, &url, AS_MODULE);
        let found = format!("the user mod_oxd may not run {}", name.to_ascii_uppercase());
        let advice = grant(&url).replace(&format!(" on >{PASSWORD}"), "");
        missing.has("rights", "failed", "rights_missing", &found, &advice);
        assert!(missing.one("rights")["found"].as_str().unwrap().ends_with(&found));
        run(&node, &format!("ACL SETUSER mod_oxd +{name}"));
    }
    let other = [AS_MODULE, &["--prefix", "sso:"]].concat();
    Report::of(1, &url, &other).has("rights", "failed", "keys_denied", "keys below sso:", "~sso:*");
    // Without the right to remove it, the key of a check ends by itself.
    for key in node.ask(&["keys", "*"]).lines() {
        let left: i64 = node.ask(&["ttl", key]).parse().unwrap();
        assert!((1..=60).contains(&left), "{key} has {left} s");
    }
    assert!(node.keys() <= 1);
}

/// What cannot be removed, nor be given an end, is not made.
#[test]
fn a_check_leaves_nothing_for_ever() {
    let node = RedisNode::start("requirepass admin").with_password("admin");
    run(
        &node,
        &format!("ACL SETUSER mod_oxd on >{PASSWORD} ~mod_oxd:* -@all +zadd +xadd"),
    );
    let report = Report::of(1, &url(&node), AS_MODULE);
    let found = report.one("rights")["found"].as_str().unwrap();
    assert!(found.contains("DEL, EVAL") && !found.contains("ZADD"), "{found}");
    let revocations = [AS_MODULE, &["--revocations"]].concat();
    let report = Report::of(1, &url(&node), &revocations);
    let found = "may not run GET, GETRANGE, SET, DEL, EVAL, XREAD, XTRIM";
    report.has("rights", "failed", "rights_missing", found, "+xtrim");
    assert_eq!(node.keys(), 0);
}

#[test]
fn logins_that_fail_say_why() {
    let node = RedisNode::start("requirepass admin").with_password("admin");
    let url = url(&node);
    let nobody = Report::of(1, &url, &[]);
    nobody
        .has(
            "user",
            "failed",
            "password_missing",
            "wants a user and a password",
            "OxdStorePassword",
        )
        .is_skipped(&["server", "rights", "client", "memory"]);
    Report::of(1, &url, AS_MODULE).has(
        "user",
        "failed",
        "wrong_password",
        "mod_oxd is refused",
        "ACL GETUSER",
    );
    let open = RedisNode::start("");
    let args = ["--password", "env:STORE_PASSWORD"];
    Report::of(1, &format!("redis://{}", open.address()), &args).has(
        "user",
        "failed",
        "no_password_there",
        "default user of this Redis has none",
        "leave the password out",
    );
}

#[test]
fn servers_that_are_not_there_say_why() {
    Report::of(1, "redis://no-such-host.invalid", &[])
        .has(
            "address",
            "failed",
            "name_unknown",
            "no-such-host.invalid has no address",
            "getent",
        )
        .is_skipped(&["tls", "user", "rights"]);
    let gone = RedisNode::prepare();
    Report::of(1, &url(&gone), &[]).has(
        "address",
        "failed",
        "connection_refused",
        "refuses the connection",
        "systemctl status redis-server",
    );
    let socket = gone.file("none.sock").display().to_string();
    Report::of(1, &format!("redis+unix://{socket}"), &[]).has(
        "address",
        "failed",
        "no_connection",
        &socket,
        "unixsocket",
    );
    let http = common::something_else(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let http = format!("redis://{http}");
    Report::of(1, &http, &[]).has("user", "failed", "not_redis", "none of Redis's", "redis.conf");
}

#[test]
fn a_socket_of_this_machine_is_well() {
    let node = RedisNode::start("unixsocket ${DIR}/redis.sock");
    let url = format!("redis+unix://{}", node.file("redis.sock").display());
    Report::of(0, &url, &[]).is_ok(&[
        ("tls", "within this machine"),
        ("server", "Redis "),
        ("client", ""),
    ]);
}

#[test]
fn certificates_are_told_apart() {
    let authority = Authority::new();
    let node = RedisNode::over_tls(&authority, true);
    let file = |name: &str| node.file(name).display().to_string();
    let ca = ["--ca-file", &file("ca.pem")];
    let own = ["--cert", &file("cert.pem"), "--key", &file("key.pem")];
    let url = format!("rediss://localhost:{}", node.number());
    Report::of(0, &url, &[ca, [own[0], own[1]], [own[2], own[3]]].concat()).is_ok(&[
        ("tls", "TLS 1.3; the certificate is trusted, and good until"),
        ("client", ""),
    ]);
    Report::of(1, &url, &ca).has("user", "failed", "tls_client_certificate", "", "--cert and --key");
    Report::of(1, &url, &[])
        .has(
            "tls",
            "failed",
            "tls_unknown_authority",
            "signed by no authority",
            "OxdStoreCAFile",
        )
        .is_ok(&[("address", "accepts connections")])
        .is_skipped(&["user", "client"]);
    let tls = |own| RedisNode::over_tls_as(&authority, own, false);
    for (certificate, cause, found, advice) in [
        (
            authority.certify_the_past(),
            "tls_expired",
            "ran out on Wed, 01 Jan 2020",
            "tls-cert-file",
        ),
        (
            authority.certify_name("else.example"),
            "tls_wrong_name",
            "else.example",
            "subjectAltName",
        ),
    ] {
        let node = tls(certificate);
        let url = format!("rediss://localhost:{}", node.number());
        Report::of(1, &url, &ca).has("tls", "failed", cause, found, advice);
    }
    let plain = RedisNode::start("");
    Report::of(1, &format!("rediss://{}", plain.address()), &[]).has(
        "tls",
        "failed",
        "not_tls",
        "is Redis without TLS",
        "redis://",
    );
    // And the other way round.
    let report = Report::of(1, &format!("redis://localhost:{}", node.number()), &[]);
    report.has("user", "failed", "is_tls", "speaks TLS", "rediss://");
}

#[test]
fn memory_that_is_full_or_drops_sessions_is_told() {
    let node = RedisNode::start("maxmemory 100mb\nmaxmemory-policy allkeys-lru");
    let url = url(&node);
    Report::of(0, &url, &[]).has(
        "memory",
        "warning",
        "policy_drops_all",
        "allkeys-lru; ",
        "noeviction",
    );
    run(&node, "config set maxmemory-policy volatile-ttl");
    Report::of(0, &url, &[]).has(
        "memory",
        "warning",
        "policy_drops_sessions",
        "volatile-ttl; ",
        "noeviction",
    );
    run(&node, "config set maxmemory-policy noeviction");
    run(&node, "config set maxmemory 1");
    Report::of(1, &url, &[])
        .is_ok(&[("rights", "the server refuses some: see memory")])
        .has("memory", "failed", "memory_full", "it is full", "--bigkeys");
}

#[test]
fn command_lines_that_cannot_be_used_are_refused() {
    for (args, said) in [
        (
            &["redis://user:word@host"][..],
            "must not hold a user or a password",
        ),
        (&["http://host"], "redis://HOST[:PORT][/DB]"),
        (
            &["redis://host", "--password", PASSWORD],
            "must not stand on the command line",
        ),
        (&["redis://host", "--user", "mod_oxd"], "--password"),
        (&["redis://host", "--ca-file", "x.pem"], "rediss://"),
        (
            &["redis://host", "--sentinel-password", "env:STORE_PASSWORD"],
            "redis+sentinel://",
        ),
        (&["redis://host", "--prefix", "a b"], "64 printable"),
        (&["rediss://host", "--cert", "x.pem"], "--key"),
    ] {
        check(args[0], &args[1..]).ended(2).says(&[said]);
    }
    check("rediss://host", &["--ca-file", "none.pem"]).ended(5);
    let [one, other] = [(); 2].map(|()| {
        let node = RedisNode::prepare();
        node.certify(&Authority::new());
        node
    });
    let file = |node: &RedisNode, name: &str| node.file(name).display().to_string();
    let mixed = [
        "--cert",
        &file(&one, "cert.pem"),
        "--key",
        &file(&other, "key.pem"),
    ];
    check("rediss://host", &mixed)
        .ended(5)
        .says(&["it is not the key of the certificate"]);
}
