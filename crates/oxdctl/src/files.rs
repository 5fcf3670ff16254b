//! Files that hold secrets: made whole or not at all, readable by their owner alone, never in place of another by
//! accident.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::problem::{Outcome, Problem};

/// A file that is being made beside its later place. Until [`NewFile::put`] nobody finds it there.
pub struct NewFile {
    path: PathBuf,
    beside: NamedTempFile,
    replace: bool,
}

impl NewFile {
    /// Makes sure that the file can be written, before anything is done that cannot be undone.
    ///
    /// An existing file is a problem unless it shall be replaced.
    pub fn prepare(path: &Path, replace: bool) -> Outcome<Self> {
        if !replace && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        let beside = builder
            .prefix(".oxdctl-")
            .suffix(".tmp")
            // tempfile's own default is 0600, too; a secret is worth saying so.
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(|why| Problem::file("cannot_write", path, format!("cannot be made: {why}")))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            replace,
        })
    }

    /// Fills the file and puts it in its place. If that fails the content is kept beside it, and the problem says
    /// where: it may be the only copy of a registration.
    pub fn put(mut self, content: &str) -> Outcome {
        let file = self.beside.as_file_mut();
        file.write_all(content.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|why| Problem::file("cannot_write", &self.path, why))?;
        let persisted = if self.replace {
            self.beside.persist(&self.path)
        } else {
            self.beside.persist_noclobber(&self.path)
        };
        let Err(failed) = persisted else { return Ok(()) };
        let why = failed.error;
        match failed.file.keep() {
            Ok((_, kept)) => Err(Problem::file("cannot_write", &self.path, why)
                .advise(format!("what belongs there is in {}", kept.display()))),
            Err(_) => Err(Problem::file("cannot_write", &self.path, why)),
        }
    }
}

/// The file exists, and shall not be lost.
pub fn exists(path: &Path) -> Problem {
    Problem::file("file_exists", path, "exists already, and is left alone")
}

/// Renames a file that has done its work to a name that is free; answers with that name.
pub fn retire(path: &Path) -> io::Result<PathBuf> {
    for number in 0..1_000 {
        let mut name = path.as_os_str().to_owned();
        name.push(".removed");
        if number > 0 {
            name.push(format!(".{number}"));
        }
        let retired = PathBuf::from(name);
        // A hard link fails where the name is taken, which a rename would not.
        match fs::hard_link(path, &retired) {
            Ok(()) => return fs::remove_file(path).map(|()| retired),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => return fs::rename(path, &retired).map(|()| retired),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The path as it is named from anywhere: httpd does not share our working directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn files_are_for_their_owner_and_nothing_is_left_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.json");
        NewFile::prepare(&path, false).unwrap().put("one").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), mode(&path)),
            ("one", 0o600)
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        NewFile::prepare(&path, true).unwrap().put("two").unwrap();
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), mode(&path)),
            ("two", 0o600)
        );
        drop(NewFile::prepare(&path, true).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let late = NewFile::prepare(&path, false).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(NewFile::prepare(&path, false).err().unwrap().kind, Kind::File);
        // Somebody was faster: theirs stays, and ours is not lost.
        let problem = late.put("ours").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        let kept = problem.advice.rsplit(' ').next().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "ours");
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(NewFile::prepare(&folder.path().join("link"), false).is_err());
    }

    #[test]
    fn a_retired_file_finds_a_free_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.json");
        for expected in ["site.json.removed", "site.json.removed.1"] {
            fs::write(&path, expected).unwrap();
            let retired = retire(&path).unwrap();
            assert_eq!(retired, folder.path().join(expected));
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(retired).unwrap(), expected);
        }
    }
}
