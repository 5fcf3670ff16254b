//! The program: its files, its messages, its end.

mod common;

use common::{CALLBACK, SIGNED_OUT, SOON, answer};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("oxd-dev-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left over in the worst case.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oxd-dev"));
    command.args(["--listen", "127.0.0.1:0", "--provider-listen", "127.0.0.1:0"]);
    command.stderr(Stdio::piped());
    command
}

fn wait_for(file: &Path, child: &mut Child) -> String {
    let begun = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(file) {
            return text;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        assert!(begun.elapsed() < SOON, "{} never came", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn it_registers_a_site_serves_and_stops_on_sigterm() {
    let folder = Folder::new("serve");
    let (site, ready, cert) = (
        folder.file("site.json"),
        folder.file("ready"),
        folder.file("ca.pem"),
    );
    fs::write(&site, "old").unwrap();
    let mut child = program()
        .arg("--tls")
        .arg("--cert-out")
        .arg(&cert)
        .arg("--register-site")
        .arg(&site)
        .args([
            "--redirect-uri",
            CALLBACK,
            "--post-logout-redirect-uri",
            SIGNED_OUT,
            "--frontchannel-logout-uri",
            "http://127.0.0.1:1/oxd/frontchannel-logout",
            "--backchannel-logout-uri",
            "http://127.0.0.1:1/oxd/backchannel-logout",
            "--claims-redirect-uri",
            "http://127.0.0.1:1/oxd/claims",
            "--rpt-as-jwt",
        ])
        .arg("--ready-file")
        .arg(&ready)
        .spawn()
        .unwrap();
    let urls: Value = serde_json::from_str(&wait_for(&ready, &mut child)).unwrap();
    let text = fs::read_to_string(&site).unwrap();
    let registered: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(registered["op_host"], urls["provider_url"]);
    let secret = registered["client_secret"].as_str().unwrap();
    assert_eq!(fs::metadata(&site).unwrap().permissions().mode() & 0o777, 0o600);

    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&fs::read(&cert).unwrap()).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()
        .unwrap();
    let url = urls["url"].as_str().unwrap();
    answer(http.get(format!("{url}/health-check")))
        .await
        .unwrap()
        .ok();
    let text = |name: &str| registered[name].as_str().unwrap();
    let client = http
        .get(text("client_registration_client_uri"))
        .bearer_auth(text("client_registration_access_token"));
    let client = answer(client).await.unwrap().ok();
    assert_eq!(client["claims_redirect_uris"][0], "http://127.0.0.1:1/oxd/claims");
    assert_eq!(client["rpt_as_jwt"], true);
    assert!(client["scope"].as_str().unwrap().ends_with(" uma_protection"));
    for channel in ["frontchannel", "backchannel"] {
        let uri = format!("http://127.0.0.1:1/oxd/{channel}-logout");
        assert_eq!(client[format!("{channel}_logout_uri")], uri, "{client}");
    }
    let body = registered.to_string();
    let token = http.post(format!("{url}/get-client-token")).body(body);
    let token = answer(token).await.unwrap().ok();

    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert!(child.wait().unwrap().success());
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("stand-in"), "{log}");
    assert!(
        log.lines()
            .any(|line| line.starts_with("oxd-dev: health-check 200 ")),
        "{log}"
    );
    assert!(
        log.lines()
            .any(|line| line.starts_with("oxd-dev: get-client-token 200 ")),
        "{log}"
    );
    assert!(!log.contains(secret), "{log}");
    assert!(!log.contains(token["access_token"].as_str().unwrap()), "{log}");
}

#[test]
fn a_port_in_use_is_named_with_its_option() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--provider-listen"] {
        let other = if option == "--listen" {
            "--provider-listen"
        } else {
            "--listen"
        };
        let output = Command::new(env!("CARGO_BIN_EXE_oxd-dev"))
            .args([option, &address, other, "127.0.0.1:0"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{message}");
        let start = format!("oxd-dev: cannot listen on {address} ({option}): ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn users_come_from_a_file_which_must_make_sense() {
    let folder = Folder::new("users");
    let users = folder.file("users.json");
    for (text, complaint) in [
        ("{", "users.json"),
        (r#"[{"name": "x"}]"#, "no password"),
        (
            r#"[{"name": "x", "password": "y", "claims": {}}]"#,
            "lack a `sub`",
        ),
    ] {
        fs::write(&users, text).unwrap();
        let output = program().arg("--users").arg(&users).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(complaint), "{message}");
    }
}
