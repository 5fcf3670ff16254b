use super::*;
use crate::check::report::Status;
use std::time::SystemTime;

fn info(text: &str) -> Info {
    Info::parse(&text.replace(' ', "\n"))
}

#[track_caller]
fn is(verdict: &Verdict, status: Status, cause: &str, words: &str) {
    assert_eq!(
        (verdict.status, verdict.cause.unwrap_or_default()),
        (status, cause),
        "{verdict:?}"
    );
    assert!(verdict.found.contains(words), "no {words:?} in {verdict:?}");
    assert_eq!(
        verdict.advice.is_some(),
        status != Status::Ok && status != Status::Skipped
    );
}

#[test]
fn a_server_is_named_by_what_it_is() {
    for (text, name) in [
        ("redis_version:7.0.15", "Redis 7.0.15"),
        ("redis_version:7.2.4 valkey_version:8.1.1", "Valkey 8.1.1"),
        (
            "redis_version:7.4.0 dragonfly_version:df-v1.30",
            "Dragonfly df-v1.30",
        ),
        ("", "a server that does not name its version"),
    ] {
        assert_eq!(version(&info(text)), name);
    }
}

#[test]
fn sizes_and_times_have_units() {
    assert_eq!(bytes(0), "0.0 KB");
    assert_eq!(bytes(1_001_352), "977.8 KB");
    assert_eq!(bytes(1_048_576), "1.0 MB");
    assert_eq!(bytes(25_276_502_016), "23.5 GB");
    assert_eq!(short(Duration::from_micros(82)), "0.08 ms");
    assert_eq!(short(Duration::from_micros(9_999)), "9.99 ms");
    assert_eq!(short(Duration::from_millis(120)), "120 ms");
}

#[test]
fn memory_is_judged_by_its_policy_and_by_what_is_left() {
    use Status::{Failed, Ok, Skipped, Warning};
    let mb = 1_048_576;
    for (policy, used, most, status, cause, words) in [
        ("noeviction", 1, 0, Ok, "", "no limit (maxmemory 0)"),
        (
            "noeviction",
            1,
            100,
            Ok,
            "",
            "noeviction; 1.0 MB of 100.0 MB in use",
        ),
        (
            "noeviction",
            91,
            100,
            Warning,
            "memory_nearly_full",
            "nobody can sign in",
        ),
        ("noeviction", 100, 100, Failed, "memory_full", "it is full"),
        ("volatile-lru", 1, 0, Ok, "", "volatile-lru"),
        (
            "volatile-ttl",
            1,
            100,
            Warning,
            "policy_drops_sessions",
            "have an end",
        ),
        (
            "allkeys-lru",
            1,
            100,
            Warning,
            "policy_drops_all",
            "drops any entry",
        ),
        (
            "allkeys-random",
            1,
            0,
            Warning,
            "policy_drops_all",
            "once there is a limit",
        ),
    ] {
        let text = format!(
            "used_memory:{} maxmemory:{} maxmemory_policy:{policy}",
            used * mb,
            most * mb
        );
        is(&memory(&info(&text)), status, cause, words);
    }
    is(&memory(&info("used_memory:1")), Skipped, "", "maxmemory");
}

#[test]
fn persistence_says_what_a_restart_costs() {
    use Status::{Ok, Warning};
    for (text, save, fsync, status, cause, words) in [
        ("aof_enabled:1", None, None, Ok, "", "about a second"),
        ("aof_enabled:1", None, Some("always"), Ok, "", "loses nothing"),
        ("aof_enabled:0", Some(""), None, Ok, "", "ends all sessions"),
        (
            "aof_enabled:0 rdb_last_save_time:0",
            Some("3600 1"),
            None,
            Ok,
            "",
            "(save 3600 1), the last of Thu, 01 Jan 1970",
        ),
        ("aof_enabled:0", None, None, Ok, "", "not told"),
        (
            "aof_enabled:1 aof_last_write_status:err",
            None,
            None,
            Warning,
            "save_failed",
            "MISCONF",
        ),
        (
            "rdb_last_bgsave_status:err",
            Some("60 1"),
            None,
            Warning,
            "save_failed",
            "",
        ),
        ("loading:1", None, None, Warning, "loading", ""),
    ] {
        is(&persistence(&info(text), save, fsync), status, cause, words);
    }
}

#[test]
fn clocks_may_differ_by_two_seconds() {
    let ours = SystemTime::now();
    let at = |theirs: SystemTime| clock(&Clocks { theirs, ours });
    let seconds = Duration::from_secs;
    is(&at(ours + seconds(2)), Status::Ok, "", "agree");
    is(
        &at(ours - seconds(5)),
        Status::Warning,
        "clock_drifts",
        "is 5 s behind this",
    );
    is(
        &at(ours + seconds(30)),
        Status::Warning,
        "clock_drifts",
        "is 30 s ahead of this",
    );
    is(&at(ours + seconds(90)), Status::Failed, "clock_off", "1 min 30 s");
}

#[test]
fn replicas_are_counted_and_their_lag_is_seen() {
    use Status::{Failed, Ok, Warning};
    let online =
        "role:master master_repl_offset:3000 slave0:ip=10.0.0.2,port=6379,state=online,offset=3000,lag=1";
    let behind =
        "role:master master_repl_offset:3000 slave0:ip=10.0.0.2,port=6379,state=online,offset=952,lag=0";
    let loading = "role:master slave0:ip=10.0.0.2,port=6379,state=send_bulk,offset=0,lag=0";
    let silent = "role:master slave0:ip=10.0.0.2,port=6379,state=online,offset=0,lag=20";
    let replica = "role:slave master_host:10.0.0.1 master_port:6379 master_link_status:up";
    for (text, setup, status, cause, words) in [
        ("role:master", Setup::Alone, Ok, "", "without replicas"),
        (
            "role:master",
            Setup::Failover,
            Warning,
            "no_replica",
            "nobody takes its place",
        ),
        (
            online,
            Setup::Failover,
            Ok,
            "",
            "1 replica, in step, last heard of 1 s ago",
        ),
        (behind, Setup::Alone, Ok, "", "at most 2.0 KB behind"),
        (
            loading,
            Setup::Alone,
            Warning,
            "replica_lags",
            "10.0.0.2:6379 gets everything anew (send_bulk)",
        ),
        (silent, Setup::Alone, Warning, "replica_lags", "20 s ago"),
        (
            replica,
            Setup::Alone,
            Failed,
            "is_replica",
            "a replica of 10.0.0.1:6379 (link up)",
        ),
    ] {
        is(&replication(&info(text), setup), status, cause, words);
    }
}
