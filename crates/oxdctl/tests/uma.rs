//! `oxdctl uma`: resources are registered, asked about, shown and replaced.

mod common;

use std::fs;

use common::{BASE, Bed, sent};
use serde_json::json;

/// A site with the scope that UMA needs, and a file with its resources.
fn bed() -> Bed {
    let bed = Bed::new();
    let url = bed.server.url();
    bed.run(&["register", "--server", &url, "--base", BASE, "--uma"])
        .ended(0);
    let registered = sent(&bed, "register-site");
    assert_eq!(registered["rpt_as_jwt"], json!(true));
    assert_eq!(
        registered["claims_redirect_uri"],
        json!([format!("{BASE}/claims")])
    );
    let scopes = registered["scope"].as_array().unwrap();
    assert!(scopes.contains(&json!("uma_protection")), "{registered}");
    let file = json!({"resources": [
        {"path": "/photos/?", "conditions": [{"httpMethods": ["GET"], "scopes": ["see"]}]},
        {"path": "/photos/new", "conditions": [{"httpMethods": ["POST"], "scopes": ["add"]}]},
    ]});
    fs::write(bed.file("resources.json"), file.to_string()).unwrap();
    bed
}

#[test]
fn resources_are_registered_asked_about_and_shown() {
    let bed = bed();
    bed.run(&["uma", "show"]).ended(0).says(&["No resources"]);
    bed.run(&["uma", "check", "resources.json", "/photos/7"])
        .ended(4)
        .says(&["oxdctl uma protect"]);
    bed.run(&["uma", "protect", "resources.json"]).ended(0).says(&[
        "Registered 2 resources",
        "/photos/?",
        "/photos/new",
    ]);
    assert!(sent(&bed, "uma-rs-protect")["resources"].is_array());
    bed.run(&["uma", "check", "resources.json", "/photos/7"])
        .ended(0)
        .says(&["falls under /photos/? (GET)", "denied, with a ticket"]);
    let checked = bed
        .run(&[
            "uma",
            "check",
            "resources.json",
            "/photos/new",
            "--method",
            "post",
            "--json",
        ])
        .ended(0)
        .json();
    assert_eq!(
        (&checked["path"], &checked["ticket"]),
        (&json!("/photos/new"), &json!(true))
    );
    bed.run(&["uma", "show"])
        .ended(0)
        .says(&["/photos/?", "see", "/photos/new", "add"]);
    bed.run(&["uma", "protect", "resources.json"]).ended(4).says(&[
        "uma_protection_exists",
        "--replace",
        "nothing that was registered before is changed",
    ]);
    bed.run(&["uma", "protect", "resources.json", "--replace"])
        .ended(0);
    assert_eq!(sent(&bed, "uma-rs-protect")["overwrite"], json!(true));
    bed.server.uma_forget_resources();
    bed.run(&["uma", "protect", "resources.json", "--replace"])
        .ended(4)
        .says(&["register --force", "may be gone"]);
}

#[test]
fn a_check_tells_what_oxd_and_the_provider_have() {
    let bed = bed();
    let check = |expected: u8, cause: &str, said: &str| {
        let run = bed.run(&["check", "--resources", "resources.json"]);
        run.ended(expected.into()).says(&[said]);
        let report = bed
            .run(&["check", "--resources", "resources.json", "--json"])
            .json();
        let checks = report["checks"].as_array().unwrap();
        let own = checks.iter().find(|check| check["check"] == "resources").unwrap();
        assert_eq!(own["cause"].as_str().unwrap_or_default(), cause, "{own}");
    };
    check(
        1,
        "resources_differ",
        "oxd does not have GET /photos/?; POST /photos/new",
    );
    bed.run(&["uma", "protect", "resources.json"]).ended(0);
    check(0, "resources_expire", "a month after it was registered");
    let with_exp = |method: &str| {
        let resource = |path: &str, method: &str, scope: &str| {
            json!({"path": path, "exp": 4_000_000_000_u64,
                   "conditions": [{"httpMethods": [method], "scopes": [scope]}]})
        };
        let file = json!({"resources": [
            resource("/photos/?", method, "see"), resource("/photos/new", "POST", "add"),
        ]});
        fs::write(bed.file("resources.json"), file.to_string()).unwrap();
    };
    with_exp("GET");
    check(0, "", "oxd has the 2 resources of resources.json");
    with_exp("PUT");
    check(
        1,
        "resources_differ",
        "oxd does not have PUT /photos/?, but GET /photos/?",
    );
    with_exp("GET");
    bed.server.uma_forget_resources();
    check(1, "resource_lost", "register --force");
    bed.run(&["check", "--resources", "none.json"]).ended(5);
}

#[test]
fn a_file_that_httpd_would_refuse_is_refused_before_oxd_is_asked() {
    let bed = bed();
    let file = "{\"resources\": [\n{\"path\": \"/x\", \"conditions\": [{\"httpMethods\": [\"BREW\"], \"scopes\": [\"s\"]}]}]}";
    fs::write(bed.file("bad.json"), file).unwrap();
    bed.run(&["uma", "protect", "bad.json"])
        .ended(5)
        .says(&["BREW", "line 2"]);
    bed.run(&["uma", "protect", "none.json"]).ended(5);
    bed.run(&["uma", "check", "resources.json", "/elsewhere"])
        .ended(1)
        .says(&["falls under no resource", "OxdUmaUnprotected"]);
    assert_eq!(bed.server.count("uma-rs-protect"), 0);
}
