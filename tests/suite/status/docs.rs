//! `docs/MONITORING.md`: its configuration works, and its expressions ask for what is there.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use oxd_tests::{Browser, TestSite, begin, wait_until};
use regex::Regex;

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
fn site() -> TestSite {
    let text = blocks("apache").join("\n");
    let text = Regex::new(r"Require ip .*")
        .expect("a pattern")
        .replace_all(&text, "Require ip 127.0.0.1");
    let text = text.replace("${APACHE_LOG_DIR}", "${ROOT}");
    TestSite::builder().config(&text).start()
}

/// What one pastes from the page works, and the log has the words at the places where the page's own script looks.
#[test]
fn the_configuration_works() {
    let site = site();
    begin(&Browser::new(), site.url("/app/"));
    Browser::new().get(site.url("/oxd-status")).expect(200);
    Browser::new().get(site.url("/oxd-metrics")).expect(200);
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
        words == ["2", "-", "1", "login_started"]
    });
}

/// An alert on a series that does not exist never fires, and nobody notices.
#[test]
fn expressions_ask_for_what_there_is() {
    let site = site();
    let scrape = Scrape::of(&site);
    let values: BTreeSet<_> = scrape.labels.iter().cloned().collect();
    let page = page();
    // Those of the table, and those of the files.
    let lines = page
        .lines()
        .filter(|line| line.contains("rate(") || line.contains("increase("));
    let text = lines
        .chain(blocks("yaml").iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("\n");
    let selector = Regex::new(r"\b(oxd_[a-z_]+)(?:\{([^}]*)\})?(\[)?").expect("a pattern");
    let matcher = Regex::new(r#"([a-z]+)(=~|!~|!=|=)"([^"]*)""#).expect("a pattern");
    let (mut asked, mut rates) = (BTreeSet::new(), 0);
    for found in selector.captures_iter(&text) {
        let name = &found[1];
        let family = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(scrape.families.contains_key(family), "{name}");
        if found.get(3).is_some() {
            rates += 1;
            asked.insert(family.to_owned());
        }
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        for matched in matcher.captures_iter(labels) {
            for value in matched[3].split('|') {
                let label = (matched[1].to_owned(), value.to_owned());
                assert!(values.contains(&label), "{name}: {label:?}");
            }
        }
    }
    assert!(rates > 10 && asked.len() > 6, "{asked:?}");
    assert!(page.matches("- alert: ").count() >= 5);
}

/// Prometheus's own checker takes the files and the metrics, on machines that have it.
#[test]
fn prometheus_takes_it_all() {
    if Command::new("promtool").arg("--version").output().is_err() {
        eprintln!("promtool (package prometheus) is not installed: nothing is checked by it");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for (text, name) in blocks("yaml").iter().zip(["prometheus.yml", "oxd-rules.yml"]) {
        assert!(text.starts_with(&format!("# {name}\n")), "{text}");
        fs::write(directory.path().join(name), text).expect("a file");
    }
    let site = site();
    site.signed_in();
    let metrics = directory.path().join("metrics");
    let text = Browser::new().get(site.url("/oxd-metrics")).text();
    fs::write(&metrics, text).expect("a file");
    let check = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command.arg("check").args(arguments).current_dir(directory.path());
        command.stdin(fs::File::open(&metrics).expect("a file"));
        let output = command.output().expect("promtool runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && said.is_empty(),
            "{arguments:?}: {said}"
        );
    };
    check(&["config", "prometheus.yml"]);
    check(&["rules", "oxd-rules.yml"]);
    check(&["metrics"]);
}
