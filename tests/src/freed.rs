//! Lets an httpd overwrite what it frees, so that a module which goes on using the memory of a destroyed pool reads
//! rubbish and fails its test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::module::target_dir;

/// The configuration that makes APR keep no freed memory for later.
pub(crate) const CONFIG: &str = "MaxMemFree 1";

/// What children of an httpd started by root may be asked by a sanitizer only with: whether they have leaks.
pub(crate) const INSPECTED: &str = "CoreDumpDirectory run";

/// The environment of such an httpd: APR takes memory from `mmap()`, which the preloaded library looks after, or from
/// glibc's `malloc()`, depending on how it was built.
pub(crate) fn environment() -> [(&'static str, String); 2] {
    let library = library().display().to_string();
    let preloaded = sanitizer().map_or(library.clone(), |runtime| format!("{runtime}:{library}"));
    [("LD_PRELOAD", preloaded), ("MALLOC_PERTURB_", "165".to_owned())]
}

/// The runtime of the sanitizer that the module is built with, if `OXD_SANITIZER` names one: httpd is not built with it,
/// so it has to be loaded before everything else.
pub(crate) fn sanitizer() -> Option<String> {
    std::env::var("OXD_SANITIZER")
        .ok()
        .filter(|runtime| !runtime.is_empty())
}

/// The library, built once per process: several suites may run at the same time.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/preload/freed.c");
        let target = target_dir().join("oxd-tests-freed.so");
        let mine = target.with_extension(format!("{}.so", std::process::id()));
        compile_shared(&["-pthread".to_owned(), source.to_owned()], &mine);
        std::fs::rename(&mine, &target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        target
    })
}

/// Compiles a shared library with the system's C compiler.
pub fn compile_shared(arguments: &[String], target: &Path) {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(&compiler)
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(target)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", compiler.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?} cannot be compiled:\n{said}"
    );
}
