//! The commands that need no oxd: key, explain, completions, manual; and what cannot be typed.

mod common;

use std::fs;
use std::io::Write as _;

use common::{mode, run_in, run_with};
use oxd_core::base::{Failure, Reason};
use serde_json::json;

/// A log with a line for each reason, as the module writes it, the tenth compressed away.
fn log_line(reason: Reason, reference: &str) -> String {
    let line = Failure::new(reason, "what happened").log_line();
    format!(
        "[Mon Nov 23 16:28:06.123456 2026] [oxd:info] [pid 7:tid 8] [client 10.0.0.1:50000] {line} [ref {reference}]"
    )
}

#[test]
fn a_key_is_printed_or_written_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run_in(folder.path(), args);
    let printed = run(&["key"]).ended(0);
    assert_eq!(
        (printed.out.len(), printed.err.as_str()),
        (45, ""),
        "{printed:#?}"
    );
    assert_ne!(run(&["key"]).out, printed.out);
    assert!(
        run(&["key", "--json"]).ended(0).json()["key"]
            .as_str()
            .unwrap()
            .len()
            == 44
    );

    let written = run(&["key", "--out", "the-key"]).ended(0);
    let path = folder.path().join("the-key");
    let key = fs::read_to_string(&path).unwrap();
    assert_eq!((key.len(), mode(&path)), (45, 0o600));
    written.keeps(&[key.trim().to_owned()]);
    written.says(&[&format!("OxdCryptoKey    file:{}", path.display())]);
    run(&["key", "--out", "the-key"])
        .ended(5)
        .says(&["exists already", "OxdCryptoKey file:NEW file:OLD"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), key);
    let failed = run(&["key", "--out", "no/folder/key", "--json"]).ended(5).json();
    assert_eq!(failed["error"]["cause"], "cannot_write");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn every_code_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    for reason in Reason::ALL {
        let ran = run_in(folder.path(), &["explain", reason.code()]).ended(0);
        ran.says(&[reason.code(), reason.remedy(), reason.text()]);
        let told = run_in(folder.path(), &["explain", "--json", reason.code()])
            .ended(0)
            .json();
        assert_eq!(told["reason"]["status"], reason.status());
    }
}

