//! The servers that have sessions: the user, the rights, and what each says of itself.

use std::time::Duration;

use oxd_core::config::store::Servers;
use oxd_store::probe::{Failure, FailureKind, Ground, Info, Node, Place, Trials};

use super::judge::{self, Setup};
use super::{Ctx, advice, reach, several};
use crate::check::report::{Report, Status, Verdict};
use crate::screen::plain;

/// A server to look at.
pub struct Target {
    place: Place,
    /// Its slots, for a master in a cluster.
    slots: Vec<(u16, u16)>,
    is_replica: bool,
}

impl Target {
    /// A server that has everything.
    pub fn alone(place: Place) -> Self {
        Self::master(place, Vec::new())
    }

    /// A master with these slots.
    pub fn master(place: Place, slots: Vec<(u16, u16)>) -> Self {
        Self {
            place,
            slots,
            is_replica: false,
        }
    }

    /// A server that may take the place of another: users and rights have to be the same there.
    pub fn replica(place: Place) -> Self {
        Self {
            is_replica: true,
            ..Self::alone(place)
        }
    }
}

/// A server that has let us in.
struct Seen {
    target: Target,
    node: Node,
    info: Result<Info, Failure>,
}

/// Connects, logs in, and sees whether commands are answered.
pub async fn enter(ctx: &Ctx<'_>, place: &Place) -> Result<Node, Failure> {
    let mut node = ctx.probe.open(place).await?;
    ctx.probe.log_in(&mut node).await?;
    node.greet().await?;
    Ok(node)
}

/// All that is asked of the servers.
pub async fn examine(ctx: &Ctx<'_>, report: &mut Report<'_>, targets: Vec<Target>) {
    let mut seen = Vec::new();
    let mut users = Vec::new();
    for target in targets {
        let (node, verdict) = user(ctx, &target).await;
        users.push((target.place.clone(), verdict));
        if let Some(mut node) = node {
            let info = node.info().await;
            // The user need not be allowed to, where it is not needed.
            let _ = ctx.probe.select(&mut node).await;
            seen.push(Seen { target, node, info });
        }
    }
    put(report, "user", users);
    if !seen.iter().any(|one| !one.target.is_replica) {
        return;
    }
    let mut servers = Vec::new();
    let mut rights = Vec::new();
    for one in &mut seen {
        let place = one.target.place.clone();
        servers.push((place.clone(), server(ctx, one).await));
        let ground = Ground {
            prefix: ctx.given.prefix.clone(),
            database: ctx.given.address.database,
            slots: one.target.slots.clone(),
            is_replica: one.target.is_replica,
        };
        let _waiting = ctx.screen.progress(&format!("trying commands at {place}"));
        let trials = one.node.try_commands(&ctx.given.commands(), &ground).await;
        let verdict = as_far_as_it_is(&one.target, rights_of(ctx, &trials, one.info.as_ref().ok()));
        rights.push((place, verdict));
    }
    let stops = |verdicts: &[(Place, Verdict)]| verdicts.iter().any(|(_, one)| one.status == Status::Failed);
    if stops(&servers) {
        put(report, "server", servers);
        return;
    }
    put(report, "server", servers);
    let is_stopped = stops(&rights);
    put(report, "rights", rights);
    if is_stopped {
        report.skip("client", "cannot be checked, because rights failed");
    } else {
        report.put("client", client(ctx).await);
    }
    own_words(ctx, report, &mut seen).await;
}

fn put(report: &mut Report<'_>, check: &'static str, verdicts: Vec<(Place, Verdict)>) {
    if let Some(verdict) = several::worst(verdicts) {
        report.put(check, verdict);
    }
}

/// A fault of a replica is none yet.
fn as_far_as_it_is(target: &Target, verdict: Verdict) -> Verdict {
    match (target.is_replica, verdict.status) {
        (true, Status::Failed) => Verdict {
            status: Status::Warning,
            found: format!(
                "{}; it is a replica: nobody could sign in once it is the master",
                verdict.found
            ),
            ..verdict
        },
        _ => verdict,
    }
}

