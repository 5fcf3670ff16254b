//! Disks that are full, and a runtime directory that nobody can write to.
//!
//! A disk is a file system in memory, which only root may mount; without that these tests say so and pass.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use oxd_tests::{Browser, StoreKind, TestSite, wait_until};
use tempfile::TempDir;

use super::service::{expect_logins, expect_own, sign_out, signed_in, site, status_with};
use super::victim::kill_httpd;

/// How soon somebody can sign in, whatever the disk is like.
const BACK: Duration = Duration::from_secs(5);

/// A small disk.
struct Disk {
    directory: TempDir,
}

impl Disk {
    /// Mounts one; `None` where that is not allowed.
    fn mount() -> Option<Disk> {
        let directory = tempfile::tempdir().expect("a directory");
        let mounted = run(
            &["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "none"],
            &directory,
        );
        if !mounted {
            println!("left out: file systems cannot be mounted here");
        }
        mounted.then_some(Disk { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Takes all the room that is left, or gives it back.
    fn fill(&self, full: bool) {
        let ballast = self.path("ballast");
        if !full {
            return fs::remove_file(ballast).expect("the ballast");
        }
        let mut file = File::create(ballast).expect("the ballast");
        for size in [1 << 16, 1 << 8, 1] {
            let bytes = vec![0; size];
            while file.write_all(&bytes).is_ok() {}
        }
    }

    fn forbid_writing(&self) {
        let done = run(&["mount", "-o", "remount,ro"], &self.directory);
        assert!(done, "it cannot be mounted again");
    }

    /// A site that keeps there what it writes.
    fn site(&self) -> TestSite {
        let path = self.directory.path().display().to_string();
        site(&StoreKind::Cookie.start())
            .config(&format!("DefaultRuntimeDir \"{path}\""))
            .directives(&format!("OxdAuditLog \"{path}/audit.log\""))
            .start()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(&["umount", "-l"], &self.directory);
    }
}

/// Runs a command on a directory; whether it worked.
fn run(command: &[&str], directory: &TempDir) -> bool {
    let output = Command::new(command[0])
        .args(&command[1..])
        .arg(directory.path())
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// Kills httpd and starts it again.
fn kill_and_start(site: &mut TestSite) {
    site.httpd.allow_log("AH00098: pid file .* overwritten");
    kill_httpd(&mut site.httpd);
    site.httpd.start();
}

/// The file of ended sessions has its room from the start: a logout on a full disk outlives httpd. Only lines of the
/// audit trail are lost, which the error log says.
#[test]
fn a_disk_that_fills_up_loses_no_end() {
    let Some(disk) = Disk::mount() else { return };
    let mut site = disk.site();
    let stays = signed_in(&site, 0);
    let leaving: Vec<_> = (1..4).map(|number| signed_in(&site, number)).collect();
    let mut gone = vec![sign_out(&site, &leaving[0])];
    disk.fill(true);
    gone.push(sign_out(&site, &leaving[1]));
    // The last page of the trail may have room yet.
    for _ in 0..40 {
        Browser::new().get(site.url("/oxd/callback?state=x")).expect(400);
    }
    site.httpd
        .expect_log(r"\[oxd:error\].* OxdAuditLog .*: a line is lost");
    for _ in 0..2 {
        expect_own(&site, &stays, 0);
        expect_logins(&site, BACK);
        for cookies in &gone {
            assert_eq!(status_with(&site, cookies), 302);
        }
        kill_and_start(&mut site);
    }
    disk.fill(false);
    let length = || fs::metadata(disk.path("audit.log")).expect("the trail").len();
    let before = length();
    gone.push(sign_out(&site, &leaving[2]));
    wait_until("a line of the trail", || length() > before);
    kill_and_start(&mut site);
    for cookies in &gone {
        assert_eq!(status_with(&site, cookies), 302, "with room again");
    }
    expect_own(&site, &stays, 0);
    site.httpd.finish();
}

/// httpd starts without room for the file, or without the right to write it, and says that it remembers ends no longer
/// than it runs. Otherwise all is as usual.
#[test]
fn httpd_starts_where_it_cannot_write() {
    for readonly in [false, true] {
        let Some(disk) = Disk::mount() else { return };
        disk.fill(true);
        let path = disk.directory.path().display().to_string();
        if readonly {
            disk.forbid_writing();
        }
        let site = site(&StoreKind::Cookie.start())
            .config(&format!("DefaultRuntimeDir \"{path}\""))
            .start();
        site.httpd
            .expect_log(r"sessions that have ended are remembered until httpd stops, and not beyond");
        let (stays, leaving) = (signed_in(&site, 0), signed_in(&site, 1));
        let gone = sign_out(&site, &leaving);
        for _ in 0..2 {
            assert_eq!(status_with(&site, &gone), 302, "read-only: {readonly}");
            expect_own(&site, &stays, 0);
            site.httpd.graceful();
        }
        expect_logins(&site, BACK);
        site.httpd.finish();
    }
}
