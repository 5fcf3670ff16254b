//! The software bill of materials of the packages: what the module and oxdctl are made of, in CycloneDX's JSON.
//!
//! It says nothing that is not in the sources or the compiler's version: no time, no random number. The same sources
//! give the same bytes, as for the packages that it lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::{cargo, output, root};

/// The packages that become programs. They are built apart from each other, and so asked for apart: together they would
/// have features of dependencies that neither has alone.
const PROGRAMS: [&str; 2] = ["mod_oxd", "oxdctl"];

/// What a crate is called among all of them, and in the document.
type Id = String;

/// A crate of a program.
struct Crate {
    name: String,
    version: String,
    licence: String,
    repository: String,
    /// From the registry, not a member of this workspace.
    foreign: bool,
    /// Runs in the compiler alone.
    at_compile_time: bool,
    needs: BTreeSet<Id>,
}

/// The document, for programs of this kind of machine or, without one, of the kind that this runs on.
pub fn document(target: Option<&str>) -> Result<String, String> {
    let mut crates = BTreeMap::new();
    let mut programs = Vec::new();
    for program in PROGRAMS {
        let tree = cargo_tree(program, target)?;
        let own = read_tree(&tree, &mut crates)?;
        programs.push(own);
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).map_err(|why| format!("Cargo.lock: {why}"))?;
    let checksums = read_lock(&lock);
    let compiler = standard_library()?;

    let mut components = vec![compiler.clone()];
    let mut dependencies = Vec::new();
    for (id, one) in &crates {
        components.push(component(id, one, &checksums)?);
        dependencies.push(json!({"ref": id, "dependsOn": one.needs}));
    }
    let product = &crates[&programs[0]];
    let whole = format!("package:mod_oxd@{}", product.version);
    programs.push(text(&compiler["bom-ref"]));
    dependencies.push(json!({"ref": whole, "dependsOn": programs}));
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": whole,
                "name": "mod_oxd",
                "version": product.version,
                "description": "The module for Apache httpd and the command line oxdctl",
                "licenses": [{"expression": product.licence}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    });
    serde_json::to_string_pretty(&document)
        .map(|text| text + "\n")
        .map_err(|why| why.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A crate as the document lists it. Members of this workspace have no package URL: it would name whatever somebody
/// publishes under that name.
fn component(id: &str, one: &Crate, checksums: &BTreeMap<Id, String>) -> Result<Value, String> {
    let mut entry = json!({
        "type": "library",
        "bom-ref": id,
        "name": one.name,
        "version": one.version,
        "scope": if one.at_compile_time { "excluded" } else { "required" },
        "licenses": [{"expression": one.licence}],
    });
    if one.foreign {
        let checksum = checksums
            .get(id)
            .ok_or_else(|| format!("Cargo.lock has no checksum of {id}"))?;
        entry["purl"] = json!(id);
        entry["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        if !one.repository.is_empty() {
            entry["externalReferences"] = json!([{"type": "vcs", "url": one.repository}]);
        }
    }
    Ok(entry)
}

/// Rust's own library, which is in every program and in no Cargo.lock. Databases of vulnerabilities know it under the
/// compiler's name.
fn standard_library() -> Result<Value, String> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(compiler).arg("--version"))?;
    let version = said
        .split_whitespace()
        .nth(1)
        .ok_or_else(|| format!("the compiler's version: {said}"))?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "std",
        "version": version,
        "description": "The standard library of Rust",
        "scope": "required",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "cpe": format!("cpe:2.3:a:rust-lang:rust:{version}:*:*:*:*:*:*:*"),
    }))
}

/// The crates of a program, a line each, by the edges that end in it.
fn cargo_tree(package: &str, target: Option<&str>) -> Result<String, String> {
    let mut cargo = cargo();
    cargo
        .args([
            "tree", "--quiet", "--locked", "--edges", "normal", "--prefix", "depth",
        ])
        .args(["--format", "\t{p}\t{l}\t{r}\t", "--package", package]);
    if let Some(target) = target {
        cargo.args(["--target", target]);
    }
    output(&mut cargo)
}

/// Adds what `cargo tree` says, and gives the id of its first crate. A crate that comes again has its own dependencies
/// only once.
fn read_tree(tree: &str, crates: &mut BTreeMap<Id, Crate>) -> Result<Id, String> {
    let mut above: Vec<Id> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let odd = || format!("cargo tree says: {line}");
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or_else(odd);
        let depth: usize = field()?.parse().map_err(|_| odd())?;
        let package = field()?;
        let (licence, repository) = (field()?, field()?);
        // name vVERSION (proc-macro) (/path/of/a/member)
        let mut words = package.splitn(3, ' ');
        let name = words.next().ok_or_else(odd)?;
        let version = words
            .next()
            .and_then(|word| word.strip_prefix('v'))
            .ok_or_else(odd)?;
        let rest = words.next().unwrap_or_default();
        let foreign = !rest.contains("(/");
        let id = id(name, version, foreign);
        if depth > above.len() {
            return Err(odd());
        }
        above.truncate(depth);
        if let Some(parent) = above.last().and_then(|parent| crates.get_mut(parent)) {
            parent.needs.insert(id.clone());
        }
        above.push(id.clone());
        crates.entry(id).or_insert_with(|| Crate {
            name: name.to_owned(),
            version: version.to_owned(),
            // As it was written before there were expressions.
            licence: licence.replace('/', " OR "),
            repository: repository.to_owned(),
            foreign,
            at_compile_time: rest.contains("(proc-macro)"),
            needs: BTreeSet::new(),
        });
    }
    above
        .into_iter()
        .next()
        .ok_or_else(|| "cargo tree names no crate".to_owned())
}

/// The package URL of a crate of the registry.
fn id(name: &str, version: &str, foreign: bool) -> Id {
    if foreign {
        format!("pkg:cargo/{name}@{version}")
    } else {
        format!("workspace:{name}@{version}")
    }
}

/// The checksums of crates as they were downloaded.
fn read_lock(lock: &str) -> BTreeMap<Id, String> {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1).filter_map(|package| {
        let find = |key| package.lines().find_map(|line| value(line, key));
        Some((id(&find("name")?, &find("version")?, true), find("checksum")?))
    });
    packages.collect()
}

#[cfg(test)]
mod tests;
