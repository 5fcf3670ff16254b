//! The program that drives Chromium, and how Chromium is started.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// Starts it on a port of its own choice; or what it said when it ended instead.
pub(crate) fn launch() -> (Child, Result<u16, String>) {
    let binary = std::env::var_os("OXD_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
    let mut driver = Command::new(binary)
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("chromedriver (package chromium-driver): {error}"));
    let port = port(&mut driver);
    (driver, port)
}

/// What is asked of Chromium, whose profile is in this directory.
pub(crate) fn capabilities(profile: &str) -> Value {
    let mut arguments: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1024,768",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--user-data-dir={profile}"));
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        // httpd's certificates in the tests are of an authority that Chromium does not know.
        "acceptInsecureCerts": true,
        "goog:chromeOptions": { "args": arguments },
        "timeouts": { "pageLoad": 30_000, "implicit": 0 },
    } } })
}

/// The port that chromedriver chose, as it says when it has started, or what it said instead.
fn port(driver: &mut Child) -> Result<u16, String> {
    let output = driver.stdout.take().expect("chromedriver's output");
    let mut lines = BufReader::new(output).lines();
    let mut said = Vec::new();
    let found = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let port = line.split_once("started successfully on port ");
        let port = port.and_then(|(_, port)| port.trim_end_matches('.').trim().parse().ok());
        said.push(line);
        port
    });
    // Whatever it says later must not fill the pipe.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    found.ok_or_else(|| format!("chromedriver: {}", said.join(" ")))
}
