//! The mutants, as `cargo mutants --list --json` names them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

/// A change of the source.
pub struct Mutant {
    /// Its place in the list, by which it is switched on.
    pub id: usize,
    /// The name that cargo-mutants gives it.
    pub name: String,
    /// The file, from the root of the sources.
    pub file: String,
    pub genre: Genre,
    /// What is replaced, in bytes of the file.
    pub range: Range<usize>,
    pub replacement: String,
}

impl Mutant {
    /// Whether it replaces a value of a type that has no name.
    pub fn returns_opaque(&self) -> bool {
        self.genre == Genre::FnValue && self.name.contains("-> impl ")
    }
}

/// Reads the list.
///
/// # Errors
/// The list or a file that it names cannot be read.
pub fn read(list: &Path, tree: &Path) -> Result<Vec<Mutant>, String> {
    let text = fs::read_to_string(list).map_err(|why| format!("{}: {why}", list.display()))?;
    let entries: Vec<Value> = serde_json::from_str(&text).map_err(|why| why.to_string())?;
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    let mut mutants = Vec::new();
    for (id, entry) in entries.iter().enumerate() {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let file = text("file");
        if !sources.contains_key(&file) {
            let source = fs::read_to_string(tree.join(&file)).map_err(|why| format!("{file}: {why}"))?;
            sources.insert(file.clone(), source);
        }
        let place = |end: &str| offset(&sources[&file], &entry["span"][end]);
        let (Some(start), Some(end)) = (place("start"), place("end")) else {
            return Err(format!("{}: not a place in the file", text("name")));
        };
        let genre = match text("genre").as_str() {
            "FnValue" => Genre::FnValue,
            "BinaryOperator" => Genre::BinaryOperator,
            "UnaryOperator" => Genre::UnaryOperator,
            "MatchArm" => Genre::MatchArm,
            "MatchArmGuard" => Genre::MatchArmGuard,
            "StructField" => Genre::StructField,
            other => return Err(format!("mutants of the genre {other} are not known here")),
        };
        mutants.push(Mutant {
            id,
            name: text("name"),
            genre,
            range: start..end,
            replacement: text("replacement"),
            file,
        });
    }
    Ok(mutants)
}

/// The offset of a line and a column, both counted from 1, the column in characters.
fn offset(source: &str, place: &Value) -> Option<usize> {
    let line = usize::try_from(place["line"].as_u64()?).ok()?;
    let column = usize::try_from(place["column"].as_u64()?).ok()?;
    let before: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let text = source[before..].split('\n').next()?;
    let within = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .nth(column - 1)?;
    Some(before + within)
}
