//! Runs tests with a mutant switched on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the tests say of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed; one of these.
    Caught(Vec<String>),
    /// A test did not end.
    TimedOut(Vec<String>),
    /// All tests that come by passed: so many.
    Survived(usize),
    /// It does not compile.
    Unviable,
}

/// A test, what it costs, and the mutants that it comes by.
#[derive(Clone)]
pub struct Test {
    pub name: String,
    pub cost: Duration,
    pub reaches: BTreeSet<usize>,
}

/// The processor time that tests may take: this, and so many times what they took without a mutant.
const LEAST: Duration = Duration::from_secs(3);
const TIMES: u32 = 5;
/// The longest that they may take by the clock, where they wait for what never comes.
const LONGEST: Duration = Duration::from_secs(90);
/// The most memory of a test program, in KB: a mutant of a loop may ask for any amount.
const MEMORY: u64 = 4 * 1024 * 1024;
const XCPU: i32 = 24;
const KILLED: i32 = 9;

/// The tests of a program, each run once without a mutant.
///
/// # Errors
/// One of them fails, or there is none: every mutant would have survived.
pub fn baseline(program: &Path, reached: &Path) -> Result<Vec<Test>, String> {
    let output = Command::new(program)
        .args(["--list", "--format", "terse"])
        .output();
    let output = output.map_err(|why| format!("{}: {why}", program.display()))?;
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut tests = Vec::new();
    for name in names.lines().filter_map(|line| line.strip_suffix(": test")) {
        let _ = fs::remove_file(reached);
        let timed = Command::new("bash")
            .args(["-c", "TIMEFORMAT='%U %S'; time \"$@\" >/dev/null 2>&1", "bash"])
            .arg(program)
            .args(["--exact", name])
            .env("MUTANTS_REACHED", reached)
            .stdout(Stdio::null())
            .output()
            .map_err(|why| why.to_string())?;
        if !timed.status.success() {
            return Err(format!("{name} fails without a mutant"));
        }
        let times = String::from_utf8_lossy(&timed.stderr).into_owned();
        let seconds: f64 = times
            .split_whitespace()
            .filter_map(|word| word.parse::<f64>().ok())
            .sum();
        let ids = fs::read_to_string(reached).unwrap_or_default();
        tests.push(Test {
            name: name.to_owned(),
            cost: Duration::from_secs_f64(seconds),
            reaches: ids.lines().filter_map(|id| id.parse().ok()).collect(),
        });
    }
    if tests.is_empty() {
        return Err(format!("{} has no test", program.display()));
    }
    tests.sort_by_key(|test| test.cost);
    Ok(tests)
}

/// Runs these tests with a mutant, the cheap ones first, until one fails.
pub fn run(program: &Path, mutant: Option<usize>, tests: &[&Test]) -> Result<Outcome, String> {
    let (mut rest, mut size) = (tests, 1);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(size.min(rest.len()));
        let names: Vec<String> = now.iter().map(|test| test.name.clone()).collect();
        let cost: Duration = now.iter().map(|test| test.cost).sum();
        match one(program, mutant, &names, LEAST + cost * TIMES)? {
            Ended::Passed => {}
            Ended::Failed => return Ok(Outcome::Caught(names)),
            Ended::TooLong => return Ok(Outcome::TimedOut(names)),
        }
        (rest, size) = (later, size * 4);
    }
    Ok(Outcome::Survived(tests.len()))
}

enum Ended {
    Passed,
    Failed,
    TooLong,
}

fn one(program: &Path, mutant: Option<usize>, names: &[String], limit: Duration) -> Result<Ended, String> {
    let limits = format!("ulimit -c 0 -t {} -v {MEMORY}; exec \"$@\"", limit.as_secs() + 1);
    let mut command = Command::new("bash");
    command
        .args(["-c", &limits, "bash"])
        .arg(program)
        .args(["--test-threads=1", "--exact"])
        .args(names)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some(id) = mutant {
        command.env("MUTANT", id.to_string());
    }
    let mut child = command.spawn().map_err(|why| why.to_string())?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(|why| why.to_string())? {
            return Ok(match (status.success(), status.signal()) {
                (true, _) => Ended::Passed,
                (false, Some(XCPU | KILLED)) => Ended::TooLong,
                (false, _) => Ended::Failed,
            });
        }
        if began.elapsed() > LONGEST {
            child.kill().map_err(|why| why.to_string())?;
            child.wait().map_err(|why| why.to_string())?;
            return Ok(Ended::TooLong);
        }
        sleep(Duration::from_millis(5));
    }
}
