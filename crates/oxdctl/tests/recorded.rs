//! Every answer that was recorded from a real oxd-server (`tests/recorded`), given to the program through a server that
//! replays it: each must end with a clear finding and advice.

mod common;
#[path = "../../../tests/recorded/mod.rs"]
mod scenarios;

use std::collections::BTreeSet;

use common::{BASE, Bed};
use oxd_dev::Fault;
use serde_json::Value;

/// The commands that the program sends, and which of its own sends them.
const SENT: [(&str, &str); 10] = [
    ("register-site", "register"),
    ("update-site", "update"),
    ("remove-site", "remove"),
    ("get-client-token", "check"),
    ("get-discovery", "check"),
    ("get-jwks", "check"),
    ("introspect-access-token", "check"),
    ("get-authorization-url", "check"),
    ("get-rp", "check"),
    ("health-check", "check"),
];

/// An answer: the command, the status, the media type, the body.
type Recorded = (String, u64, String, String);

fn recorded() -> BTreeSet<Recorded> {
    let mut all = BTreeSet::new();
    for scenario in scenarios::scenarios() {
        for call in scenario["calls"].as_array().expect("calls") {
            let (request, response) = (&call["request"], &call["response"]);
            let command = request["path"]
                .as_str()
                .unwrap_or_default()
                .trim_start_matches('/');
            let Some(status) = response["status"].as_u64() else {
                continue;
            };
            let body = match &response["json"] {
                Value::Null => response["body"].as_str().unwrap_or_default().to_owned(),
                json => json.to_string(),
            };
            let media_type = scenarios::header(response, "content-type").unwrap_or_default();
            all.insert((command.to_owned(), status, media_type.to_owned(), body));
        }
    }
    all
}

/// Runs the program that sends this command while oxd answers it so.
fn run(bed: &Bed, program: &str, (command, status, content_type, body): &Recorded) -> (i32, String, Value) {
    let code = u16::try_from(*status).expect("a status");
    let fault = Fault::Status {
        code,
        body: body.clone(),
        content_type: content_type.clone(),
    };
    bed.server.fault(command, fault);
    let url = bed.server.url();
    let args: Vec<&str> = match program {
        "register" => vec![
            "register",
            "--server",
            &url,
            "--base",
            BASE,
            "--site-file",
            "new.json",
            "--force",
        ],
        "update" => vec!["update", "--client-name", "Another"],
        "remove" => vec!["remove", "--yes"],
        other => vec![other],
    };
    let ran = bed.run(&[&args[..], &["--json"]].concat());
    bed.server.clear_faults();
    let json = match ran.out.is_empty() {
        true => Value::Null,
        false => ran.json(),
    };
    (ran.status, ran.err, json)
}

/// What is said of a failure: of the command itself, or of the checks that failed.
fn failures(report: &Value) -> Vec<&Value> {
    match report["checks"].as_array() {
        Some(checks) => checks
            .iter()
            .filter(|check| check["status"] == "failed")
            .collect(),
        None => vec![&report["error"]],
    }
}

#[test]
fn every_recorded_answer_ends_with_a_finding_and_advice() {
    let bed = Bed::new();
    bed.register();
    let (mut refused, mut taken) = (0, 0);
    for answer in &recorded() {
        let Some((command, program)) = SENT.iter().find(|(command, _)| *command == answer.0) else {
            continue;
        };
        let (status, err, report) = run(&bed, program, answer);
        assert!((0..=5).contains(&status), "{command}: {status} {err}");
        assert!(!err.contains("panicked"), "{err}");
        if !bed.file("oxd-site.json").exists() {
            bed.register();
        }
        // Members that the program does not need may be missing from an answer with 200.
        if answer.1 == 200 && status == 0 {
            taken += 1;
            continue;
        }
        // Commands whose refusal leaves a check out are no failure of the set-up.
        if status == 0 {
            let left_out = [
                "get-discovery",
                "get-jwks",
                "get-rp",
                "introspect-access-token",
                "health-check",
            ];
            assert!(left_out.contains(command), "{answer:?}: {report:#}");
            refused += 1;
            continue;
        }
        let failed = failures(&report);
        assert!(!failed.is_empty(), "{answer:?}: {report:#}");
        for one in failed {
            let text = |name: &str| one[name].as_str().unwrap_or_default();
            let found = format!("{}{}", text("found"), text("message"));
            assert!(
                !text("cause").is_empty() && !found.is_empty(),
                "{answer:?}: {one:#}"
            );
            assert!(!text("advice").is_empty(), "{answer:?}: {one:#}");
            assert!(!found.contains('\n'), "{one:#}");
        }
        refused += 1;
    }
    println!("{taken} recorded answers taken, {refused} refused with advice");
    assert!(refused >= 100 && taken >= 10, "{refused} {taken}");
}
