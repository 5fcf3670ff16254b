//! `cargo xtask demo`: builds the module and the demo, a program of the test bed, in one call of
//! cargo, and becomes that program.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::project::{cargo, root};

/// Ports are passed on as written; the demo reports bad ones.
#[derive(clap::Args)]
pub struct Demo {
    /// Where httpd listens, on 127.0.0.1
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    port: Option<String>,
    /// Where the oxd API listens
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    oxd_port: Option<String>,
    /// Where the OpenID Provider listens
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    provider_port: Option<String>,
    /// Choose free ports, sign in and out, and end
    #[arg(long)]
    check: bool,
}

impl Demo {
    /// Does not come back, unless something is wrong.
    pub fn run(self) -> Result<(), String> {
        let mut build = cargo();
        build.args([
            "build",
            "-p",
            "mod_oxd",
            "-p",
            "oxd-tests",
            "--lib",
            "--bin",
            "oxd-demo",
        ]);
        // What cargo says about this program; ring's build script would take it for a change.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&name);
            }
        }
        let built = build.status();
        let built = built.map_err(|why| format!("cargo: {why}"))?;
        if !built.success() {
            return Err(format!("cargo build: {built}"));
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let programs = root().join(target).join("debug");
        let mut demo = Command::new(programs.join("oxd-demo"));
        demo.env("OXD_MODULE", programs.join("libmod_oxd.so"));
        let ports = [
            ("--port", self.port),
            ("--oxd-port", self.oxd_port),
            ("--provider-port", self.provider_port),
        ];
        for (option, port) in ports {
            demo.args(port.map(|port| format!("{option}={port}")));
        }
        demo.args(self.check.then_some("--check"));
        Err(format!(
            "{}: {}",
            programs.join("oxd-demo").display(),
            demo.exec()
        ))
    }
}
