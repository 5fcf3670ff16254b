//! What the answers of a server mean, without a server.

use std::time::{Duration, UNIX_EPOCH};

use oxd_store::probe::{Clocks, Info};

use crate::check::reach::Difference;
use crate::check::report::{Verdict, counted};
use crate::check::{date_text, time_text};
use crate::screen::plain;

/// A difference of clocks that should be seen to.
const CLOCK_WORTH_A_WORD: Duration = Duration::from_secs(2);
/// A difference of clocks with which something is wrong.
const CLOCK_OFF: Duration = Duration::from_secs(30);
/// A replica that was not heard of for so many seconds is behind.
const LAG_WORTH_A_WORD: u64 = 10;
/// The part of the memory that is full enough for a word, in percent.
const FULL_WORTH_A_WORD: u64 = 90;

/// The name and version of a server.
pub fn version(info: &Info) -> String {
    let named = |name: &str, field: &str| {
        info.get(field)
            .map(|version| format!("{name} {}", plain(version)))
    };
    named("Valkey", "valkey_version")
        .or_else(|| named("Dragonfly", "dragonfly_version"))
        .or_else(|| named("Redis", "redis_version"))
        .unwrap_or_else(|| "a server that does not name its version".to_owned())
}

/// A number of bytes in words.
fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    let mut units = UNITS.iter();
    let (mut tenths, mut unit) = (number.saturating_mul(10) / 1024, units.next());
    while tenths >= 10_240
        && let Some(next) = units.next()
    {
        tenths /= 1024;
        unit = Some(next);
    }
    let unit = unit.copied().unwrap_or_default();
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A round trip in words.
pub fn short(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..10_000 => format!("{}.{:02} ms", micros / 1000, micros % 1000 / 10),
        micros => format!("{} ms", micros / 1000),
    }
}

/// The memory, and what happens when it is full.
pub fn memory(info: &Info) -> Verdict {
    let used = info.number("used_memory").unwrap_or_default();
    let Some(most) = info.number("maxmemory") else {
        return Verdict::skip("cannot be checked: the server does not say its maxmemory");
    };
    let policy = plain(info.get("maxmemory_policy").unwrap_or("noeviction"));
    let amount = if most == 0 {
        let machine = info.number("total_system_memory").filter(|all| *all > 0);
        let of = machine.map_or(String::new(), |all| format!("; the machine has {}", bytes(all)));
        format!("{} in use, no limit (maxmemory 0){of}", bytes(used))
    } else {
        format!("{} of {} in use (maxmemory)", bytes(used), bytes(most))
    };
    let found = format!("{policy}; {amount}");
    if policy.starts_with("allkeys-") {
        let now = if most == 0 { ", once there is a limit" } else { "" };
        return Verdict::warn(
            "policy_drops_all",
            format!("{found}: a full Redis drops any entry{now}"),
            "CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE, and a Redis of the module's own if this one is a \
             cache: users who are working would be signed out, and a session that was ended could come back",
        );
    }
    if policy.starts_with("volatile-") && most > 0 {
        return Verdict::warn(
            "policy_drops_sessions",
            format!("{found}: a full Redis drops entries that have an end, and all of the module's have one"),
            "CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE, and enough maxmemory: users who are working would \
             be signed out, and a session that was ended could come back",
        );
    }
    let more = "give it more memory (CONFIG SET maxmemory, then CONFIG REWRITE), or look for what fills it (redis-cli \
                --bigkeys)";
    if most > 0 && used >= most {
        return Verdict::fail(
            "memory_full",
            format!("{found}: it is full, and nobody can sign in"),
            more,
        );
    }
    if most > 0 && used / FULL_WORTH_A_WORD >= most / 100 {
        return Verdict::warn(
            "memory_nearly_full",
            format!("{found}: when it is full nobody can sign in"),
            more,
        );
    }
    Verdict::ok(found)
}

