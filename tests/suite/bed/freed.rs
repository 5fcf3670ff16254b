//! Whether what the bed does about freed memory can be relied upon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use oxd_tests::{Browser, Builder, Mpm, compile_shared};

/// What a program says, as words.
fn words(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().map(str::to_owned).collect()
}

/// What the compiler has to know of httpd's and APR's headers.
fn headers() -> Vec<String> {
    let mut arguments = words("apr-1-config", &["--includes", "--cppflags"]);
    let headers = words("apxs", &["-q", "INCLUDEDIR"]);
    arguments.extend(headers.iter().map(|directory| format!("-I{directory}")));
    arguments
}

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/preload/reader.c");

/// What a module finds in the memory of a pool that it has destroyed, after it has made another one.
fn found(httpd: Builder) -> String {
    let module = httpd.file("mod_freed.so", "");
    let mut arguments = headers();
    arguments.push(READER.to_owned());
    compile_shared(&arguments, &module);
    let httpd = with_reader(httpd, &module).start();
    Browser::new().get(httpd.url("/freed")).expect(200).text()
}

fn with_reader(httpd: Builder, module: &Path) -> Builder {
    let load = format!("LoadModule freed_module \"{}\"", module.display());
    httpd
        .config(&load)
        .config("<Location /freed>\nSetHandler freed\n</Location>")
}

#[test]
fn freed_pools_are_overwritten_and_not_given_out_again() {
    for mpm in [Mpm::Event, Mpm::Prefork] {
        assert_eq!(found(crate::stock().mpm(mpm)), "a5", "{mpm:?}");
    }
    // Without the bed's doing, the next pool gets the memory, and the fault does not show.
    assert_eq!(found(crate::stock().without_overwriting()), "74");
}

/// Where the module under test is watched by AddressSanitizer (`make sanitize`), the same fault ends the process, and its
/// report names the line.
#[test]
fn a_sanitizer_reports_the_use_of_a_destroyed_pool() {
    if std::env::var_os("OXD_SANITIZER").is_none() {
        return;
    }
    let httpd = crate::stock();
    let (object, module) = (httpd.file("reader.o", ""), httpd.file("mod_freed.so", ""));
    // Linked without the option, as the compiler would bring a runtime of its own.
    let compiled = Command::new("cc")
        .args(["-g", "-O1", "-fsanitize=address", "-fPIC", "-c", READER, "-o"])
        .arg(&object)
        .args(headers())
        .status();
    assert!(compiled.expect("a C compiler").success());
    compile_shared(&[object.display().to_string()], &module);
    // Not among the reports about the module under test.
    let report = httpd.file("reports/report", "");
    let folder = report.parent().expect("a folder");
    fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).expect("a folder for everybody");
    let httpd = with_reader(httpd, &module)
        .environment(
            "ASAN_OPTIONS",
            &format!("log_path={}:abort_on_error=1", report.display()),
        )
        .start();
    let answer = Browser::new().ask("GET", httpd.url("/freed")).try_send();
    assert!(answer.is_err(), "the process went on");
    httpd.expect_log("AH00052: child pid [0-9]+ exit signal Abort");
    let names = fs::read_dir(folder).expect("a folder");
    let reports = names
        .map(|file| file.expect("a file").path())
        .filter(|file| file.file_stem().is_some_and(|name| name == "report") && file.extension().is_some());
    let text: String = reports
        .map(|file| fs::read_to_string(file).expect("a report"))
        .collect();
    assert!(
        text.contains("AddressSanitizer: use-after-poison") && text.contains("in handler"),
        "{text}"
    );
}
