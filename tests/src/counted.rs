//! httpd under valgrind's callgrind, which counts the instructions of one process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::builder::{Builder, Mpm};
use crate::httpd::Httpd;
use crate::install::Install;
use crate::process::with_the_test;

const VALGRIND: &str = "/usr/bin/valgrind";
const COUNTS: &str = "callgrind.out";

impl Builder {
    /// An httpd of one process (prefork, `-X`) whose instructions are counted: [`Httpd::instructions`] tells
    /// the number. What the bed has otherwise to find faults is left out, as it would be counted too.
    pub fn counting_instructions(self) -> Builder {
        let mut builder = self.mpm(Mpm::Prefork).without_overwriting().log_level("warn");
        builder.counted = true;
        // Made as the user who starts httpd, and written as the one that httpd has become.
        let counts = builder.file(COUNTS, "");
        let open = fs::Permissions::from_mode(0o666);
        fs::set_permissions(counts, open).expect("permissions of a file of our own");
        builder
    }
}

impl Httpd {
    /// Stops httpd and returns how many instructions its process took from its start to its end.
    #[track_caller]
    pub fn instructions(mut self) -> u64 {
        self.stop();
        let counts = fs::read_to_string(self.file(COUNTS)).expect("callgrind's file");
        let total = counts.lines().find_map(|line| {
            let number = line
                .strip_prefix("summary: ")
                .or_else(|| line.strip_prefix("totals: "))?;
            number.trim().parse().ok()
        });
        let total = total.unwrap_or_else(|| panic!("callgrind counted nothing:\n{}", self.error_log()));
        self.finish();
        total
    }
}

/// Where valgrind is, if it is installed.
pub fn valgrind() -> Option<PathBuf> {
    let path = PathBuf::from(VALGRIND);
    path.is_file().then_some(path)
}

/// The command that counts what httpd does below this root.
pub(crate) fn command(root: &Path) -> Command {
    let mut command = with_the_test(Path::new(VALGRIND), "TERM");
    command
        .args(["-q", "--tool=callgrind", "--vgdb=no"])
        .arg(format!("--callgrind-out-file={}", root.join(COUNTS).display()))
        .arg(&Install::get().binary)
        .arg("-X");
    command
}
