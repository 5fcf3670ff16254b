//! A site's life: registered, checked, changed, removed; and what may go wrong on the way.

mod common;

use std::fs;

use common::{BASE, Bed, LOGIN, files, mode, run_with, sent};
use oxd_dev::{Fault, Options, Tls};
use serde_json::{Value, json};

#[test]
fn a_site_is_registered_checked_changed_and_removed() {
    let bed = Bed::with(Options {
        tls: Tls::SelfSigned,
        ..Options::default()
    });
    bed.register();
    assert_eq!(files(bed.folder.path()), ["ca.pem", "oxd-site.json"]);
    assert_eq!(mode(&bed.file("oxd-site.json")), 0o600);
    let request = sent(&bed, "register-site");
    assert_eq!(
        request["redirect_uris"],
        json!([LOGIN, "https://app.example/oxd/callback"])
    );
    assert_eq!(
        request["post_logout_redirect_uris"],
        json!(["https://app.example/oxd/logout"])
    );
    assert_eq!(
        request["client_frontchannel_logout_uris"],
        json!(["https://app.example/oxd/frontchannel-logout"])
    );
    assert_eq!(request["scope"], json!(["openid", "profile", "email", "oxd"]));
    assert_eq!(
        request["grant_types"],
        json!(["authorization_code", "refresh_token", "client_credentials"])
    );
    let site = bed.site();
    for member in ["oxd_id", "client_id", "client_secret", "op_host"] {
        assert!(site[member].is_string(), "{site:#}");
    }
    bed.run(&["check"]).ended(0);

    bed.run(&[
        "update",
        "--base",
        "https://new.example/sso",
        "--redirect-uri",
        "https://new.example/cgi-bin/oxd.py/login",
        "--client-name",
        "Another name",
    ])
    .ended(0)
    .says(&["https://new.example/sso/login", "Another name"]);
    let request = sent(&bed, "update-site");
    assert_eq!(
        request["redirect_uris"],
        json!([
            "https://new.example/sso/login",
            "https://new.example/sso/callback",
            "https://new.example/cgi-bin/oxd.py/login",
        ])
    );
    assert!(request.get("scope").is_none(), "only what was named: {request:#}");
    assert_eq!(mode(&bed.file("oxd-site.json")), 0o600);
    assert_eq!(bed.site()["client_secret"], site["client_secret"]);
    // The file remembers the new address, and oxd has it.
    bed.run(&["check"])
        .ended(0)
        .says(&["https://new.example/sso/login is registered, and the first one"]);
    bed.run(&["update", "--redirect-uri", "https://more.example/x"])
        .ended(0);
    assert_eq!(
        sent(&bed, "update-site")["redirect_uris"],
        json!([
            "https://new.example/sso/login",
            "https://new.example/sso/callback",
            "https://more.example/x",
        ])
    );

    let oxd_id = site["oxd_id"].as_str().unwrap();
    bed.run(&["remove", "--yes"])
        .ended(0)
        .says(&[oxd_id, "oxd-site.json.removed"]);
    assert_eq!(files(bed.folder.path()), ["ca.pem", "oxd-site.json.removed"]);
    assert_eq!(mode(&bed.file("oxd-site.json.removed")), 0o600);
    bed.run(&["check", "--site-file", "oxd-site.json.removed"])
        .ended(1)
        .says(&["invalid_oxd_id"]);
}

#[test]
fn the_lines_for_httpd_are_printed() {
    let bed = Bed::with(Options {
        tls: Tls::SelfSigned,
        ..Options::default()
    });
    fs::write(bed.file("ca.pem"), bed.server.ca_pem().unwrap()).unwrap();
    let url = bed.server.url();
    let args = [
        "register",
        "--server",
        &url,
        "--base",
        BASE,
        "--ca-file",
        "ca.pem",
        "--site-file",
        "my.json",
    ];
    let ran = bed.run(&args).ended(0);
    let folder = bed.folder.path().display();
    let lines = format!(
        "OxdServer       {url}\n\
         OxdServerCAFile {folder}/ca.pem\n\
         OxdSite         {folder}/my.json\n\
         OxdCryptoKey    file:{folder}/oxd-key\n\n\
         <Location /oxd>\n    SetHandler oxd\n</Location>\n\n\
         <Location /private>\n    AuthType oxd\n    Require valid-user\n</Location>\n"
    );
    ran.says(&[&lines, "oxdctl key --out", "oxdctl check --site-file"]);
}

