//! The relatives of the ten broken set-ups: what else can be wrong, and what is only worth a word.

mod common;

use common::{AFTER_OXD, BASE, Bed, LOGIN, html, something_else};
use oxd_dev::{Fault, Options, Tls};
use serde_json::{Value, json};

#[test]
fn certificates_can_be_wrong_in_other_ways() {
    let bed = Bed::with(Options {
        tls: Tls::Expired,
        ..Options::default()
    });
    bed.site_file(&[LOGIN]);
    bed.check_fails(
        &[],
        "tls",
        "tls_expired",
        "ran out on ",
        "certificate of its own",
        &["oxd"],
    );
    bed.check_warns(&["--no-verify"], "tls", "tls_not_verified", "it would be refused");
    let bed = Bed::with(Options {
        tls: Tls::SelfSigned,
        tls_names: vec!["oxd.example".to_owned()],
        ..Options::default()
    });
    bed.site_file(&[LOGIN]);
    bed.check_fails(
        &[],
        "tls",
        "tls_wrong_name",
        "oxd.example",
        "san=ip:127.0.0.1",
        &["oxd"],
    );
}

#[test]
fn a_name_without_an_address() {
    let bed = Bed::new();
    bed.register();
    bed.check_fails(
        &["--server", "https://oxd.invalid:8443"],
        "name",
        "name_unknown",
        "oxd.invalid has no address",
        "getent hosts",
        &["connection", "tls", "oxd"],
    );
}

#[test]
fn oxd_hangs_or_its_gateway_is_alone() {
    let bed = Bed::new();
    bed.register();
    bed.server.fault("health-check", Fault::Hang);
    bed.check_fails(
        &["--timeout", "300ms"],
        "oxd",
        "no_answer",
        "no answer within 300ms",
        "--timeout",
        AFTER_OXD,
    );
    bed.server.fault("health-check", html(502));
    bed.check_fails(&[], "oxd", "gateway", "502", "start oxd", AFTER_OXD);
    bed.server.fault(
        "health-check",
        Fault::Redirect("https://elsewhere.example/".to_owned()),
    );
    bed.check_fails(
        &[],
        "oxd",
        "redirected",
        "https://elsewhere.example/",
        "oxd itself",
        AFTER_OXD,
    );
    bed.server.fault("health-check", Fault::Drop);
    bed.check_fails(
        &[],
        "oxd",
        "connection_broken",
        "the connection broke",
        "log",
        AFTER_OXD,
    );
}

