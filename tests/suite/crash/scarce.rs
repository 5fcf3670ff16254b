//! No descriptors, and no memory, under load.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use oxd_tests::{Httpd, StoreKind, TestSite, kill_process, wait_until};

use super::crowd::User;
use super::kills::{AtTheEnd, QUIET, expect, look_at_ended, sign_in_again};
use super::random::seed;
use super::service::{USERS, site};
use super::weather::Weather;

/// How soon all goes on.
const BACK: Duration = Duration::from_secs(10);
/// How long there is not enough.
const LASTS: Duration = Duration::from_secs(2);

/// The descriptors that a child may have beside those of one with little to do: enough for the users, and fewer than
/// its threads want for clients.
const ROOM: usize = 4 * USERS;
const THREADS: u32 = 64;

/// Limits what httpd's parent may have, and lets it start all children anew, which inherit that. The children have
/// another user, whose limits only few may change.
#[track_caller]
fn limit(httpd: &Httpd, what: &str) {
    set(httpd, what);
    for child in httpd.children() {
        kill_process(child);
    }
}

/// Sets a limit of httpd's parent.
#[track_caller]
fn set(httpd: &Httpd, what: &str) {
    let output = Command::new("prlimit")
        .args(["--pid", &httpd.pid().to_string(), what])
        .output();
    let output = output.expect("prlimit, of util-linux");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Sends a crowd to a site, takes something away from it for a while, and looks at what is left.
fn go_without(site: &TestSite, what: &'static str, take_away: impl FnOnce()) {
    let seed = seed();
    println!("{what}: OXD_CRASH_SEED={seed}");
    let weather = Weather::default();
    let address = site.url("");
    thread::scope(|scope| {
        let (weather, address) = (&weather, address.as_str());
        let _end = AtTheEnd(weather);
        for number in 0..USERS {
            scope.spawn(move || User::new(weather, address, number, seed).run());
        }
        wait_until("all to have signed in", || weather.logins.load(Relaxed) >= USERS);
        weather.strikes(what, false);
        weather.may_break.store(true, Relaxed);
        take_away();
        weather.repaired(BACK);
        let back = sign_in_again(weather, address, BACK, seed);
        wait_until("all to be as before", || weather.is_clear(QUIET));
        weather.may_break.store(false, Relaxed);
        look_at_ended(weather, address, 0);
        expect(weather, seed, what);
        let noticed = weather.noticed().get(what).copied().unwrap_or_default();
        println!("{what}: signed in after {back:.1?}, noticed for {noticed:.1?}");
    });
}

/// Descriptors of a process that are in use.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The address space of a process, in bytes.
fn address_space(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: Option<u64> = status.split(' ').next().and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * 4096
}

/// More clients than descriptors, so that neither clients are accepted nor oxd is called: when they have left, all goes
/// on.
#[test]
fn descriptors_run_out() {
    for kind in [StoreKind::Cookie, StoreKind::RedisUrl] {
        let store = kind.start();
        let site = site(&store).httpd(|httpd| httpd.processes(2, THREADS)).start();
        site.httpd
            .allow_log(r"\(24\)Too many open files|exit signal Killed|AH10392|AH03490: scoreboard is full");
        site.httpd.allow_log(
            r"\[oxd:(warn|error)\].* (oxd_(unreachable|resting|busy|timeout|answer)|store_unavailable|internal): ",
        );
        go_without(&site, "descriptors", || {
            let most = site
                .httpd
                .children()
                .into_iter()
                .map(descriptors)
                .max()
                .unwrap_or_default();
            // Enough for the users, and not for the clients.
            limit(&site.httpd, &format!("--nofile={}:", most + ROOM));
            let begun = Instant::now();
            let mut clients = Vec::new();
            while begun.elapsed() < LASTS {
                if let Ok(mut client) = TcpStream::connect(site.httpd.address()) {
                    // Without it, the system waits for more before it tells httpd.
                    let _ = client.write_all(b"GET / HTTP/1.1\r\n");
                    clients.push(client);
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        site.httpd.expect_log(r"Too many open files");
        site.httpd.finish();
    }
}

/// Children that get no more memory end, and others take their place.
#[test]
fn memory_runs_out() {
    for kind in [StoreKind::Cookie, StoreKind::RedisUrl] {
        let store = kind.start();
        let site = site(&store).start();
        site.httpd
            .allow_log(r"exit signal (Abort|Killed|Segmentation fault)|AH10392");
        site.httpd
            .allow_log(r"Memory allocation failed|memory allocation of|\(12\)Cannot allocate memory");
        go_without(&site, "memory", || {
            let sizes = site.httpd.children().into_iter().map(address_space);
            let most = sizes.max().unwrap_or_default();
            limit(&site.httpd, &format!("--as={}:", most + (256 << 10)));
            thread::sleep(LASTS);
            set(&site.httpd, "--as=unlimited:");
        });
        site.httpd.finish();
    }
}
