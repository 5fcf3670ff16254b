//! `docs/OXDCTL.md` against the program.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::run_in;
use oxd_core::config::store::StoreAddress;
use oxd_core::oxd::Cause;
use oxd_store::{COMMANDS as STORE_COMMANDS, Need, Purpose, acl_line, needed};

const COMMANDS: [&[&str]; 12] = [
    &["register"],
    &["update"],
    &["remove"],
    &["check"],
    &["doctor"],
    &["uma", "protect"],
    &["uma", "check"],
    &["uma", "show"],
    &["store", "check"],
    &["key"],
    &["explain"],
    &["completions"],
];

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The words of a text that begin like an option.
fn options(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && !word.trim_matches('-').is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_has_every_option_and_no_other() {
    let page = options(&source("../../docs/OXDCTL.md"));
    let folder = tempfile::tempdir().unwrap();
    let mut known: BTreeSet<String> = options(&run_in(folder.path(), &["--help"]).out);
    for command in COMMANDS {
        known.extend(options(
            &run_in(folder.path(), &[command, &["--help"][..]].concat()).out,
        ));
    }
    // Of the hidden command.
    known.insert("--out".to_owned());
    let missing: Vec<_> = known.difference(&page).collect();
    let invented: Vec<_> = page.difference(&known).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing: {missing:?}, invented: {invented:?}"
    );
}

#[test]
fn the_page_has_every_exit_status_as_the_help_has_it() {
    let page = source("../../docs/OXDCTL.md");
    let folder = tempfile::tempdir().unwrap();
    let help = run_in(folder.path(), &["--help"]).out;
    let said = help.split_once("Exit status:").unwrap().1;
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: Vec<String> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            let status: u8 = cells.next()?.parse().ok()?;
            Some(format!("{status} {}", cells.next()?))
        })
        .collect();
    assert_eq!(told.join(" "), said);
}

#[test]
fn the_page_has_every_check_and_every_cause() {
    let page = source("../../docs/OXDCTL.md");
    // A cause stands alone in its quotes, in small letters and with a _, as nothing else in these files does, except
    // for members and errors of oxd's API.
    let oxds = [
        "access_token",
        "access_token_insufficient_scope",
        "authorization_url",
        "blank_access_token",
        "client_id",
        "client_secret",
        "client_secret_expires_at",
        "failed_to_get_discovery",
        "inactive_access_token",
        "http_methods",
        "internal_error",
        "invalid_access_token",
        "invalid_oxd_id",
        "op_configuration_endpoint",
        "op_host",
        "oxd_access_denied",
        "oxd_id",
        "redirect_uri",
        "redirect_uri_is_not_registered",
        "redirect_uris",
        "scope_expression",
        "uma_protected_resources",
    ];
    for cause in Cause::ALL {
        let code = cause.code();
        assert!(page.contains(&format!("`{code}`")), "{code} is not in the page");
    }
    for file in [
        "check/mod.rs",
        "check/reach.rs",
        "check/resources.rs",
        "check/site.rs",
    ] {
        let text = source(&format!("src/{file}"));
        let text = text.split("#[cfg(test)]").next().unwrap();
        for word in text.split('"') {
            let is_word = word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_word && !oxds.contains(&word) {
                assert!(
                    page.contains(&format!("`{word}`")),
                    "{word} of {file} is not in the page"
                );
            }
        }
    }
    for check in source("src/check/mod.rs")
        .split("const CHECKS")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap()
        .split('"')
    {
        if check.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
            assert!(
                page.contains(&format!("| `{check}` |")),
                "{check} is not in the page"
            );
        }
    }
}

#[test]
fn the_page_has_every_check_and_every_cause_of_the_doctor() {
    let page = source("../../docs/OXDCTL.md");
    let section = page.split("## Examine httpd and a login").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    // Modules of httpd.
    let others = ["authn_core", "authz_core", "authz_user", "mpm_", "_module"];
    let mut checks = BTreeSet::new();
    for file in ["login", "mod", "server", "setup"] {
        let text = source(&format!("src/doctor/{file}.rs"));
        let text = text.split("#[cfg(test)]").next().unwrap();
        for word in text.split('"') {
            let is_word = word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_word && !others.contains(&word) {
                assert!(
                    section.contains(&format!("`{word}`")),
                    "{word} of {file}.rs is not in the page"
                );
            }
        }
        for kind in ["ok(", "warn(", "fail(", "skip("] {
            for call in text.split(&format!("report.{kind}")).skip(1) {
                let name = call
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next());
                checks.extend(name.map(str::to_owned));
            }
        }
    }
    for check in checks {
        let is_of_check = ["site-file", "connection"].contains(&check.as_str());
        assert!(
            is_of_check || section.contains(&format!("| `{check}` |")),
            "{check} is not in the page"
        );
    }
}

#[test]
fn the_page_has_every_check_and_every_cause_of_a_store() {
    let page = source("../../docs/OXDCTL.md");
    let section = page.split("## Check a Redis store").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    // Fields of Redis, and causes of problems that end a command.
    let others = [
        "aof_enabled",
        "aof_last_write_status",
        "ca_file",
        "cluster_slots_fail",
        "cluster_slots_pfail",
        "cluster_state",
        "connected_slaves",
        "dragonfly_version",
        "master_host",
        "master_link_status",
        "master_port",
        "maxmemory_policy",
        "pem_file",
        "rdb_last_bgsave_status",
        "rdb_last_save_time",
        "redis_mode",
        "redis_version",
        "total_system_memory",
        "used_memory",
        "valkey_version",
        "s_down",
        "mod_oxd",
    ];
    for file in ["advice", "judge", "mod", "nodes", "reach", "topology"] {
        let text = source(&format!("src/store/{file}.rs"));
        let text = text.split("#[cfg(test)]").next().unwrap();
        for word in text.split('"') {
            let is_word = word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_word && !others.contains(&word) {
                assert!(
                    section.contains(&format!("`{word}`")),
                    "{word} of {file}.rs is not in the page"
                );
            }
        }
    }
    let text = source("src/store/mod.rs");
    let checks = text
        .split("const CHECKS")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap();
    for check in checks
        .split('"')
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
    {
        assert!(
            section.contains(&format!("| `{check}` |")),
            "{check} is not in the page"
        );
    }
}

#[test]
fn the_documented_rights_are_those_that_the_check_tries() {
    let page = source("../../docs/SESSIONS.md");
    let alone = StoreAddress::parse("redis://any").unwrap();
    for purpose in [Purpose::Sessions, Purpose::Revocations] {
        let line = acl_line("mod_oxd", true, "mod_oxd:", &needed(&alone, purpose));
        assert!(page.lines().any(|found| found == line), "no {line}");
    }
    for (need, of) in [
        (Need::Database, "a database other than 0"),
        (Need::Sentinel, "sentinels: "),
        (Need::Cluster, "a cluster: "),
    ] {
        let more = STORE_COMMANDS.iter().filter(|command| command.need == need);
        let rights: Vec<String> = more.map(|command| format!("+{}", command.name)).collect();
        let row = format!("| `{}` | {of}", rights.join(" ").replace('|', "\\|"));
        assert!(page.contains(&row), "no {row}");
    }
}
