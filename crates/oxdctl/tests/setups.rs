//! The ten broken set-ups, each of which the check must name; and one that works.

mod common;

use std::fs;
use std::time::{Duration, SystemTime};

use common::{AFTER_ADDRESS, AFTER_OXD, BASE, Bed, LOGIN, html, sent, something_else};
use oxd_dev::{Fault, Like, Options, Tls};
use serde_json::{Value, json};

#[test]
fn a_set_up_that_works_passes_every_check() {
    for tls in [Tls::Off, Tls::SelfSigned] {
        let bed = Bed::with(Options {
            tls,
            ..Options::default()
        });
        bed.register();
        let report = bed.run(&["check", "--json"]).ended(0).json();
        assert_eq!(report["ok"], true);
        let checks = report["checks"].as_array().unwrap();
        assert_eq!(checks.len(), 14, "{report:#}");
        for one in checks {
            assert_eq!(one["status"], "ok", "{report:#}");
        }
        let shown = bed.run(&["check"]).ended(0);
        assert_eq!(
            shown.out.lines().filter(|line| line.starts_with("ok ")).count(),
            14,
            "{shown:#?}"
        );
        shown.says(&["All is well."]);
    }
}

#[test]
fn oxd_is_down() {
    let mut bed = Bed::new();
    bed.register();
    bed.server.stop();
    bed.check_fails(
        &[],
        "connection",
        "connection_refused",
        "refuses the connection",
        "systemctl status oxd-server",
        &["tls", "oxd"],
    );
}

