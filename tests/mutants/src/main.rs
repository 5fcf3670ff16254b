//! Runs cargo-mutants' mutants of oxd-core from one build.
//!
//! cargo-mutants builds the crate anew for each mutant and runs all its tests: with two thousand mutants that is most
//! of a day. Here all of them are compiled at once, each behind a switch; a mutant then costs the tests that come by
//! it, and only until the first one fails. What does not compile in company is built alone, as cargo-mutants does.
//!
//! The mutants are run in steps through the list, so that those of a run that was stopped are a fair sample.

#![forbid(unsafe_code)]

mod compile;
mod list;
mod report;
mod run;
mod state;
mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compile::{Left, Tree};
use list::Mutant;
use report::Results;
use run::{Outcome, Test};
use state::State;

const USAGE: &str = "usage: mutants LIST TREE FOLDER [--resume | --again]
  LIST       the output of cargo mutants --list --json
  TREE       a copy of the sources, which is changed
  FOLDER     for the results
  --resume   go on with a run that was stopped
  --again    run only what has survived";

/// The steps in which the list is gone through.
const STEP: usize = 32;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    New,
    Resume,
    Again,
}

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (paths, mode) = match arguments.as_slice() {
        [paths @ .., word] if word.as_os_str() == "--resume" => (paths, Mode::Resume),
        [paths @ .., word] if word.as_os_str() == "--again" => (paths, Mode::Again),
        paths => (paths, Mode::New),
    };
    let outcome = match paths {
        [list, tree, folder] => all(list, tree, folder, mode),
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

fn all(list: &Path, tree: &Path, folder: &Path, mode: Mode) -> Result<(), String> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|why| why.to_string());
    let (tree, state) = (&absolute(tree)?, State(absolute(folder)?));
    let results = state.0.join("results");
    let mut mutants = list::read(list, tree)?;
    if mode == Mode::Again {
        let survivors = report::names(&results, Some(report::SURVIVED))?;
        mutants.retain(|mutant| survivors.contains(&mutant.name));
        mutants
            .iter_mut()
            .enumerate()
            .for_each(|(id, mutant)| mutant.id = id);
    }
    match mode {
        _ if !mutants.is_empty() => {}
        Mode::Again => return report::show(&results),
        Mode::New | Mode::Resume => return Err("there is no mutant to run".into()),
    }
    let sources = Tree::new(tree, &mutants)?;
    // Where cargo runs the tests.
    std::env::set_current_dir(tree.join(compile::CORE)).map_err(|why| why.to_string())?;
    let (left, tests) = match mode {
        Mode::Resume => state.load(&mutants)?,
        Mode::New | Mode::Again => {
            let (program, left) = sources.together(&mutants)?;
            let tests = run::baseline(&program, &state.reached())?;
            state.save(&program, &mutants, &left, &tests)?;
            (left, tests)
        }
    };
    println!(
        "{} mutants, {} in one build; {} tests",
        mutants.len(),
        mutants.len() - left.len(),
        tests.len()
    );

    let done = match mode {
        Mode::Resume => report::names(&results, None)?,
        Mode::New | Mode::Again => BTreeSet::new(),
    };
    if mode == Mode::New {
        let _ = std::fs::remove_file(&results);
    }
    let in_steps = (0..STEP).flat_map(|first| mutants.iter().skip(first).step_by(STEP));
    let rest: Vec<&Mutant> = in_steps.filter(|mutant| !done.contains(&mutant.name)).collect();
    let mut found = Results::go_on(&results)?;
    let alone = run_together(&rest, &left, &tests, &state.program(), &mut found)?;
    run_alone(&alone, &sources, &tests, &mut found)?;
    report::show(&results)
}

/// Runs the mutants of the common build; returns those that have to be built alone.
fn run_together<'m>(
    mutants: &[&'m Mutant],
    left: &BTreeMap<usize, Left>,
    tests: &[Test],
    program: &Path,
    found: &mut Results,
) -> Result<Vec<&'m Mutant>, String> {
    let mut alone = Vec::new();
    for mutant in mutants {
        let outcome = match left.get(&mutant.id) {
            None => {
                let reaching: Vec<&Test> = tests.iter().filter(|t| t.reaches.contains(&mutant.id)).collect();
                run::run(program, Some(mutant.id), &reaching)?
            }
            Some(Left::Unviable) => Outcome::Unviable,
            Some(Left::Alone) => {
                alone.push(*mutant);
                continue;
            }
        };
        found.add(mutant, &outcome)?;
    }
    Ok(alone)
}

/// Builds each of these mutants by itself and runs every test with it.
fn run_alone(mutants: &[&Mutant], sources: &Tree, tests: &[Test], found: &mut Results) -> Result<(), String> {
    sources.restore()?;
    let every: Vec<&Test> = tests.iter().collect();
    println!("{} mutants are built alone", mutants.len());
    for mutant in mutants {
        let outcome = match sources.alone(mutant)? {
            Some(program) => run::run(&program, None, &every)?,
            None => Outcome::Unviable,
        };
        found.add(mutant, &outcome)?;
    }
    sources.restore()
}
