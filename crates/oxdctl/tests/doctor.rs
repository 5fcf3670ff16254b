//! `doctor` at a real httpd: a set-up that works, and broken ones, each with the line that names its cause.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use oxd_dev::{DevServer, Options, Tls};
use oxd_tests::{Authority, Builder, Httpd, Install};
use serde_json::Value;

/// oxd, and httpd to come, with a registered site.
struct Setup {
    oxd: DevServer,
    httpd: Builder,
}

/// How a run of the doctor ended.
struct Report {
    status: i32,
    text: String,
    json: Value,
}

const MODULE: &str = "OxdServer \"${OXD}\"\nOxdSite oxd-site.json\nOxdCryptoKey file:oxd-key\n<Location /oxd>\n    \
                      SetHandler oxd\n</Location>\n<Location /app>\n    AuthType oxd\n    Require valid-user\n</Location>\n";

impl Setup {
    fn new() -> Self {
        Self::with(
            Options::default(),
            |builder| builder,
            |builder| builder.url("/oxd"),
        )
    }

    fn with(
        options: Options,
        change: impl FnOnce(Builder) -> Builder,
        base: impl FnOnce(&Builder) -> String,
    ) -> Self {
        let has_expired = options.tls == Tls::Expired;
        let oxd = DevServer::start(options).expect("the stand-in for oxd");
        let httpd = change(Httpd::builder()).define("OXD", &oxd.url());
        let base = base(&httpd);
        let mut args = vec![
            "register".to_owned(),
            "--server".into(),
            oxd.url(),
            "--base".into(),
            base,
        ];
        if let Some(pem) = oxd.ca_pem() {
            httpd.file("oxd-ca.pem", &pem);
            match has_expired {
                true => args.push("--no-verify".into()),
                false => args.extend(["--ca-file".into(), "oxd-ca.pem".into()]),
            }
        }
        let setup = Self { oxd, httpd };
        setup.oxdctl(&args);
        setup.oxdctl(&["key".into(), "--out".into(), "oxd-key".into()]);
        setup
    }

    fn oxdctl(&self, args: &[String]) {
        let ran = program()
            .args(args)
            .current_dir(self.httpd.path(""))
            .output()
            .expect("oxdctl");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{args:?}: {said}");
    }

    /// The secrets that no report may hold.
    fn secrets(&self) -> Vec<String> {
        let file = fs::read_to_string(self.httpd.path("oxd-site.json")).expect("the site file");
        let site: Value = serde_json::from_str(&file).expect("a site file");
        let mut secrets = vec![site["client_secret"].as_str().expect("a secret").to_owned()];
        let key = fs::read_to_string(self.httpd.path("oxd-key")).expect("the key");
        secrets.push(key.trim().to_owned());
        secrets
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oxdctl"));
    command.env_remove("CLICOLOR_FORCE");
    command
}

/// Runs the doctor both ways, on the configuration below this folder.
#[track_caller]
fn examine(root: &Path, more: &[&str], secrets: &[String]) -> Report {
    let run = |with: &[&str]| {
        let ran = program()
            .args(["doctor", "--httpd"])
            .arg(&Install::get().binary)
            .args(["--config", "httpd.conf"])
            .args(more)
            .args(with)
            .current_dir(root)
            .output()
            .expect("oxdctl");
        let (out, err) = (
            String::from_utf8(ran.stdout).expect("text"),
            String::from_utf8(ran.stderr).expect("text"),
        );
        for secret in secrets {
            assert!(
                !out.contains(secret) && !err.contains(secret),
                "{secret} in {out}{err}"
            );
        }
        assert!(!err.contains("panicked") && !out.contains('\x1b'), "{out}{err}");
        (ran.status.code().expect("no signal"), out)
    };
    let (status, text) = run(&[]);
    let (_, json) = run(&["--json"]);
    let json = serde_json::from_str(&json).unwrap_or_else(|why| panic!("{why}: {json}"));
    Report { status, text, json }
}

impl Report {
    /// The findings of a check, with status and cause.
    fn of(&self, check: &str) -> Vec<(String, String)> {
        let all = self.json["checks"].as_array().expect("checks");
        all.iter()
            .filter(|one| one["check"] == check)
            .map(|one| {
                let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
                (text("status"), text("cause"))
            })
            .collect()
    }

