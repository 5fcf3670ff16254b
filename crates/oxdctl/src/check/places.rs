//! Where the site file is when none is named.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::SITE_FILE;
use crate::problem::{Outcome, Problem};
use crate::screen::{Screen, plain};

/// The folders in which the packages have site files.
pub const FOLDERS: [&str; 2] = ["/etc/apache2/oxd", "/etc/httpd/oxd"];

/// A larger file is no site file.
const LARGEST: u64 = 1024 * 1024;

/// The site file of this folder, or else the only one of the usual folders. Where oxd's address was typed, those folders
/// are not searched: what is there may be another oxd's.
pub fn usual(screen: &Screen, has_server: bool) -> Outcome<Option<PathBuf>> {
    let here = Path::new(SITE_FILE);
    if here.exists() {
        return Ok(Some(here.to_owned()));
    }
    if has_server {
        return Ok(None);
    }
    let found = one_of(&FOLDERS.map(Path::new))?;
    if let Some(path) = &found {
        screen.note(format!("the site file is {}", plain(&path.display().to_string())));
    }
    Ok(found)
}

/// The only site file of these folders.
fn one_of(folders: &[&Path]) -> Outcome<Option<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        match std::fs::read_dir(folder) {
            Ok(entries) => {
                let paths = entries.flatten().map(|entry| entry.path());
                found.extend(paths.filter(|path| is_site_file(path)));
            }
            Err(why) if why.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Problem::file("site_file_unreadable", folder, why)
                    .advise("run oxdctl as a user who may read the site file, usually root"));
            }
            Err(_) => {}
        }
    }
    found.sort();
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => {
            let lines: Vec<String> = found
                .iter()
                .map(|path| format!("oxdctl check --site-file {}", plain(&path.display().to_string())))
                .collect();
            Err(
                Problem::usage("there are several sites: name the site file of one")
                    .advise(lines.join("\n        ")),
            )
        }
    }
}

/// Whether a file is what `register-site` answers. A JSON file that cannot be read may be one: its own error says more.
fn is_site_file(path: &Path) -> bool {
    if path.extension().is_none_or(|ending| ending != "json") {
        return false;
    }
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() <= LARGEST => {}
        _ => return false,
    }
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).is_ok_and(|value: Value| value["oxd_id"].is_string()),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_only_site_file_is_found_and_several_are_listed() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let missing = one.path().join("missing");
        let folders = [missing.as_path(), one.path(), two.path()];
        assert_eq!(one_of(&folders).unwrap(), None);
        fs::write(one.path().join("resources.json"), "[{}]").unwrap();
        fs::write(one.path().join("site.json.removed"), r#"{"oxd_id": "x"}"#).unwrap();
        assert_eq!(one_of(&folders).unwrap(), None);
        let site = two.path().join("site.json");
        fs::write(&site, r#"{"oxd_id": "x"}"#).unwrap();
        assert_eq!(one_of(&folders).unwrap(), Some(site.clone()));
        let another = one.path().join("shop.json");
        fs::write(&another, r#"{"oxd_id": "y"}"#).unwrap();
        let problem = one_of(&folders).unwrap_err();
        assert_eq!(problem.kind, crate::problem::Kind::Usage);
        for path in [site, another] {
            let line = format!("oxdctl check --site-file {}", path.display());
            assert!(problem.advice.contains(&line), "{}", problem.advice);
        }
    }
}
