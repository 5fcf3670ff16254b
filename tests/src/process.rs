//! Looks at processes and connections from outside, through `/proc`.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal.
#[track_caller]
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("signal to httpd: {error}"));
}

/// Whether a process runs; one that ended stays as a zombie until its parent asks for it.
pub(crate) fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The children of a process, those that ended included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// The resident memory of a process in KiB.
#[track_caller]
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc/PID/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a VmRSS line")
}

/// Whether this port of 127.0.0.1 has connections that its server has not done with.
pub(crate) fn has_connections(port: u16) -> bool {
    const LISTEN: &str = "0A";
    const TIME_WAIT: &str = "06";
    let local = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let state = fields.get(3).copied().unwrap_or(LISTEN);
        fields.get(1) == Some(&local.as_str()) && state != LISTEN && state != TIME_WAIT
    })
}
