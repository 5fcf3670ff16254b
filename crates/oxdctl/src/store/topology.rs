//! What sentinels and a cluster say: where the masters are, and whether a failover would work.

use oxd_core::config::store::HostPort;
use oxd_store::probe::{Cluster, Failure, FailureKind, Place, Shard, Watch};

use super::nodes::{Target, enter};
use super::{Ctx, advice, line, reach};
use crate::check::report::{Report, Verdict, counted};
use crate::screen::plain;

/// The number of slots of a cluster.
const SLOTS: u32 = 16_384;

/// Asks the sentinels for the service; answers with the master and its replicas.
pub async fn sentinel(
    ctx: &Ctx<'_>,
    report: &mut Report<'_>,
    sentinels: &[Place],
    service: &str,
) -> Option<Vec<Target>> {
    let mut views: Vec<(Place, Watch)> = Vec::new();
    let mut failures: Vec<(Place, Verdict)> = Vec::new();
    for place in sentinels {
        match ask(ctx, place, service).await {
            Ok(watch) => views.push((place.clone(), watch)),
            Err(verdict) => failures.push((place.clone(), verdict)),
        }
    }
    let Some((_, watch)) = views.first() else {
        if let Some(verdict) = super::several::worst(failures) {
            report.put("sentinel", verdict);
        }
        return None;
    };
    let master = Place::Host(watch.master.clone());
    let unreached = reach::unreached(ctx, &master);
    let fails = unreached.is_some();
    let verdict = match unreached {
        Some((trouble, text)) => {
            let cause = match reach::is_of_tls(&trouble) {
                true => trouble.cause.code(),
                false => "master_unreachable",
            };
            let advice = match cause {
                "master_unreachable" => {
                    "see whether it runs, and whether the address that the sentinels name leads to it from this machine \
                     (sentinel announce-ip, replica-announce-ip)"
                        .to_owned()
                }
                _ => advice::of_trouble(ctx, &trouble),
            };
            Verdict::fail(
                cause,
                format!("the sentinels name {master} as the master of {service}, but {text}"),
                advice,
            )
        }
        None => watched(service, &views, &failures),
    };
    report.put("sentinel", verdict);
    let replicas = watch.replicas.iter().cloned().map(Place::Host);
    let reached = replicas.filter(|place| reach::unreached(ctx, place).is_none());
    let targets = [Target::alone(master)]
        .into_iter()
        .chain(reached.map(Target::replica));
    (!fails).then(|| targets.collect())
}

async fn ask(ctx: &Ctx<'_>, place: &Place, service: &str) -> Result<Watch, Verdict> {
    let of = |failure: &Failure| of_sentinel(ctx, failure);
    let mut node = ctx.probe.open(place).await.map_err(|failure| of(&failure))?;
    ctx.probe
        .log_in_to_sentinel(&mut node)
        .await
        .map_err(|failure| of(&failure))?;
    match node.watch(service).await {
        Ok(watch) => Ok(watch),
        Err(failure) if failure.kind == FailureKind::NoService => {
            let known = node.services().await.unwrap_or_default();
            let known = match known.is_empty() {
                true => "none at all".to_owned(),
                false => plain(&known.join(", ")),
            };
            Err(Verdict::fail(
                "service_unknown",
                format!("the sentinels watch no service {service}, but {known}"),
                "name the service in the URL as sentinel monitor does in sentinel.conf",
            ))
        }
        Err(failure) => Err(of(&failure)),
    }
}

