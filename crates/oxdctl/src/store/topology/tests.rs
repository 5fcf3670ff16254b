use super::*;
use crate::check::report::Status;
use oxd_store::probe::Info;

fn host(port: u16) -> HostPort {
    HostPort {
        host: "h".into(),
        port,
    }
}

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        text: "said".into(),
    }
}

#[track_caller]
fn is(verdict: &Verdict, cause: &str, words: &str) {
    assert_eq!(verdict.cause.unwrap_or_default(), cause, "{verdict:?}");
    assert!(verdict.found.contains(words), "no {words:?} in {verdict:?}");
}

#[test]
fn sentinels_agree_on_a_master_that_answers() {
    let good = Watch {
        master: host(1),
        flags: "master".into(),
        replicas: vec![host(2)],
        lost_replicas: Vec::new(),
        others: 2,
        quorum: 2,
        agreement: Ok(()),
    };
    let of = |watches: &[Watch]| {
        let views: Vec<_> = watches
            .iter()
            .enumerate()
            .map(|(number, watch)| (Place::Socket(format!("/{number}").into()), watch.clone()))
            .collect();
        watched("main", &views, &[])
    };
    let fine = of(&[good.clone(), good.clone()]);
    is(
        &fine,
        "",
        "the master of main is h:1, with 1 replica; 3 sentinels, a failover needs 2 of them",
    );
    let with = |change: fn(&mut Watch)| {
        let mut watch = good.clone();
        change(&mut watch);
        watch
    };
    let other = with(|watch| watch.master = host(2));
    is(
        &of(&[good.clone(), other]),
        "sentinels_disagree",
        "/0: the master is h:1\n/1: the master is h:2",
    );
    let down = with(|watch| watch.flags = "s_down,master".into());
    is(&of(&[down]), "master_down", "(s_down,master)");
    let few = with(|watch| watch.agreement = Err(failure(FailureKind::NoQuorum)));
    is(&of(&[good.clone(), few]), "no_quorum", "said");
    let lost = with(|watch| watch.lost_replicas = vec![host(3)]);
    is(&of(&[lost]), "replica_lost", "not answering: h:3");
    let views = [(Place::Socket("/0".into()), good)];
    let silent = [(
        Place::Socket("/1".into()),
        Verdict::fail("sentinel_password_wrong", "wrong", "compare"),
    )];
    let verdict = watched("main", &views, &silent);
    is(&verdict, "sentinel_fails", "/1: wrong");
    assert_eq!(verdict.advice.as_deref(), Some("compare"));
}

#[test]
fn a_cluster_is_whole_with_all_slots_and_nodes() {
    let shard = |first, last| Shard {
        master: host(first),
        replicas: vec![host(last)],
        slots: vec![(first, last)],
    };
    let cluster = |last: u16, info: Result<&str, FailureKind>| Cluster {
        shards: vec![shard(0, 8_000), shard(8_001, last)],
        info: info.map(Info::parse).map_err(failure),
    };
    let good = cluster(16_383, Ok("cluster_state:ok"));
    is(
        &whole(&good, &[], &[]),
        "",
        "2 masters, 2 replicas, 16384 of 16384 slots; state ok",
    );
    let untold = cluster(16_383, Err(FailureKind::Denied));
    let verdict = whole(&untold, &[], &[]);
    is(&verdict, "", "not told to this user");
    assert_eq!(verdict.status, Status::Ok);
    is(
        &whole(&cluster(16_382, Ok("cluster_state:ok")), &[], &[]),
        "slots_uncovered",
        "16383 of 16384",
    );
    is(
        &whole(&cluster(16_383, Ok("cluster_state:fail")), &[], &[]),
        "cluster_down",
        "state fail",
    );
    let failing = cluster(16_383, Ok("cluster_state:ok\ncluster_slots_pfail:3"));
    is(&whole(&failing, &[], &[]), "slots_fail", "do not answer");
    let away = ["h:1 is away".to_owned()];
    is(&whole(&good, &away, &[]), "node_unreachable", "h:1 is away");
    is(&whole(&good, &[], &away), "replica_lost", "h:1 is away");
}
