//! The demo, started as a user starts it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_tests::{Install, Port, module, wait_until};
use tempfile::TempDir;

/// The options for the ports of httpd, oxd and the provider.
pub(crate) const OPTIONS: [&str; 3] = ["--port", "--oxd-port", "--provider-port"];

/// The demo with a place for its files that has nothing else in it.
pub(crate) struct Demo {
    temporary: TempDir,
    pub(crate) command: Command,
    /// Reserved until the demo has ended: it takes them over at some time after its start.
    _ports: Vec<Port>,
}

impl Demo {
    pub(crate) fn new() -> Demo {
        let temporary = TempDir::new().unwrap();
        // As /tmp is.
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_oxd-demo"));
        command
            .env("OXD_MODULE", module())
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Demo {
            temporary,
            command,
            _ports: Vec::new(),
        }
    }

    /// On ports that nothing uses.
    pub(crate) fn on_free_ports(self) -> Demo {
        self.on(free_ports())
    }

    /// At these ports of httpd, oxd and the provider.
    pub(crate) fn on(mut self, ports: [Port; 3]) -> Demo {
        for (option, port) in OPTIONS.iter().zip(&ports) {
            self.command.arg(format!("{option}={}", port.number()));
        }
        self._ports.extend(ports);
        self
    }

    /// With a program in place of httpd: what it does when it is started.
    pub(crate) fn with_httpd(mut self, lines: &str) -> Demo {
        let program = self.temporary.path().join("httpd");
        let real = Install::get().binary.display();
        let script = format!("#!/bin/sh\n[ \"$1\" != -l ] || exec {real} -l\n{lines}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        self.command.env("OXD_HTTPD", program);
        self
    }

    /// Starts it, and leaves it to itself.
    pub(crate) fn start(mut self) -> Running {
        let child = self.command.spawn().unwrap();
        Running { demo: self, child }
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self, arguments: &[&str]) -> (ExitStatus, String, String) {
        let output = self.command.args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        self.nothing_is_left();
        (output.status, text(output.stdout), text(output.stderr))
    }

    pub(crate) fn refusal(self, arguments: &[&str]) -> String {
        let (status, _, said) = self.run(arguments);
        assert!(!status.success(), "{said}");
        said
    }

    /// A process of the demo has its directory among its arguments, or ran with it.
    #[track_caller]
    fn nothing_is_left(&self) {
        let ours = |name: &PathBuf| name.file_name() != Some("httpd".as_ref());
        let files = fs::read_dir(self.temporary.path()).unwrap();
        let left: Vec<_> = files.map(|file| file.unwrap().path()).filter(ours).collect();
        assert!(left.is_empty(), "files are left: {left:?}");
        let processes = processes_with(self.temporary.path());
        assert!(processes.is_empty(), "processes are left: {processes:?}");
    }
}

fn processes_with(directory: &Path) -> Vec<String> {
    let name = directory.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let commands = commands.map(|line| String::from_utf8_lossy(&line).into_owned());
    commands.filter(|line| line.contains(name)).collect()
}

/// A demo that runs; a test that fails ends it.
pub(crate) struct Running {
    demo: Demo,
    child: Child,
}

impl Running {
    /// Reads what it says, to the line that tells how to end it.
    pub(crate) fn banner(&mut self) -> String {
        let mut said = String::new();
        for line in BufReader::new(self.child.stdout.take().unwrap()).lines() {
            said += &(line.unwrap() + "\n");
            if said.contains("Ctrl-C ends it") {
                return said;
            }
        }
        panic!("it ended: {}", self.errors());
    }

    pub(crate) fn errors(&mut self) -> String {
        let mut said = String::new();
        let errors = self.child.stderr.take().unwrap();
        BufReader::new(errors).read_to_string(&mut said).unwrap();
        said
    }

    /// The processes that it has started, with their names.
    pub(crate) fn children(&self) -> Vec<(Pid, String)> {
        let list = format!("/proc/{0}/task/{0}/children", self.child.id());
        let list = fs::read_to_string(list).unwrap();
        let numbers = list.split_whitespace();
        numbers
            .map(|number| {
                let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
                (Pid::from_raw(number.parse().unwrap()), name.trim().to_owned())
            })
            .collect()
    }

    pub(crate) fn tell(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end, after which nothing is left.
    #[track_caller]
    pub(crate) fn status(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the demo to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.demo.nothing_is_left();
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, and then there is nothing to do.
        if let Ok(None) = self.child.try_wait() {
            self.tell(Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

pub(crate) fn free_ports() -> [Port; 3] {
    [Port::reserve(), Port::reserve(), Port::reserve()]
}
