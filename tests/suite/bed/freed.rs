//! Whether what the bed does about freed memory can be relied upon.

use std::process::Command;

use oxd_tests::{Browser, Builder, Mpm, compile_shared};

/// What a program says, as words.
fn words(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().map(str::to_owned).collect()
}

/// What a module finds in the memory of a pool that it has destroyed, after it has made another one.
fn found(httpd: Builder) -> String {
    let module = httpd.file("mod_freed.so", "");
    let mut arguments = words("apr-1-config", &["--includes", "--cppflags"]);
    let headers = words("apxs", &["-q", "INCLUDEDIR"]);
    arguments.extend(headers.iter().map(|directory| format!("-I{directory}")));
    arguments.push(concat!(env!("CARGO_MANIFEST_DIR"), "/preload/reader.c").to_owned());
    compile_shared(&arguments, &module);
    let load = format!("LoadModule freed_module \"{}\"", module.display());
    let httpd = httpd
        .config(&load)
        .config("<Location /freed>\nSetHandler freed\n</Location>");
    let httpd = httpd.start();
    Browser::new().get(httpd.url("/freed")).expect(200).text()
}

#[test]
fn freed_pools_are_overwritten_and_not_given_out_again() {
    for mpm in [Mpm::Event, Mpm::Prefork] {
        assert_eq!(found(crate::stock().mpm(mpm)), "a5", "{mpm:?}");
    }
    // Without the bed's doing, the next pool gets the memory, and the fault does not show.
    assert_eq!(found(crate::stock().without_overwriting()), "74");
}