/// What a restart costs. `save` and `fsync` are settings that the user need not be allowed to read.
pub fn persistence(info: &Info, save: Option<&str>, fsync: Option<&str>) -> Verdict {
    let failed = |field: &str| info.get(field).is_some_and(|status| status != "ok");
    if info.number("loading").is_some_and(|loading| loading > 0) {
        return Verdict::warn(
            "loading",
            "it reads its files after a start, and answers nothing else until then",
            "wait; INFO persistence has loading_eta_seconds",
        );
    }
    if failed("rdb_last_bgsave_status") || failed("aof_last_write_status") {
        return Verdict::warn(
            "save_failed",
            "it could not write its files the last time, and may refuse to write sessions (MISCONF)",
            "see Redis's log, and whether its disk is full (df) or not its own to write to (CONFIG GET dir)",
        );
    }
    if info.number("aof_enabled").is_some_and(|enabled| enabled > 0) {
        let often = match fsync {
            Some("always") => "a crash loses nothing".to_owned(),
            Some("no") => "a crash of the machine loses what the system had not written".to_owned(),
            _ => "a crash loses about a second".to_owned(),
        };
        return Verdict::ok(format!("append-only file: sessions outlive a restart, {often}"));
    }
    match save.map(str::trim) {
        Some("") => Verdict::ok("none: a restart of Redis ends all sessions"),
        Some(times) => {
            let last = info.number("rdb_last_save_time").map(Duration::from_secs);
            let last = last
                .and_then(|since| UNIX_EPOCH.checked_add(since))
                .map(date_text);
            let last = last.map_or(String::new(), |day| format!(", the last of {day}"));
            Verdict::ok(format!(
                "snapshots (save {}){last}: after a crash the sessions are those of the last one, with those that have \
                 been ended since",
                plain(times)
            ))
        }
        None => Verdict::ok(
            "no append-only file; whether there are snapshots is not told to this user (CONFIG GET save)",
        ),
    }
}

/// The clocks.
pub fn clock(clocks: &Clocks) -> Verdict {
    let difference = Difference::between(clocks.theirs, clocks.ours);
    let advice = "set both clocks by NTP (timedatectl status)";
    let found = format!("the server's clock {difference} this machine's");
    if difference.size > CLOCK_OFF {
        Verdict::fail("clock_off", found, advice)
    } else if difference.size > CLOCK_WORTH_A_WORD {
        Verdict::warn("clock_drifts", found, advice)
    } else {
        Verdict::ok("the server's clock and this machine's agree")
    }
}

/// What else the set-up expects of a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One server, which may be alone.
    Alone,
    /// Somebody takes its place when it fails.
    Failover,
}

/// The replicas of a master, and whether it is one.
pub fn replication(info: &Info, setup: Setup) -> Verdict {
    if info.get("role") == Some("slave") {
        let (host, port) = (
            info.get("master_host").unwrap_or("?"),
            info.get("master_port").unwrap_or("?"),
        );
        let link = plain(info.get("master_link_status").unwrap_or("unknown"));
        return Verdict::fail(
            "is_replica",
            format!(
                "it is a replica of {}:{} (link {link}), and takes no sessions",
                plain(host),
                plain(port)
            ),
            "name the master in the URL, or the sentinels (redis+sentinel://), which follow it",
        );
    }
    let replicas = info.replicas();
    if replicas.is_empty() {
        return match setup {
            Setup::Alone => Verdict::ok("a master without replicas: when it is away nobody gets in"),
            Setup::Failover => Verdict::warn(
                "no_replica",
                "the master has no replica: nobody takes its place when it fails",
                "start one (replicaof; in a cluster redis-cli --cluster add-node), or see in its log why it is not connected",
            ),
        };
    }
    let slow: Vec<String> = replicas
        .iter()
        .filter(|replica| replica.state != "online" || replica.lag > LAG_WORTH_A_WORD)
        .map(|replica| {
            let address = plain(&replica.address);
            match replica.state.as_str() {
                "online" => {
                    let lag = time_text(Duration::from_secs(replica.lag));
                    format!("{address} was last heard of {lag} ago")
                }
                state => format!("{address} gets everything anew ({})", plain(state)),
            }
        })
        .collect();
    let number = counted(replicas.len(), "replica");
    let behind = replicas
        .iter()
        .map(|replica| replica.behind)
        .max()
        .unwrap_or_default();
    let lag = replicas
        .iter()
        .map(|replica| replica.lag)
        .max()
        .unwrap_or_default();
    if slow.is_empty() {
        let behind = match behind {
            0 => "in step".to_owned(),
            _ => format!("at most {} behind", bytes(behind)),
        };
        return Verdict::ok(format!(
            "a master with {number}, {behind}, last heard of {lag} s ago"
        ));
    }
    Verdict::warn(
        "replica_lags",
        format!("a master with {number}: {}", slow.join("; ")),
        "see the replica's log and the network between them: what a replica lacks is lost when it takes over",
    )
}

#[cfg(test)]
mod tests;
