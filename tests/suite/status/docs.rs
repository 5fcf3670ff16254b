//! `docs/MONITORING.md`, the dashboard and the alerts: the configuration works, and expressions ask for what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use oxd_tests::{Browser, SiteBuilder, StoreServer, TestSite, begin, wait_until};
use regex::Regex;
use serde_json::Value;

use super::scrape::Scrape;

fn page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/MONITORING.md");
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The blocks of the page in one language.
fn blocks(language: &str) -> Vec<String> {
    let (page, fence) = (page(), format!("```{language}\n"));
    let blocks = page.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// A site that is watched as the page says, from this machine.
fn builder() -> SiteBuilder {
    let text = blocks("apache").join("\n");
    let text = Regex::new(r"Require ip .*")
        .expect("a pattern")
        .replace_all(&text, "Require ip 127.0.0.1");
    let text = text
        .replace("${APACHE_LOG_DIR}", "${ROOT}")
        .replace(" logs/", " ${ROOT}/");
    TestSite::builder().config(&text)
}

fn site() -> TestSite {
    builder().start()
}

/// What one pastes from the page works, and the log has the words at the places where the page's own script looks.
#[test]
fn the_configuration_works() {
    let site = site();
    begin(&Browser::new(), site.url("/app/"));
    Browser::new().get(site.url("/oxd-status")).expect(200);
    Browser::new().get(site.url("/oxd-metrics")).expect(200);
    Browser::new().get(site.url("/oxd-health/ready")).expect(200);
    let script = blocks("sh").concat();
    let log = site.httpd.file("access_oxd.log").display().to_string();
    let script = script.replace("/var/log/apache2/access_oxd.log", &log);
    assert!(script.contains(&log), "{script}");
    wait_until("the words in the log", || {
        let output = Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words: Vec<_> = text.split_whitespace().collect();
        words == ["3", "-", "1", "login_started"]
    });
}

/// Where the dashboard and the rules are.
const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../apache-conf/monitoring");
/// Where the tests of the rules are.
const ALERTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");

const KEY: &str = "\"a key for several machines, long enough for anybody to accept it 0123456789\"";

fn file(folder: &str, name: &str) -> String {
    fs::read_to_string(format!("{folder}/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every expression of the dashboard, with values in place of its variables.
fn queries() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let own = members.get("expr").and_then(Value::as_str);
                found.extend(own.map(str::to_owned));
                members.values().for_each(|member| collect(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let dashboard: Value = serde_json::from_str(&file(MONITORING, "grafana.json")).expect("JSON");
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    let filled = found
        .iter()
        .map(|query| query.replace("$__rate_interval", "5m").replace("$instance", ".*"));
    let filled: Vec<_> = filled.collect();
    for query in &filled {
        assert!(!query.contains('$'), "{query}");
    }
    filled
}

/// The alerts of the rules, by name.
fn alerts(rules: &str) -> Vec<&str> {
    rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect()
}

/// An alert on a series that does not exist never fires, and nobody notices; nor does one miss what a panel does not show.
#[test]
fn expressions_ask_for_what_there_is() {
    let redis = StoreServer::redis();
    let site = builder()
        .directives(&format!(
            "OxdRevocations redis://{}\nOxdCryptoKey {KEY}",
            redis.address()
        ))
        .start();
    let scrape = Scrape::parse(&Browser::new().get(site.url("/oxd-metrics")).expect(200).text());
    let values: BTreeSet<_> = scrape.labels.iter().cloned().collect();
    let names: BTreeSet<_> = values.iter().map(|(name, _)| name.as_str()).collect();
    let page = page();
    // Those of the table, and those of the files.
    let lines = page
        .lines()
        .filter(|line| line.contains("rate(") || line.contains("increase("));
    let mut all: Vec<_> = lines.map(str::to_owned).collect();
    let (rules, queries) = (file(MONITORING, "oxd-rules.yml"), queries());
    assert!(queries.len() > 20, "{queries:?}");
    all.extend(blocks("yaml"));
    all.push(rules.clone());
    all.extend(queries);
    let text = all.join("\n");
    let selector = Regex::new(r"\b(oxd_[a-z_]+)(?:\{([^}]*)\})?(\[)?").expect("a pattern");
    let matcher = Regex::new(r#"([a-z]+)(=~|!~|!=|=)"([^"]*)""#).expect("a pattern");
    let (mut asked, mut rates) = (BTreeSet::new(), 0);
    for found in selector.captures_iter(&text) {
        let name = &found[1];
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        assert!(scrape.families.contains_key(family), "{name}");
        if found.get(3).is_some() {
            rates += 1;
        }
        asked.insert(family.to_owned());
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        for matched in matcher.captures_iter(labels) {
            // Prometheus's own.
            if &matched[1] == "instance" {
                continue;
            }
            for value in matched[3].split('|') {
                let label = (matched[1].to_owned(), value.to_owned());
                assert!(values.contains(&label), "{name}: {label:?}");
            }
        }
    }
    let groups = Regex::new(r"\bby \(([a-z, ]*)\)").expect("a pattern");
    for group in groups.captures_iter(&text) {
        for label in group[1].split(", ") {
            assert!(label == "instance" || names.contains(label), "by ({label})");
        }
    }
    assert!(rates > 30, "{rates}");
    // The dashboard and the rules leave little out.
    let left: Vec<_> = scrape
        .families
        .keys()
        .filter(|family| !asked.contains(*family))
        .collect();
    assert_eq!(left, ["oxd_counting_since_seconds", "oxd_sites"]);
}

/// Who is woken by an alert finds what to do about it, and each alert has a test that sees it fire.
#[test]
fn each_alert_has_its_runbook_and_its_test() {
    let (rules, tests) = (file(MONITORING, "oxd-rules.yml"), file(ALERTS, "alerts.test.yml"));
    let (page, names) = (page(), alerts(&rules));
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let section = format!("\n### {name}\n");
        assert!(
            page.contains(&section),
            "docs/MONITORING.md has no section {name}"
        );
        let runbook = format!("runbook: \"docs/MONITORING.md#{}\"", name.to_lowercase());
        assert!(rules.contains(&runbook), "{runbook}");
        let fires = format!("alertname=\"{name}\"");
        assert!(tests.contains(&fires), "no test sees {name} fire");
    }
}

/// Prometheus's own checker takes the files, the dashboard's queries and the metrics, and runs the rules, on machines that
/// have it.
#[test]
fn prometheus_takes_it_all() {
    let promtool = std::env::var("OXD_PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    if Command::new(&promtool).arg("--version").output().is_err() {
        eprintln!("promtool (package prometheus) is not installed: nothing is checked by it");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).expect("a file");
    for (text, name) in blocks("yaml").iter().zip(["blackbox.yml", "prometheus.yml"]) {
        assert!(text.starts_with(&format!("# {name}\n")), "{text}");
        write(name, text);
    }
    write("oxd-rules.yml", &file(MONITORING, "oxd-rules.yml"));
    let record = |(number, query): (usize, &String)| {
        let query = serde_json::to_string(query).expect("text");
        format!("      - {{record: 'dashboard:q{number}', expr: {query}}}\n")
    };
    let recorded: String = queries().iter().enumerate().map(record).collect();
    write(
        "dashboard.yml",
        &format!("groups:\n  - name: dashboard\n    rules:\n{recorded}"),
    );
    let site = site();
    site.signed_in();
    write("metrics", &Browser::new().get(site.url("/oxd-metrics")).text());
    let run = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new(&promtool);
        command.args(arguments).current_dir(folder);
        command.stdin(fs::File::open(directory.path().join("metrics")).expect("a file"));
        let output = command.output().expect("promtool runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.is_empty(),
            "{arguments:?}: {said}{told}"
        );
    };
    let here = directory.path();
    run(here, &["check", "config", "prometheus.yml"]);
    run(here, &["check", "config", "blackbox.yml"]);
    run(here, &["check", "rules", "oxd-rules.yml"]);
    run(here, &["check", "rules", "dashboard.yml"]);
    run(here, &["check", "metrics"]);
    run(Path::new(ALERTS), &["test", "rules", "alerts.test.yml"]);
}
