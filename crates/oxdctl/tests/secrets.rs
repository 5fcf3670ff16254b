//! Secrets come in by side doors and do not come out; what failed leaves nothing behind.

mod common;

use std::fs;

use common::{BASE, Bed, LOGIN, files, run_with, sent};
use oxd_dev::Fault;
use serde_json::json;

#[test]
fn a_client_that_exists_brings_its_secret_by_a_side_door() {
    let bed = Bed::new();
    let known = bed.server.register(&[LOGIN], &[]);
    let url = bed.server.url();
    fs::write(bed.file("secret"), format!("{}\n", known.client_secret)).unwrap();
    let from_command = format!("exec:/bin/cat {}", bed.file("secret").display());
    let input = format!("{}\nmore\n", known.client_secret);
    for (source, input, env) in [
        ("file:secret", "", None),
        (
            "env:MY_SECRET",
            "",
            Some(("MY_SECRET", known.client_secret.as_str())),
        ),
        (from_command.as_str(), "", None),
        ("-", input.as_str(), None),
    ] {
        let args = [
            "register",
            "--server",
            &url,
            "--base",
            BASE,
            "--force",
            "--client-id",
            &known.client_id,
            "--client-secret",
            source,
        ];
        let env: Vec<_> = env.into_iter().collect();
        let ran = run_with(bed.folder.path(), &args, input, &env).ended(0);
        ran.keeps(std::slice::from_ref(&known.client_secret));
        ran.says(&["the client existed already"]);
        let request = sent(&bed, "register-site");
        assert_eq!(request["client_secret"], known.client_secret, "{source}");
        let site = bed.site();
        assert_eq!(site["client_id"], known.client_id);
        assert_eq!(site["client_secret"], known.client_secret);
        bed.run(&["check"]).ended(0);
    }
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let bed = Bed::new();
    let url = bed.server.url();
    let secret = "hunter2-and-more".to_owned();
    for command in [
        &["register", "--base", BASE, "--client-id", "me"][..],
        &["check", "--client-id", "me", "--oxd-id", "x"],
    ] {
        for json in [&[][..], &["--json"]] {
            let args: Vec<&str> = command
                .iter()
                .copied()
                .chain(["--server", &url, "--client-secret", &secret])
                .chain(json.iter().copied())
                .collect();
            let ran = bed.run(&args).ended(2);
            ran.keeps(std::slice::from_ref(&secret));
            ran.says(&["must not stand on the command line"]);
        }
    }
    // Nobody to ask.
    let args = ["register", "--server", &url, "--base", BASE, "--client-id", "me"];
    bed.run(&args).ended(2).says(&["no terminal to ask on"]);
    assert_eq!(bed.server.total(), 0);
}

#[test]
fn oxd_quotes_a_secret_and_it_is_taken_out() {
    let bed = Bed::new();
    let site = bed.site_file(&[LOGIN]);
    let quoted = json!({
        "error": "internal_error",
        "error_description": format!("client {} with {}", site.client_id, site.client_secret),
        "details": format!("secret={}", site.client_secret),
    });
    let quoting = Fault::Status {
        code: 500,
        body: quoted.to_string(),
        content_type: "application/json".to_owned(),
    };
    bed.server.fault("get-client-token", quoting);
    for args in [
        &["check"][..],
        &["check", "--json"],
        &["update", "--scope", "email"],
        &["--json", "update", "--scope", "email"],
        &["remove", "--yes"],
    ] {
        bed.run(args).says(&["[secret]"]);
    }
}

#[test]
fn the_secret_is_shown_to_those_who_ask_for_it() {
    let bed = Bed::new();
    let url = bed.server.url();
    for json in [false, true] {
        let mut args = vec![
            "register",
            "--server",
            &url,
            "--base",
            BASE,
            "--show-secret",
            "--force",
        ];
        if json {
            args.push("--json");
        }
        let ran = common::run_in(bed.folder.path(), &args).ended(0);
        let site = bed.site();
        ran.says(&[site["client_secret"].as_str().unwrap()]);
        ran.keeps(&[site["client_registration_access_token"]
            .as_str()
            .unwrap()
            .to_owned()]);
    }
}

#[test]
fn nothing_is_left_of_a_registration_that_failed() {
    let mut bed = Bed::new();
    let url = bed.server.url();
    let register = ["register", "--server", &url, "--base", BASE];
    let denied = json!({"error": "oxd_access_denied", "error_description": "no", "details": "x\u{1b}[31m"});
    let denied = Fault::Status {
        code: 403,
        body: denied.to_string(),
        content_type: "application/json".to_owned(),
    };
    bed.server.fault("register-site", denied);
    let ran = bed.run(&register).ended(4);
    ran.says(&["oxd_access_denied", "add 127.0.0.1 to bind_ip_addresses"]);
    let told = bed.run(&[&["--json"], &register[..]].concat()).ended(4).json();
    assert_eq!(told["ok"], false);
    assert_eq!(
        (&told["error"]["cause"], &told["error"]["status"]),
        (&json!("oxd_refused"), &json!(4))
    );
    assert!(
        told["error"]["advice"]
            .as_str()
            .unwrap()
            .contains("bind_ip_addresses"),
        "{told:#}"
    );
    for fault in [
        Fault::NotJson,
        Fault::WrongShape(json!([])),
        Fault::WrongShape(json!({})),
    ] {
        bed.server.fault("register-site", fault);
        bed.run(&register).ended(3);
    }
    bed.server.clear_faults();
    bed.run(&[&register[..], &["--op-host", "http://127.0.0.1:1"]].concat())
        .ended(4)
        .says(&[
            "no_connect_discovery_response",
            "oxd cannot read the provider's configuration",
        ]);
    bed.server.stop();
    bed.run(&register)
        .ended(3)
        .says(&["refuses the connection", "start oxd"]);
    assert_eq!(files(bed.folder.path()), [] as [&str; 0]);
}