async fn user(ctx: &Ctx<'_>, target: &Target) -> (Option<Node>, Verdict) {
    let given = ctx.given;
    let mut node = match enter(ctx, &target.place).await {
        Ok(node) => node,
        Err(failure) => {
            let breaks = failure.kind == FailureKind::Connection && !given.address.tls;
            let verdict = if breaks && reach::speaks_tls(ctx, &target.place) {
                advice::is_tls()
            } else {
                let (cause, advice) = advice::of_failure(given, &failure);
                Verdict::fail(cause, refused(ctx, &failure), advice)
            };
            return (None, as_far_as_it_is(target, verdict));
        }
    };
    let name = node.user().await.unwrap_or_else(|_| given.user().to_owned());
    let verdict = if given.password.is_some() {
        Verdict::ok(format!("logged in as {}", plain(&name)))
    } else if is_of_this_machine(&target.place) {
        Verdict::ok(format!(
            "the user {} without a password, within this machine",
            plain(&name)
        ))
    } else {
        Verdict::warn(
            "no_password",
            format!(
                "Redis lets everybody in as the user {} without a password: whoever reaches it can end all sessions",
                plain(&name)
            ),
            advice::grant(given),
        )
    };
    (Some(node), verdict)
}

/// A login that failed, in words.
fn refused(ctx: &Ctx<'_>, failure: &Failure) -> String {
    let user = plain(ctx.given.user());
    match failure.kind {
        FailureKind::WrongPassword => {
            format!("the password of the user {user} is refused, or there is no such user, or it is off")
        }
        FailureKind::NoLogin => "Redis wants a user and a password, and none is given".to_owned(),
        FailureKind::NoPasswordThere => {
            "a password is given, but the default user of this Redis has none".to_owned()
        }
        _ => plain(&failure.text),
    }
}

