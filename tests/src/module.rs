//! The module under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The module's file: `OXD_MODULE` when set, else what `cargo build -p mod_oxd` makes, which runs
/// once per process.
pub fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| match std::env::var_os("OXD_MODULE") {
        Some(path) => Path::new(&path)
            .canonicalize()
            .unwrap_or_else(|error| panic!("OXD_MODULE={}: {error}", path.display())),
        None => build(),
    })
}

/// The directory for files of a finished run: cargo's own, next to the built module.
pub(crate) fn target_dir() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace().join(target)
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--message-format=json-render-diagnostics",
            "-p",
            "mod_oxd",
        ])
        .current_dir(workspace())
        .output()
        .unwrap_or_else(|error| panic!("cannot run cargo to build the module: {error}"));
    if !output.status.success() {
        panic!(
            "the module does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // Cargo says where it put the file, whatever the target directory is called.
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut files = artifacts
        .filter(|message| message["reason"] == "compiler-artifact")
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .filter(|file| file.ends_with("libmod_oxd.so"));
    files
        .next()
        .unwrap_or_else(|| panic!("cargo built no libmod_oxd.so"))
}
