//! What the suites share: a folder with the stand-in for oxd beside it, and the program run in it.

#![allow(dead_code, reason = "each suite uses its own part")]

pub mod store;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oxd_dev::{DevServer, Fault, Options, Site};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const BASE: &str = "https://app.example/oxd";
pub const LOGIN: &str = "https://app.example/oxd/login";

/// How the program ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Fails unless the program ended with this status.
    #[track_caller]
    pub fn ended(self, status: i32) -> Ran {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// The output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:#?}"))
    }

    /// Fails unless all of these stand in what was printed.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(
                self.out.contains(text) || self.err.contains(text),
                "no {text:?} in {self:#?}"
            );
        }
    }

    /// Fails if one of these stands in what was printed.
    #[track_caller]
    pub fn keeps(&self, secrets: &[String]) {
        for secret in secrets {
            assert!(
                !self.out.contains(secret.as_str()) && !self.err.contains(secret.as_str()),
                "the secret {secret:?} in {self:#?}"
            );
        }
    }
}

/// Runs the program in a folder, with nothing to read and no terminal.
pub fn run_in<S: AsRef<OsStr>>(folder: &Path, args: &[S]) -> Ran {
    run_with(folder, args, "", &[])
}

/// The same with a standard input and an environment.
pub fn run_with<S: AsRef<OsStr>>(folder: &Path, args: &[S], input: &str, env: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oxdctl"))
        .args(args)
        .current_dir(folder)
        // Whoever runs the tests may have set them.
        .env_remove("CLICOLOR_FORCE")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let ran = Ran {
        status: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(
        !ran.out.contains('\x1b') && !ran.err.contains('\x1b'),
        "colours without a terminal: {ran:#?}"
    );
    assert!(!ran.err.contains("panicked"), "{ran:#?}");
    ran
}

/// The stand-in and a folder.
pub struct Bed {
    pub server: DevServer,
    pub folder: TempDir,
}

impl Bed {
    pub fn new() -> Bed {
        Bed::with(Options::default())
    }

    pub fn with(options: Options) -> Bed {
        Bed {
            server: DevServer::start(options).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let ran = run_in(self.folder.path(), args);
        ran.keeps(&self.secrets());
        ran
    }

    /// A site that is registered through the program, with its file.
    pub fn register(&self) {
        self.write_ca();
        let url = self.server.url();
        let mut args = vec!["register", "--server", &url, "--base", BASE];
        if self.server.ca_pem().is_some() {
            args.extend(["--ca-file", "ca.pem"]);
        }
        self.run(&args).ended(0);
    }

    /// A site that is registered behind the program's back, with its file.
    pub fn site_file(&self, redirect_uris: &[&str]) -> Site {
        let site = self.server.register(redirect_uris, &[]);
        self.write_site(&serde_json::to_value(&site).unwrap());
        site
    }

    /// Writes the site file as the program would.
    pub fn write_site(&self, site: &Value) {
        let mut site = site.clone();
        site["oxdctl"] = json!({
            "server": self.server.url(),
            "redirect_uris": [LOGIN],
            "ca_file": self.server.ca_pem().map(|_| self.file("ca.pem")),
        });
        self.write_ca();
        let path = self.file("oxd-site.json");
        fs::write(&path, site.to_string()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn site(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file("oxd-site.json")).unwrap()).unwrap()
    }

    /// Everything that no output may hold: what the site file keeps, and every token that was sent.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = Vec::new();
        for name in ["oxd-site.json", "oxd-site.json.removed"] {
            let text = fs::read_to_string(self.file(name)).unwrap_or_default();
            let site: Value = serde_json::from_str(&text).unwrap_or_default();
            for member in ["client_secret", "client_registration_access_token"] {
                secrets.extend(site[member].as_str().map(str::to_owned));
            }
        }
        for call in self.server.calls() {
            secrets.extend(
                call.authorization
                    .and_then(|header| Some(header.split_once(' ')?.1.to_owned())),
            );
            secrets.extend(call.body["client_secret"].as_str().map(str::to_owned));
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }

    fn write_ca(&self) {
        if let Some(pem) = self.server.ca_pem() {
            fs::write(self.file("ca.pem"), pem).unwrap();
        }
    }

    /// A command that is sent past the program, over plain http.
    pub fn post(&self, command: &str, body: &Value) -> Value {
        let url = self.server.url();
        let address = url.strip_prefix("http://").unwrap();
        let body = body.to_string();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /{command} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Runs the check both ways. It must fail with this check and cause, say these words in what was found and in what
    /// to do, and skip these checks.
    #[track_caller]
    pub fn check_fails(
        &self,
        args: &[&str],
        check: &str,
        cause: &str,
        found: &str,
        advice: &str,
        skipped: &[&str],
    ) {
        let with = |more: &[&str]| {
            let args: Vec<&str> = ["check"].iter().chain(more).chain(args).copied().collect();
            self.run(&args).ended(1)
        };
        let report = with(&["--json"]).json();
        assert_eq!(report["ok"], false);
        let checks = report["checks"].as_array().unwrap();
        let one = |name: &str| {
            let mut found = checks.iter().filter(|one| one["check"] == name);
            let first = found.next().unwrap_or_else(|| panic!("no {name} in {report:#}"));
            assert!(found.next().is_none(), "{name} twice in {report:#}");
            first
        };
        let failed = one(check);
        assert_eq!(
            (&failed["status"], &failed["cause"]),
            (&json!("failed"), &json!(cause)),
            "{report:#}"
        );
        let text = |member: &str| failed[member].as_str().unwrap();
        assert!(text("found").contains(found), "no {found:?} in {failed:#}");
        assert!(text("advice").contains(advice), "no {advice:?} in {failed:#}");
        for name in skipped {
            assert_eq!(one(name)["status"], "skipped", "{report:#}");
        }
        // One cause, one failure.
        assert_eq!(
            checks.iter().filter(|one| one["status"] == "failed").count(),
            1,
            "{report:#}"
        );
        let shown = with(&[]);
        let line = shown
            .out
            .lines()
            .find(|line| line.starts_with("failed ") && line.contains(check))
            .unwrap_or_else(|| panic!("no failed {check} in {shown:#?}"));
        assert!(line.contains(found), "{shown:#?}");
        shown.says(&["to do: ", advice, "1 check failed"]);
        for name in skipped {
            assert!(
                shown
                    .out
                    .lines()
                    .any(|line| line.starts_with("skipped ") && line.contains(name)),
                "{shown:#?}"
            );
        }
    }

    /// Runs the check, which must find nothing that fails, but warn of this.
    #[track_caller]
    pub fn check_warns(&self, args: &[&str], check: &str, cause: &str, found: &str) {
        let args: Vec<&str> = ["check", "--json"].iter().chain(args).copied().collect();
        let report = self.run(&args).ended(0).json();
        let checks = report["checks"].as_array().unwrap();
        let warning = checks.iter().find(|one| one["status"] == "warning");
        let warning = warning.unwrap_or_else(|| panic!("no warning in {report:#}"));
        assert_eq!(
            (&warning["check"], &warning["cause"]),
            (&json!(check), &json!(cause)),
            "{report:#}"
        );
        assert!(warning["found"].as_str().unwrap().contains(found), "{report:#}");
        assert!(!warning["advice"].as_str().unwrap().is_empty(), "{report:#}");
    }
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything behind the first answer.
pub const AFTER_OXD: &[&str] = &[
    "version",
    "clock",
    "address",
    "credentials",
    "scope",
    "site",
    "redirect",
];
pub const AFTER_ADDRESS: &[&str] = &["provider", "credentials", "scope", "site", "redirect"];

/// A page for browsers.
pub fn html(code: u16) -> Fault {
    Fault::Status {
        code,
        body: "<!DOCTYPE html><title>It works!</title>".to_owned(),
        content_type: "text/html".to_owned(),
    }
}

/// Something that accepts connections, says this, and hangs up; answers with its address.
pub fn something_else(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                // A caller that does not wait for an answer is none of ours.
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(words);
            });
        }
    });
    address
}

/// The members of the last call of a command.
pub fn sent(bed: &Bed, command: &str) -> Value {
    let calls = bed.server.calls();
    let call = calls.iter().rev().find(|call| call.command == command);
    call.unwrap_or_else(|| panic!("no {command}")).body.clone()
}

/// The names in a folder.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