fn is_of_this_machine(place: &Place) -> bool {
    match place {
        Place::Socket(_) => true,
        Place::Host(host) => {
            host.host == "localhost"
                || host
                    .host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

async fn server(ctx: &Ctx<'_>, one: &mut Seen) -> Verdict {
    let given = ctx.given;
    let trip = match one.node.round_trip().await {
        Ok(trip) => trip,
        Err(failure) => {
            let (cause, advice) = advice::of_failure(given, &failure);
            return Verdict::fail(cause, plain(&failure.text), advice);
        }
    };
    let found = match &one.info {
        Ok(info) => format!("{}, {} a round trip", judge::version(info), judge::short(trip)),
        Err(_) => format!(
            "{} a round trip; the version is not told to this user (INFO)",
            judge::short(trip)
        ),
    };
    let mode = one.info.as_ref().ok().and_then(|info| info.get("redis_mode"));
    let is_alone = matches!(given.address.servers, Servers::One(_) | Servers::Socket(_));
    match mode {
        Some("sentinel") => {
            return Verdict::fail(
                "is_a_sentinel",
                format!("{found}; it is a sentinel, and keeps nothing itself"),
                "write redis+sentinel://HOST:PORT,HOST:PORT,HOST:PORT/SERVICE with all sentinels",
            );
        }
        Some("cluster") if is_alone => {
            return Verdict::fail(
                "is_a_cluster",
                format!("{found}; it is a node of a cluster, and has but a part of the keys"),
                "write redis+cluster:// with some of its nodes",
            );
        }
        _ => {}
    }
    let slow = given.timeouts.operation / 4;
    if trip > slow.max(Duration::from_millis(5)) {
        return Verdict::warn(
            "slow",
            format!(
                "{found}: much of the {:?} that the module waits (OxdStoreTimeout)",
                given.timeouts.operation
            ),
            "see the network between the machines, and what keeps Redis busy (SLOWLOG GET, INFO commandstats)",
        );
    }
    Verdict::ok(found)
}

/// The check that says why a server refuses what the user may: one cause, one failure.
fn told_by(failure: &Failure, info: &Info) -> Option<&'static str> {
    match failure.kind {
        FailureKind::ReadOnly if info.get("role") == Some("slave") => Some("replication"),
        FailureKind::Full if judge::memory(info).status == Status::Failed => Some("memory"),
        _ => None,
    }
}

fn rights_of(ctx: &Ctx<'_>, trials: &Trials, info: Option<&Info>) -> Verdict {
    let given = ctx.given;
    let user = plain(given.user());
    let names = |list: &[&str]| {
        let names: Vec<String> = list
            .iter()
            .map(|name| name.to_ascii_uppercase().replace('|', " "))
            .collect();
        names.join(", ")
    };
    if !trials.denied.is_empty() {
        return Verdict::fail(
            "rights_missing",
            format!("the user {user} may not run {}", names(&trials.denied)),
            advice::grant(given),
        );
    }
    if trials.keys_denied {
        return Verdict::fail(
            "keys_denied",
            format!("the user {user} may not use keys below {}", given.prefix),
            format!(
                "see whether --prefix (OxdStorePrefix) is right, or {}",
                advice::grant(given)
            ),
        );
    }
    if !trials.unknown.is_empty() {
        return Verdict::fail(
            "command_unknown",
            format!("the server does not know {}", names(&trials.unknown)),
            "update Redis to version 5 or later, or take back rename-command in redis.conf",
        );
    }
    let is_alone = matches!(given.address.servers, Servers::One(_) | Servers::Socket(_));
    if trials.elsewhere && is_alone {
        return Verdict::fail(
            "is_a_cluster",
            "it is a node of a cluster, and has but a part of the keys",
            "write redis+cluster:// with some of its nodes",
        );
    }
    let trouble = trials.trouble.as_ref();
    let told = trouble
        .zip(info)
        .and_then(|(failure, info)| told_by(failure, info));
    if let Some(failure) = trouble.filter(|_| told.is_none()) {
        let (cause, advice) = advice::of_failure(given, failure);
        return Verdict::fail(
            cause,
            format!(
                "the user {user} may, but the server refuses: {}",
                plain(&failure.text)
            ),
            advice,
        );
    }
    let but = told.map_or(String::new(), |check| {
        format!("; the server refuses some: see {check}")
    });
    Verdict::ok(format!(
        "the user {user} may run all {} commands that the module needs, with keys below {}{but}",
        trials.tried.len(),
        given.prefix
    ))
}

/// The module's own way, with its own limits.
async fn client(ctx: &Ctx<'_>) -> Verdict {
    let limit = ctx.given.timeouts.connect;
    match ctx.probe.connect_as_the_module().await {
        Ok(time) => Verdict::ok(format!(
            "the module's own client connects in {} (of {limit:?} that it has)",
            judge::short(time)
        )),
        Err(failure) if failure.kind == FailureKind::Timeout => Verdict::fail(
            "too_slow",
            format!("the module's own client gets no connection within {limit:?}"),
            "give it more time with OxdStoreTimeout (--timeout, --connect-timeout), or see what makes the way so slow",
        ),
        Err(failure) => {
            let (cause, advice) = advice::of_failure(ctx.given, &failure);
            Verdict::fail(
                cause,
                format!(
                    "the module's own client does not connect: {}",
                    plain(&failure.text)
                ),
                advice,
            )
        }
    }
}

/// What the masters say of themselves.
async fn own_words(ctx: &Ctx<'_>, report: &mut Report<'_>, seen: &mut [Seen]) {
    let setup = match ctx.given.address.servers {
        Servers::One(_) | Servers::Socket(_) => Setup::Alone,
        _ => Setup::Failover,
    };
    let user = plain(ctx.given.user());
    let untold = |command: &str| Verdict::skip(format!("not told to the user {user} ({command})"));
    let (mut memory, mut persistence) = (Vec::new(), Vec::new());
    let (mut clock, mut replication) = (Vec::new(), Vec::new());
    for one in seen.iter_mut().filter(|one| !one.target.is_replica) {
        let place = one.target.place.clone();
        let judged = match &one.info {
            Ok(info) => {
                let save = one.node.setting("save").await.unwrap_or_default();
                let fsync = one.node.setting("appendfsync").await.unwrap_or_default();
                [
                    judge::memory(info),
                    judge::persistence(info, save.as_deref(), fsync.as_deref()),
                    judge::replication(info, setup),
                ]
            }
            Err(_) => [(); 3].map(|()| untold("INFO")),
        };
        let [of_memory, of_persistence, of_replication] = judged;
        memory.push((place.clone(), of_memory));
        persistence.push((place.clone(), of_persistence));
        replication.push((place.clone(), of_replication));
        let clocks = one.node.clocks().await;
        clock.push((
            place,
            clocks.map_or_else(|_| untold("TIME"), |clocks| judge::clock(&clocks)),
        ));
    }
    for (check, mut verdicts) in [
        ("memory", memory),
        ("persistence", persistence),
        ("clock", clock),
        ("replication", replication),
    ] {
        if check == "memory"
            && let Some((_, first)) = verdicts.iter_mut().find(|(_, one)| one.status == Status::Skipped)
        {
            first.advice = Some(
                "the module does not need it; to see it, check with a user who may run INFO, CONFIG GET and TIME (--user)"
                    .to_owned(),
            );
        }
        put(report, check, verdicts);
    }
}
