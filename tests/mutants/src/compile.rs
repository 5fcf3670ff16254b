//! Builds oxd-core's tests with all mutants in them, and finds out which mutants do not compile.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::list::{Genre, Mutant};
use crate::weave::weave;

/// The package under test, below the root of the sources.
pub const CORE: &str = "crates/oxd-core";
/// What stands in the crate beside the mutants: the switch.
const SWITCH: &str = include_str!("switch.rs.in");
/// The most times that mutants are taken out and the rest is compiled again.
const MOST_ROUNDS: usize = 25;

/// Why a mutant has no place in the common build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It does not compile, here or elsewhere.
    Unviable,
    /// It may compile when it stands alone.
    Alone,
}

/// A copy of the sources that is changed at will.
pub struct Tree {
    root: PathBuf,
    originals: BTreeMap<String, String>,
}

/// What cargo says of a build.
enum Built {
    Program(PathBuf),
    Errors(Vec<CompilerError>),
}

struct CompilerError {
    /// As the compiler numbers them: `E0308`.
    code: String,
    /// Files and places in them, those first that it is about.
    places: Vec<(String, Range<usize>)>,
    /// The whole message, for people.
    text: String,
}

impl Tree {
    /// Reads the files that are about to be changed.
    pub fn new(root: &Path, mutants: &[Mutant]) -> Result<Self, String> {
        let mut originals = BTreeMap::new();
        for name in mutants.iter().map(|mutant| &mutant.file) {
            let text = fs::read_to_string(root.join(name)).map_err(|why| format!("{name}: {why}"))?;
            originals.insert(name.clone(), text);
        }
        let tree = Self {
            root: root.to_owned(),
            originals,
        };
        tree.add_switch(mutants.len())?;
        Ok(tree)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.root.join(name), text).map_err(|why| format!("{name}: {why}"))
    }

    fn add_switch(&self, number: usize) -> Result<(), String> {
        let lib = format!("{CORE}/src/lib.rs");
        let text = fs::read_to_string(self.root.join(&lib)).map_err(|why| why.to_string())?;
        let module = "\npub mod mutation;\n";
        if !text.ends_with(module) {
            self.write(&lib, &(text + module))?;
        }
        let switch = SWITCH.replace("NUMBER", &number.to_string());
        self.write(&format!("{CORE}/src/mutation.rs"), &switch)?;
        // Lints are for the sources as they are.
        let manifest = format!("{CORE}/Cargo.toml");
        let text = fs::read_to_string(self.root.join(&manifest)).map_err(|why| why.to_string())?;
        self.write(&manifest, &text.replace("[lints]\nworkspace = true\n", ""))
    }

    /// Puts all files back as they were.
    pub fn restore(&self) -> Result<(), String> {
        self.originals
            .iter()
            .try_for_each(|(name, text)| self.write(name, text))
    }

    /// Builds with this mutant alone; the test program, or nothing where it does not compile.
    pub fn alone(&self, mutant: &Mutant) -> Result<Option<PathBuf>, String> {
        let mut text = self.originals[&mutant.file].clone();
        text.replace_range(mutant.range.clone(), &mutant.replacement);
        self.write(&mutant.file, &text)?;
        let built = self.build();
        self.write(&mutant.file, &self.originals[&mutant.file])?;
        Ok(match built? {
            Built::Program(program) => Some(program),
            Built::Errors(_) => None,
        })
    }

    /// Builds with all mutants that compile together; the test program, and the others.
    pub fn together(&self, mutants: &[Mutant]) -> Result<(PathBuf, BTreeMap<usize, Left>), String> {
        // The copies of an expression have one type; two values of an `impl Trait` have not.
        let opaque = mutants.iter().filter(|mutant| mutant.returns_opaque());
        let mut left: BTreeMap<usize, Left> = opaque.map(|mutant| (mutant.id, Left::Alone)).collect();
        for round in 1..=MOST_ROUNDS {
            let mut regions: BTreeMap<&str, Vec<(Range<usize>, usize)>> = BTreeMap::new();
            for (name, source) in &self.originals {
                let here: Vec<_> = mutants
                    .iter()
                    .filter(|m| m.file == *name && !left.contains_key(&m.id))
                    .collect();
                let woven = weave(source, &here).map_err(|why| format!("{name}: {why}"))?;
                self.write(name, &woven.text)?;
                regions.insert(name, woven.regions);
                for id in woven.homeless {
                    left.insert(id, homeless(&mutants[id]));
                }
            }
            let errors = match self.build()? {
                Built::Program(program) => return Ok((program, left)),
                Built::Errors(errors) => errors,
            };
            let mut found = 0;
            for CompilerError { code, places, text } in &errors {
                let inner = |(name, at): &(String, Range<usize>)| {
                    let known = regions.get(name.as_str())?.iter();
                    known
                        .filter(|(range, _)| range.start <= at.start && at.end <= range.end)
                        .min_by_key(|(range, _)| range.len())
                        .map(|(_, id)| *id)
                };
                let Some(id) = places.iter().find_map(inner) else {
                    eprintln!("not in a mutant: {text}");
                    continue;
                };
                found += 1;
                left.entry(id).or_insert_with(|| verdict(code));
            }
            println!(
                "round {round}: {} errors, {} mutants left out",
                errors.len(),
                left.len()
            );
            if found == 0 {
                return Err("the mutants do not compile together".into());
            }
        }
        Err(format!(
            "the mutants do not compile together after {MOST_ROUNDS} rounds"
        ))
    }

    fn build(&self) -> Result<Built, String> {
        let output = Command::new("cargo")
            .args([
                "test",
                "-p",
                "oxd-core",
                "--lib",
                "--no-run",
                "--message-format=json",
            ])
            .current_dir(&self.root)
            .stderr(Stdio::null())
            .output()
            .map_err(|why| format!("cargo: {why}"))?;
        let mut program = None;
        let mut errors = Vec::new();
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Ok(message) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            if let Some(path) = message["executable"].as_str() {
                program = Some(PathBuf::from(path));
            }
            let said = &message["message"];
            if said["level"] != "error" {
                continue;
            }
            let mut places = Vec::new();
            collect(said, &mut places);
            if !places.is_empty() {
                let code = said["code"]["code"].as_str().unwrap_or_default().to_owned();
                let text = said["rendered"].as_str().unwrap_or_default().to_owned();
                errors.push(CompilerError { code, places, text });
            }
        }
        match program.filter(|_| output.status.success()) {
            Some(program) => Ok(Built::Program(program)),
            None if errors.is_empty() => {
                Err("cargo has built nothing and names no error in the sources".into())
            }
            None => Ok(Built::Errors(errors)),
        }
    }
}

