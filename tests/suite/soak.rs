//! The program of `make soak` in short runs: it ends well, and badly when it is made to do wrong.

use std::process::Command;
use std::time::Instant;

use oxd_tests::module;
use tempfile::TempDir;

/// Runs it with the sessions in cookies, for so many seconds; its status, and what it has written.
fn soak(seconds: f64, more: &[&str]) -> (Option<i32>, TempDir, String) {
    let out = tempfile::tempdir().expect("a directory");
    let hours = (seconds / 3600.0).to_string();
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_oxd-soak"))
        .env("OXD_MODULE", module())
        .args([
            "--stores",
            "cookie",
            "--threads",
            "3",
            "--visitors",
            "8",
            "--hours",
            &hours,
            "--out",
        ])
        .arg(out.path())
        .args(more)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!(
        "{more:?}: {} in {:.1} s\n{said}",
        output.status,
        begun.elapsed().as_secs_f64()
    );
    (output.status.code(), out, said)
}

#[test]
fn it_ends_well_and_leaves_samples_a_picture_and_tables() {
    let (status, out, said) = soak(8.0, &["--every", "0.5"]);
    let read = |name: &str| std::fs::read_to_string(out.path().join(name)).expect("a file of results");
    let tables = read("soak.md");
    assert_eq!(status, Some(0), "{said}{tables}");
    assert!(
        tables.contains("| page with a session |") && tables.contains("\n0 faults\n"),
        "{tables}"
    );
    assert!(
        tables.contains("| graceful restart | 1 |") && tables.contains("| oxd stalled | 1 |"),
        "{tables}"
    );
    assert!(read("soak.csv").lines().count() > 5);
    let picture = read("soak.svg");
    assert!(
        picture.starts_with("<svg ") && picture.contains("<polyline "),
        "{picture}"
    );
}

/// All at once, as each takes its time and little else.
#[test]
fn whatever_it_does_wrong_is_noticed() {
    let ways: [(f64, &[&str], &str); 4] = [
        (8.0, &["--mischief", "stranger"], "is shown"),
        (16.0, &["--mischief", "alive"], "has ended and works"),
        (8.0, &["--mischief", "crash"], "exit signal Segmentation fault"),
        (
            20.0,
            &["--mischief", "descriptors", "--every", "0.2"],
            "descriptors of a child grew",
        ),
    ];
    std::thread::scope(|scope| {
        for (seconds, more, complaint) in ways {
            scope.spawn(move || {
                let (status, _out, said) = soak(seconds, more);
                assert_eq!(status, Some(1), "{more:?}: {said}");
                assert!(
                    said.contains(complaint),
                    "{more:?}, without {complaint:?}: {said}"
                );
            });
        }
    });
}