/// A failure of a sentinel, whose users and passwords are not those of the servers.
fn of_sentinel(ctx: &Ctx<'_>, failure: &Failure) -> Verdict {
    let (cause, advice) = match failure.kind {
        FailureKind::NoLogin => (
            "sentinel_password_missing",
            "the sentinels have a password of their own: --sentinel-password, and OxdStoreSentinelPassword for httpd",
        ),
        FailureKind::WrongPassword => (
            "sentinel_password_wrong",
            "compare --sentinel-password (OxdStoreSentinelPassword) with requirepass in sentinel.conf",
        ),
        FailureKind::NoPasswordThere => (
            "sentinel_password_needless",
            "the sentinels have no password: leave out --sentinel-password (OxdStoreSentinelPassword)",
        ),
        FailureKind::UnknownCommand => (
            "not_a_sentinel",
            "these are not sentinels: name their port (26379 by default), or write redis:// for a server alone",
        ),
        FailureKind::Denied => (
            "sentinel_denied",
            "the sentinels' default user needs the rights +sentinel|masters +sentinel|master +sentinel|replicas \
             +sentinel|slaves +role",
        ),
        _ => {
            let (cause, advice) = advice::of_failure(ctx.given, failure);
            return Verdict::fail(cause, plain(&failure.text), advice);
        }
    };
    Verdict::fail(cause, plain(&failure.text), advice)
}

/// What the sentinels say of a master that can be reached.
fn watched(service: &str, views: &[(Place, Watch)], failures: &[(Place, Verdict)]) -> Verdict {
    let Some((_, watch)) = views.first() else {
        return Verdict::skip("no sentinel answers");
    };
    let number = |hosts: &[HostPort]| counted(hosts.len(), "replica");
    let found = format!(
        "the master of {service} is {}, with {}; {}, a failover needs {} of them",
        watch.master,
        number(&watch.replicas),
        counted(usize::try_from(watch.others).unwrap_or_default() + 1, "sentinel"),
        watch.quorum
    );
    let names = |hosts: &[HostPort]| {
        let names: Vec<String> = hosts.iter().map(HostPort::to_string).collect();
        names.join(", ")
    };
    if views.iter().any(|(_, other)| other.master != watch.master) {
        let lines = views
            .iter()
            .map(|(place, other)| line(place, &format!("the master is {}", other.master)));
        return Verdict::warn(
            "sentinels_disagree",
            lines.collect::<Vec<_>>().join("\n"),
            "a failover may just happen: check again; if it stays, the sentinels do not reach each other, and sessions of \
             one of the masters will be lost",
        );
    }
    if watch.flags.contains("down") {
        return Verdict::fail(
            "master_down",
            format!("{found}; it is away for the sentinels ({})", plain(&watch.flags)),
            "see why the sentinels do not reach it, and why none of the replicas takes its place (their logs)",
        );
    }
    if let Some((_, verdict)) = failures.first() {
        let lines = failures.iter().map(|(place, one)| line(place, &one.found));
        return Verdict::warn(
            "sentinel_fails",
            format!("{found}\n{}", lines.collect::<Vec<_>>().join("\n")),
            verdict.advice.clone().unwrap_or_default(),
        );
    }
    let disagreement = views.iter().find_map(|(_, one)| one.agreement.as_ref().err());
    if let Some(failure) = disagreement.filter(|failure| failure.kind == FailureKind::NoQuorum) {
        return Verdict::warn(
            "no_quorum",
            format!("{found}; {}", plain(&failure.text)),
            "start the missing sentinels: without them nobody takes the place of a master that fails",
        );
    }
    if !watch.lost_replicas.is_empty() {
        return Verdict::warn(
            "replica_lost",
            format!("{found}; not answering: {}", names(&watch.lost_replicas)),
            "start the replica, or let the sentinels forget it (SENTINEL RESET) if it is gone for good",
        );
    }
    Verdict::ok(found)
}

