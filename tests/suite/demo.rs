//! The demo as somebody meets it who starts it: `make demo`.

mod demo {
    pub(crate) mod run;
}

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use demo::run::{Demo, OPTIONS, free_ports};
use nix::sys::signal::{Signal, kill};
use oxd_tests::{Browser, Port, TestSite, wait_until};
use tempfile::TempDir;

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
        let mut demo = Demo::new().on(ports).start();
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
    let demo = Demo::new().on_free_ports().with_httpd("exec sleep 600");
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
    for (option, name) in OPTIONS.iter().zip(["PORT", "OXD_PORT", "PROVIDER_PORT"]) {
        let ports = free_ports();
        let arguments = OPTIONS.iter().zip(&ports).map(|(given, free)| {
            let number = if given == option { port } else { free.number() };
            format!("{given}={number}")
        });
        let arguments: Vec<_> = arguments.collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
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
    let port = Port::reserve();
    let number = port.number().to_string();
    let said = Demo::new().refusal(&["--port", &number, "--oxd-port", &number]);
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
    let mut demo = Demo::new().on_free_ports().start();
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
