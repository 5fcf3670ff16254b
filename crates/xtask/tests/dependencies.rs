//! docs/DEPENDENCIES.md has a line for each crate that a Cargo.toml of this project names, and no other line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

#[path = "../src/project.rs"]
mod project;

use project::{cargo, output, root};

/// What becomes part of an installed program.
const PROGRAMS: &[&str] = &["mod_oxd", "oxd-core", "oxd-store", "oxdctl"];
const IN_PROGRAMS: &str = "In the module and in oxdctl";
const ELSEWHERE: &str = "To build, to test, to develop";

/// Section of the page, crate: the packages that name it.
type Table = BTreeMap<(String, String), BTreeSet<String>>;

/// The Cargo.toml files of the workspace and of those packages that are workspaces of their own.
const WORKSPACES: &[&str] = &["Cargo.toml", "fuzz/Cargo.toml", "tests/mutants/Cargo.toml"];

/// What the Cargo.toml files say, as cargo reads them.
fn named() -> Table {
    let packages = WORKSPACES.iter().flat_map(|file| {
        let mut metadata = cargo();
        metadata
            .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
            .args(["--manifest-path", file]);
        let text = output(&mut metadata).unwrap_or_else(|why| panic!("{file}: {why}"));
        let metadata: Value = serde_json::from_str(&text).expect("JSON");
        metadata["packages"].as_array().expect("packages").clone()
    });
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut table = Table::new();
    for package in packages {
        let name = text(&package["name"]);
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            // Neither `dev` nor `build`.
            let normal = dependency["kind"].is_null();
            let section = if normal && PROGRAMS.contains(&name.as_str()) {
                IN_PROGRAMS
            } else {
                ELSEWHERE
            };
            table
                .entry((section.to_owned(), text(&dependency["name"])))
                .or_default()
                .insert(name.clone());
        }
    }
    table
}

/// What the page says; each line with its reason.
fn written() -> Table {
    let page = fs::read_to_string(root().join("docs/DEPENDENCIES.md")).expect("the page");
    let mut section = String::new();
    let mut table = Table::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[name, packages, reason] = &cells[..] else {
            continue;
        };
        let Some(name) = name
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
            .filter(|_| [IN_PROGRAMS, ELSEWHERE].contains(&section.as_str()))
        else {
            continue;
        };
        assert!(reason.len() > 3, "{name} has no reason");
        let packages = packages.split(", ").map(str::to_owned).collect();
        let before = table.insert((section.clone(), name.to_owned()), packages);
        assert!(before.is_none(), "{name} is there twice in '{section}'");
    }
    table
}

#[test]
fn each_direct_dependency_has_a_line_that_says_why_and_by_whom_it_is_named() {
    let (named, written) = (named(), written());
    assert!(named.len() > 50, "cargo names {} dependencies", named.len());
    let mut wrong = Vec::new();
    for (key, packages) in &named {
        match written.get(key) {
            None => wrong.push(format!("no line for {} in '{}': {packages:?}", key.1, key.0)),
            Some(said) if said != packages => {
                wrong.push(format!(
                    "{} in '{}' is named by {packages:?}, not {said:?}",
                    key.1, key.0
                ));
            }
            Some(_) => {}
        }
    }
    for key in written.keys().filter(|key| !named.contains_key(key)) {
        wrong.push(format!("nothing names {} of '{}'", key.1, key.0));
    }
    assert!(wrong.is_empty(), "docs/DEPENDENCIES.md:\n{}", wrong.join("\n"));
}
