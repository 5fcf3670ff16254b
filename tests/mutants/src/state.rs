//! What a run has found out so far, in files: a run that was stopped can go on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::compile::Left;
use crate::list::Mutant;
use crate::run::Test;

/// The folder of a run.
pub struct State(pub PathBuf);

impl State {
    /// The tests, compiled with all mutants.
    pub fn program(&self) -> PathBuf {
        self.0.join("with-all-mutants")
    }

    fn file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Where a test says what it comes by.
    pub fn reached(&self) -> PathBuf {
        self.0.join("reached")
    }

    /// Keeps the program and what is known of it.
    pub fn save(
        &self,
        program: &Path,
        mutants: &[Mutant],
        left: &BTreeMap<usize, Left>,
        tests: &[Test],
    ) -> Result<(), String> {
        let left: Vec<Value> = left
            .iter()
            .map(|(id, why)| match why {
                Left::Unviable => json!([id, true]),
                Left::Alone => json!([id, false]),
            })
            .collect();
        let tests: Vec<Value> = tests
            .iter()
            .map(|test| json!([test.name, test.cost.as_secs_f64(), test.reaches]))
            .collect();
        if program != self.program() {
            fs::copy(program, self.program()).map_err(|why| why.to_string())?;
        }
        let text = json!({ "mutants": names(mutants), "left": left, "tests": tests }).to_string();
        fs::write(self.file(), text).map_err(|why| why.to_string())
    }

    /// What an earlier run of these mutants has kept.
    ///
    /// # Errors
    /// There is none, or it was one of other mutants, whose numbers mean something else.
    pub fn load(&self, mutants: &[Mutant]) -> Result<(BTreeMap<usize, Left>, Vec<Test>), String> {
        let text =
            fs::read_to_string(self.file()).map_err(|why| format!("{}: {why}", self.file().display()))?;
        let value: Value = serde_json::from_str(&text).map_err(|why| why.to_string())?;
        if value["mutants"] != json!(names(mutants)) {
            return Err("the run that was stopped was one of other mutants: begin a new one".into());
        }
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap_or_default()).unwrap_or_default();
        let list = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        let (left, tests) = (list("left"), list("tests"));
        let left = left.iter().map(|one| {
            let why = match one[1] == true {
                true => Left::Unviable,
                false => Left::Alone,
            };
            (number(&one[0]), why)
        });
        let tests = tests.iter().map(|one| Test {
            name: one[0].as_str().unwrap_or_default().to_owned(),
            cost: Duration::from_secs_f64(one[1].as_f64().unwrap_or_default()),
            reaches: one[2].as_array().into_iter().flatten().map(number).collect(),
        });
        Ok((left.collect(), tests.collect()))
    }
}

fn names(mutants: &[Mutant]) -> Vec<&str> {
    mutants.iter().map(|mutant| mutant.name.as_str()).collect()
}