    /// Fails unless this check found this cause, the text says these words, and an advice stands below.
    #[track_caller]
    fn finds(&self, check: &str, status: &str, cause: &str, words: &[&str]) {
        let found = self.of(check);
        assert!(
            found.contains(&(status.to_owned(), cause.to_owned())),
            "{check} is {found:?} in\n{}",
            self.text
        );
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in\n{}", self.text);
        }
        assert!(self.text.contains("to do: "), "{}", self.text);
        assert_eq!(self.status, i32::from(status == "failed"), "{}", self.text);
    }
}

#[test]
fn a_set_up_that_works_is_well_from_the_module_to_the_login() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.config(MODULE);
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    assert_eq!(report.status, 0, "{}", report.text);
    for check in [
        "httpd",
        "modules",
        "handler",
        "host",
        "secrets",
        "log-level",
        "site-file",
        "tls",
        "oxd",
        "clock",
        "credentials",
        "site",
        "redirect",
        "registered",
        "certificate",
        "start",
        "cookie",
        "headers",
        "op-clock",
    ] {
        assert_eq!(
            report.of(check),
            [("ok".to_owned(), String::new())],
            "{check} in\n{}",
            report.text
        );
    }
    assert_eq!(report.json["ok"], true);
    assert!(report.text.ends_with("All is well.\n"), "{}", report.text);

    // The report as a file, once.
    let args = ["--out", "report.txt"];
    let shown = program()
        .args(["doctor", "--httpd"])
        .arg(&Install::get().binary)
        .args(["--config", "httpd.conf"])
        .args(args)
        .current_dir(httpd.root())
        .output()
        .expect("oxdctl");
    let written = fs::read_to_string(httpd.file("report.txt")).expect("the report");
    assert_eq!(written, String::from_utf8_lossy(&shown.stdout));
    assert_eq!(
        fs::metadata(httpd.file("report.txt"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let again = program()
        .args(["doctor"])
        .args(args)
        .current_dir(httpd.root())
        .output();
    assert_eq!(again.expect("oxdctl").status.code(), Some(5));
}

#[test]
fn the_module_is_not_enabled() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    // As with a2dismod oxd: httpd runs on with what it has, and refuses what it would read now.
    setup.httpd = setup.httpd.without_module();
    let httpd = setup.httpd.start();
    let path = httpd.file("httpd.conf");
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{before}{MODULE}")).unwrap();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "modules",
        "failed",
        "module_not_loaded",
        &["a2enmod oxd", "Invalid command 'OxdServer'"],
    );
    fs::write(
        &path,
        format!("{before}<IfModule mod_oxd.c>\n{MODULE}</IfModule>\n"),
    )
    .unwrap();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds("modules", "failed", "module_not_loaded", &["a2enmod oxd"]);
}

#[test]
fn another_redirect_uri_is_registered() {
    let mut setup = Setup::with(
        Options::default(),
        |builder| builder,
        |_| "https://elsewhere.example/oxd".to_owned(),
    );
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.config(MODULE).allow_log("oxd:warn");
    let base = setup.httpd.url("/oxd");
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &["--base", &base], &secrets);
    report.finds(
        "start",
        "failed",
        "start_redirect_uri_differs",
        &["https://elsewhere.example/oxd/login", "oxdctl update --base"],
    );
}

#[test]
fn the_handler_is_at_another_place_than_registered() {
    let mut setup = Setup::with(
        Options::default(),
        |builder| builder,
        |builder| builder.url("/signin"),
    );
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.config(MODULE).allow_log("oxd:warn");
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "handler",
        "failed",
        "handler_elsewhere",
        &["SetHandler oxd is at /oxd", "<Location /signin>"],
    );
    report.finds(
        "start",
        "failed",
        "start_not_found",
        &["/signin/login answers 404"],
    );
}

#[test]
fn files_with_secrets_are_open_and_the_log_level_hides() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.config(MODULE).log_level("warn").allow_log("oxd:warn");
    let httpd = setup.httpd.start();
    let open = |name: &str| {
        fs::set_permissions(httpd.file(name), fs::Permissions::from_mode(0o644)).unwrap();
    };
    open("oxd-site.json");
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "site-file",
        "warning",
        "site_file_open",
        &["mode 644", "chmod 600"],
    );
    report.finds(
        "log-level",
        "warning",
        "log_level_hides",
        &["write LogLevel warn oxd:info"],
    );
}

