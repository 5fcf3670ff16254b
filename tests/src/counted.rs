//! httpd under valgrind's callgrind, which counts the instructions of one process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builder::{Builder, Mpm};
use crate::httpd::Httpd;
use crate::install::Install;
use crate::process::with_the_test;

const CALLGRIND: &str = "callgrind";
/// A directory, as callgrind writes a file at each mark.
const COUNTS: &str = "counts";
/// What httpd calls for a request with `OPTIONS`, and for no other.
const MARK: &str = "ap_send_http_options";

impl Builder {
    /// An httpd of one process (prefork, `-X`) whose instructions are counted by valgrind's callgrind. Each
    /// request with `OPTIONS` is a mark: [`Httpd::instructions`] tells the numbers between them. What the bed has
    /// otherwise to find faults is left out, as it would be counted too.
    pub fn counting_instructions(self) -> Builder {
        let mut builder = self.mpm(Mpm::Prefork).without_overwriting().log_level("warn");
        builder.counted = true;
        // Opened as the user who starts httpd, and written as the one that httpd has become.
        let last = builder.file(&format!("{COUNTS}/{CALLGRIND}"), "");
        for (path, mode) in [(builder.path(COUNTS), 0o777), (last, 0o666)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions of our own");
        }
        builder
    }
}

impl Httpd {
    /// Stops httpd and returns how many instructions its process took until the first mark, and from each mark
    /// to the next one.
    #[track_caller]
    pub fn instructions(mut self) -> Vec<u64> {
        self.stop();
        let mut counts = Vec::new();
        for number in 1.. {
            let file = self.file(COUNTS).join(format!("{CALLGRIND}.{number}"));
            let Ok(text) = fs::read_to_string(&file) else {
                break;
            };
            let total = text.lines().find_map(|line| {
                let number = line
                    .strip_prefix("summary: ")
                    .or_else(|| line.strip_prefix("totals: "))?;
                number.trim().parse().ok()
            });
            let total: u64 = total.unwrap_or_else(|| panic!("{}: no count", file.display()));
            counts.push(total);
        }
        self.finish();
        counts
    }
}

/// Where valgrind is, if it is installed.
pub fn valgrind() -> Option<PathBuf> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&directories).map(|directory| directory.join("valgrind"));
    files.find(|file| file.is_file())
}

/// The command that counts what httpd does below this root.
pub(crate) fn command(root: &Path) -> Command {
    let mut command = with_the_test(&valgrind().expect("valgrind is installed"), "TERM");
    let counts = root.join(COUNTS).join(CALLGRIND);
    command
        .args(["-q", "--tool=callgrind", "--vgdb=no"])
        .arg(format!("--dump-before={MARK}"))
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(&Install::get().binary)
        .arg("-X");
    command
}
