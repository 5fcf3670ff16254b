//! The error logs that are looked through when none is named: those of httpd's configuration, those of the usual folders,
//! and what logrotate has made of them.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::httpd::running::{Running, log_folder};

/// The folders of httpd's logs on common systems.
const FOLDERS: [&str; 3] = ["/var/log/apache2", "/var/log/httpd", "/usr/local/apache2/logs"];

/// More logs than that are not looked through without being named.
const MOST: usize = 1_000;

/// The logs, the newest first.
pub fn usual(running: Option<&Running>) -> Vec<PathBuf> {
    let configured = running.map(|running| running.error_logs().0).unwrap_or_default();
    let mut folders: Vec<PathBuf> = log_folder().into_iter().collect();
    folders.extend(FOLDERS.map(PathBuf::from));
    in_order(&configured, &folders)
}

fn in_order(configured: &[PathBuf], folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    // One log may be reached by several names.
    let mut known = HashSet::new();
    let mut add = |path: PathBuf| {
        let Ok(about) = std::fs::metadata(&path) else {
            return;
        };
        if about.is_file() && found.len() < MOST && known.insert((about.dev(), about.ino())) {
            found.push((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
        }
    };
    for log in configured {
        add(log.clone());
        let (Some(folder), Some(name)) = (log.parent(), log.file_name()) else {
            continue;
        };
        let name = name.to_string_lossy();
        for (path, other) in names(folder) {
            if is_rotated(&name, &other) {
                add(path);
            }
        }
    }
    for folder in folders {
        for (path, name) in names(folder) {
            if name.contains("error") {
                add(path);
            }
        }
    }
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    found.into_iter().map(|(_, path)| path).collect()
}

fn names(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Whether logrotate gives a log's older content this name: `app.log.1`, `app.log.2.gz`, `app.log-20261101.gz`, and
/// `app-20261101.log` with its option `extension`.
fn is_rotated(log: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(log) else {
        return match log.rsplit_once('.') {
            Some((stem, ending)) => name
                .strip_prefix(stem)
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(ending)),
            None => false,
        };
    };
    rest.starts_with(['.', '-']) && rest[1..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn configured_and_usual_logs_are_found_the_newest_first() {
        let (own, usual) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = SystemTime::now();
        let make = |folder: &Path, name: &str, age: u64| {
            let path = folder.join(name);
            fs::write(&path, "").unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
            path
        };
        let expected = [
            make(own.path(), "app.log", 0),
            make(usual.path(), "error.log", 10),
            make(own.path(), "app.log.1", 20),
            make(usual.path(), "error.log.2.gz", 30),
            make(own.path(), "app.log-20261101.gz", 40),
            make(own.path(), "app-20261001.log", 50),
        ];
        for other in ["app.log.swp", "access.log", "another.log.1"] {
            make(own.path(), other, 5);
        }
        make(usual.path(), "access.log", 5);
        fs::create_dir(usual.path().join("errors")).unwrap();
        std::os::unix::fs::symlink(&expected[0], usual.path().join("error-link")).unwrap();
        let found = in_order(
            &[expected[0].clone(), own.path().join("gone.log")],
            &[usual.path().to_owned(), usual.path().join("gone")],
        );
        assert_eq!(found, expected);
    }
}
