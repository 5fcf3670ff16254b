//! The demo as somebody meets it who starts it: `make demo`.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_tests::{Browser, Install, Port, TestSite, module, wait_until};
use tempfile::TempDir;

/// The demo with a place for its files that has nothing else in it.
struct Demo {
    temporary: TempDir,
    command: Command,
}

impl Demo {
    fn new() -> Demo {
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
        Demo { temporary, command }
    }

    /// In front of `--port`, `--oxd-port` and `--provider-port` with free ones.
    fn on(mut self, ports: &[Port; 3]) -> Demo {
        for (option, port) in ["--port", "--oxd-port", "--provider-port"].iter().zip(ports) {
            self.command.arg(format!("{option}={}", port.number()));
        }
        self
    }

    /// With a program in place of httpd: what it does when it is started.
    fn with_httpd(mut self, lines: &str) -> Demo {
        let program = self.temporary.path().join("httpd");
        let real = Install::get().binary.display();
        let script = format!("#!/bin/sh\n[ \"$1\" != -l ] || exec {real} -l\n{lines}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        self.command.env("OXD_HTTPD", program);
        self
    }

    /// Starts it, and leaves it to itself.
    fn start(mut self) -> Running {
        let child = self.command.spawn().unwrap();
        Running { demo: self, child }
    }

    /// Runs it to its end.
    fn run(mut self, arguments: &[&str]) -> (ExitStatus, String, String) {
        let output = self.command.args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        self.nothing_is_left();
        (output.status, text(output.stdout), text(output.stderr))
    }

    fn refusal(self, arguments: &[&str]) -> String {
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
struct Running {
    demo: Demo,
    child: Child,
}

impl Running {
    /// Reads what it says, to the line that tells how to end it.
    fn banner(&mut self) -> String {
        let mut said = String::new();
        for line in BufReader::new(self.child.stdout.take().unwrap()).lines() {
            said += &(line.unwrap() + "\n");
            if said.contains("Ctrl-C ends it") {
                return said;
            }
        }
        panic!("it ended: {}", self.errors());
    }

    fn errors(&mut self) -> String {
        let mut said = String::new();
        let errors = self.child.stderr.take().unwrap();
        BufReader::new(errors).read_to_string(&mut said).unwrap();
        said
    }

    /// The processes that it has started, with their names.
    fn children(&self) -> Vec<(Pid, String)> {
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

    fn tell(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end, after which nothing is left.
    #[track_caller]
    fn status(&mut self) -> ExitStatus {
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

fn free_ports() -> [Port; 3] {
    [Port::reserve(), Port::reserve(), Port::reserve()]
}

#[test]
fn it_signs_in_and_out_and_leaves_nothing() {
    let (status, said, errors) = Demo::new().run(&["--check"]);
    assert!(status.success(), "{said}{errors}");
    for line in ["the right one leads back, with the user's claims", "ended well"] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn it_tells_how_to_sign_in_and_ends_when_it_is_told() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let ports = free_ports();
        let site = format!("http://127.0.0.1:{}", ports[0].number());
        let mut demo = Demo::new().on(&ports).start();
        let said = demo.banner();
        for text in [&format!("{site}/"), "test_user", "secret"] {
            assert!(said.contains(text), "no {text} in {said}");
        }
        // The files are in the place that is named.
        let directory = said.lines().find_map(|line| line.split_once("of this run: "));
        let directory = Path::new(directory.unwrap().1).to_owned();
        assert!(directory.join("httpd.conf").is_file());
        let secret = fs::metadata(directory.join("site.json")).unwrap();
        assert_eq!(secret.permissions().mode() & 0o777, 0o600);
        Browser::new().get(format!("{site}/")).expect(200);
        demo.tell(signal);
        let status = demo.status();
        assert!(status.success(), "{signal}: {status}: {}", demo.errors());
        assert_eq!(demo.errors(), "");
    }
}

#[test]
fn it_ends_when_it_is_told_while_it_starts() {
    let demo = Demo::new().on(&free_ports()).with_httpd("exec sleep 600");
    let mut demo = demo.start();
    wait_until("httpd to be started", || {
        demo.children().iter().any(|(_, name)| name == "sleep")
    });
    demo.tell(Signal::SIGTERM);
    assert_eq!(demo.status().code(), Some(143));
    assert_eq!(demo.errors(), "");
}

#[test]
fn it_names_an_occupied_port_by_the_variable_of_make() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    for (option, name) in [
        ("--port", "PORT"),
        ("--oxd-port", "OXD_PORT"),
        ("--provider-port", "PROVIDER_PORT"),
    ] {
        let ports = free_ports().map(|port| port.number().to_string());
        let mut arguments = vec![
            "--port",
            &ports[0],
            "--oxd-port",
            &ports[1],
            "--provider-port",
            &ports[2],
        ];
        let place = arguments.iter().position(|argument| *argument == option).unwrap();
        let taken = port.to_string();
        arguments[place + 1] = &taken;
        let said = Demo::new().refusal(&arguments);
        assert!(
            said.starts_with(&format!("demo: port {port} is in use: ")),
            "{said}"
        );
        assert!(said.contains(&format!("make demo {name}=")), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn it_refuses_a_port_that_is_none() {
    for wrong in ["0", "65536", "-1", "+80", "80a", "", " ", "1;x"] {
        let said = Demo::new().refusal(&["--oxd-port", wrong]);
        let expected = format!("demo: OXD_PORT={wrong}: a port is a number from 1 to 65535\n");
        assert_eq!(said, expected);
    }
    let said = Demo::new().refusal(&["--port", "28080", "--oxd-port", "28080"]);
    assert!(said.contains("three different ports"), "{said}");
}

#[test]
fn it_shows_the_log_of_an_httpd_that_does_not_start() {
    let demo = Demo::new().with_httpd("echo 'no such luck' >&2; exit 3");
    let said = demo.refusal(&["--check"]);
    assert!(said.starts_with("demo: httpd does not start"), "{said}");
    assert!(said.contains("no such luck"), "{said}");
}

#[test]
fn it_says_when_httpd_has_ended() {
    let mut demo = Demo::new().on(&free_ports()).start();
    demo.banner();
    for (httpd, _) in demo.children() {
        kill(httpd, Signal::SIGTERM).unwrap();
    }
    assert_eq!(demo.status().code(), Some(1));
    let said = demo.errors();
    assert!(
        said.starts_with("demo: httpd has ended; the end of its log:"),
        "{said}"
    );
}

#[test]
fn a_place_for_files_that_does_not_do_is_not_used() {
    let long = TempDir::with_prefix("x".repeat(100)).unwrap();
    let closed = TempDir::new().unwrap();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    for place in [&long, &closed] {
        let mut demo = Demo::new();
        demo.command.env("TMPDIR", place.path());
        let (status, said, errors) = demo.run(&["--check"]);
        assert!(status.success(), "{}: {said}{errors}", place.path().display());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}

#[test]
fn the_visitor_of_packages_signs_in_comes_back_and_signs_out() {
    let site = TestSite::builder()
        .frontchannel_logout()
        .provider(|provider| provider.consent = true)
        .config("<Location /private>\n    AuthType oxd\n    Require valid-user\n</Location>\n")
        .httpd(|builder| {
            builder.file("docroot/private/index.html", "Only for users");
            builder
        })
        .start();
    let place = TempDir::new().unwrap();
    let plays = |scene: &str| {
        let mut visitor = Command::new(env!("CARGO_BIN_EXE_package-visitor"));
        visitor.arg("--cookies").arg(place.path().join("cookies"));
        visitor.args([
            "--site",
            &site.url(""),
            "--provider",
            &site.oxd.provider_url(),
            scene,
        ]);
        let output = visitor.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let (signed_in, said) = plays("come-back");
    assert!(
        !signed_in && said.contains("not ok: the session lives on"),
        "{said}"
    );
    for scene in ["sign-in", "come-back", "sign-out"] {
        let (played, said) = plays(scene);
        assert!(played, "{scene}: {said}");
    }
}