#[test]
fn what_is_registered_can_be_chosen() {
    let bed = Bed::new();
    let url = bed.server.url();
    let provider = bed.server.provider_url();
    let result = bed
        .run(&[
            "--json",
            "register",
            "--server",
            &url,
            "--base",
            "https://rp.example/cgi-bin/oxd.py",
            "--redirect-uri",
            "https://rp.example/cgi-bin/oxd.py/index",
            "--post-logout-redirect-uri",
            "https://rp.example/bye",
            "--scope",
            "email phone",
            "--scope",
            "uma_protection",
            "--client-name",
            "My site",
            "--contact",
            "me@rp.example",
            "--acr",
            "otp",
            "--op-host",
            &provider,
            "--no-frontchannel-logout",
        ])
        .ended(0)
        .json();
    let request = sent(&bed, "register-site");
    for (member, value) in [
        (
            "redirect_uris",
            json!([
                "https://rp.example/cgi-bin/oxd.py/login",
                "https://rp.example/cgi-bin/oxd.py/callback",
                "https://rp.example/cgi-bin/oxd.py/index",
            ]),
        ),
        (
            "post_logout_redirect_uris",
            json!([
                "https://rp.example/cgi-bin/oxd.py/logout",
                "https://rp.example/bye"
            ]),
        ),
        (
            "scope",
            json!(["email", "phone", "uma_protection", "openid", "oxd"]),
        ),
        ("client_name", json!("My site")),
        ("contacts", json!(["me@rp.example"])),
        ("acr_values", json!(["otp"])),
        ("op_host", json!(provider)),
        (
            "claims_redirect_uri",
            json!(["https://rp.example/cgi-bin/oxd.py/claims"]),
        ),
    ] {
        assert_eq!(request[member], value, "{member}");
    }
    assert!(request.get("client_frontchannel_logout_uris").is_none());
    assert_eq!(result["ok"], true);
    assert_eq!(result["redirect_uris"], request["redirect_uris"]);
    assert_eq!(result["site"]["oxd_id"], bed.site()["oxd_id"]);
    assert!(result["site"].get("client_secret").is_none());
    assert!(
        result["httpd"]
            .as_str()
            .unwrap()
            .contains("OxdScope        email phone openid\n"),
        "{result:#}"
    );
    assert_eq!(
        result["site_file"],
        bed.file("oxd-site.json").display().to_string()
    );
}

#[test]
fn a_site_file_that_is_there_is_left_alone() {
    let bed = Bed::new();
    bed.register();
    let before = bed.site();
    bed.server.clear_calls();
    let url = bed.server.url();
    let args = ["register", "--server", &url, "--base", BASE];
    bed.run(&args).ended(5).says(&["exists already", "--force"]);
    assert_eq!(bed.site(), before);
    // Nothing was registered that nobody keeps.
    assert_eq!(bed.server.total(), 0);
    bed.run(&[&args[..], &["--force"]].concat()).ended(0);
    assert_ne!(bed.site()["oxd_id"], before["oxd_id"]);
    assert_eq!(mode(&bed.file("oxd-site.json")), 0o600);
    bed.server.clear_calls();
    let args = [
        "register",
        "--server",
        &url,
        "--base",
        BASE,
        "--site-file",
        "no/such/folder/site.json",
    ];
    bed.run(&args).ended(5);
    assert_eq!(bed.server.total(), 0);
}