#[test]
fn the_port_is_anothers() {
    let bed = Bed::new();
    bed.register();
    let ssh = something_else(b"SSH-2.0-OpenSSH_9.2p1\r\n");
    let silent = something_else(b"");
    for (address, check, cause) in [
        (format!("https://{ssh}"), "tls", "not_tls"),
        (format!("https://{silent}"), "tls", "not_tls"),
        (format!("http://{ssh}"), "oxd", "not_http"),
    ] {
        bed.check_fails(
            &["--server", &address],
            check,
            cause,
            "does not speak",
            "something else than oxd listens on this port",
            AFTER_OXD,
        );
    }
    let silent = format!("http://{silent}");
    bed.check_fails(
        &["--server", &silent],
        "oxd",
        "connection_broken",
        "the connection broke",
        "something else than oxd may listen on this port",
        AFTER_OXD,
    );
    let web = something_else(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope");
    let web = format!("http://{web}");
    bed.check_fails(
        &["--server", &web],
        "oxd",
        "not_oxd",
        "404",
        "something else than oxd listens there",
        AFTER_OXD,
    );
    let api = something_else(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"up\"}",
    );
    let api = format!("http://{api}");
    bed.check_fails(
        &["--server", &api],
        "oxd",
        "not_oxd",
        "not as oxd does",
        "8443",
        AFTER_OXD,
    );
}

#[test]
fn nobody_vouches_for_the_certificate() {
    let bed = Bed::with(Options {
        tls: Tls::SelfSigned,
        ..Options::default()
    });
    bed.site_file(&[LOGIN]);
    let mut site = bed.site();
    site["oxdctl"]["ca_file"] = Value::Null;
    fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.check_fails(
        &[],
        "tls",
        "tls_unknown_authority",
        "signed by no authority that is known here (SHA-256 ",
        "OxdServerCAFile",
        &["oxd"],
    );
    bed.run(&["check", "--ca-file", "ca.pem"]).ended(0);
}

#[test]
fn the_secret_is_wrong() {
    let bed = Bed::new();
    let site = bed.site_file(&[LOGIN]);
    let mut file = serde_json::to_value(site).unwrap();
    file["client_secret"] = "not-the-secret-at-all".into();
    bed.write_site(&file);
    bed.check_fails(
        &[],
        "credentials",
        "wrong_credentials",
        "wrong client_secret",
        "compare client_id and client_secret",
        &["scope", "site", "redirect"],
    );
}

#[test]
fn the_scope_oxd_is_missing() {
    let bed = Bed::new();
    let site = bed.post(
        "register-site",
        &json!({"redirect_uris": [LOGIN], "scope": ["openid", "profile"]}),
    );
    bed.write_site(&site);
    bed.check_fails(
        &[],
        "scope",
        "scope_missing",
        "lacks the scope oxd",
        "allow the client the scope oxd at the provider",
        &["site", "redirect"],
    );
}

#[test]
fn oxd_does_not_know_the_site() {
    let bed = Bed::new();
    bed.register();
    bed.check_fails(
        &[
            "--oxd-id",
            "00000000-0000-4000-8000-000000000000",
            "--site-file",
            "oxd-site.json",
        ],
        "site",
        "oxd_id_unknown",
        "invalid_oxd_id",
        "register it again",
        &["redirect"],
    );
}

#[test]
fn oxd_does_not_let_this_address_in() {
    let bed = Bed::with(Options {
        bind_ip_addresses: vec!["10.0.0.7".to_owned()],
        ..Options::default()
    });
    bed.site_file(&[LOGIN]);
    bed.check_fails(
        &[],
        "address",
        "address_not_allowed",
        "oxd_access_denied",
        "add 127.0.0.1 to bind_ip_addresses in oxd-server.yml",
        AFTER_ADDRESS,
    );
}

#[test]
fn an_older_oxd_refuses_the_address_at_the_first_command() {
    let bed = Bed::new();
    bed.site_file(&[LOGIN]);
    let denied = json!({"error": "oxd_access_denied", "error_description": "no"});
    let denied = Fault::Status {
        code: 403,
        body: denied.to_string(),
        content_type: "application/json".to_owned(),
    };
    bed.server.fault("get-discovery", denied);
    bed.check_fails(
        &[],
        "address",
        "address_not_allowed",
        "oxd_access_denied",
        "bind_ip_addresses",
        AFTER_ADDRESS,
    );
}

#[test]
fn the_redirect_address_is_not_registered() {
    let bed = Bed::new();
    bed.site_file(&["https://elsewhere.example/oxd/login"]);
    bed.check_fails(
        &["--base", BASE],
        "redirect",
        "redirect_uri_not_registered",
        "https://app.example/oxd/login is not registered",
        "oxdctl update --base",
        &[],
    );
}

#[test]
fn the_redirect_address_is_not_the_first() {
    let bed = Bed::new();
    bed.site_file(&["https://elsewhere.example/oxd/login", LOGIN]);
    bed.check_fails(
        &["--redirect-uri", LOGIN],
        "redirect",
        "redirect_uri_not_first",
        "oxd uses the first one, which is https://elsewhere.example/oxd/login",
        "oxdctl update --base",
        &[],
    );
}

#[test]
fn the_clocks_differ() {
    let bed = Bed::new();
    bed.register();
    let at = |time: SystemTime| Fault::Header {
        name: "date".to_owned(),
        value: httpdate::fmt_http_date(time),
    };
    let now = SystemTime::now();
    bed.server
        .fault("health-check", at(now - Duration::from_secs(7_230)));
    bed.check_fails(
        &[],
        "clock",
        "clock_off",
        "oxd's clock is 2 h behind this machine's",
        "NTP",
        &[],
    );
    bed.server
        .fault("health-check", at(now + Duration::from_secs(90)));
    bed.check_fails(
        &[],
        "clock",
        "clock_off",
        "ahead of this machine's",
        "timedatectl",
        &[],
    );
    bed.server
        .fault("health-check", at(SystemTime::now() - Duration::from_secs(15)));
    bed.check_warns(&[], "clock", "clock_drifts", "behind");
}

#[test]
fn html_comes_in_oxds_place() {
    let bed = Bed::new();
    bed.register();
    for code in [200, 403, 404, 500] {
        bed.server.fault("*", html(code));
        bed.check_fails(
            &[],
            "oxd",
            "html",
            "with HTML",
            "a web server, a login page or a proxy",
            AFTER_OXD,
        );
    }
    bed.server.clear_faults();
    bed.server.fault("get-client-token", html(200));
    bed.check_fails(
        &[],
        "credentials",
        "html",
        "with HTML",
        "proxy",
        &["scope", "site", "redirect"],
    );
}

/// With `private_key_jwt` oxd signs for the client: no secret is needed from the registration to the check.
#[test]
fn a_client_that_signs_needs_no_secret() {
    let bed = Bed::new();
    let url = bed.server.url();
    let auth = [
        "--client-auth",
        "private_key_jwt RS256",
        "--client-jwks-uri",
        "https://oxd.example/jwks",
    ];
    let args = ["register", "--server", &url, "--base", BASE];
    bed.run(&[&args[..], &auth].concat())
        .ended(0)
        .says(&["OxdClientAuth   private_key_jwt RS256"]);
    let request = sent(&bed, "register-site");
    assert_eq!(
        request["client_token_endpoint_auth_method"],
        json!("private_key_jwt")
    );
    assert_eq!(request["client_token_endpoint_auth_signing_alg"], json!("RS256"));
    assert_eq!(request["client_jwks_uri"], json!("https://oxd.example/jwks"));
    let mut site = bed.site();
    site["client_secret"] = Value::Null;
    fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.run(&["check"]).ended(0);
    let token = sent(&bed, "get-client-token");
    assert_eq!(
        (&token["authentication_method"], &token["algorithm"]),
        (&json!("private_key_jwt"), &json!("RS256"))
    );
    site["oxdctl"]["client_auth"] = Value::Null;
    fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.run(&["check"]).ended(1);
    bed.run(&["check", "--client-auth", "private_key_jwt RS256"])
        .ended(0);
    bed.run(&["check", "--client-auth", "private_key_jwt HS256"])
        .ended(2)
        .says(&["RS256"]);
}

/// Whoever changes a site at oxd past this program is told by the next check.
#[test]
fn a_check_compares_what_oxd_has_with_what_was_registered() {
    let bed = Bed::new();
    bed.register();
    bed.run(&["check"]).ended(0).says(&["registered  oxd has the "]);
    let oxd_id = bed.site()["oxd_id"].clone();
    bed.post(
        "update-site",
        &json!({"oxd_id": oxd_id, "scope": ["openid", "oxd"]}),
    );
    bed.run(&["check"])
        .ended(0)
        .says(&["scope is openid oxd at oxd, openid profile email oxd here"]);
    let mut site = bed.site();
    site["client_secret"] = json!("another");
    fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.run(&["check", "--unprotected"]).ended(1);
    let older = Bed::with(Options {
        like: Like::V4_1,
        ..Options::default()
    });
    older.register();
    older.run(&["check"]).ended(0);
}
