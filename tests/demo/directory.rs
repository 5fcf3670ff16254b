//! The directory of one run.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use tempfile::TempDir;

/// The path of a Unix socket has at most 107 bytes; httpd makes some in the directory.
const LONGEST: usize = 60;

/// A new directory in the usual place for temporary files, or in `/tmp` where that one's path is long
/// or closed to the user that httpd becomes when root starts it.
pub fn make() -> Result<TempDir, String> {
    let places = [std::env::temp_dir(), PathBuf::from("/tmp")];
    let fits = |place: &&PathBuf| place.as_os_str().len() <= LONGEST && place.is_dir() && reachable(place);
    let place = places.iter().find(fits).unwrap_or(&places[1]);
    let directory = tempfile::Builder::new().prefix("mod_oxd-demo.").tempdir_in(place);
    directory.map_err(|why| format!("no directory in {}: {why}", place.display()))
}

fn reachable(place: &Path) -> bool {
    const OTHERS_MAY_ENTER: u32 = 0o001;
    let open = |part: &Path| fs::metadata(part).is_ok_and(|part| part.mode() & OTHERS_MAY_ENTER != 0);
    !geteuid().is_root() || place.ancestors().all(open)
}
