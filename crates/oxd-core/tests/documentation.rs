//! The pages of the repository: links, directives, statuses and the tests that they name. Their configurations are read
//! by httpd in `tests/suite/recipes.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use oxd_core::base::Reason;
use oxd_core::config::directive::TABLE;
use oxd_core::shm::stats::metrics::{FeedGauges, Gauges};
use oxd_core::shm::stats::{self, Stats};
use regex::Regex;

fn root() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.ancestors().nth(2).expect("the repository").to_owned()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

/// The files of the repository with this ending, by their paths in it.
fn files(ending: &str) -> Vec<String> {
    fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    collect(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    collect(&root, ending, &mut found);
    let inside = |path: PathBuf| {
        let inside = path.strip_prefix(&root).expect("below the root");
        inside.to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = found.into_iter().map(inside).collect();
    names.sort();
    names
}

/// The lines of a page, each with the language of the fenced block that it stands in, if it stands in one.
fn lines(page: &str) -> Vec<(Option<&str>, &str)> {
    let mut language = None;
    let mut found = Vec::new();
    for line in page.lines() {
        match (language, line.trim_start().strip_prefix("```")) {
            (None, Some(opened)) => language = Some(opened.trim()),
            (Some(_), Some(_)) => language = None,
            (inside, None) => found.push((inside, line)),
        }
    }
    assert!(language.is_none(), "a block does not end");
    found
}

/// The anchors of a page, as repository pages make them from headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let link = regex(r"\[([^\]]*)\]\([^)]*\)");
    let mut anchors = BTreeSet::new();
    for (_, line) in lines(page).into_iter().filter(|(inside, _)| inside.is_none()) {
        let Some(heading) = line.trim_start_matches('#').strip_prefix(' ') else {
            continue;
        };
        if !line.starts_with('#') {
            continue;
        }
        let plain = link.replace_all(heading.trim(), "$1").to_lowercase();
        let anchor: String = plain
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let seen = times.entry(anchor.clone()).or_default();
        anchors.insert(match *seen {
            0 => anchor,
            n => format!("{anchor}-{n}"),
        });
        *seen += 1;
    }
    anchors
}

/// Where the links and pictures of a page lead to, those within code left out.
fn links(page: &str) -> Vec<String> {
    let (code, link) = (regex("`[^`]*`"), regex(r"\]\(([^)\s]+)\)"));
    let mut found = Vec::new();
    for (_, line) in lines(page).into_iter().filter(|(inside, _)| inside.is_none()) {
        let plain = code.replace_all(line, "");
        found.extend(link.captures_iter(&plain).map(|c| c[1].to_owned()));
    }
    found
}

/// A path without `.` and `..` in it.
fn plain(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.iter().filter_map(|part| part.to_str()) {
        match part {
            "." => {}
            ".." => assert!(
                parts.pop().is_some(),
                "{} leads out of the repository",
                path.display()
            ),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// What is wrong with a link of a page, if anything is.
fn flaw(page: &str, target: &str) -> Option<String> {
    if regex("^[a-z]+:").is_match(target) {
        return None;
    }
    let (path, anchor) = target
        .split_once('#')
        .map_or((target, None), |(p, a)| (p, Some(a)));
    let folder = Path::new(page).parent().expect("a page has a folder");
    let to = if path.is_empty() {
        page.to_owned()
    } else {
        plain(&folder.join(path))
    };
    if !root().join(&to).exists() {
        return Some(format!("{page}: {target}: there is no {to}"));
    }
    let anchor = anchor?;
    (!anchors(&read(&to)).contains(anchor)).then(|| format!("{page}: {target}: {to} has no such heading"))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = files(".md");
    assert!(pages.len() > 10, "{pages:?}");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in &pages {
        for target in links(&read(page)) {
            seen += 1;
            wrong.extend(flaw(page, &target));
        }
    }
    assert!(seen > 100, "only {seen} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What the check says of links that lead nowhere.
    for target in [
        "NONE.md",
        "#none",
        "README.md#none",
        "../NONE.md",
        "images/none.png",
    ] {
        assert!(flaw("docs/README.md", target).is_some(), "{target} passes");
    }
}

#[test]
fn every_page_is_in_the_index_and_leads_back() {
    let index = links(&read("docs/README.md"));
    for page in files(".md") {
        let Some(name) = page.strip_prefix("docs/").filter(|name| *name != "README.md") else {
            continue;
        };
        assert!(
            index.iter().any(|link| link == name),
            "docs/README.md does not link to {name}"
        );
        let back = links(&read(&page)).iter().any(|link| link == "README.md");
        assert!(back, "{page} does not link back to README.md");
    }
}

#[test]
fn every_directive_has_its_entry_and_pages_name_no_other() {
    let known: BTreeSet<&str> = TABLE.iter().map(|directive| directive.name()).collect();
    // The lines of `oxd-status?auto` have names of the same kind.
    let words: Vec<_> = (0..stats::WORDS).map(|_| AtomicU64::new(0)).collect();
    let stats = Stats::over(&words).expect("counters");
    let gauges = Gauges {
        feed: Some(FeedGauges {
            address: String::new(),
            lag: None,
            untold: 0,
        }),
        ..Gauges::default()
    };
    let automatic = oxd_core::pages::status::auto(&stats, &gauges, oxd_core::base::Seconds(0));
    let shown: BTreeSet<&str> = automatic
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    let reference = read("docs/DIRECTIVES.md");
    let entries: BTreeSet<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert_eq!(known, entries);
    let name = regex(r"\bOxd[A-Z][A-Za-z]*");
    let mut wrong = Vec::new();
    let configurations = files(".conf").into_iter().chain(files(".conf.in"));
    for page in files(".md").into_iter().chain(configurations) {
        for found in name.find_iter(&read(&page)) {
            if !known.contains(found.as_str()) && !shown.contains(found.as_str()) {
                wrong.push(format!("{page}: {}", found.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such directive:\n{}", wrong.join("\n"));
}

#[test]
fn configurations_are_marked_so_that_httpd_reads_them() {
    let directive = regex(r"^\s*(Oxd[A-Z]|AuthType\s+oxd|SetHandler\s+oxd|Require\s+oxd-)");
    let indented = regex(r"(?m)^[ \t]+```apache$");
    let mut wrong = Vec::new();
    for page in files(".md") {
        let text = read(&page);
        for (language, line) in lines(&text) {
            if language.is_some_and(|language| language != "apache") && directive.is_match(line) {
                wrong.push(format!("{page}: {line}"));
            }
        }
        // The suite looks for blocks at the beginning of a line.
        assert!(
            !indented.is_match(&text),
            "{page}: an indented block would not be read"
        );
    }
    assert!(
        wrong.is_empty(),
        "in a block that is not marked apache:\n{}",
        wrong.join("\n")
    );
}

/// The cells of the rows of all tables below a heading; their first rows are left out.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = lines(page);
    let begin = lines
        .iter()
        .position(|(inside, line)| inside.is_none() && *line == heading);
    let begin = begin.unwrap_or_else(|| panic!("no {heading:?}"));
    let level = heading.split(' ').next().unwrap_or_default();
    let mut found: Vec<Vec<String>> = Vec::new();
    for (_, line) in &lines[begin + 1..] {
        if line.starts_with(&format!("{level} ")) {
            break;
        }
        if line.starts_with("|---") {
            found.pop();
        } else if let Some(row) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
            found.push(row.split('|').map(|cell| cell.trim().to_owned()).collect());
        }
    }
    found
}

/// The words in code quotes that look like a name in the sources.
fn names(cell: &str) -> Vec<String> {
    let name = regex("`([a-z][a-z0-9]*(?:_[a-z0-9]+)*)`");
    name.captures_iter(cell).map(|c| c[1].to_owned()).collect()
}

/// The names of all tests that run.
fn tests() -> BTreeSet<String> {
    let rust = regex(r"#\[test\]\s*((?:#\[[^\]]*\]\s*)*)(?:pub\(super\) )?fn (\w+)");
    let mut found = BTreeSet::new();
    for file in files(".rs") {
        for test in rust.captures_iter(&read(&file)) {
            if !test[1].contains("ignore") {
                found.insert(test[2].to_owned());
            }
        }
    }
    let shell = regex(r"(?m)^(test_\w+)\(\)");
    let text = read("scripts/test.sh");
    found.extend(shell.captures_iter(&text).map(|c| c[1].to_owned()));
    found
}

#[test]
fn tests_that_the_security_notes_name_exist() {
    let tests = tests();
    assert!(tests.len() > 200, "only {} tests were found", tests.len());
    let page = read("docs/SECURITY-NOTES.md");
    let rows = rows(&page, "## Past vulnerabilities of comparable software");
    assert!(rows.len() > 30, "only {} rows were found", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let (what, covered) = (&row[0], row.last().expect("a cell"));
        let named = names(covered);
        if named.is_empty() && !covered.contains("*no test yet*") {
            wrong.push(format!("{what}: no test is named"));
        }
        let missing = named.iter().filter(|name| !tests.contains(*name));
        wrong.extend(missing.map(|name| format!("{what}: there is no test {name}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn statuses_and_codes_go_together_as_the_page_says() {
    let page = read("docs/ENDPOINTS.md");
    let mut seen = 0;
    for row in rows(&page, "## Statuses and reasons") {
        for code in names(row.last().expect("a cell")) {
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
            let reason = reason.unwrap_or_else(|| panic!("there is no reason {code}"));
            let status = reason.status();
            assert!(
                row[0].contains(&status.to_string()),
                "{code} has the status {status}"
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} codes were found");
}

/// A reader copies a line from one page and a command from another: both must mean the same file.
#[test]
fn pages_and_examples_have_one_name_for_each_file() {
    let of_a_site = |file: &str| ["oxd-site.json", "blue.json", "green.json"].contains(&file);
    let (file, path) = (
        regex(r"^\s*(OxdSite|OxdCryptoKey|OxdServerCAFile|OxdClientSecret)\s+(?:file:)?(/\S+)"),
        regex(r#"/etc/apache2/oxd[^\s`"',;:)]*"#),
    );
    let (mut seen, mut wrong) = (0, Vec::new());
    let others = ["apache-conf/oxd.conf", "debian/libapache2-mod-oxd.README.Debian"];
    for page in files(".md").into_iter().chain(others.map(str::to_owned)) {
        for line in read(&page).lines() {
            let outside = path.find_iter(line).map(|found| found.as_str());
            let outside = outside
                .filter(|path| !matches!(path.as_bytes().get("/etc/apache2/oxd".len()), None | Some(b'/')));
            wrong.extend(outside.map(|path| format!("{page}: {path}: name it in /etc/apache2/oxd/")));
            let Some(found) = file.captures(line) else {
                continue;
            };
            seen += 1;
            let name = found[2].strip_prefix("/etc/apache2/oxd/").unwrap_or(&found[2]);
            let fits = match &found[1] {
                "OxdSite" => of_a_site(name),
                "OxdCryptoKey" => name == "oxd-key",
                "OxdServerCAFile" => name == "oxd-server.pem",
                _ => name == "oxd-secret",
            };
            if !fits {
                wrong.push(format!("{page}: {line}"));
            }
        }
    }
    assert!(seen > 15, "only {seen} files were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Debian rotates and searches what lies in `${APACHE_LOG_DIR}`; the folder `logs` it does not have.
#[test]
fn logs_are_written_where_the_system_keeps_them() {
    let log = regex(r"^\s*(ErrorLog|CustomLog|TransferLog)\s+(\S+)");
    let wrong: Vec<_> = files(".md")
        .into_iter()
        .flat_map(|page| {
            let text = read(&page);
            let lines = text
                .lines()
                .filter_map(|line| log.captures(line))
                .map(|found| found[2].to_owned());
            let lines = lines.filter(|file| !file.trim_start_matches('"').starts_with("${APACHE_LOG_DIR}/"));
            lines.map(|file| format!("{page}: {file}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_that_the_faq_names_exist() {
    let page = read("docs/FAQ.md");
    let code = regex(r"`([a-z]+(?:_[a-z]+)+)`");
    // A test of the sources holds these entries and the codes together.
    let entries = read("docs/TROUBLESHOOTING.md");
    let known: BTreeSet<&str> = entries
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let words = ["oxd_session", "redirect_uri"];
    let named: Vec<_> = code
        .captures_iter(&page)
        .map(|found| found[1].to_owned())
        .collect();
    let wrong: Vec<_> = named
        .iter()
        .filter(|name| !known.contains(name.as_str()) && !words.contains(&name.as_str()))
        .collect();
    assert!(named.len() > 5 && wrong.is_empty(), "{wrong:?}");
}