#[test]
fn a_proxy_that_is_none() {
    let bed = Bed::new();
    bed.register();
    // Nobody listens there, and nobody else may.
    let closed = oxd_tests::Port::reserve();
    let proxy = format!("http://{}", closed.address());
    bed.check_fails(
        &["--proxy", &proxy],
        "connection",
        "connection_refused",
        "refuses",
        "start the proxy",
        &["oxd"],
    );
    let refusing = something_else(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let proxy = format!("http://{refusing}");
    bed.check_fails(
        &["--proxy", &proxy, "--server", "https://oxd.example"],
        "oxd",
        "proxy_refused",
        "is no proxy for oxd",
        "OxdServerProxy",
        AFTER_OXD,
    );
}

#[test]
fn a_client_that_has_expired() {
    let bed = Bed::new();
    let mut site = serde_json::to_value(bed.site_file(&[LOGIN])).unwrap();
    site["client_secret_expires_at"] = 1_700_000_000.into();
    bed.write_site(&site);
    bed.check_warns(
        &[],
        "site-file",
        "client_expires_soon",
        "expire on Tue, 14 Nov 2023",
    );
    site["client_secret"] = "forgotten-by-the-provider".into();
    bed.write_site(&site);
    bed.check_fails(
        &[],
        "credentials",
        "client_expired",
        "14 Nov 2023",
        "oxdctl register --force",
        &["site"],
    );
}

#[test]
fn credentials_of_another_site_and_none_at_all() {
    let bed = Bed::new();
    let other = bed.server.register(&[LOGIN], &[]);
    let mut site = serde_json::to_value(bed.site_file(&[LOGIN])).unwrap();
    site["oxd_id"] = other.oxd_id.into();
    bed.write_site(&site);
    bed.check_fails(
        &[],
        "site",
        "client_of_another_site",
        "invalid_access_token",
        "the site's own client",
        &["redirect"],
    );
    site["client_secret"] = Value::Null;
    bed.write_site(&site);
    bed.check_fails(
        &[],
        "credentials",
        "credentials_missing",
        "missing",
        "--client-secret",
        &["site"],
    );
}

#[test]
fn the_provider_is_out_of_oxds_reach() {
    let bed = Bed::new();
    bed.register();
    let url = bed.server.url();
    // oxd itself is no provider.
    bed.check_fails(
        &["--op-host", &url],
        "provider",
        "provider_unreachable",
        "no_connect_discovery_response",
        "oxd cannot read the provider's configuration",
        &["credentials", "site"],
    );
}

#[test]
fn an_oxd_that_wants_no_tokens() {
    let bed = Bed::with(Options {
        protect_commands: false,
        ..Options::default()
    });
    let site = bed.site_file(&[LOGIN]);
    let url = bed.server.url();
    let args = [
        "check",
        "--server",
        &url,
        "--oxd-id",
        &site.oxd_id,
        "--unprotected",
        "--base",
        BASE,
    ];
    let ran = bed.run(&args).ended(0);
    assert!(!ran.out.contains("credentials"), "{ran:#?}");
    let bed = Bed::new();
    bed.register();
    bed.check_fails(
        &["--unprotected"],
        "credentials",
        "token_wanted",
        "blank_access_token",
        "OxdProtectedCommands On",
        &["site", "redirect"],
    );
}

#[test]
fn a_site_file_for_everybody_to_read() {
    let bed = Bed::new();
    bed.register();
    let path = bed.file("oxd-site.json");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    bed.check_warns(&[], "site-file", "site_file_open", "mode 644");
}

#[test]
fn what_is_not_known_is_said_to_be_so() {
    let bed = Bed::new();
    bed.register();
    let mut site = bed.site();
    site["oxdctl"] = json!({"server": bed.server.url()});
    std::fs::write(bed.file("oxd-site.json"), site.to_string()).unwrap();
    bed.check_warns(&[], "redirect", "redirect_uri_not_compared", LOGIN);
    bed.server.fault("introspect-access-token", html(500));
    bed.run(&["check", "--base", BASE]).ended(0);
    bed.server
        .fault("get-client-token", Fault::Remove("scope".to_owned()));
    bed.check_warns(&["--base", BASE], "scope", "scope_unknown", "neither");
    // What 4.1 answers.
    bed.server.clear_faults();
    bed.server
        .fault("health-check", Fault::WrongShape(json!({"status": "running"})));
    bed.run(&["check", "--base", BASE])
        .ended(0)
        .says(&["oxd does not say"]);
}

#[test]
fn refusals_that_only_the_real_oxd_knows_have_an_advice() {
    let bed = Bed::new();
    bed.register();
    for (command, status, error, description, check, cause, advice) in [
        (
            "get-discovery",
            500,
            "failed_to_get_discovery",
            "",
            "provider",
            "provider_unreachable",
            "oxd cannot read",
        ),
        (
            "get-discovery",
            500,
            "ssl_handshake_error",
            "",
            "provider",
            "provider_unreachable",
            "trust store",
        ),
        (
            "get-discovery",
            400,
            "restricted_op_host",
            "",
            "provider",
            "provider_unreachable",
            "allowed_op_hosts",
        ),
        // oxd remembers the provider's configuration; the provider is down all the same.
        (
            "get-jwks",
            500,
            "internal_error",
            "",
            "provider",
            "provider_unreachable",
            "start the provider",
        ),
        (
            "get-client-token",
            400,
            "invalid_client_id",
            "",
            "credentials",
            "wrong_credentials",
            "oxd's own log",
        ),
        (
            "introspect-access-token",
            403,
            "inactive_access_token",
            "",
            "scope",
            "token_inactive",
            "clocks",
        ),
        (
            "get-authorization-url",
            400,
            "bad_request",
            "oxd_id is empty or not registered.",
            "site",
            "oxd_id_unknown",
            "register it again",
        ),
        (
            "get-authorization-url",
            500,
            "internal_error",
            "",
            "site",
            "oxd_refused",
            "oxd's own log",
        ),
    ] {
        let body = json!({"error": error, "error_description": description});
        let refusal = Fault::Status {
            code: status,
            body: body.to_string(),
            content_type: "application/json".to_owned(),
        };
        bed.server.clear_faults();
        bed.server.fault(command, refusal);
        bed.check_fails(&[], check, cause, error, advice, &["redirect"]);
    }
}