#[test]
fn every_reason_is_found_by_its_reference() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for (number, reason) in Reason::ALL.iter().enumerate() {
        log.push_str("[Mon Nov 23 16:28:06 2026] [core:notice] AH00094: something else\n");
        log.push_str(&log_line(*reason, &format!("K7Q10M{number:02}")));
        log.push('\n');
    }
    fs::write(folder.path().join("error.log"), log).unwrap();
    for (number, reason) in Reason::ALL.iter().enumerate() {
        // As a user would read it aloud, and an administrator type it.
        let reference = format!("k7ql-oM{number:02}");
        let args = ["explain", &reference, "--log", "error.log"];
        let ran = run_in(folder.path(), &args).ended(0);
        ran.says(&[
            "Mon Nov 23 16:28:06.123456 2026",
            reason.code(),
            "what happened",
            reason.remedy(),
            "error.log, line",
        ]);
        let told = run_in(folder.path(), &[&args[..], &["--json"]].concat())
            .ended(0)
            .json();
        assert_eq!(told["reference"], format!("K7Q1-0M{number:02}"));
        let entry = &told["entries"][0];
        assert_eq!(
            (&entry["detail"], &entry["reason"]["code"], &entry["line"]),
            (
                &json!("what happened"),
                &json!(reason.code()),
                &json!(2 * number + 2)
            )
        );
        assert_eq!(told["entries"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn logs_are_looked_through_in_turn_packed_and_piped() {
    let folder = tempfile::tempdir().unwrap();
    let line = log_line(Reason::OxdTimeout, "ABCDEFGH");
    fs::write(folder.path().join("error.log"), "nothing\n").unwrap();
    let packed = fs::File::create(folder.path().join("error.log.2.gz")).unwrap();
    let mut packer = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packer.write_all(line.as_bytes()).unwrap();
    packer.finish().unwrap();
    let both = [
        "explain",
        "ABCD-EFGH",
        "--log",
        "error.log",
        "--log",
        "error.log.2.gz",
    ];
    run_in(folder.path(), &both)
        .ended(0)
        .says(&["oxd_timeout", "error.log.2.gz, line 1"]);
    run_with(folder.path(), &["explain", "ABCDEFGH", "--log", "-"], &line, &[])
        .ended(0)
        .says(&["oxd_timeout"]);

    run_in(folder.path(), &both[..4])
        .ended(1)
        .says(&["ABCD-EFGH is not in error.log", "LogLevel"]);
    let told = run_in(
        folder.path(),
        &["--json", "explain", "ABCDEFGH", "--log", "error.log"],
    )
    .ended(1)
    .json();
    assert_eq!(told["error"]["cause"], "reference_not_found");
    run_in(folder.path(), &["explain", "ABCDEFGH", "--log", "none.log"])
        .ended(5)
        .says(&["none.log"]);
    run_in(folder.path(), &["explain", "no_such_code"])
        .ended(2)
        .says(&["neither", "state_unknown"]);
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef oxdctl"),
        ("fish", "complete -c oxdctl"),
    ] {
        let ran = run_in(folder.path(), &["completions", shell]).ended(0);
        ran.says(&[mark, "register", "site-file"]);
        let told = run_in(folder.path(), &["completions", shell, "--json"])
            .ended(0)
            .json();
        assert_eq!(told["script"], ran.out);
    }
    run_in(folder.path(), &["completions", "csh"]).ended(2);
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["manual", "--out", "man/man1"]).ended(0);
    let mut pages: Vec<String> = fs::read_dir(folder.path().join("man/man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    assert_eq!(
        pages,
        [
            "oxdctl-check.1",
            "oxdctl-completions.1",
            "oxdctl-doctor.1",
            "oxdctl-explain.1",
            "oxdctl-key.1",
            "oxdctl-pages-export.1",
            "oxdctl-pages.1",
            "oxdctl-register.1",
            "oxdctl-remove.1",
            "oxdctl-store-check.1",
            "oxdctl-store.1",
            "oxdctl-uma-check.1",
            "oxdctl-uma-protect.1",
            "oxdctl-uma-show.1",
            "oxdctl-uma.1",
            "oxdctl-update.1",
            "oxdctl.1",
        ]
    );
    for page in pages {
        let text = fs::read_to_string(folder.path().join("man/man1").join(&page)).unwrap();
        for part in [
            ".TH ",
            ".SH NAME",
            ".SH SYNOPSIS",
            ".SH OPTIONS",
            ".SH EXAMPLES",
            ".SH \"EXIT STATUS\"",
        ] {
            assert!(text.contains(part), "no {part} in {page}:\n{text}");
        }
        assert!(!text.contains("oxdctl\\-help"), "{page}");
        assert!(
            !text.contains("manual"),
            "{page} speaks of the hidden command:\n{text}"
        );
    }
}

#[test]
fn help_says_how_it_ends_and_hides_what_is_for_packagers() {
    let folder = tempfile::tempdir().unwrap();
    let help = run_in(folder.path(), &["--help"]).ended(0);
    help.says(&[
        "Exit status:",
        "oxd refused",
        "completions",
        "Examples:",
        "oxdctl explain K7QX-3M2P",
    ]);
    let short = run_in(folder.path(), &["store", "check", "-h"]).ended(0);
    short.says(&["Examples:", "oxdctl store check redis://127.0.0.1:6379"]);
    assert!(!help.out.contains("manual"), "{help:#?}");
    run_in(folder.path(), &["--version"]).ended(0);
}

#[test]
fn what_cannot_be_typed_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = ["--server", "https://127.0.0.1:1"];
    for args in [
        &[][..],
        &["nonsense"],
        &["register"],
        &["register", "--base", "https://a/oxd"],
        &[
            "register",
            "--server",
            "127.0.0.1:8443",
            "--base",
            "https://a/oxd",
        ],
        &["register", "--server", "https://a?x", "--base", "https://a/oxd"],
        &[&server[..], &["register", "--base", "https://a/oxd"]].concat(),
        &[&["register", "--base", "https://a"][..], &server].concat(),
        &[
            &["register", "--base", "https://a/oxd", "--client-secret", "-"][..],
            &server,
        ]
        .concat(),
        &[
            &[
                "register",
                "--base",
                "https://a/oxd",
                "--op-host",
                "a",
                "--op-configuration-endpoint",
                "https://a",
            ][..],
            &server,
        ]
        .concat(),
        &[
            &["register", "--base", "https://a/oxd", "--redirect-uri", "/login"][..],
            &server,
        ]
        .concat(),
        &[
            &["register", "--base", "https://a/oxd", "--timeout", "soon"][..],
            &server,
        ]
        .concat(),
        &[
            &["register", "--base", "https://a/oxd", "--proxy", "here"][..],
            &server,
        ]
        .concat(),
        &["check"],
        &["check", "--oxd-id", "x"],
        &["explain"],
        &["key", "extra"],
    ] {
        let ran = run_in(folder.path(), args);
        assert_eq!(ran.status, 2, "{args:?}: {ran:#?}");
        assert!(!ran.err.is_empty(), "{args:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_ca_file_that_is_none_is_a_file_problem() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    for file in ["ca.pem", "none.pem"] {
        let args = ["check", "--server", "https://127.0.0.1:1", "--ca-file", file];
        run_in(folder.path(), &args).ended(5).says(&[file]);
    }
}

#[test]
fn colours_are_for_terminals_alone() {
    let folder = tempfile::tempdir().unwrap();
    // run_with itself looks for colours; a terminal is played by what some tools set.
    run_with(
        folder.path(),
        &["explain", "internal"],
        "",
        &[("CLICOLOR", "1"), ("TERM", "xterm-256color")],
    )
    .ended(0);
    run_with(
        folder.path(),
        &["explain", "internal"],
        "",
        &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")],
    )
    .ended(0);
}

/// What a terminal shows, played by script(1).
fn on_a_terminal(folder: &std::path::Path, command: &str, env: &[(&str, &str)]) -> String {
    let line = format!("{} {command}", env!("CARGO_BIN_EXE_oxdctl"));
    let ran = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(folder)
        .env_remove("CLICOLOR_FORCE")
        .env_remove("CLICOLOR")
        .env_remove("NO_COLOR")
        .env_remove("CI")
        .env_remove("TERM")
        .envs(env.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("script, of bsdutils or util-linux");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn a_terminal_gets_colours_unless_it_or_its_user_wants_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("error.log"), "nothing\n").unwrap();
    // The second one shows what it is doing, too.
    for command in ["explain internal", "explain ABCD-EFGH --log error.log", "--help"] {
        let shown = on_a_terminal(folder.path(), command, &[("TERM", "xterm-256color")]);
        assert!(shown.contains('\x1b'), "{command}: {shown:?}");
        for env in [
            &[("TERM", "dumb")][..],
            // Some take these for a sign that every terminal has colours.
            &[("TERM", "dumb"), ("CI", "true")],
            &[("TERM", "dumb"), ("CLICOLOR", "1")],
            &[("CI", "true")],
            &[("TERM", "xterm-256color"), ("CI", "true"), ("NO_COLOR", "1")],
            &[("TERM", "xterm-256color"), ("NO_COLOR", "1")],
            &[
                ("TERM", "xterm-256color"),
                ("NO_COLOR", "1"),
                ("CLICOLOR_FORCE", "1"),
            ],
        ] {
            let shown = on_a_terminal(folder.path(), command, env);
            assert!(
                !shown.contains('\x1b') && shown.len() > 40,
                "{command} {env:?}: {shown:?}"
            );
        }
    }
    let json = on_a_terminal(
        folder.path(),
        "explain internal --json",
        &[("TERM", "xterm-256color")],
    );
    assert!(
        !json.contains('\x1b') && json.contains("\"ok\": true"),
        "{json:?}"
    );
}

#[test]
fn colours_can_be_forced_but_not_into_json() {
    let folder = tempfile::tempdir().unwrap();
    let out = |args: &[&str]| {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_oxdctl"))
            .args(args)
            .current_dir(folder.path())
            .env_remove("NO_COLOR")
            .env("CLICOLOR_FORCE", "1")
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    assert!(out(&["explain", "internal"]).contains("\x1b["));
    assert!(!out(&["explain", "internal", "--json"]).contains('\x1b'));
}

#[test]
fn an_address_below_the_handler_is_corrected_or_refused_with_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let check = |base: &str| {
        let args = [
            "check",
            "--server",
            "http://127.0.0.1:1",
            "--base",
            base,
            "--oxd-id",
            "x",
        ];
        run_in(folder.path(), &args)
    };
    check("https://a.example/oxd/callback")
        .ended(1)
        .says(&["taken as https://a.example/oxd"]);
    check("http://a.example/oxd")
        .ended(1)
        .says(&["write https://a.example/oxd"]);
    check("https://a.example/oxd/login?code=1")
        .ended(2)
        .says(&["write https://a.example/oxd"]);
    check("a.example/oxd")
        .ended(2)
        .says(&["write https://a.example/oxd"]);
    let quiet = check("https://a.example/oxd").ended(1);
    assert_eq!(quiet.err, "", "{quiet:#?}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_oxdctl"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        (Some(0), "")
    );
}
