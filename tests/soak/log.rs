//! Reads httpd's error logs while they grow and are rotated.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Every file of a directory whose name begins with `error`, each read once from its begin to its end, whatever it is
/// called by then.
pub struct Logs {
    directory: PathBuf,
    /// How far each file has been read, by its inode.
    read: HashMap<u64, u64>,
}

impl Logs {
    /// The logs of an httpd with this root.
    pub fn of(directory: &Path) -> Logs {
        Logs {
            directory: directory.to_owned(),
            read: HashMap::new(),
        }
    }

    /// The whole lines that came since the last call.
    pub fn news(&mut self) -> String {
        let mut news = String::new();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let is_log = entry.file_name().to_string_lossy().starts_with("error");
            // A file may be moved while it is looked for: the next call finds it.
            if let (true, Ok(mut file)) = (is_log, File::open(entry.path())) {
                let _ = self.read(&mut file, &mut news);
            }
        }
        news
    }

    fn read(&mut self, file: &mut File, news: &mut String) -> std::io::Result<()> {
        let at = self.read.entry(file.metadata()?.ino()).or_default();
        if file.metadata()?.len() < *at {
            // Another file with the inode of one that is gone.
            *at = 0;
        }
        file.seek(SeekFrom::Start(*at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        *at += whole as u64;
        news.push_str(&String::from_utf8_lossy(&bytes[..whole]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn nothing_is_lost_or_read_twice_when_a_log_is_moved_away() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let mut logs = Logs::of(directory.path());
        let mut log = File::create(path("error.log")).expect("a file");
        log.write_all(b"one\ntw").expect("written");
        assert_eq!(logs.news(), "one\n");
        fs::rename(path("error.log"), path("error.log.1")).expect("moved");
        log.write_all(b"o\nthree\n").expect("written");
        fs::write(path("error.log"), "four\n").expect("written");
        let news = logs.news();
        let mut lines: Vec<_> = news.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["four", "three", "two"]);
        assert_eq!(logs.news(), "");
    }
}
