//! Looks at processes and connections from outside, through `/proc`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wait::{wait_until, within};

/// A command that, where util-linux is installed, is sent this signal when the thread that started it is
/// gone: an interrupted test leaves nothing behind.
pub(crate) fn with_the_test(program: &Path, signal: &str) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.is_file() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Sends a signal.
#[track_caller]
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|error| panic!("signal to process {pid}: {error}"));
}

/// Ends a process in the middle of whatever it does. It may have ended by itself meanwhile.
pub fn kill_process(pid: u32) {
    let _ = kill(
        Pid::from_raw(pid.try_into().expect("a process id")),
        Signal::SIGKILL,
    );
}

/// Ends all processes of a group in the middle of whatever they do, and waits until they are gone.
#[track_caller]
pub fn kill_group(group: u32) {
    let _ = killpg(
        Pid::from_raw(group.try_into().expect("a process id")),
        Signal::SIGKILL,
    );
    wait_until("a group of processes to end", || !group_runs(group));
}

/// Whether a process group has a process that runs. The first thread of one that ends may be a zombie while others still
/// have the files open.
fn group_runs(group: u32) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The name, in brackets, may have spaces in it.
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let state = fields.next();
        let is_of_group = fields.nth(1).and_then(|field| field.parse().ok()) == Some(group);
        let threads = || fs::read_dir(process.path().join("task")).map_or(0, Iterator::count);
        is_of_group && (state != Some("Z") || threads() > 1)
    })
}

/// Whether a process runs; one that ended stays as a zombie until its parent asks for it.
pub(crate) fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Whether every thread of a process is stopped (`SIGSTOP`).
pub(crate) fn stops(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let stopped = |thread: fs::DirEntry| {
        let stat = fs::read_to_string(thread.path().join("stat"));
        stat.is_ok_and(|stat| stat.contains(") T "))
    };
    threads.is_ok_and(|mut threads| threads.all(|thread| thread.is_ok_and(stopped)))
}

/// The children of a process, those that ended included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Ends what this process's first thread has started: asks, and insists when that takes too long.
pub fn end_children(patience: Duration) {
    let started = children(std::process::id());
    let processes = || {
        let numbers = started.iter().filter_map(|pid| i32::try_from(*pid).ok());
        numbers.map(Pid::from_raw)
    };
    for process in processes() {
        // An error is a process that has ended already.
        let _ = kill(process, Signal::SIGTERM);
    }
    let gone = || started.iter().all(|pid| !runs(*pid)).then_some(());
    if within(patience, gone).is_none() {
        for process in processes() {
            let _ = killpg(process, Signal::SIGKILL);
        }
    }
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
    const TIME_WAIT: &str = "06";
    let is_open = |socket: &Socket| socket.state != LISTEN && socket.state != TIME_WAIT;
    sockets(port).iter().any(is_open)
}

/// Whether a process may take new connections to this port of 127.0.0.1.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    let listening = sockets(port).into_iter().filter(|socket| socket.state == LISTEN);
    let names: Vec<_> = listening
        .map(|socket| format!("socket:[{}]", socket.inode))
        .collect();
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| names.iter().any(|name| target.as_os_str() == name.as_str()))
}

const LISTEN: &str = "0A";

/// A socket of 127.0.0.1, as proc(5) has it in `/proc/net/tcp`.
struct Socket {
    state: String,
    inode: String,
}

fn sockets(port: u16) -> Vec<Socket> {
    let local = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let of_port = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, address, _, state, _, _, _, _, _, inode, ..] = fields[..] else {
            return None;
        };
        (address == local).then(|| Socket {
            state: state.to_owned(),
            inode: inode.to_owned(),
        })
    };
    table.lines().skip(1).filter_map(of_port).collect()
}