/// The places that a message names: those that it is about first, then those of its notes.
fn collect(message: &Value, places: &mut Vec<(String, Range<usize>)>) {
    let spans = message["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    for primary in [true, false] {
        for span in spans.iter().filter(|span| span["is_primary"] == primary) {
            let number =
                |name: &str| usize::try_from(span[name].as_u64().unwrap_or_default()).unwrap_or_default();
            let file = span["file_name"].as_str().unwrap_or_default().to_owned();
            places.push((file, number("byte_start")..number("byte_end")));
        }
    }
    for child in message["children"].as_array().into_iter().flatten() {
        collect(child, places);
    }
}

/// What becomes of a mutant that has no place: `&&` beside a `let` cannot become `||`, and the arm of a match may have
/// to be there for the compiler.
fn homeless(mutant: &Mutant) -> Left {
    match mutant.genre {
        Genre::BinaryOperator => Left::Unviable,
        _ => Left::Alone,
    }
}

/// Whether a mutant with this error would compile if it stood alone: a value of another type would not, while a
/// copy of an expression may borrow more than the expression itself.
fn verdict(code: &str) -> Left {
    match code {
        // Other types, unknown names, missing implementations.
        "E0061" | "E0277" | "E0308" | "E0369" | "E0425" | "E0432" | "E0433" | "E0599" | "E0600" | "E0614" => {
            Left::Unviable
        }
        _ => Left::Alone,
    }
}
