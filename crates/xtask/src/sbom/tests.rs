use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::document;
use crate::project::{cargo, output, root};

fn parsed() -> Value {
    let text = document(None).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Name, version and licence of what `cargo tree` lists for a program, without its members of this workspace.
fn listed(program: &str) -> BTreeSet<(String, String, String)> {
    let mut tree = cargo();
    tree.args(["tree", "--locked", "-p", program, "-e", "normal", "--no-dedupe"])
        .args(["--prefix", "none", "--format", "{p} {l}"]);
    let text = output(&mut tree).expect("cargo tree");
    let foreign = text
        .lines()
        .filter(|line| !line.contains(" (/") && !line.is_empty());
    let crates = foreign.map(|line| {
        let line = line.replace(" (proc-macro)", "");
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().expect("three words");
        (word(), word().trim_start_matches('v').to_owned(), word())
    });
    crates.collect()
}

#[test]
fn every_crate_of_the_programs_is_listed_with_version_licence_and_package_url() {
    let bill = parsed();
    let mut found = BTreeMap::new();
    for one in list(&bill["components"]) {
        let key = (field(one, "name").to_owned(), field(one, "version").to_owned());
        assert!(
            found.insert(key, one).is_none(),
            "{} is there twice",
            field(one, "name")
        );
    }
    let crates: BTreeSet<_> = listed("mod_oxd").into_iter().chain(listed("oxdctl")).collect();
    assert!(crates.len() > 100, "cargo tree names {} crates", crates.len());
    for (name, version, licence) in &crates {
        let one = found
            .get(&(name.clone(), version.clone()))
            .unwrap_or_else(|| panic!("{name} {version} is not in the document"));
        assert_eq!(field(one, "purl"), format!("pkg:cargo/{name}@{version}"));
        assert_eq!(
            field(&one["licenses"][0], "expression"),
            licence.replace('/', " OR "),
            "{name}"
        );
        assert_eq!(field(&one["hashes"][0], "alg"), "SHA-256", "{name}");
        assert_eq!(field(&one["hashes"][0], "content").len(), 64, "{name}");
    }
    // Nothing else is in it but what is of this workspace, and Rust's own library.
    let own = ["mod_oxd", "oxd-core", "oxd-store", "oxdctl", "std"];
    assert_eq!(found.len(), crates.len() + own.len());
    for one in own {
        let mut entries = found.iter().filter(|((name, _), _)| name == one);
        let (_, entry) = entries.next().unwrap_or_else(|| panic!("{one} is missing"));
        assert!(
            entry["purl"].is_null(),
            "{one} is in no registry, where somebody else may take its name"
        );
    }
}

/// The file that cargo has downloaded is what the checksum is of.
#[test]
fn the_checksums_are_those_of_the_crates_as_they_were_downloaded() {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cargo"),
        PathBuf::from,
    );
    let folders: Vec<_> = std::fs::read_dir(home.join("registry/cache"))
        .expect("cargo's downloads")
        .map(|folder| folder.expect("a folder").path())
        .collect();
    let bill = parsed();
    let mut compared = 0;
    for one in list(&bill["components"]) {
        let file = format!("{}-{}.crate", field(one, "name"), field(one, "version"));
        let Some(path) = folders
            .iter()
            .map(|folder| folder.join(&file))
            .find(|path| path.exists())
        else {
            continue;
        };
        let sum = output(Command::new("sha256sum").arg(&path)).expect("sha256sum");
        assert_eq!(
            sum.split(' ').next(),
            Some(field(&one["hashes"][0], "content")),
            "{file}"
        );
        compared += 1;
    }
    assert!(compared > 50, "only {compared} crates could be compared");
}

#[test]
fn what_needs_what_can_be_followed_from_the_package_to_every_crate() {
    let bill = parsed();
    let refs: BTreeSet<&str> = list(&bill["components"])
        .iter()
        .map(|one| field(one, "bom-ref"))
        .collect();
    let edges: BTreeMap<&str, Vec<&str>> = list(&bill["dependencies"])
        .iter()
        .map(|one| {
            let needs = list(&one["dependsOn"]);
            (
                field(one, "ref"),
                needs.iter().map(|id| id.as_str().expect("a name")).collect(),
            )
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut next = vec![field(&bill["metadata"]["component"], "bom-ref")];
    while let Some(one) = next.pop() {
        if seen.insert(one) {
            next.extend(edges.get(one).into_iter().flatten());
        }
    }
    seen.remove(field(&bill["metadata"]["component"], "bom-ref"));
    assert_eq!(seen, refs);
    let core = &edges[format!("workspace:oxd-core@{}", env!("CARGO_PKG_VERSION")).as_str()];
    assert!(
        core.iter().any(|id| id.starts_with("pkg:cargo/ring@")),
        "{core:?}"
    );
}

#[test]
fn the_same_sources_give_the_same_bytes_without_a_time_or_a_number_of_its_own() {
    let first = document(None).expect("a document");
    assert_eq!(first, document(None).expect("a document"));
    let bill: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(field(&bill, "bomFormat"), "CycloneDX");
    assert_eq!(field(&bill, "specVersion"), "1.5");
    assert!(bill["serialNumber"].is_null() && bill["metadata"]["timestamp"].is_null());
    // Nor does it tell where it was made.
    assert!(!first.contains(&root().canonicalize().expect("the folder").display().to_string()));
}
