//! Packages of npm, installed once below cargo's target directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use crate::module::target_dir;

/// A package of ours, with the list of what it depends on.
pub(crate) struct NpmPackage {
    /// The directory below the target directory.
    pub(crate) name: &'static str,
    /// `package.json`, `package-lock.json` and further files, with their content.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

impl NpmPackage {
    /// Its directory, once everything is in it.
    #[track_caller]
    pub(crate) fn install(&self) -> PathBuf {
        let directory = target_dir().join(self.name);
        let fail = |what: &Path, why: std::io::Error| -> ! { panic!("{}: {why}", what.display()) };
        fs::create_dir_all(&directory).unwrap_or_else(|error| fail(&directory, error));
        // One suite installs, the others that run at the same time wait for it.
        let gate = directory.join("lock");
        let gate = File::create(&gate).unwrap_or_else(|error| fail(&gate, error));
        let _gate = Flock::lock(gate, FlockArg::LockExclusive).expect("the lock on the packages");
        for (name, text) in self.files {
            let file = directory.join(name);
            if !holds(&file, text) {
                // In one step: another suite may be starting the old one.
                let new = directory.join("new");
                fs::write(&new, text).unwrap_or_else(|error| fail(&new, error));
                fs::rename(&new, &file).unwrap_or_else(|error| fail(&file, error));
            }
        }
        // A copy of the list that was installed, written when all of it is there.
        let done = directory.join("node_modules/.oxd-tests");
        let list = self.files.iter().find(|(name, _)| *name == "package-lock.json");
        let (_, list) = list.expect("a list of packages");
        if !holds(&done, list) {
            self.fetch(&directory);
            fs::write(&done, list).unwrap_or_else(|error| fail(&done, error));
        }
        directory
    }

    #[track_caller]
    fn fetch(&self, directory: &Path) {
        let output = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("npm (package npm): {error}"));
        assert!(
            output.status.success(),
            "npm cannot install the packages of {}:\n{}{}",
            self.name,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn holds(file: &Path, text: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|found| found == text)
}