#[test]
fn certificates_have_expired() {
    let past = Authority::new().certify_the_past();
    let mut setup = Setup::with(
        Options {
            tls: Tls::Expired,
            ..Options::default()
        },
        |builder| builder.tls(&past),
        |builder| builder.tls_url("/oxd"),
    );
    let secrets = setup.secrets();
    setup.httpd = setup
        .httpd
        .config(&format!("OxdServerCAFile oxd-ca.pem\n{MODULE}"))
        .allow_log("oxd:(warn|error)|ssl:warn|AH01909|AH01906");
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds("tls", "failed", "tls_expired", &["OxdServerCAFile"]);
    report.finds(
        "certificate",
        "failed",
        "certificate_expired",
        &["has expired", "SSLCertificateFile"],
    );
}

#[test]
fn oxd_is_stopped() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.config(MODULE);
    let Setup { mut oxd, httpd } = setup;
    let httpd = httpd.start();
    httpd.allow_log("oxd_unreachable|oxd_resting");
    oxd.stop();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "connection",
        "failed",
        "connection_refused",
        &["systemctl status oxd-server"],
    );
    report.finds(
        "start",
        "failed",
        "start_refused",
        &["oxd_unreachable, reference "],
    );
    httpd.expect_log("oxd_unreachable");
}

#[test]
fn httpd_is_stopped_and_small() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd = setup
        .httpd
        .config(&format!("LimitRequestFieldSize 4000\n{MODULE}"))
        .allow_log("oxd:warn");
    let mut httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "headers",
        "failed",
        "headers_too_large",
        &["LimitRequestFieldSize"],
    );
    httpd.stop();
    let report = examine(httpd.root(), &[], &secrets);
    report.finds(
        "start",
        "failed",
        "httpd_unreachable",
        &["systemctl status apache2"],
    );
}

#[test]
fn requests_come_to_another_virtual_host() {
    // The same name twice is no error for httpd, which takes the first one.
    for name in ["third.example", "other.example"] {
        let mut setup = Setup::new();
        let secrets = setup.secrets();
        setup.httpd = setup.httpd.config(&format!(
            "<VirtualHost 127.0.0.1:${{PORT}}>\nServerName other.example\n</VirtualHost>\n<VirtualHost \
             127.0.0.1:${{PORT}}>\nServerName {name}\n{MODULE}</VirtualHost>\n"
        ));
        let httpd = setup.httpd.start();
        let report = examine(httpd.root(), &[], &secrets);
        report.finds(
            "host",
            "failed",
            "another_host",
            &["the virtual host other.example"],
        );
        report.finds("start", "failed", "start_not_found", &[]);
    }
}

#[test]
fn a_secret_that_httpd_alone_knows_is_no_failure() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd.file("client-secret", &secrets[0]);
    let source = setup.httpd.path("client-secret");
    setup.httpd = setup.httpd.config(&format!(
        "OxdClientSecret \"exec:/bin/cat {}\"\n{MODULE}",
        source.display()
    ));
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    assert_eq!(report.status, 0, "{}", report.text);
    for (check, status) in [("credentials", "skipped"), ("site", "skipped"), ("start", "ok")] {
        assert_eq!(
            report.of(check),
            [(status.to_owned(), String::new())],
            "{check} in\n{}",
            report.text
        );
    }
    assert!(
        report.text.contains("cannot be checked without a client token"),
        "{}",
        report.text
    );
}

#[test]
fn mod_info_tells_the_configuration_with_its_macros() {
    let mut setup = Setup::new();
    let secrets = setup.secrets();
    setup.httpd = setup.httpd.load("info").load("macro").config(&format!(
        "<Macro site $path>\n{}</Macro>\nUse site /oxd\n",
        MODULE.replace("/oxd>", "$path>")
    ));
    let httpd = setup.httpd.start();
    let report = examine(httpd.root(), &[], &secrets);
    assert_eq!(
        report.of("start"),
        [("ok".to_owned(), String::new())],
        "{}",
        report.text
    );
}

#[test]
fn a_machine_without_httpd_still_has_a_site_file() {
    let setup = Setup::new();
    let secrets = setup.secrets();
    let ran = program()
        .args([
            "doctor",
            "--httpd",
            "/no/such/httpd",
            "--site-file",
            "oxd-site.json",
            "--json",
        ])
        .current_dir(setup.httpd.path(""))
        .output()
        .expect("oxdctl");
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(secrets.iter().all(|secret| !out.contains(secret)), "{out}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let of = |check: &str| checks.iter().find(|one| one["check"] == check).unwrap();
    assert_eq!(
        (&of("httpd")["cause"], &of("redirect")["status"]),
        (&"httpd_not_asked".into(), &"ok".into())
    );
}