/// Asks a cluster for its nodes.
pub async fn cluster(ctx: &Ctx<'_>, report: &mut Report<'_>, nodes: &[Place]) -> Option<Vec<Target>> {
    let mut last = None;
    for place in nodes {
        let Place::Host(own) = place else { continue };
        let asked = async {
            let mut node = enter(ctx, place).await.map_err(|failure| ("user", failure))?;
            let cluster = node.cluster(own).await;
            cluster.map_err(|failure| match failure.kind {
                FailureKind::Denied => ("rights", failure),
                _ => ("cluster", failure),
            })
        };
        match asked.await {
            Ok(cluster) => return told(ctx, report, &cluster),
            Err(failure) => last = Some((place, failure)),
        }
    }
    let (place, (check, failure)) = last?;
    let verdict = match failure.kind {
        FailureKind::NoCluster | FailureKind::UnknownCommand => Verdict::fail(
            "not_a_cluster",
            format!("{place} is no node of a cluster"),
            "write redis:// for a server alone, redis+sentinel:// for one that sentinels watch",
        ),
        FailureKind::Denied => Verdict::fail(
            "rights_missing",
            format!("the user {} may not run CLUSTER SLOTS", plain(ctx.given.user())),
            advice::grant(ctx.given),
        ),
        _ => {
            let (cause, advice) = advice::of_failure(ctx.given, &failure);
            Verdict::fail(cause, line(place, &plain(&failure.text)), advice)
        }
    };
    report.put(check, verdict);
    None
}

fn told(ctx: &Ctx<'_>, report: &mut Report<'_>, cluster: &Cluster) -> Option<Vec<Target>> {
    let mut targets = Vec::new();
    let (mut masters, mut replicas) = (Vec::new(), Vec::new());
    for Shard {
        master,
        replicas: own,
        slots,
    } in &cluster.shards
    {
        let place = Place::Host(master.clone());
        match reach::unreached(ctx, &place) {
            Some((_, text)) => masters.push(text),
            None => targets.push(Target::master(place, slots.clone())),
        }
        for replica in own {
            let place = Place::Host(replica.clone());
            match reach::unreached(ctx, &place) {
                Some((_, text)) => replicas.push(text),
                None => targets.push(Target::replica(place)),
            }
        }
    }
    report.put("cluster", whole(cluster, &masters, &replicas));
    (!targets.is_empty()).then_some(targets)
}

/// Whether a cluster is whole. The masters and replicas are those that cannot be reached, with the reason.
fn whole(cluster: &Cluster, masters: &[String], replicas: &[String]) -> Verdict {
    let number = |field: &str| {
        let info = cluster.info.as_ref().ok()?;
        info.number(field).filter(|number| *number > 0)
    };
    let state = match &cluster.info {
        Ok(info) => plain(info.get("cluster_state").unwrap_or("unknown")),
        Err(_) => "not told to this user (CLUSTER INFO)".to_owned(),
    };
    let all: usize = cluster.shards.iter().map(|shard| shard.replicas.len()).sum();
    let covered = cluster.covered();
    let found = format!(
        "{}, {}, {covered} of {SLOTS} slots; state {state}",
        counted(cluster.shards.len(), "master"),
        counted(all, "replica"),
    );
    let mend = "start the nodes that are away, then see redis-cli --cluster check";
    if covered < SLOTS {
        return Verdict::fail(
            "slots_uncovered",
            format!(
                "{found}: sessions in the other slots get 503, or all with cluster-require-full-coverage"
            ),
            mend,
        );
    }
    if cluster.info.is_ok() && state != "ok" {
        return Verdict::fail("cluster_down", found, mend);
    }
    let reachable = "see whether they run, and whether the addresses that the cluster names lead to them from this machine \
                     (cluster-announce-ip, cluster-announce-hostname)";
    if !masters.is_empty() {
        return Verdict::fail(
            "node_unreachable",
            format!(
                "{found}; masters that this machine does not reach:\n{}",
                masters.join("\n")
            ),
            reachable,
        );
    }
    if number("cluster_slots_fail")
        .or(number("cluster_slots_pfail"))
        .is_some()
    {
        return Verdict::warn("slots_fail", format!("{found}; some of them do not answer"), mend);
    }
    if !replicas.is_empty() {
        return Verdict::warn(
            "replica_lost",
            format!(
                "{found}; replicas that this machine does not reach:\n{}",
                replicas.join("\n")
            ),
            reachable,
        );
    }
    Verdict::ok(found)
}

#[cfg(test)]
mod tests;
