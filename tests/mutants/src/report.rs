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

/// The file of results. A line has the mutant's fate, its name, and what is to be said of it; of several lines of one
/// mutant the last one counts, so that a run that is stopped takes nothing away from an earlier one.
pub struct Results(File);

const CAUGHT: &str = "caught";
const TIMED_OUT: &str = "timeout";
const UNVIABLE: &str = "unviable";
/// The fate of those that no test notices.
pub const SURVIVED: &str = "survived";

impl Results {
    /// Goes on with a file of results.
    pub fn go_on(path: &Path) -> Result<Self, String> {
        let file = File::options().create(true).append(true).open(path);
        file.map(Self).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Writes how a mutant ended.
    pub fn add(&mut self, mutant: &Mutant, outcome: &Outcome) -> Result<(), String> {
        let (word, detail) = match outcome {
            Outcome::Caught(by) => (CAUGHT, by.join(" ")),
            Outcome::TimedOut(by) => (TIMED_OUT, by.join(" ")),
            Outcome::Survived(passed) => (SURVIVED, format!("{passed} tests come by")),
            Outcome::Unviable => (UNVIABLE, String::new()),
        };
        writeln!(self.0, "{word}\t{}\t{detail}", mutant.name).map_err(|why| why.to_string())
    }
}

/// The fate of each mutant in a file of results, and what is to be said of it, by its name.
fn fates(path: &Path) -> Result<BTreeMap<String, (String, String)>, String> {
    let text = fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
    let fields = text.lines().map(|line| line.splitn(3, '\t').map(str::to_owned));
    Ok(fields
        .filter_map(|mut fields| {
            let fate = fields.next()?;
            Some((fields.next()?, (fate, fields.next().unwrap_or_default())))
        })
        .collect())
}

/// The names of the mutants in a file of results, all or those with one fate.
pub fn names(path: &Path, fate: Option<&str>) -> Result<BTreeSet<String>, String> {
    let fates = fates(path)?.into_iter();
    let wanted = fates.filter(|(_, (word, _))| fate.is_none_or(|fate| fate == word));
    Ok(wanted.map(|(name, _)| name).collect())
}

/// Prints the table of a file of results, and below it what has survived. The score is the share of the viable mutants
/// that a test has noticed.
pub fn show(path: &Path) -> Result<(), String> {
    let fates = fates(path)?;
    let mut folders: BTreeMap<String, Counts> = BTreeMap::new();
    let mut all = Counts::default();
    for (name, (fate, _)) in &fates {
        // crates/oxd-core/src/FOLDER/...
        let folder = name.split('/').nth(3).unwrap_or_default().to_owned();
        for counts in [folders.entry(folder).or_default(), &mut all] {
            match fate.as_str() {
                CAUGHT => counts.caught += 1,
                TIMED_OUT => counts.timed_out += 1,
                SURVIVED => counts.survived += 1,
                _ => counts.unviable += 1,
            }
        }
    }
    println!("| folder | mutants | caught | timeout | unviable | survived | score |");
    println!("|---|---|---|---|---|---|---|");
    for (folder, counts) in &folders {
        row(folder, counts);
    }
    row("all", &all);
    for (name, (fate, detail)) in &fates {
        if fate == SURVIVED {
            println!("{fate}\t{name}\t{detail}");
        }
    }
    Ok(())
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