#[test]
fn updates_name_something_and_keep_the_file_when_oxd_refuses() {
    let bed = Bed::new();
    bed.register();
    let before = fs::read_to_string(bed.file("oxd-site.json")).unwrap();
    bed.run(&["update"]).ended(2).says(&["nothing to change"]);
    bed.run(&["update", "--scope", "a\"b"]).ended(2);
    bed.server.fault("update-site", Fault::Hang);
    bed.run(&["update", "--client-name", "x", "--timeout", "300ms"])
        .ended(3)
        .says(&["no answer within 300ms"]);
    assert_eq!(fs::read_to_string(bed.file("oxd-site.json")).unwrap(), before);
    let result = bed
        .run(&[
            "update",
            "--json",
            "--site-file",
            "none.json",
            "--client-name",
            "x",
        ])
        .ended(5)
        .json();
    assert_eq!(result["error"]["cause"], "site_file_unreadable");
    bed.server.clear_faults();
    let result = bed.run(&["update", "--json", "--acr", "otp"]).ended(0).json();
    assert_eq!(result["changed"], json!({"acr_values": ["otp"]}));
}

#[test]
fn removing_asks_first_and_can_delete_the_file() {
    let bed = Bed::new();
    bed.register();
    bed.server.clear_calls();
    // No terminal to ask on, and what comes in is no answer.
    run_with(bed.folder.path(), &["remove"], "y\n", &[])
        .ended(2)
        .says(&["--yes"]);
    assert_eq!(bed.server.total(), 0);
    let result = bed
        .run(&["remove", "--yes", "--delete", "--json"])
        .ended(0)
        .json();
    assert_eq!(
        (&result["ok"], &result["site_file"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(files(bed.folder.path()), [] as [&str; 0]);
    assert_eq!(bed.server.count("remove-site"), 1);
    bed.run(&["remove", "--yes"]).ended(5);
}

#[test]
fn a_site_that_oxd_has_lost_is_not_removed_here() {
    let bed = Bed::new();
    bed.register();
    let mut site = bed.site();
    site["oxd_id"] = "00000000-0000-4000-8000-000000000000".into();
    fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.run(&["remove", "--yes"]).ended(4).says(&["invalid_oxd_id"]);
    assert!(bed.file("oxd-site.json").exists());
}

#[test]
fn an_oxd_below_a_path_and_behind_a_client_that_expires() {
    let bed = Bed::new();
    let url = bed.server.url();
    bed.server.fault(
        "register-site",
        Fault::Patch(json!({"client_secret_expires_at": 2_000_000_000})),
    );
    let args = ["register", "--server", &url, "--base", "http://app.example/oxd"];
    bed.run(&args)
        .ended(0)
        .says(&["expire on Wed, 18 May 2033", "is not https"]);
    // The stand-in has nothing there.
    let below = format!("{url}/api/oxd/");
    bed.run(&["check", "--server", &below])
        .ended(1)
        .says(&["/api/oxd/health-check answered 404"]);
}

#[test]
fn members_without_an_option_are_set() {
    let bed = Bed::new();
    let url = bed.server.url();
    let register = ["register", "--server", &url, "--base", BASE];
    let set = |members: &[&'static str]| {
        let mut args = register.to_vec();
        args.extend(members.iter().flat_map(|member| ["--set", member]));
        bed.run(&args)
    };
    set(&["require_auth_times=true"])
        .ended(2)
        .says(&["would ignore it"]);
    assert_eq!(bed.server.total(), 0, "oxd was asked");
    set(&["require_auth_time=true", r#"grant_types=["authorization_code"]"#]).ended(0);
    let body = sent(&bed, "register-site");
    assert_eq!(body["require_auth_time"], json!(true));
    assert_eq!(body["grant_types"], json!(["authorization_code"]));
    let changed = bed
        .run(&["update", "--json", "--set", "default_max_age=60"])
        .ended(0)
        .json();
    assert_eq!(changed["changed"], json!({ "default_max_age": 60 }));
}
