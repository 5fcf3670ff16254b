//! The results: one line for each mutant in a file, a table on the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::list::Mutant;
use crate::run::Outcome;

/// How the mutants of a folder ended.
#[derive(Clone, Copy, Default)]
struct Counts {
    caught: usize,
    timed_out: usize,
    unviable: usize,
    survived: usize,
}

/// The results so far.
pub struct Results {
    file: File,
    folders: BTreeMap<String, Counts>,
}

const SURVIVED: &str = "survived";

impl Results {
    /// Begins a file of results.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(Self {
            file,
            folders: BTreeMap::new(),
        })
    }

    /// Writes how a mutant ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, mutant: &Mutant, outcome: &Outcome) -> Result<(), String> {
        // crates/oxd-core/src/FOLDER/...
        let folder = mutant.file.split('/').nth(3).unwrap_or_default();
        let counts = self.folders.entry(folder.to_owned()).or_default();
        let (word, detail) = match outcome {
            Outcome::Caught(by) => {
                counts.caught += 1;
                ("caught", by.join(" "))
            }
            Outcome::TimedOut(by) => {
                counts.timed_out += 1;
                ("timeout", by.join(" "))
            }
            Outcome::Survived(passed) => {
                counts.survived += 1;
                (SURVIVED, format!("{passed} tests come by"))
            }
            Outcome::Unviable => {
                counts.unviable += 1;
                ("unviable", String::new())
            }
        };
        writeln!(self.file, "{word}\t{}\t{detail}", mutant.name).map_err(|why| why.to_string())
    }

    /// Prints the table. The score is the share of the viable ones that a test has noticed.
    pub fn show(&self) {
        println!("| folder | mutants | caught | timeout | unviable | survived | score |");
        println!("|---|---|---|---|---|---|---|");
        let mut all = Counts::default();
        for (folder, counts) in &self.folders {
            row(folder, counts);
            all.caught += counts.caught;
            all.timed_out += counts.timed_out;
            all.unviable += counts.unviable;
            all.survived += counts.survived;
        }
        row("all", &all);
    }
}

fn row(name: &str, counts: &Counts) {
    let Counts {
        caught,
        timed_out,
        unviable,
        survived,
    } = *counts;
    let noticed = caught + timed_out;
    let viable = noticed + survived;
    let per_mille = (noticed * 1000).checked_div(viable).unwrap_or(1000);
    println!(
        "| {name} | {} | {caught} | {timed_out} | {unviable} | {survived} | {}.{} % |",
        viable + unviable,
        per_mille / 10,
        per_mille % 10
    );
}

/// The names of the mutants that survived, of earlier results.
///
/// # Errors
/// The file cannot be read.
pub fn survivors(path: &Path) -> Result<BTreeSet<String>, String> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    Ok(lines
        .filter(|fields| fields.first() == Some(&SURVIVED))
        .filter_map(|fields| fields.get(1).map(|name| (*name).to_owned()))
        .collect())
}
