//! Clocks that are set, forwards and backwards, while httpd runs and while it does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oxd_tests::{Browser, Store, StoreKind, TestSite, wait_until};
use tempfile::TempDir;

use super::crowd::field;
use super::service::{
    expect_logins, expect_own, readable_directory, sign_out, signed_in, site, status_with, sub,
};
use super::victim::kill_httpd;

/// The library of Debian's package `libfaketime` for programs with threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// How soon somebody can sign in once the clocks agree.
const BACK: Duration = Duration::from_secs(5);
const HOUR: i64 = 3_600;

/// The clock of an httpd.
struct Clock {
    file: PathBuf,
    /// Kept as long as the file.
    _directory: TempDir,
}

impl Clock {
    fn new() -> Clock {
        let directory = readable_directory();
        let clock = Clock {
            file: directory.path().join("time"),
            _directory: directory,
        };
        clock.set(0);
        clock
    }

    /// From now on it differs by so many seconds from the others.
    fn set(&self, seconds: i64) {
        let beside = self.file.with_extension("new");
        fs::write(&beside, format!("{seconds:+}")).expect("the clock's file");
        fs::rename(beside, &self.file).expect("the clock's file");
    }

    /// A site whose httpd has this clock.
    fn site(&self, store: &Store) -> TestSite {
        let library = library();
        let site = site(store)
            .directives("OxdSessionIdle 8h")
            .config("<Location /oxd-status>\nSetHandler oxd-status\nRequire ip 127.0.0.1\n</Location>")
            .httpd(|httpd| {
                httpd
                    .without_overwriting()
                    .environment("LD_PRELOAD", &library.display().to_string())
                    .environment("FAKETIME_TIMESTAMP_FILE", &self.file.display().to_string())
                    .environment("FAKETIME_NO_CACHE", "1")
                    // What is set is the time of day.
                    .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                    .environment("DONT_FAKE_MONOTONIC", "1")
            })
            .start();
        // httpd is another one than the provider by its clock.
        site.httpd.allow_log(r"\[oxd:error\].* id_token_invalid: ");
        site
    }
}

/// Where the system keeps it.
fn library() -> PathBuf {
    let directories = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
    ];
    let found = directories
        .iter()
        .map(|directory| Path::new(directory).join(LIBRARY))
        .find(|library| library.is_file());
    found.expect("package libfaketime, which scripts/need.sh installs")
}

/// A clock that was wrong for a while, by less than sessions last: nobody has to sign in again, nobody becomes another,
/// and what was ended before, meanwhile and afterwards is over.
fn set_and_set_back(kind: StoreKind, by: i64) {
    let (clock, store) = (Clock::new(), kind.start());
    let site = clock.site(&store);
    let stays = signed_in(&site, 0);
    let mut ended = Vec::new();
    let leave = |number: usize, browser: &Browser, ended: &mut Vec<String>| {
        expect_own(&site, browser, number);
        ended.push(sign_out(&site, browser));
    };
    let [before, meanwhile, afterwards] = [1, 2, 3].map(|number| (number, signed_in(&site, number)));
    leave(before.0, &before.1, &mut ended);
    for offset in [by, 0] {
        clock.set(offset);
        wait_until("httpd to see it", || shows(&site, offset));
        expect_own(&site, &stays, 0);
        for cookies in &ended {
            assert_eq!(status_with(&site, cookies), 302, "{kind:?}, {offset} s");
        }
        let (number, browser) = if offset == 0 { &afterwards } else { &meanwhile };
        leave(*number, browser, &mut ended);
        for cookies in &ended {
            assert_eq!(status_with(&site, cookies), 302, "{kind:?}, {offset} s");
        }
    }
    expect_own(&site, &stays, 0);
    expect_logins(&site, BACK);
    // A session of after it can be ended, too.
    let later = signed_in(&site, 4);
    leave(4, &later, &mut ended);
    for cookies in &ended {
        assert_eq!(status_with(&site, cookies), 302, "{kind:?}, afterwards");
    }
}

/// Whether httpd's clock differs by so much from this one.
fn shows(site: &TestSite, offset: i64) -> bool {
    let answer = Browser::new().get(site.url("/1k.bin"));
    let date = answer.header("date").expect("a date").to_owned();
    let theirs = httpdate::parse_http_date(&date).expect("a date");
    let now = std::time::SystemTime::now();
    let difference = match theirs.duration_since(now) {
        Ok(ahead) => ahead.as_secs() as i64,
        Err(behind) => -(behind.duration().as_secs() as i64),
    };
    (difference - offset).abs() < 30
}

#[test]
fn a_cookie_survives_a_clock_that_was_ahead_or_behind() {
    for by in [3 * HOUR, -3 * HOUR] {
        set_and_set_back(StoreKind::Cookie, by);
    }
}

#[test]
fn a_store_survives_a_clock_that_was_ahead_or_behind() {
    for kind in [StoreKind::Shmcb, StoreKind::RedisUrl] {
        for by in [3 * HOUR, -3 * HOUR] {
            set_and_set_back(kind, by);
        }
    }
}

/// With a clock that is ahead by more than sessions last, all sessions have run out. When it is set back, those that
/// were ended are still over, even if httpd was started again meanwhile.
#[test]
fn a_clock_far_ahead_brings_no_ended_session_back() {
    let (clock, store) = (Clock::new(), StoreKind::Cookie.start());
    let mut site = clock.site(&store);
    let gone = signed_in(&site, 0);
    let cookies = sign_out(&site, &gone);
    clock.set(12 * HOUR);
    wait_until("httpd to see it", || shows(&site, 12 * HOUR));
    for _ in 0..2 {
        assert_eq!(status_with(&site, &cookies), 302, "ahead");
        kill_httpd(&mut site.httpd);
        site.httpd.allow_log("AH00098: pid file .* overwritten");
        site.httpd.start();
    }
    clock.set(0);
    wait_until("httpd to see it", || shows(&site, 0));
    assert_eq!(status_with(&site, &cookies), 302, "set back");
    expect_logins(&site, BACK);
}

/// With a clock that is behind by more than sessions last, the end of all sessions of a user is kept as long as they
/// last by the right one.
#[test]
fn an_end_that_a_clock_far_behind_has_ordered_lasts() {
    let (clock, store) = (Clock::new(), StoreKind::Cookie.start());
    let site = clock.site(&store);
    let gone = signed_in(&site, 0);
    let cookies = field(&gone, &site.url("/"));
    clock.set(-12 * HOUR);
    wait_until("httpd to see it", || shows(&site, -12 * HOUR));
    let status = Browser::new();
    status
        .post(site.url("/oxd-status"), &[("action", "end"), ("user", &sub(0))])
        .expect(200);
    clock.set(0);
    wait_until("httpd to see it", || shows(&site, 0));
    assert_eq!(status_with(&site, &cookies), 302, "set right");
    expect_logins(&site, BACK);
}
