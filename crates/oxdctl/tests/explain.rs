//! `explain` without a named log: httpd's own logs, rotated ones, journald; what hides a line; what was mistyped.

mod common;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Ran, run_in, run_with};
use oxd_core::base::{Failure, Reason};
use serde_json::json;
use tempfile::TempDir;

fn log_line(reason: Reason, reference: &str) -> String {
    let line = Failure::new(reason, "what happened").log_line();
    format!(
        "[Mon Nov 23 16:28:06.123456 2026] [oxd:info] [pid 7:tid 8] [client 10.0.0.1:50000] {line} [ref {reference}]\n"
    )
}

/// A machine with an httpd that says where its log is, and maybe with a journald.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(log_level: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        fs::create_dir_all(folder.path().join("logs")).unwrap();
        let machine = Self { folder };
        machine.write(
            "httpd.conf",
            &format!("LogLevel {log_level}\nErrorLog ${{APACHE_LOG_DIR}}/app.log\n"),
        );
        machine.program(
            "apache2ctl",
            &format!(
                "echo 'Included configuration files:\n  (*) {root}/httpd.conf\nServerRoot: \"{root}\"\nMain ErrorLog: \
                 \"{root}/logs/main.log\"\nLoaded Modules:\n core_module (static)\n oxd_module (shared)'"
            ),
        );
        machine
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn explain(&self, args: &[&str]) -> Ran {
        let bin = self.path().join("bin").display().to_string();
        let logs = self.path().join("logs").display().to_string();
        let args = [&["explain"], args].concat();
        run_with(
            self.path(),
            &args,
            "",
            &[("PATH", bin.as_str()), ("APACHE_LOG_DIR", logs.as_str())],
        )
    }
}

#[test]
fn logs_of_the_configuration_are_found_rotated_and_packed() {
    let machine = Machine::new("warn oxd:info");
    machine.write("logs/main.log", "nothing\n");
    machine.write("logs/app.log.1", &log_line(Reason::OxdTimeout, "ABCDEFGH"));
    let packed = fs::File::create(machine.path().join("logs/app.log.2.gz")).unwrap();
    let mut packer = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
    packer
        .write_all(log_line(Reason::StateUnknown, "K7Q10M2P").as_bytes())
        .unwrap();
    packer.finish().unwrap();
    machine
        .explain(&["abcd-efgh"])
        .ended(0)
        .says(&["oxd_timeout", "logs/app.log.1, line 1"]);
    machine
        .explain(&["K7Q1-OM2P"])
        .ended(0)
        .says(&["state_unknown", "logs/app.log.2.gz, line 1"]);
}

#[test]
fn journald_is_asked_for_the_units_of_httpd_and_for_nothing_else() {
    let machine = Machine::new("info");
    let root = machine.path().display();
    let line = "2026-11-23T16:28:06+00:00 web apache2[7]: [oxd:error] [client 10.0.0.1:5] oxd_timeout: no answer [ref \
                ABCDEFGH]";
    machine.program(
        "journalctl",
        &format!("for word in \"$@\"; do echo \"$word\"; done >{root}/asked; echo '{line}'"),
    );
    let ran = machine.explain(&["--json", "ABCD-EFGH"]).ended(0).json();
    let entry = &ran["entries"][0];
    assert_eq!(
        (
            &entry["log"],
            &entry["time"],
            &entry["reason"]["code"],
            &entry["detail"]
        ),
        (
            &json!("journald"),
            &json!("2026-11-23T16:28:06+00:00"),
            &json!("oxd_timeout"),
            &json!("no answer")
        )
    );
    let asked = fs::read_to_string(machine.path().join("asked")).unwrap();
    let words: Vec<&str> = asked.lines().collect();
    assert!(
        words.contains(&"--grep=ref ABCDEFGH") && words.contains(&"--unit=apache2"),
        "{words:?}"
    );
    assert!(words.iter().all(|word| word.starts_with("--")), "{words:?}");

    machine.program("journalctl", "echo 'Hint: you may not see this' >&2; exit 1");
    machine.write("logs/main.log", "nothing\n");
    machine
        .explain(&["ABCD-EFGH"])
        .ended(1)
        .says(&["main.log", "journalctl: Hint: you may not"]);
}

#[test]
fn a_machine_without_journald_is_told() {
    let machine = Machine::new("info");
    machine.write("logs/main.log", "nothing\n");
    machine.explain(&["ABCD-EFGH"]).ended(1).says(&[
        "is not in",
        "main.log",
        "there is no journald on this machine",
    ]);
}

#[test]
fn a_log_level_that_hides_the_line_is_named_with_its_cure() {
    for (level, words) in [
        (
            "warn",
            &["LogLevel is warn", "httpd.conf:1", "write LogLevel oxd:info"][..],
        ),
        (
            "warn oxd:notice",
            &["LogLevel is notice", "write LogLevel oxd:info"],
        ),
        (
            "warn oxd:info",
            &["LogLevel is info", "hides no refusal", "on another machine"],
        ),
    ] {
        let machine = Machine::new(level);
        machine.write("logs/main.log", "nothing\n");
        machine.explain(&["K7Q1-0M2P"]).ended(1).says(words);
    }
}

#[test]
fn mistyped_numbers_and_codes_get_suggestions() {
    let machine = Machine::new("info");
    machine.write("logs/main.log", &log_line(Reason::OxdTimeout, "K7Q10M2P"));
    for typed in ["K7Q1-0M2Q", "k7q1om2", "7KQ1-0M2P", "K7Q1-00M2P"] {
        machine
            .explain(&[typed])
            .ended(1)
            .says(&["did you mean K7Q1-0M2P?"]);
    }
    let folder = tempfile::tempdir().unwrap();
    for (typed, meant) in [
        ("state_unkown", "state_unknown"),
        ("oxd_timout", "oxd_timeout"),
        ("sesion_too_large", "session_too_large"),
    ] {
        run_in(folder.path(), &["explain", typed])
            .ended(2)
            .says(&[&format!("did you mean {meant}")]);
    }
    run_in(folder.path(), &["explain", "State-Unknown"])
        .ended(0)
        .says(&["state_unknown", "at level info: only with LogLevel oxd:info"]);
    // clap has suggestions for commands and options.
    for (args, meant) in [
        (&["chekc"][..], "check"),
        (&["check", "--sitefile", "x"], "--site-file"),
    ] {
        run_in(folder.path(), args).ended(2).says(&[meant]);
    }
}
