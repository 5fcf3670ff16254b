//! Runs cargo-mutants' mutants of oxd-core from one build.
//!
//! cargo-mutants builds the crate anew for each mutant and runs all its tests: with two thousand mutants that is most of a
//! day. Here all of them are compiled at once, each behind a switch; a mutant then costs the tests that come by it, and
//! only until the first one fails. What does not compile in company is built alone, as cargo-mutants does.

#![forbid(unsafe_code)]

mod compile;
mod list;
mod report;
mod run;
mod weave;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compile::{Left, Tree};
use report::Results;
use run::{Outcome, Test};

const USAGE: &str = "usage: mutants LIST TREE RESULTS [SURVIVORS]
  LIST       the output of cargo mutants --list --json
  TREE       a copy of the sources, which is changed
  RESULTS    the file to write
  SURVIVORS  results of an earlier run: only what survived it is run again";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let outcome = match arguments.as_slice() {
        [list, tree, results] => all(list, tree, results, None),
        [list, tree, results, earlier] => all(list, tree, results, Some(earlier)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("mutants: {why}");
            ExitCode::FAILURE
        }
    }
}

fn all(list: &Path, tree: &Path, results: &Path, earlier: Option<&Path>) -> Result<(), String> {
    let mut mutants = list::read(list, tree)?;
    if let Some(earlier) = earlier {
        let survivors = report::survivors(earlier)?;
        mutants.retain(|mutant| survivors.contains(&mutant.name));
        mutants
            .iter_mut()
            .enumerate()
            .for_each(|(id, mutant)| mutant.id = id);
    }
    println!("{} mutants", mutants.len());
    let absolute = |path: &Path| std::path::absolute(path).map_err(|why| why.to_string());
    let (tree, results) = (&absolute(tree)?, &absolute(results)?);
    let sources = Tree::new(tree, &mutants)?;
    // Where cargo runs the tests.
    std::env::set_current_dir(tree.join(compile::CORE)).map_err(|why| why.to_string())?;
    let (program, left) = sources.together(&mutants)?;
    let scratch = results.parent().unwrap_or(Path::new("."));
    // The build for mutants that stand alone replaces the program.
    let kept = scratch.join("with-all-mutants");
    std::fs::copy(&program, &kept).map_err(|why| why.to_string())?;
    let tests = run::baseline(&kept, scratch)?;
    println!(
        "{} tests, {} mutants in one build",
        tests.len(),
        mutants.len() - left.len()
    );

    let mut found = Results::create(results)?;
    for mutant in &mutants {
        let outcome = match left.get(&mutant.id) {
            None => {
                let reaching: Vec<&Test> = tests.iter().filter(|t| t.reaches.contains(&mutant.id)).collect();
                run::run(&kept, Some(mutant.id), &reaching)?
            }
            Some(Left::Unviable(_)) => Outcome::Unviable,
            Some(Left::Alone(_)) => continue,
        };
        found.add(mutant, &outcome)?;
    }
    found.show();

    sources.restore()?;
    let every: Vec<&Test> = tests.iter().collect();
    let alone: BTreeMap<_, _> = left
        .iter()
        .filter(|(_, why)| matches!(why, Left::Alone(_)))
        .collect();
    println!("{} mutants are built alone", alone.len());
    for id in alone.keys() {
        let mutant = &mutants[**id];
        let outcome = match sources.alone(mutant)? {
            Some(program) => run::run(&program, None, &every)?,
            None => Outcome::Unviable,
        };
        found.add(mutant, &outcome)?;
    }
    sources.restore()?;
    found.show();
    Ok(())
}
